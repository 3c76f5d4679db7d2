"""How soon poles sound, and fall silent, over a mobile network, in virtual time.

    python -m tests.bench reach --units 1000 --rounds 10

The real controller and the real unit code in one process and no time at all: links of 100 to 300 ms one way, 1 % of
packets sent again after 200 ms (400, 800, …, and what follows waits), 2 % of units without a link when it is pressed.
Counted from the press to the first sound below each pole, in true time.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import tempfile
import wave as wav
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from broadcasts.clock import ManualClock
from broadcasts.wire.alert import AlertKind
from controller.bootstrap.virtual import VirtualController
from controller.services import accounts, alerting, emergency_set
from controller.services.alert_guards import Exempt
from controller.services.rights import Actor, Role
from controller.services.seeding import PROVINCE
from device_sim.counterpart import Setting
from device_sim.faults import Odds
from device_sim.post import Post
from device_sim.world import World

START = datetime(2026, 11, 23, 1, tzinfo=UTC)
LINK_MS = (100, 300)
RESENT = 0.01
ASLEEP = 0.02
STANDS_S = 75
"""From the press to silence."""
CALM = Odds(fetch_broken=0, fetch_corrupt=0, cut_while_sounding=0, small_cache=0, no_battery=0)


@dataclass
class Reached:
    """Seconds from the press, one for each pole that had a link and each round."""

    sound: list[float] = field(default_factory=list)
    silence: list[float] = field(default_factory=list)
    missed: int = 0
    """Had a link and never sounded."""
    twice: int = 0
    """Poles below which the same alert began again."""
    woke: int = 0
    """Had no link, and sounded when it came back, while the alert stood."""
    late: int = 0
    """Had no link until it was silenced, and sounded all the same."""

    def within(self, seconds: float) -> float:
        """The part of poles with a link that sounded within so long."""
        return sum(each <= seconds for each in self.sound) / (len(self.sound) + self.missed)

    def told(self) -> dict[str, float]:
        return {
            **{f"sound_p{str(part).replace('.', '_')}": percentile(self.sound, part) for part in (50, 95, 99, 99.9)},
            **{f"silence_p{part}": percentile(self.silence, part) for part in (50, 95, 99)},
            "within_60_s": round(self.within(60), 5),
            "heard_twice": self.twice,
            "after_silence": self.late,
            "woke_and_sounded": self.woke,
            "presses": len(self.sound) + self.missed,
        }


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that so many percent do not exceed; seconds."""
    ordered = sorted(values)
    return round(ordered[max(0, -(-len(ordered) * part // 100).__ceil__() - 1)], 3)


def measure(units: int, rounds: int, folder: Path, seed: int = 1) -> Reached:
    controller = VirtualController(Setting(units, 1, seed, START, folder))
    try:
        return _Rounds(controller, seed).play(rounds)
    finally:
        controller.close()


def _long_tone(path: Path) -> Path:
    """Longer than it stands: silence cuts it everywhere."""
    rate = 16_000
    wave = array("h", (round(9_000 * math.sin(2 * math.pi * 700 * n / rate)) for n in range(rate)))
    with wav.open(str(path), "wb") as out:
        out.setparams((1, 2, rate, 0, "NONE", "NONE"))
        out.writeframes(wave.tobytes() * (STANDS_S + 40))
    return path


class _Rounds:
    def __init__(self, controller: VirtualController, seed: int) -> None:
        self._controller, self._chance, self._found = controller, random.Random(seed), Reached()
        self._world = world = World(controller, START, seed, CALM)
        world.mobile.resent = RESENT
        for post in world.posts:
            post.delay_ms = self._chance.randint(*LINK_MS)
        self._clock = controller.ctx.clock

    def play(self, rounds: int) -> Reached:
        ctx = self._controller.ctx
        self._run(timedelta(minutes=2))
        with ctx.db.read() as session:
            actor = accounts.actor_by_name(session, "tinh", ctx.wall.now())
        with tempfile.TemporaryDirectory() as work:
            path = _long_tone(Path(work) / "storm.wav")
            sha256 = emergency_set.put(ctx, actor, PROVINCE[0], AlertKind.STORM, "vi", path, path.name).sha256
        self._world.backstage.nudge()
        self._run(timedelta(minutes=20))
        holding = sum(sha256 in post.disk.cache.files for post in self._world.posts)
        assert holding == len(self._world.posts), f"{holding} poles hold the emergency set"
        for _ in range(rounds):
            self._round()
            self._run(timedelta(minutes=10, seconds=self._chance.randint(0, 60)))
        return self._found

    def _round(self) -> None:
        posts, world = self._world.posts, self._world
        asleep = set(self._chance.sample([post.number for post in posts], round(ASLEEP * len(posts))))
        early = {number for number in asleep if self._chance.random() < 0.5}
        for number in sorted(asleep):
            world.cut_link(posts[number], 40_000 if number in early else 240_000)
        self._run(timedelta(seconds=10))
        ctx, pressed = self._controller.ctx, world.now
        actor = self._on_duty()
        alert = emergency_set.sound(
            ctx, actor, PROVINCE[0], AlertKind.STORM, "figures", timedelta(minutes=30), exempt=Exempt.SANDBOX
        )
        world.backstage.nudge()
        self._run(timedelta(seconds=STANDS_S))
        silenced = world.now
        alerting.silence(ctx, self._on_duty(), PROVINCE[0], alert)
        world.backstage.nudge()
        self._run(timedelta(minutes=5))
        for post in posts:
            self._judge(post, alert, pressed, silenced, asleep, early)

    def _judge(self, post: Post, alert: str, pressed: int, silenced: int, asleep: set[int], early: set[int]) -> None:
        found, mine = self._found, [sound for sound in post.pole.heard if sound.item == alert]
        found.twice += len(mine) > 1
        if post.number in asleep:
            found.woke += bool(mine) and post.number in early
            found.late += bool(mine) and post.number not in early
        elif not mine:
            found.missed += 1
        else:
            found.sound.append((mine[0].from_ms - pressed) / 1000)
            found.silence.append(max(0, mine[-1].to_ms - silenced) / 1000)

    def _on_duty(self) -> Actor:
        ctx = self._controller.ctx
        with ctx.db.read() as session:
            return accounts.stand_in(session, "figures", Role.EMERGENCY, PROVINCE[0], ctx.wall.now())

    def _run(self, lasts: timedelta) -> None:
        self._world.run_until(self._world.now + round(lasts.total_seconds() * 1000))
        clock = self._controller.ctx.clock
        assert isinstance(clock, ManualClock)
        clock.set(datetime.fromtimestamp(self._world.now / 1000, UTC))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench reach", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="loa-bench-") as folder:
        found = measure(asked.units, asked.rounds, Path(folder), asked.seed)
    told = {"units": asked.units, "rounds": asked.rounds, "seed": asked.seed, **found.told()}
    for name, value in told.items():
        print(f"{name:18} {value}")
    print(json.dumps(told))
    return 0
