"""`loasim prove`: a controller and a fleet through days of bad luck in virtual time, and then the promises."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

from broadcasts.clock import Clock, SystemClock
from broadcasts.errors import Refused
from device_sim import windows
from device_sim.bill import a_month
from device_sim.counterpart import Counterpart, Setting
from device_sim.faults import HOUR, draw
from device_sim.promises import Judgement, judge
from device_sim.scenario import Scene
from device_sim.world import World

GROUP = "loasim.counterpart"
START = datetime(2027, 3, 1, 17, 0, tzinfo=UTC)
"""Midnight at the poles: every run of a seed is the same run."""
QUIET_BEGINNING_MS = HOUR

Open = Callable[[Setting], Counterpart]


@dataclass(frozen=True)
class Result:
    scene: Scene
    judgement: Judgement
    seconds: float
    steps: int
    month: tuple[int, int] = (0, 0)
    """Bytes of a mean unit in 30 such days, at IP level: messages, downloads."""

    @property
    def broken(self) -> tuple[str, ...]:
        return self.judgement.broken

    @property
    def exit_code(self) -> int:
        """Also 1 when nothing was judged: a proof of nothing is none."""
        return 1 if self.broken or not self.judgement.deliveries else 0

    def line(self) -> str:
        told, count = self.judgement, self.judgement.verdicts
        unit_days = self.scene.units * self.scene.days / max(self.seconds, 1e-9)
        return (
            f"prove: units {self.scene.units} days {self.scene.days} seed {self.scene.seed} "
            f"deliveries {told.deliveries} heard {count['heard']} played {count['played']} "
            f"failed {count['failed_to_sound']} not_played {count['not_played']} unknown {count['unknown']} "
            f"sirens {told.sirens} broken {len(self.broken)} unit_days_per_s {unit_days:.1f} "
            f"month_mb_messages {self.month[0] / 1e6:.1f} month_mb_files {self.month[1] / 1e6:.1f}"
        )

    def lines(self) -> list[str]:
        """Each broken promise with the seed that shows it again; the summary is the last line."""
        idle = (
            []
            if self.judgement.deliveries
            else ["nothing was judged: the run was too short for any delivery to settle"]
        )
        return [*idle, *(f"broken: seed {self.scene.seed}: {each}" for each in self.broken), self.line()]


def find(name: str) -> Open:
    """The counterpart registered as `name`. Raises Refused: `sim_counterpart`."""
    known = {point.name: point for point in entry_points(group=GROUP)}
    if name not in known:
        raise Refused("sim_counterpart", name=name, known=", ".join(sorted(known)) or "none")
    opener: Open = known[name].load()
    return opener


def prove(scene: Scene, opener: Open, folder: Path | None = None, clock: Clock | None = None) -> Result:
    """Run `scene` against the counterpart that `opener` opens. `folder` is its playground, else a temporary one."""
    with tempfile.TemporaryDirectory(prefix="loasim-") as spare:
        return _prove(scene, opener, folder or Path(spare), clock or SystemClock())


def prove_each(scenes: Sequence[Scene], counterpart: str, jobs: int = 1) -> Iterator[Result]:
    """In the order of `scenes`, each as soon as it and those before it are done; `jobs` at a time, each in a process of
    its own: a run is the same run, whoever runs beside it. Raises Refused: `sim_counterpart`."""
    opener = find(counterpart)
    if jobs == 1 or len(scenes) == 1:
        yield from (prove(scene, opener) for scene in scenes)
        return
    with ProcessPoolExecutor(min(jobs, len(scenes)), multiprocessing.get_context("spawn")) as processes:
        yield from processes.map(partial(_prove_alone, counterpart), scenes)


def _prove_alone(counterpart: str, scene: Scene) -> Result:
    return prove(scene, find(counterpart))


def _prove(scene: Scene, opener: Open, folder: Path, clock: Clock) -> Result:
    with _rarely_collected():
        return _proved(scene, opener, folder, clock)


@contextlib.contextmanager
def _rarely_collected() -> Iterator[None]:
    """What is loaded stays until the end, and nearly all that a step leaves behind is gone by its count of references:
    looking for circles in all of it after every 700 new objects took a tenth of the time."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _proved(scene: Scene, opener: Open, folder: Path, clock: Clock) -> Result:
    began = clock.monotonic()
    counterpart = opener(Setting(units=scene.units, days=scene.days, seed=scene.seed, start=START, folder=folder))
    try:
        world = World(counterpart, START, scene.seed, scene.odds)
        end = world.start + round(timedelta(days=scene.days) / timedelta(milliseconds=1))
        calm = end - round(scene.calm_hours * HOUR)
        world.calm_from = calm
        chance = random.Random(f"blows {scene.seed}")
        world.schedule(
            draw(len(world.posts), world.start + QUIET_BEGINNING_MS, calm, chance, scene.scale, dict(scene.per_day))
        )
        gc.freeze()  # the furnished house, too
        world.run_until(end)
        for post in world.posts:
            post.bill.settle(end)
        month = a_month([post.bill for post in world.posts], end - world.start)
        judgement = judge(world.posts, counterpart.accounts(), counterpart.approved_sounds(), end)
        amiss = windows.judge(world.posts, sirens := counterpart.sirens(), world.backstage.warned)
        judgement = replace(judgement, broken=(*judgement.broken, *amiss), sirens=len(sirens))
    finally:
        counterpart.close()
    return Result(scene, judgement, clock.monotonic() - began, world.steps, month)
