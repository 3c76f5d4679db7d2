"""Many mutated uploads by one confined child: `python -m tests.support.fuzz_worker` through `child.run`.

It leaves the network once and forks for every file: each gets a process that confines itself as the worker does, with
the worker's own limits and code, and nothing of the one before; only the start of Python and of its libraries is
shared. What is confined makes no process any more, so this one is not. Job: `cases`, each a folder with an `upload` and
its `demuxer`. Answer: what became of each, in order: `signal` (0 for none), `seconds` of
processor, `told` (as the worker's answer) and `left` (files in the folder).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from broadcasts.audio import worker
from broadcasts.audio.chain import ORDINARY, Limits
from broadcasts.audio.confine import confine, leave_network
from broadcasts.errors import Fault, Refused


def run(job: dict[str, Any]) -> dict[str, Any]:
    limits = Limits.from_json(job["limits"])
    leave_network()
    return {"cases": [_forked(Path(each["folder"]), each["demuxer"], limits) for each in job["cases"]]}


def _forked(folder: Path, demuxer: str, limits: Limits) -> dict[str, Any]:
    process = os.fork()
    if process == 0:
        code = 1
        try:
            signal.alarm(round(limits.wall_seconds))
            os.chdir(folder)
            confine(limits, folder)
            Path("told.json").write_text(json.dumps(_answer(folder, demuxer, limits)), encoding="utf-8")
            code = 0
        finally:
            # An exception ends here: it must not go on into what the parent was doing.
            if code:
                traceback.print_exc(file=sys.stderr)
            os._exit(code)
    _, status, usage = os.wait4(process, 0)
    told = folder / "told.json"
    return {
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
        "seconds": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss * 1024,
        "told": json.loads(told.read_bytes()) if told.exists() else None,
        "left": sorted(path.name for path in folder.iterdir()),
    }


def _answer(folder: Path, demuxer: str, limits: Limits) -> dict[str, Any]:
    out = folder / "finished"
    job = {"source": str(folder / "upload"), "out": str(out), "demuxer": demuxer, "chain": ORDINARY.to_json()}
    try:
        return {"done": worker.prepare(job | {"chime": False, "cut": None}, limits)}
    except Refused as refused:
        return {"refused": refused.key, "fields": refused.fields}
    except Fault as fault:
        return {"fault": fault.key, "fields": fault.fields}
    except MemoryError:
        return {"refused": "audio.too_costly", "fields": {}}


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"done": run(json.load(sys.stdin))}))
