"""The virtual world: a fleet, a broker and a controller in one thread and in no time at all, from one seed.

Each unit sees true time only through its own hardware; what truly happened at its pole is kept in its `Post`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from broadcasts.wire.topics import ScopeTopic
from device_sim import ailing
from device_sim.agenda import Agenda, ms
from device_sim.airwaves import Airwaves
from device_sim.backstage import Backstage
from device_sim.broker import Broker
from device_sim.counterpart import Counterpart
from device_sim.ears import Ears, asked
from device_sim.events import (
    Arrived,
    Boot,
    CancelFetch,
    Connect,
    Disconnect,
    Fetch,
    Inbox,
    Listen,
    Outbox,
    Powered,
    Publish,
    Restart,
    Silent,
    Sounding,
    Tune,
    Untune,
)
from device_sim.faults import TO_AN_UPDATE, TO_THE_BOX, Blow, Fault, Odds
from device_sim.fleetfile import ear_of
from device_sim.hardware import SHADE_C
from device_sim.mobile import Mobile
from device_sim.post import Post, Ran
from device_sim.radio import Air, Radio, Reception
from device_sim.unit import Config, Enrolled, Unit

WARNS = (f"/{ScopeTopic.ALERT}", f"/{ScopeTopic.DRILL}")
CONTROLLER = "controller"
"""Its name and secret at the broker."""
LOST_CLOCK_MS = 946_684_800_000
"""2000-01-01: where a clock without a battery begins."""
NOON_SUN_C = 88.0
SMALL_CACHE_BYTES = 90_000
EAR_MS = 20
"""So long an ear takes to tell what it heard."""
RESTART_MS = 5_000
SETTLING_MS = 60_000
"""After power returned, a unit finds its way back into what it was playing."""


class World:
    def __init__(self, counterpart: Counterpart, start: datetime, seed: int, odds: Odds | None = None) -> None:
        """Everything is off and unconnected at `start`; the first `run_until` switches it on."""
        self.start = ms(start)
        self.odds = odds or Odds()
        self.calm_from: int | None = None
        """From here on no chance strikes any more (scheduled blows are the caller's business)."""
        self.steps = 0
        self.ears = Ears()
        self._agenda = Agenda(self.start)
        self._chance = random.Random(seed)
        self.broker = Broker()
        self.backstage = Backstage(CONTROLLER, counterpart, self.broker, self._agenda, self._chance)
        self.mobile = Mobile(
            self.broker, self._agenda, self.backstage, self._chance, give=self.give, strikes=self._strikes
        )
        self.mobile.fetch_broken, self.mobile.fetch_corrupt = self.odds.fetch_broken, self.odds.fetch_corrupt
        self.airwaves: Airwaves[Post] = Airwaves(
            Radio(),
            self._agenda,
            give=self.give,
            linked=lambda post: not post.offline,
            charge=lambda post, times, lasted: post.bill.streamed(times, lasted),
        )
        enrolments = [
            (Enrolled.read({name: str(told) for name, told in each.items()}), ear_of(each))
            for each in counterpart.enrolments()
        ]
        self.posts = [self._post(number, *each) for number, each in enumerate(enrolments)]
        for post in self.posts:
            self._agenda.after(self._chance.randint(1_000, 60_000), partial(self.power_on, post, Boot.POWER))

    def _post(self, number: int, enrolled: Enrolled, ear: str) -> Post:
        chance = random.Random(self._chance.getrandbits(64))
        self.broker.admit_unit(enrolled.unit, enrolled.secret)
        small, battery = chance.random() < self.odds.small_cache, chance.random() >= self.odds.no_battery
        config = Config(SMALL_CACHE_BYTES if small else Config().cache_bytes, battery, ear=ear)
        post = Post(number, enrolled, config, chance, chance.randint(30, 400), chance.uniform(20, 500))
        post.reception = Reception(self.airwaves.radio)
        post.hardware.drift_ppm = chance.uniform(-50, 50)
        post.hardware.drift_since_ms = self.start
        post.hardware.clock_error_ms = chance.randint(-3_000, 3_000)
        return post

    @property
    def now(self) -> int:
        """True time, Unix ms."""
        return self._agenda.now

    def run_until(self, instant: datetime | int) -> None:
        self._agenda.run_until(instant if isinstance(instant, int) else ms(instant))

    # --- one unit

    def give(self, post: Post, *inbox: Inbox) -> None:
        """One step of one unit; without power nothing happens."""
        unit = post.unit
        if unit is None or post.hung:
            return
        self.steps += 1
        for each in inbox:
            if isinstance(each, Arrived) and each.topic.endswith(WARNS):
                post.shown.append((self.now, each))
        frames = post.disk.journal.frames
        last = frames[-1] if frames else None
        step = unit.update(post.hardware.reading(post.pole, self.now, post.mono(self.now)), inbox)
        if post.tear is not None and frames and frames[-1] is not last:
            # In the middle of the write: nothing that the step decided came to pass.
            lasts, post.tear = post.tear, None
            post.disk.journal.tear()
            self.cut_power(post, lasts)
            return
        wake = post.when(step.wake_at_mono_ms)
        if post.wake_at != wake:
            post.wake_at = wake
            self._agenda.at(wake, partial(self._wake, post, wake))
        for out in step.outbox:
            self._carry_out(post, out)

    def _wake(self, post: Post, planned: int) -> None:
        if post.wake_at == planned:
            post.wake_at = None
            self.give(post)

    def _carry_out(self, post: Post, out: Outbox) -> None:
        match out:
            case Publish():
                self.mobile.up(post, out)
            case Sounding():
                self._decode(post, out)
            case Silent():
                self._decode(post, None)
            case Connect():
                self.mobile.dial(post, out)
            case Disconnect():
                self.mobile.goodbye(post)
            case Fetch():
                self.mobile.fetch(post, out)
            case CancelFetch():
                post.fetch = None
            case Tune():
                self.airwaves.tune(post, out)
            case Untune():
                self.airwaves.untune(post)
            case Listen():
                told = self.ears.hear(
                    asked(out, post.name, post.config.ear, post.pole, post.hardware, post.disk, self.now)
                )
                self._agenda.after(EAR_MS, partial(self.give, post, told))
            case Restart():
                self.cut_power(post, RESTART_MS, out.cause)

    def _decode(self, post: Post, order: Sounding | None) -> None:
        if post.decoding is not None:
            post.decoding.to_ms = self.now
            post.ran.append(post.decoding)
            post.decoding = None
        if order is None:
            post.pole.silence(self.now)
            return
        post.decoding = Ran(order.item, order.asset, self.now, self.now, order.offset_ms)
        post.pole.play(order, self.now)
        if self._strikes(self.odds.cut_while_sounding, post):
            lasts = post.chance.randint(5_000, 10 * 60_000)
            self._agenda.after(post.chance.randint(0, 5 * 60_000), partial(self.cut_power, post, lasts))

    def _strikes(self, odds: float, post: Post) -> bool:
        return (self.calm_from is None or self.now < self.calm_from) and post.chance.random() < odds

    # --- power

    def power_on(self, post: Post, cause: Boot) -> None:
        if post.unit is None and post.dark == 0:
            post.booted = self.now
            post.unit = Unit(post.enrolled, post.disk, post.config, post.chance)
            self.give(post, Powered(cause))

    def cut_power(self, post: Post, lasts: int, cause: Boot = Boot.POWER) -> None:
        self._decode(post, None)
        post.touched.append((self.now, self.now + lasts + SETTLING_MS))
        post.unit, post.wake_at, post.dialling = None, None, None
        self.airwaves.untune(post)
        self.mobile.lose(post)
        if not post.config.battery:
            post.hardware.clock_error_ms = LOST_CLOCK_MS - self.now
        post.dark += 1
        self._agenda.after(lasts, partial(self._power_returns, post, cause))

    def _power_returns(self, post: Post, cause: Boot) -> None:
        post.dark -= 1
        self.power_on(post, cause)

    # --- blows

    def schedule(self, blows: Sequence[Blow]) -> None:
        for blow in blows:
            self._agenda.at(blow.at, partial(self.strike, blow))

    def strike(self, blow: Blow) -> None:
        if blow.unit is not None:
            self._strike_unit(blow, self.posts[blow.unit])
            return
        match blow.fault:
            case Fault.BROKER_RESTART:
                self.stop_broker(blow.lasts)
            case Fault.BROKER_WIPE:
                self.stop_broker(blow.lasts, wiped=True)
            case Fault.CONTROLLER_KILL:
                self.kill_controller(blow.lasts)
            case Fault.SOURCE_SILENT | Fault.SOURCE_OFF:
                self.airwaves.disturb(blow.lasts, Air.OFF if blow.fault is Fault.SOURCE_OFF else Air.SILENT)

    def _strike_unit(self, blow: Blow, post: Post) -> None:
        if blow.fault in TO_THE_BOX or blow.fault in TO_AN_UPDATE:
            ailing.befall(self, self._agenda, post, blow)
            return
        match blow.fault:
            case Fault.LINK_DOWN | Fault.DAY_OFFLINE:
                self.cut_link(post, blow.lasts)
            case Fault.POWER_CUT | Fault.REBOOT:
                self.cut_power(post, blow.lasts, Boot.WATCHDOG if blow.fault is Fault.REBOOT else Boot.POWER)
            case Fault.TORN_WRITE:
                post.tear = blow.lasts
            case Fault.CLOCK_LOST:
                self.cut_power(post, blow.lasts)
                post.hardware.clock_error_ms = LOST_CLOCK_MS - self.now
                post.clock_wrong = True
            case Fault.CLOCK_JUMP if post.unit is None:
                # A battery-backed clock that runs hours wrong without power cannot be told from a right one.
                return
            case Fault.CLOCK_STEP | Fault.CLOCK_JUMP:
                post.hardware.clock_error_ms += blow.amount
                post.clock_wrong = True
                self.give(post)
            case Fault.WIRE_CUT:
                post.pole.cut_wire(self.now)
                post.touched.append((self.now, self.now))
                self._agenda.after(blow.lasts, partial(self._mend, post))
            case Fault.WIRE_LOOSE:
                post.pole.loosen_wire(self.now)
                self._ails(post, blow.lasts)
                self._agenda.after(blow.lasts, partial(self._mend, post))
            case Fault.FILES_SWAPPED:
                post.pole.swap_files(True, self.now)
                self._ails(post, blow.lasts)
                self._agenda.after(blow.lasts, partial(self._right_files, post))
            case Fault.NEIGHBOUR_LOUD:
                post.hardware.neighbour = True
                self._ails(post, blow.lasts)
                self._agenda.after(blow.lasts, partial(setattr, post.hardware, "neighbour", False))
            case Fault.EAR_BROKEN:
                post.hardware.ear_broken = True
                self._agenda.after(blow.lasts, partial(setattr, post.hardware, "ear_broken", False))
            case Fault.AMPLIFIER_STUCK:
                post.hardware.amplifier_stuck = True
                self._agenda.after(blow.lasts, partial(setattr, post.hardware, "amplifier_stuck", False))
            case Fault.HOT_CABINET:
                post.hardware.heat(NOON_SUN_C, self.now)
                self._agenda.after(blow.lasts, partial(self._cool, post))
            case Fault.NAT_TIMEOUT:
                self.mobile.forget_mapping(post)
            case Fault.REPLAY:
                self._attack(post, [*post.snoop.older(), *self._misdirected(post)])
            case Fault.FORGE:
                self._attack(post, post.snoop.forged(post.name, self.now))
            case Fault.WITHHOLD | Fault.DUPLICATE | Fault.REORDER | Fault.LOSS:
                post.spells[blow.fault] = max(post.spells.get(blow.fault, 0), self.now + blow.lasts)

    def cut_link(self, post: Post, lasts: int) -> None:
        post.offline += 1
        self.mobile.lose(post)
        self.airwaves.look(post)
        self._agenda.after(lasts, partial(self._link_returns, post))

    def _link_returns(self, post: Post) -> None:
        post.offline -= 1
        self.mobile.dial_again(post, 20_000)

    def _mend(self, post: Post) -> None:
        post.pole.repair_wire(self.now)
        post.touched.append((self.now, self.now))

    def _ails(self, post: Post, lasts: int) -> None:
        """Meanwhile ears may rightly deny what the amplifier takes for good, or the other way round."""
        post.touched.append((self.now, self.now + lasts))

    def _right_files(self, post: Post) -> None:
        post.pole.swap_files(False, self.now)

    def _cool(self, post: Post) -> None:
        post.hardware.heat(SHADE_C, self.now)

    def _misdirected(self, post: Post) -> list[Arrived]:
        """What was meant for a neighbour, under our topics."""
        other = self._chance.choice(self.posts)
        return [
            Arrived(frame.topic.replace(f"/{other.name}/", f"/{post.name}/"), frame.payload)
            for frame in other.snoop.older()
        ]

    def _attack(self, post: Post, frames: Sequence[Arrived]) -> None:
        if post.connection is None:
            return
        for frame in frames:
            self._agenda.after(post.chance.randint(0, 2_000), partial(self.mobile.arrive, post, post.connection, frame))

    def stop_broker(self, lasts: int, wiped: bool = False) -> None:
        if not self.mobile.broker_up:
            return
        self.mobile.broker_up = False
        self.backstage.broker_stopped()
        if wiped:
            self.broker.wipe()
        else:
            self.broker.restart()
        self._agenda.after(lasts, self._broker_returns)

    def kill_controller(self, lasts: int) -> None:
        self.backstage.kill(lasts)

    def _broker_returns(self) -> None:
        self.mobile.broker_up = True
        self.backstage.broker_returned()
        for post in self.posts:
            self.mobile.dial_again(post, 30_000)
