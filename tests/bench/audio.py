"""A 15-minute MP3 becomes a finished, verified asset: processor seconds against the same passes by the ffmpeg program.

    python -m tests.bench audio --rounds 3

The floor is two commands: measure what the filters leave, then filter, level and encode. What we do besides it counts
on our side: confining the child, measuring the upload, trying a minute, decoding the finished file again to measure it,
the picture of it, the hashes. The program is the system's own `ffmpeg` where there is one, else that of the development
dependency `imageio-ffmpeg`. Then a file of two hours, for the memory of the child. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg

from broadcasts.audio.chain import CODECS, ORDINARY, WORK_RATE, Chain, Codec
from broadcasts.audio.pipeline import prepare
from broadcasts.audio.store import Store
from tests.bench.bulletin import write_bulletin

MIB = 1 << 20
_LOUDNESS = re.compile(r"I:\s+(-?[\d.]+) LUFS")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench audio", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many counts")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--codec", choices=CODECS, default="opus")
    parser.add_argument("--no-long", action="store_true", help="leave out the file of two hours")
    asked = parser.parse_args(arguments)
    chain = replace(ORDINARY, codec=CODECS[asked.codec])
    with tempfile.TemporaryDirectory(prefix="loa-bench-audio-") as name:
        folder = Path(name)
        upload = write_bulletin(folder / "upload.mp3", asked.minutes)
        store = Store(folder / "store")
        program = ffmpeg()
        print(subprocess.run([program, "-version"], capture_output=True, text=True, check=True).stdout.split("\n")[0])
        ours, floors = [], []
        for _ in range(asked.rounds):
            floors.append(_spent(lambda: floor(program, upload, chain, folder / "floor")))
            ours.append(_spent(lambda: _prepared(upload, store, chain)))
            print(f"ours {ours[-1]:.2f} s, floor {floors[-1]:.2f} s")
        told = {"figure": statistics.median(ours), "floor": statistics.median(floors)}
        result = {name: round(value, 2) for name, value in told.items()}
        result["ratio"] = round(told["figure"] / told["floor"], 3)
        if not asked.no_long:
            result |= _of_two_hours(
                write_bulletin(folder / "long.mp3", asked.minutes, times=round(120 / asked.minutes))
            )
    print(json.dumps({"unit": "processor seconds", "codec": asked.codec} | result))
    return 0


def ffmpeg() -> str:
    return shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()


def floor(program: str, upload: Path, chain: Chain, out: Path) -> None:
    """Measure, then filter and encode: nothing else."""
    filters = f"pan=mono|c0=0.5*c0+0.5*c1,aresample={WORK_RATE}," + ",".join(f"{f}={a}" for f, a in chain.filters)
    base = [program, "-hide_banner", "-nostdin", "-y", "-threads", "1", "-i", str(upload), "-vn", "-af"]
    measure = [*base, f"{filters},ebur128=peak=true:framelog=verbose", "-f", "null", "-"]
    said = subprocess.run(measure, capture_output=True, text=True, check=True).stderr
    gain = chain.target_lufs - float(_LOUDNESS.findall(said)[-1])
    limit = 10 ** (chain.limiter_dbfs / 20)
    level = f"volume={gain:.2f}dB,alimiter=limit={limit:.5f}:attack=5:release=50:level=disabled"
    codec = chain.codec
    made = [
        *base,
        f"{filters},{level},aresample={codec.sample_rate}",
        *_encoder(codec),
        "-f",
        codec.container,
        str(out),
    ]
    subprocess.run(made, capture_output=True, check=True)


def _encoder(codec: Codec) -> list[str]:
    options = [word for name, value in codec.options for word in (f"-{name}", value)]
    return ["-c:a", codec.encoder, "-b:a", str(codec.bitrate), *options, "-fflags", "+bitexact"]


def _prepared(upload: Path, store: Store, chain: Chain) -> None:
    done = prepare(upload, store, chain=chain)
    assert abs(done.loudness_lufs - chain.target_lufs) <= chain.tolerance_lu, done.loudness_lufs
    assert done.true_peak_dbtp <= chain.ceiling_dbtp, done.true_peak_dbtp


def _spent(work: Callable[[], None]) -> float:
    before = _processor()
    work()
    return _processor() - before


def _processor() -> float:
    """Of this process and of all that it has started and waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def _of_two_hours(upload: Path) -> dict[str, float]:
    """In a process of its own: the highest memory of children is kept for ever."""
    command = [sys.executable, "-m", "tests.bench.audio", str(upload)]
    told: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    print(f"two hours: {told['long_peak_mib']} MiB, {told['long_seconds']} processor seconds")
    return told


def measure_memory(upload: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=upload.parent) as name:
        seconds = _spent(lambda: _prepared(upload, Store(Path(name)), ORDINARY))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / MIB
    return {"long_peak_mib": round(peak), "long_seconds": round(seconds, 1)}


if __name__ == "__main__":
    print(json.dumps(measure_memory(Path(sys.argv[1]))))
