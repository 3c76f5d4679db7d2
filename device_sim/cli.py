"""`loasim run | prove | detect | describe`. Results on stdout, talk on stderr; exit codes: 0 done, 1 refused, 2 wrong
usage."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import resource
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from broadcasts.clock import Clock, SandboxClock, SystemClock, unix_ms
from broadcasts.errors import LoaError
from device_sim import enrolling
from device_sim.control import Control
from device_sim.describe import describe, in_words
from device_sim.detect import detect, weather
from device_sim.fate import Fate
from device_sim.fleetfile import read_fleet
from device_sim.live import Fleet
from device_sim.prove import Result, find, prove_each
from device_sim.scenario import Scene
from device_sim.scenario import read as read_scene
from device_sim.tls import trusting
from device_sim.words import sentence


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        code: int = asked.command(asked)
    except LoaError as refusal:
        print(f"loasim: {sentence(refusal)}", file=sys.stderr)
        return 1
    except OSError as failure:
        print(f"loasim: {failure}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="loasim", description="A fleet of simulated units, live or in virtual time.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, words, options in (
        ("run", _run, "run units live against a broker and a file server", _run_options),
        ("prove", _prove, "run a controller and a fleet in virtual time and check every promise", _prove_options),
        (
            "detect",
            _detect,
            "see how soon a controller tells of each fault",
            _detect_options,
        ),
        (
            "enrol",
            _enrol,
            "join a controller as a new unit, with keys of its own; renew when it is time",
            _enrol_options,
        ),
        ("describe", _describe, "say which contract, faults and rules this simulator knows", lambda _: None),
    ):
        part = commands.add_parser(name, help=words, description=words)
        options(part)
        part.add_argument("--json", action="store_true", help="for machines")
        part.set_defaults(command=command)
    return parser


def _run_options(part: argparse.ArgumentParser) -> None:
    part.add_argument("--fleet", type=Path, required=True, metavar="FILE", help="written by `loa seed`, mode 0600")
    part.add_argument(
        "--broker",
        metavar="HOST:PORT",
        help="instead of the fleet file's; mqtt:// or mqtts:// before it says whether TLS",
    )
    part.add_argument("--files", metavar="URL", help="base address of downloads, instead of the fleet file's")
    part.add_argument(
        "--ca",
        type=Path,
        metavar="FILE",
        help="certificates to trust, for files and, unless said otherwise, for the broker",
    )
    part.add_argument(
        "--certificates",
        type=Path,
        metavar="DIR",
        help="UNIT.crt and UNIT.key of each unit, shown to the broker instead of name and secret; means TLS",
    )
    part.add_argument("--state", type=Path, metavar="DIR", help="where the units' disks are; without it they forget")
    part.add_argument("--control", type=Path, metavar="SOCKET", help="Unix-domain socket for poles and faults")
    part.add_argument(
        "--streams",
        action="store_true",
        help="read the streams of relays where the plan says, instead of simulating",
    )
    part.add_argument(
        "--streams-inside",
        action="store_true",
        help="as --streams, also from this machine and private networks: for a demo, whose stations are there",
    )
    part.add_argument("--clock-file", type=Path, metavar="FILE", help="the sandbox clock shared with a controller")


def _enrol_options(part: argparse.ArgumentParser) -> None:
    part.add_argument("--url", required=True, metavar="URL", help="the controller's pages, https://…")
    part.add_argument("--serial", required=True, metavar="SN", help="serial number on the box")
    part.add_argument(
        "--state", type=Path, required=True, metavar="DIR", help="the unit's own: keys, certificate, fleet"
    )
    part.add_argument("--ca", type=Path, metavar="FILE", help="certificates to trust for the pages")
    part.add_argument("--wait", type=int, default=3600, metavar="S", help="for somebody to accept it (3600)")
    part.add_argument("--renew", action="store_true", help="now, even if it is not yet time")


def _enrol(asked: argparse.Namespace) -> int:
    clock, stop = SystemClock(), threading.Event()
    newborn = enrolling.Newborn.at(asked.state, asked.serial)
    deadline = clock.monotonic() + asked.wait
    held = enrolling.enrolled(newborn)
    with httpx.Client(base_url=asked.url, verify=trusting(asked.ca), trust_env=False, timeout=30.0) as client:
        if held is None:
            print(f"loasim: code {newborn.code}\nloasim: {newborn.label}", file=sys.stderr, flush=True)
            unit = enrolling.join(
                newborn, client, lambda s: not stop.wait(min(s, asked.wait)) and clock.monotonic() < deadline
            )
        elif asked.renew or unix_ms(clock.now()) >= held[1]:
            unit = enrolling.renew(newborn, client, held[0], clock.now())
        else:
            unit = held[0]
    _tell(asked, {"unit": unit, "fleet": str(asked.state / enrolling.FLEET)})
    return 0


def _prove_options(part: argparse.ArgumentParser) -> None:
    part.add_argument("--scene", type=Path, metavar="FILE", help="a TOML file: faults, odds, and the numbers below")
    part.add_argument("--units", type=_positive, metavar="N", help="80, if the scene does not say")
    part.add_argument("--days", type=_positive, metavar="N", help="7, if the scene does not say")
    seeds = part.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=int, metavar="N")
    seeds.add_argument("--seeds", type=_seeds, metavar="A-B", help="every seed from A to B")
    part.add_argument("--jobs", type=_positive, default=1, metavar="N", help="so many seeds side by side; 1 by default")
    part.add_argument("--counterpart", default="loa", metavar="NAME", help="which controller, by its entry point")


def _detect_options(part: argparse.ArgumentParser) -> None:
    part.add_argument("--seed", type=int, default=1, metavar="N")
    part.add_argument("--weather", action="store_true", help="ordinary weather instead: who is blamed for nothing")
    part.add_argument("--units", type=_positive, default=5, metavar="N", help="with --weather; 5 by default")
    part.add_argument("--days", type=_positive, default=30, metavar="N", help="with --weather; 30 by default")
    part.add_argument("--counterpart", default="loa", metavar="NAME", help="which controller, by its entry point")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    if not first.isdecimal() or not last.isdecimal() or int(last) < int(first):
        raise argparse.ArgumentTypeError(f"{text} is not A-B")
    return range(int(first), int(last) + 1)


def _run(asked: argparse.Namespace) -> int:
    clock: Clock = SystemClock() if asked.clock_file is None else SandboxClock(asked.clock_file)
    file = read_fleet(asked.fleet).at(asked.broker, asked.files, asked.certificates)
    _allow_many_sockets()
    stop = threading.Event()
    fleet = Fleet(
        file,
        clock,
        ca=asked.ca,
        state=asked.state,
        streams=asked.streams or asked.streams_inside,
        inside=asked.streams_inside,
    )
    with contextlib.ExitStack() as undo:
        undo.callback(fleet.close)
        control = None
        if asked.control is not None:
            control = Control(asked.control, fleet.wake)
            undo.callback(control.close)
        _stop_on_signals(stop, fleet)
        print(f"loasim: {len(fleet.pillars)} units, broker {file.host}:{file.port}. Ctrl-C ends.", file=sys.stderr)
        fate = Fate(fleet)
        spare_the_collector()
        fleet.run(stop, lambda: control.answer_waiting(fate.answer) if control is not None else None)
    _tell(asked, fleet.count())
    return 0


def spare_the_collector() -> None:
    """A thousand units stay for good, and what they hold is looked through for circles seldom, not for every 700 new
    objects: each plan that arrives is hundreds."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _stop_on_signals(stop: threading.Event, fleet: Fleet) -> None:
    def end(number: int, frame: object) -> None:
        stop.set()
        fleet.wake()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def _allow_many_sockets() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _prove(asked: argparse.Namespace) -> int:
    scene = read_scene(asked.scene) if asked.scene is not None else Scene()
    given = {name: getattr(asked, name) for name in ("units", "days") if getattr(asked, name) is not None}
    seeds = asked.seeds or [scene.seed if asked.seed is None else asked.seed]
    code = 0
    for result in prove_each([replace(scene, seed=seed, **given) for seed in seeds], asked.counterpart, asked.jobs):
        if asked.json:
            print(json.dumps(_proof(result)), flush=True)
        else:
            print("\n".join(result.lines()), flush=True)
        code = max(code, result.exit_code)
    return code


def _proof(result: Result) -> dict[str, Any]:
    scene, told = result.scene, result.judgement
    return {
        "units": scene.units,
        "days": scene.days,
        "seed": scene.seed,
        "deliveries": told.deliveries,
        "verdicts": dict(told.verdicts),
        "broken": list(result.broken),
        "seconds": round(result.seconds, 3),
        "steps": result.steps,
    }


def _describe(asked: argparse.Namespace) -> int:
    told = describe()
    print(json.dumps(told, indent=2) if asked.json else in_words(told))
    return 0


def _detect(asked: argparse.Namespace) -> int:
    opener = find(asked.counterpart)
    found = weather(asked.units, asked.days, asked.seed, opener) if asked.weather else detect(asked.seed, opener)
    told = {"told": found.told, "broken": found.broken, "summary": found.summary}
    print(json.dumps(told) if asked.json else "\n".join(found.lines()))
    return found.exit_code


def _tell(asked: argparse.Namespace, result: dict[str, Any]) -> None:
    print(json.dumps(result) if asked.json else " ".join(f"{name} {value}" for name, value in result.items()))
