"""`loasim detect`: is each class of fault told within the time that the controller promises, of the right pole, and
nothing else; and how often is somebody sent out for nothing in a month of ordinary weather.

Both run in virtual time against a controller that watches (`counterpart.Watchful`); what truly befell each pole is
known here.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from broadcasts.clock import Clock, SystemClock
from broadcasts.errors import Refused
from device_sim.counterpart import Counterpart, FaultAccount, Setting, Watchful
from device_sim.faults import DAY, HOUR, MINUTE, SECOND, Blow, Fault, Odds
from device_sim.post import Post
from device_sim.prove import START, Open
from device_sim.world import World

CALM = Odds(fetch_broken=0, fetch_corrupt=0, cut_while_sounding=0, small_cache=0, no_battery=0)
LEARNING_DAYS = 2
"""So long nothing befalls anybody: the controller learns what is usual."""
APART_MS = 45 * MINUTE
"""From one trial to the next, so that two of them never look like one mast."""
LASTING_DAYS = 4
"""Time for the slowest of them, and to be over."""
CONTROLS = 5
WARMING_MS = 30 * MINUTE
"""Until a cabinet in the sun is as hot as matters."""
USED_MB = 20
PLAYS = {"play": 1, "two_plays": 2, "many_plays": 10}
LONG = 14 * HOUR


@dataclass(frozen=True)
class Trial:
    """One trouble at one pole. `expects`: codes, each with how long after the blow it begins to show."""

    name: str
    blows: tuple[tuple[Fault, int], ...]
    """(fault, for so long)"""
    expects: Mapping[str, int]
    ear: bool = False
    """Only an ear can tell."""


TRIALS = (
    Trial("the link is gone", ((Fault.LINK_DOWN, 3 * HOUR),), {"offline": 0}),
    Trial("no power at all", ((Fault.POWER_CUT, 3 * HOUR),), {"offline": 0}),
    Trial("a program that hangs", ((Fault.HUNG, 5 * HOUR),), {"mute": 0}),
    Trial("the mains are gone", ((Fault.MAINS_LOST, 3 * HOUR),), {"mains_lost": 0}),
    Trial("the battery runs out", ((Fault.BATTERY_LOW, 3 * HOUR),), {"mains_lost": 0, "battery_low": 0}),
    Trial("an amplifier that is dead", ((Fault.AMPLIFIER_DEAD, LONG),), {"amplifier_dead": 0}),
    Trial("a wire that is cut", ((Fault.WIRE_CUT, LONG),), {"line_open": 0}),
    Trial("one horn of two is silent", ((Fault.HORN_LOST, LONG),), {"horn_weak": 0}),
    Trial("horns that get weaker", ((Fault.HORNS_TIRED, 2 * DAY),), {"horn_drift": 0}),
    Trial("a relay that does not let go", ((Fault.AMPLIFIER_STUCK, 3 * HOUR),), {"amplifier_stuck": 0}),
    Trial("a cabinet in the sun", ((Fault.HOT_CABINET, 4 * HOUR),), {"cabinet_hot": WARMING_MS}),
    Trial("a card that is full", ((Fault.STORAGE_FULL, 3 * HOUR),), {"storage_full": 0}),
    Trial("a signal that is weak", ((Fault.SIGNAL_WEAK, 4 * HOUR),), {"signal_weak": 0}),
    Trial("a link that comes and goes", ((Fault.LINK_FLAPPING, 4 * HOUR),), {"link_flapping": 0}),
    Trial("a data plan used up", ((Fault.QUOTA_USED, 5 * HOUR),), {"quota_near": 0, "quota_used": 30 * MINUTE}),
    Trial("a watchdog that bites", ((Fault.RESTARTS, 3 * HOUR),), {"restarts": 0}),
    Trial("a clock nobody sets", ((Fault.NO_TIME, 5 * HOUR), (Fault.CLOCK_LOST, 30 * SECOND)), {"clock_wrong": 0}),
    Trial("another programme on the card", ((Fault.FILES_SWAPPED, LONG),), {"failed_to_sound": 0}, ear=True),
    Trial("the operator forgets a connection", ((Fault.NAT_TIMEOUT, 0),), {}),
)  # fmt: skip


@dataclass
class Found:
    """What a run came to."""

    seed: int
    told: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    summary: str = ""
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        return 1 if self.broken else 0

    def lines(self) -> list[str]:
        return [*self.told, *(f"broken: seed {self.seed}: {each}" for each in self.broken), self.summary]


def detect(seed: int, opener: Open, trials: Sequence[Trial] = TRIALS, clock: Clock | None = None) -> Found:
    """Every trial on a pole of its own, beside poles to which nothing happens."""
    days = LEARNING_DAYS + LASTING_DAYS
    with _world(len(trials) + CONTROLS, days, seed, opener, clock) as run:
        world, posts = run.world, iter(run.world.posts)
        chosen: dict[str, tuple[Trial, int]] = {}
        begin = world.start + LEARNING_DAYS * DAY + 7 * HOUR
        spare: list[Post] = []
        for number, trial in enumerate(trials):
            at = begin + number % 12 * APART_MS
            post = _next(posts, trial, spare)
            chosen[post.name] = (trial, at)
            world.schedule([Blow(at, fault, post.number, lasts) for fault, lasts in trial.blows])
        world.run_until(world.start + days * DAY)
        found = Found(seed)
        told = run.watch.faults()
        for post in world.posts:
            mine = [each for each in told if each["unit"] == post.name]
            if post.name not in chosen:
                found.broken += [f"{post.name}: {each['code']}, and nothing was wrong" for each in mine]
                continue
            trial, at = chosen[post.name]
            for line, well in _judge(trial, at, post, mine, run.watch.promises()):
                (found.told if well else found.broken).append(line)
        told_of = len(found.told)
        found.seconds = run.elapsed()
    found.summary = (
        f"detect: trials {len(trials)} poles {len(world.posts)} seed {seed} told {told_of} "
        f"broken {len(found.broken)} seconds {found.seconds:.0f}"
    )
    return found


def _fits(post: Post, trial: Trial) -> bool:
    return post.config.ear == "line_out" or not trial.ear


def _next(posts: Iterator[Post], trial: Trial, spare: list[Post]) -> Post:
    """The next pole that has not been taken and can show it."""
    for post in spare:
        if _fits(post, trial):
            spare.remove(post)
            return post
    for post in posts:
        if _fits(post, trial):
            return post
        spare.append(post)
    raise Refused("sim_scene", path="", field="units", why="no pole has an ear")


def _judge(
    trial: Trial, at: int, post: Post, told: Sequence[FaultAccount], promises: Mapping[str, tuple[int, str]]
) -> Iterator[tuple[str, bool]]:
    """(line, whether it is as it should be)."""
    ends = [ran.to_ms for ran in post.ran if ran.from_ms >= at and ran.to_ms - ran.from_ms > 5 * SECOND]
    for code, lag in trial.expects.items():
        within, shows = promises[code]
        from_ms = at + lag
        if shows in PLAYS:
            if len(ends) < PLAYS[shows]:
                yield f"{trial.name}: too few soundings to show {code}", False
                continue
            from_ms = ends[PLAYS[shows] - 1]
        mine = [each for each in told if each["code"] == code]
        if not mine:
            yield f"{trial.name}: {code} was never told", False
            continue
        took = mine[0]["raised"] - from_ms
        line = f"{trial.name}: {code} after {took / MINUTE:.1f} min of {within / MINUTE:.0f}"
        yield (line, True) if took <= within and mine[0]["raised"] >= at else (f"{line}: at the wrong time", False)
        if len(mine) > 1:
            yield f"{trial.name}: {code} was told {len(mine)} times", False
        if any(each["gone"] is None for each in mine):
            yield f"{trial.name}: {code} still stands", False
        if any(each["grouped"] for each in mine):
            yield f"{trial.name}: {code} was taken for a part of something larger", False
    for each in told:
        if each["code"] not in trial.expects:
            yield f"{trial.name}: {each['code']} was blamed besides", False


@dataclass(frozen=True)
class Weather:
    """One kind of it: how often a day and pole (or for all), and how long, ms."""

    fault: Fault
    per_day: float
    shortest: int
    longest: int
    to_all: bool = False


ORDINARY = (
    Weather(Fault.LINK_DOWN, 2.0, 20 * SECOND, 12 * MINUTE),
    Weather(Fault.LINK_DOWN, 0.05, 25 * MINUTE, 90 * MINUTE),
    Weather(Fault.NAT_TIMEOUT, 1.0, 0, 0),
    Weather(Fault.REBOOT, 0.1, 10 * SECOND, 60 * SECOND),
    Weather(Fault.POWER_CUT, 0.1, 5 * SECOND, 4 * MINUTE),
    Weather(Fault.MAINS_LOST, 0.15, 5 * SECOND, 3 * MINUTE),
    Weather(Fault.CLOCK_STEP, 0.05, 0, 0),
    Weather(Fault.LOSS, 0.15, HOUR, 6 * HOUR),
    Weather(Fault.DUPLICATE, 0.1, HOUR, 6 * HOUR),
    Weather(Fault.REORDER, 0.1, HOUR, 6 * HOUR),
    Weather(Fault.BROKER_RESTART, 0.15, SECOND, 2 * MINUTE, to_all=True),
    Weather(Fault.CONTROLLER_KILL, 0.15, SECOND, 10 * MINUTE, to_all=True),
)
"""What a pole on a 4G link lives through without anybody having to drive there; and a link that is gone for half an
hour and more, which is told of, and rightly."""
RIGHTLY_MS = 15 * MINUTE


def blows(units: int, begin: int, end: int, chance: random.Random) -> list[Blow]:
    """The weather of a run, in order."""
    drawn: list[Blow] = []
    for kind in ORDINARY:
        for unit in (None,) if kind.to_all else range(units):
            at = begin + chance.expovariate(kind.per_day / DAY)
            while at < end - kind.longest:
                amount = chance.randint(-40, 40) * SECOND if kind.fault is Fault.CLOCK_STEP else 0
                drawn.append(Blow(round(at), kind.fault, unit, chance.randint(kind.shortest, kind.longest), amount))
                at += chance.expovariate(kind.per_day / DAY)
    return sorted(drawn, key=lambda blow: (blow.at, blow.fault, blow.unit or 0))


def weather(units: int, days: int, seed: int, opener: Open, clock: Clock | None = None) -> Found:
    """A month of it: how often each pole was blamed for nothing. More than once a pole in 30 days is broken."""
    with _world(units, days, seed, opener, clock) as run:
        world = run.world
        end = world.start + days * DAY
        struck = blows(len(world.posts), world.start + HOUR, end - 6 * HOUR, random.Random(f"weather {seed}"))
        world.schedule(struck)
        world.run_until(end)
        found = Found(seed)
        false: Counter[str] = Counter()
        right = 0
        for each in run.watch.faults():
            number = next(post.number for post in world.posts if post.name == each["unit"])
            if each["code"] == "offline" and _was_away(struck, number, each):
                right += 1
                continue
            false[each["unit"]] += 1
            found.told.append(
                f"{each['unit']}: {each['code']} for nothing, day {(each['raised'] - world.start) / DAY:.1f}"
            )
        found.seconds = run.elapsed()
    allowed = max(1.0, days / 30)
    found.broken += [f"{unit}: blamed {count} times for nothing" for unit, count in false.items() if count > allowed]
    found.summary = (
        f"weather: units {units} days {days} seed {seed} blows {len(struck)} rightly {right} "
        f"false {false.total()} worst {max(false.values(), default=0)} broken {len(found.broken)} "
        f"seconds {found.seconds:.0f}"
    )
    return found


def _was_away(struck: Sequence[Blow], number: int, told: FaultAccount) -> bool:
    return any(
        blow.unit == number
        and blow.fault is Fault.LINK_DOWN
        and blow.lasts >= RIGHTLY_MS
        and blow.at <= told["raised"] <= blow.at + blow.lasts + RIGHTLY_MS
        for blow in struck
    )


class _Run:
    """A world with a controller that watches; ends with it."""

    def __init__(self, make: Callable[[Path], Counterpart], seed: int, clock: Clock) -> None:
        self._clock, self._began = clock, clock.monotonic()
        self._folder = tempfile.TemporaryDirectory(prefix="loasim-")
        self._counterpart = make(Path(self._folder.name))
        if not isinstance(self._counterpart, Watchful):
            self.__exit__()
            raise Refused("sim_counterpart", name="watched", known="none that watches")
        self.watch: Watchful = self._counterpart
        self.world = World(self._counterpart, START, seed, CALM)
        for post in self.world.posts:
            post.hardware.data_mb = USED_MB

    def elapsed(self) -> float:
        return self._clock.monotonic() - self._began

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        self._counterpart.close()
        self._folder.cleanup()


def _world(units: int, days: int, seed: int, opener: Open, clock: Clock | None) -> _Run:
    def make(folder: Path) -> Counterpart:
        return opener(Setting(units=units, days=days, seed=seed, start=START, folder=folder, watched=True))

    return _Run(make, seed, clock or SystemClock())
