"""Piper: neural voices on this machine, from a folder that whoever runs the server fills.

A voice is three files beside each other, `NAME.onnx`, `NAME.onnx.json` and `NAME.sha256` (as `sha256sum NAME.onnx
NAME.onnx.json` writes it), and the text of its licence as `NAME.LICENSE`. One whose sums are missing or wrong, or
that has no licence, is not offered, and `Piper.wrong` says why. The program `piper` (package `piper-tts`) is a
process of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from broadcasts.audio.store import told_as_faults
from broadcasts.audio.voices import Voice
from broadcasts.errors import Fault, Refused

ID = "piper"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,60}\Z")
NO_PROGRAM = "the program `piper` is not there: pip install piper-tts, or set LOA_PIPER_PROGRAM"


class Piper:
    id = ID
    offline = True
    sends_text_out = False

    def __init__(self, folder: Path, program: Path | None = None, seconds: float = 120.0) -> None:
        """`program`: none looks beside our Python, then along the path. `seconds`: what one text may take."""
        self._folder, self._told, self._seconds = folder, program, seconds
        self._sums: dict[str, tuple[tuple[int, ...], str, str]] = {}

    @property
    def program(self) -> str | None:
        if self._told is not None:
            return str(self._told) if os.access(self._told, os.X_OK) else None
        return shutil.which("piper", path=str(Path(sys.executable).parent)) or shutil.which("piper")

    def version(self, voice: str) -> str:
        _, digest, _ = self._look(voice)
        return f"piper {digest[:16]}"

    def voices(self) -> Sequence[Voice]:
        if self.program is None:
            return ()
        found = []
        for path in sorted(self._folder.glob("*.onnx")):
            name = path.name.removesuffix(".onnx")
            if NAME.match(name) and not self._look(name)[2]:
                found.append(self._voice(name))
        return found

    def wrong(self) -> list[str]:
        """What keeps voices from being offered, for whoever runs the server."""
        found = [] if self.program is not None else [NO_PROGRAM]
        if not self._folder.is_dir():
            return [*found, f"{self._folder} is no folder"]
        for path in sorted(self._folder.glob("*.onnx")):
            name = path.name.removesuffix(".onnx")
            if why := "its name" if not NAME.match(name) else self._look(name)[2]:
                found.append(f"{path.name}: {why}")
        return found

    def speak(self, texts: Sequence[str], voice: str, rate: float, folder: Path) -> list[Path]:
        program = self.program
        if program is None:
            raise Fault("audio.voice_failed", provider=ID, reason=NO_PROGRAM)
        if voice not in {each.name for each in self.voices()}:
            raise Refused("audio.voice_unknown", voice=f"{ID}/{voice[:60]}")
        out = folder / "piper-spoken"
        with told_as_faults():
            out.mkdir()
        model = self._folder / f"{voice}.onnx"
        # One line is one text, and one file whose name is the time at which it was written.
        lines = "\n".join(" ".join(text.split()) for text in texts) + "\n"
        arguments = ["-m", str(model.absolute()), "-c", f"{model.absolute()}.json", "-d", str(out)]
        try:
            done = subprocess.run(
                [program, *arguments, "--length-scale", f"{1 / rate:.3f}"],
                input=lines.encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=folder,
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "2", "HOME": str(folder)},
                timeout=self._seconds,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired as error:
            raise Fault("audio.voice_slow", provider=ID, seconds=round(self._seconds)) from error
        except OSError as error:
            raise Fault("audio.voice_failed", provider=ID, reason=error.strerror or "could not start") from error
        made = sorted(out.glob("*.wav"), key=lambda path: (len(path.name), path.name))
        if done.returncode or len(made) != len(texts):
            last = done.stderr[-300:].decode("utf-8", "replace").strip().splitlines()
            raise Fault("audio.voice_failed", provider=ID, reason=last[-1] if last else f"exit code {done.returncode}")
        return made

    def _voice(self, name: str) -> Voice:
        told = _settings(self._folder / f"{name}.onnx.json")
        language = told.get("language")
        code = language.get("code") if isinstance(language, dict) else None
        region = str(language.get("region", "")) if isinstance(language, dict) else ""
        licence = (self._folder / f"{name}.LICENSE").read_text("utf-8", "replace").strip().splitlines()
        spoken = str(code or name.split("-")[0]).replace("_", "-")[:12]
        return Voice(ID, name, spoken, region[:20], "", (licence or [""])[0].strip()[:80])

    def _look(self, name: str) -> tuple[tuple[int, ...], str, str]:
        """(when it was looked at, the model's SHA-256, what is wrong or ""); sums are made anew when a file changes."""
        model = self._folder / f"{name}.onnx"
        files = [model, self._folder / f"{name}.onnx.json", self._folder / f"{name}.sha256"]
        try:
            stats = [path.stat() for path in files]
        except OSError as error:
            return (), "", f"{Path(str(error.filename)).name} is missing"
        mark = tuple(number for stat in stats for number in (stat.st_size, stat.st_mtime_ns))
        if not (self._folder / f"{name}.LICENSE").is_file():
            return (), "", f"{name}.LICENSE is missing"
        if (known := self._sums.get(name)) is not None and known[0] == mark:
            return known
        try:
            lines = [line.split(None, 1) for line in files[2].read_text("ascii", "replace").splitlines()]
            sums = {path.name: _sha256(path) for path in files[:2]}
        except OSError as error:
            return (), "", f"{Path(str(error.filename)).name} cannot be read: {error.strerror}"
        promised = {pair[1]: pair[0] for pair in lines if len(pair) == 2}
        wrong = ""
        if any(promised.get(each, promised.get(f"*{each}")) != digest for each, digest in sums.items()):
            wrong = f"{name}.sha256 does not name these files"
        elif not _settings(files[1]):
            wrong = f"{name}.onnx.json cannot be read"
        self._sums[name] = (mark, sums[model.name], wrong)
        return self._sums[name]


def _settings(path: Path) -> dict[str, object]:
    try:
        told = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
