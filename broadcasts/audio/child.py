"""Starting a confined child process and understanding how it ended.

One job as JSON on its standard input; one JSON object as its answer. Nothing of the parent's environment goes along
(settings may hold secrets). What the child says on standard error stays bounded and goes into no page.
"""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import broadcasts
from broadcasts.audio.chain import Limits
from broadcasts.audio.confine import confine, leave_network
from broadcasts.audio.keys import STAGES
from broadcasts.audio.store import told_as_faults
from broadcasts.errors import Fault, Refused

_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
_EXHAUSTED = (signal.SIGXCPU, signal.SIGKILL)
_ANSWER_BYTES = 1_000_000
_STAGE, _STAGE_BYTES = "stage.txt", 40
_LOOK_S = 0.25
"""How often one looks how far the child is."""
Progress = Callable[[str], None]
"""Told the word of each stage that the child comes to. What it raises ends the child, and is raised on."""


def run(
    module: str, job: dict[str, Any], folder: Path, limits: Limits, progress: Progress | None = None
) -> dict[str, Any]:
    """The answer of `python -m module`, run inside `folder`.

    Raises what the child refused; Refused audio.took_too_long, audio.too_costly, audio.broken (it crashed);
    Fault storage.full, audio.worker.
    """
    task, answer, noise = folder / "job.json", folder / "answer.json", folder / "noise.txt"
    with told_as_faults():
        task.write_text(json.dumps(job | {"limits": limits.to_json()}), encoding="utf-8")
        with (
            task.open("rb") as given,
            answer.open("wb") as out,
            noise.open("wb") as err,
            _deaf_to(signal.SIGTERM),
        ):
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", module],
                stdin=given,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=_environment(),
                start_new_session=True,
            )
        try:
            code = _waited(child, folder / _STAGE, limits.wall_seconds, progress)
        except subprocess.TimeoutExpired as error:
            raise Refused("audio.took_too_long", seconds=round(limits.wall_seconds)) from error
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    if code:
        raise _why(code, noise)
    with answer.open("rb") as told:
        return _understood(told.read(_ANSWER_BYTES))


@contextmanager
def _deaf_to(which: signal.Signals) -> Iterator[None]:
    """What is started meanwhile never hears it. A service manager says goodbye to all processes of a service at once;
    ours ends its children itself, and a recording is not refused because somebody restarts us."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [which])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _waited(child: subprocess.Popen[bytes], stage: Path, seconds: float, progress: Progress | None) -> int:
    if progress is None:
        return child.wait(seconds)
    known = ""
    for _ in range(round(seconds / _LOOK_S)):
        try:
            return child.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            pass
        if (now := _reached(stage)) not in ("", known):
            known = now
            progress(now)
    return child.wait(0)


def _reached(stage: Path) -> str:
    """One of the words that are known; anything else, as while it writes or when it was taken over, is no news."""
    try:
        with stage.open("rb") as file:
            told = file.read(_STAGE_BYTES).decode("ascii", "replace")
    except FileNotFoundError:
        return ""
    return told if told in STAGES else ""


def reach(stage: str) -> None:
    """The child's side: from now on it does this, one of `keys.STAGES`."""
    Path(_STAGE).write_text(stage, encoding="ascii")


def serve(work: Callable[[dict[str, Any], Limits], dict[str, Any]]) -> None:
    """The child's side: confine itself, do `work` on the job, answer. Called by the modules that `run` names."""
    job = json.load(sys.stdin)
    limits = Limits.from_json(job.pop("limits"))
    leave_network()
    confine(limits, Path.cwd())
    answer: dict[str, Any]
    try:
        answer = {"done": work(job, limits)}
    except Refused as refused:
        answer = {"refused": refused.key, "fields": refused.fields}
    except Fault as fault:
        answer = {"fault": fault.key, "fields": fault.fields}
    except MemoryError:
        answer = {"refused": "audio.too_costly", "fields": {}}
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            answer = {"fault": "storage.full", "fields": {}}
        elif error.errno in (errno.EFBIG, errno.ENOMEM):
            answer = {"refused": "audio.too_costly", "fields": {}}
        else:
            raise
    sys.stdout.write(json.dumps(answer))


def _environment() -> dict[str, str]:
    root = Path(broadcasts.__file__).parent.parent
    # One thread each: a worker is one core's work, and threads would count against the address space.
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(root),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def _understood(told: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(told)
        if "done" in answer:
            done: dict[str, Any] = answer["done"]
            return done
        fields = {str(name): value for name, value in answer["fields"].items()}
        trouble = Refused(answer["refused"], **fields) if "refused" in answer else Fault(answer["fault"], **fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Fault("audio.worker", reason="no answer") from error
    raise trouble


def _why(code: int, noise: Path) -> Refused | Fault:
    if -code in _EXHAUSTED:
        return Refused("audio.too_costly")
    if -code in _CRASHES:
        return Refused("audio.broken")
    with noise.open("rb") as said:
        said.seek(max(noise.stat().st_size - 300, 0))
        last = said.read(300).decode("utf-8", "replace").strip().splitlines()
    return Fault("audio.worker", reason=last[-1] if last else f"exit code {code}")
