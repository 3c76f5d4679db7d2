"""A small controller in virtual time: enough of one to prove the proof. Nothing of `controller` is used."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from support.signed import DAY, HOUR, MINUTE, SECOND, Signer, asset_of, item, opus, policy, siren

from broadcasts.errors import ContractViolation
from broadcasts.wire import topics
from broadcasts.wire.alert import Repeat
from broadcasts.wire.codec import decode, unseal
from broadcasts.wire.journal import Amplifier, AnyEntry, Ended, JournalBatch, Outcome, Skipped
from broadcasts.wire.jws import SigningKey, Typ, digest
from broadcasts.wire.plan import Item, Late, OnPreempt
from broadcasts.wire.status import Reported, TimeAsk
from broadcasts.wire.topics import In, Out, ScopeTopic
from device_sim.counterpart import Account, Enrolment, Setting, Siren

SAY_AGAIN_MS = 2 * MINUTE
TARGET: Literal["all"] | list[str] = "all"
"""Whom its alerts are meant for."""


@dataclass
class _Unit:
    name: str
    key: SigningKey
    items: list[Item] = field(default_factory=list)
    plan: bytes = b""
    plan_hash: str = ""
    window: int = -1
    reported: Reported | None = None
    said_at: int = 0
    entries: dict[int, AnyEntry] = field(default_factory=dict)
    acked: int = 0
    journal_id: str = ""


class SmallController:
    """Three bulletins a day at each pole, a priority one across the second, an alert each day, changes of mind."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.now = _ms(setting.start)
        self.chance = random.Random(setting.seed)
        self.signer = Signer(self.now)
        self.units = [_Unit(f"u-{n}", SigningKey.generate(f"u-{n}")) for n in range(setting.units)]
        self.by_name = {unit.name: unit for unit in self.units}
        self.sounds = {}
        self.assets = []
        for n, length in enumerate((3 * MINUTE, 5 * MINUTE, 4 * MINUTE, 30 * SECOND)):
            data = opus(length, str(n), filler=20_000 + 5_000 * n)
            asset = asset_of(data, length)
            self.assets.append(asset)
            self.sounds[asset.sha256] = data
        self.rejected: set[str] = set()
        self.alerts: bytes = b""
        self.alert_said = 0
        self.alerted: list[int] = []
        self._trust = self.signer.trust(self.now)
        self._online = False
        self.all_items: dict[str, tuple[_Unit, Item]] = {}
        self._write_week()

    def _write_week(self) -> None:
        policies = list(OnPreempt)
        for unit in self.units:
            for day in range(self.setting.days + 1):
                midnight = self.now + day * DAY
                for n, hour in enumerate((6, 12, 18)):
                    how = self.chance.choice(policies)
                    start = midnight + hour * HOUR
                    late = self.chance.choice(list(Late))
                    self._add(unit, item(
                        f"d-{unit.name}-{day}-{n}", self.assets[n], start, on_preempt=how, late=late,
                        deadline=start + 30 * MINUTE, not_after=start + 20 * MINUTE,
                    ))  # fmt: skip
                self._add(
                    unit, item(f"d-{unit.name}-{day}-p", self.assets[0], midnight + 12 * HOUR + 2 * MINUTE, level=2)
                )

    def _add(self, unit: _Unit, what: Item) -> None:
        unit.items.append(what)
        self.all_items[what.id] = (unit, what)

    # --- the port

    def enrolments(self) -> Sequence[Enrolment]:
        root = self.signer.root.public
        return [
            {
                "unit": unit.name, "cluster": f"c-{unit.name}", "secret": f"s-{unit.name}",
                "key_jwk": unit.key.to_jwk(), "root_x": root.x, "root_kid": root.kid,
            }
            for unit in self.units
        ]  # fmt: skip

    def attach(self, publish: Callable[[str, bytes, int, bool], bool]) -> None:
        self._publish = publish

    def connection(self, up: bool, now: datetime) -> None:
        self.now, self._online = _ms(now), up
        if not up:
            return
        self._publish(topics.TRUST, self._trust, 1, True)
        if self.alerts:
            self._publish(topics.to_scope("commune", ScopeTopic.ALERT), self.alerts, 1, True)
        for unit in self.units:
            unit.said_at = 0

    def filters(self) -> Sequence[tuple[str, int]]:
        return [(pattern, 1) for pattern in topics.CONTROLLER_FILTERS]

    def receive(self, topic: str, payload: bytes, retained: bool, now: datetime) -> None:
        self.now = _ms(now)
        try:
            self._receive(topics.parse(topic), payload)
        except ContractViolation as failure:
            raise AssertionError(f"{topic}: {failure}") from None

    def _receive(self, address: topics.Address, payload: bytes) -> None:
        unit = self.by_name.get(address.about)
        if unit is None:
            return
        match address.kind:
            case Out.REPORTED:
                unit.reported = decode(Reported, payload)
            case Out.TIME_ASK:
                answer = self.signer.time(unit.name, decode(TimeAsk, payload).nonce, self.now)
                self._publish(topics.to_unit(unit.name, In.TIME), answer, 1, False)
            case Out.JOURNAL:
                batch = unseal(JournalBatch, payload, Typ.JOURNAL, {unit.name: unit.key.public}.get)
                for entry in batch.entries:
                    known = unit.entries.setdefault(entry.seq, entry)
                    assert known == entry, f"{unit.name}: entry {entry.seq} changed"
                unit.journal_id = batch.journal_id
                while unit.acked + 1 in unit.entries:
                    unit.acked += 1
                ack = self.signer.ack(unit.name, batch.journal_id, unit.acked)
                self._publish(topics.to_unit(unit.name, In.JOURNAL_ACK), ack, 1, True)

    def step(self, now: datetime) -> datetime:
        self.now = _ms(now)
        if self._online:
            for unit in self.units:
                self._plan(unit)
            self._alert()
        return now + timedelta(minutes=5)

    def _plan(self, unit: _Unit) -> None:
        if self.chance.random() < 0.00002:
            self._change_mind(unit)
        window = self.now // (6 * HOUR)
        if window != unit.window:
            unit.window = window
            items = [each for each in unit.items if self.now - HOUR <= each.start < self.now + 2 * DAY]
            self.signer.version = max(self.now, self.signer.version + 1)
            unit.plan = self.signer.plan(
                unit.name, self.now, items, self.assets, policy=policy(scopes=["commune"]),
                emergency_set=[self.assets[3].sha256], version=self.signer.version,
            )  # fmt: skip
            unit.plan_hash = digest(unit.plan)
            unit.said_at = 0
        confirmed = unit.reported is not None and unit.reported.plan_hash == unit.plan_hash
        if unit.said_at == 0 or (not confirmed and self.now - unit.said_at >= SAY_AGAIN_MS):
            unit.said_at = self.now
            self._publish(topics.to_unit(unit.name, In.PLAN), unit.plan, 1, True)

    def _change_mind(self, unit: _Unit) -> None:
        """One delivery of the next two days is taken back."""
        coming = [each for each in unit.items if self.now + HOUR < each.start < self.now + 2 * DAY]
        if coming:
            gone = self.chance.choice(coming)
            unit.items.remove(gone)
            self.rejected.add(gone.id)
            unit.window = -1

    def _alert(self) -> None:
        """Each day at three in the afternoon, for an hour."""
        hour = (self.now - _ms(self.setting.start)) % DAY // HOUR
        wanted = hour == 15
        if wanted and not self.alert_said:
            self.alert_said = self.now
            self.alerted.append(self.now)
            siren_ = siren(
                f"a-{self.now}", self.assets[3], self.now, repeat=Repeat(every_s=300, times=3), target=TARGET
            )
            self._say_alerts([siren_])
        elif not wanted and self.alert_said:
            self.alert_said = 0
            self._say_alerts([])

    def _say_alerts(self, alerts: list[Any]) -> None:
        self.signer.version = max(self.now, self.signer.version + 1)
        self.alerts = self.signer.alert("commune", self.now, alerts, version=self.signer.version)
        self._publish(topics.to_scope("commune", ScopeTopic.ALERT), self.alerts, 1, True)

    def get(self, unit: str, secret: str, path: str, offset: int) -> tuple[int, bytes]:
        name = path.rsplit("/", 1)[-1]
        if unit not in self.by_name or secret != f"s-{unit}":
            return 401, b""
        if name not in self.sounds:
            return 404, b""
        return 206, self.sounds[name][offset:]

    def kill(self) -> None:
        self._online = False

    def restart(self, now: datetime) -> None:
        self.now = _ms(now)

    def accounts(self) -> Sequence[Account]:
        return [self._account(unit, what) for unit, what in self.all_items.values()]

    def _account(self, unit: _Unit, what: Item) -> Account:
        length = next(asset.duration_ms for asset in self.assets if asset.sha256 == what.asset)
        verdict, reason = self._verdict(unit, what, what.start + length)
        return {
            "delivery": what.id, "cluster": f"c-{unit.name}", "unit": unit.name, "asset": what.asset,
            "start": what.start, "end": what.start + length, "level": what.level, "approved": True,
            "state": "withdrawn" if what.id in self.rejected else "done", "verdict": verdict, "reason": reason,
        }  # fmt: skip

    def _verdict(self, unit: _Unit, what: Item, end: int) -> tuple[str | None, str | None]:
        mine = [entry for entry in unit.entries.values() if getattr(entry, "item", None) == what.id]
        ended = [entry for entry in mine if isinstance(entry, Ended)]
        sounded = [e for e in ended if e.outcome in (Outcome.PLAYED, Outcome.PREEMPTED, Outcome.WITHDRAWN)]
        if any(entry.amplifier is Amplifier.SOUND for entry in sounded):
            return "heard", None
        if any(entry.amplifier is Amplifier.SILENT for entry in sounded):
            return "failed_to_sound", "amplifier drew nothing"
        if ended:
            return "not_played", ended[-1].reason or str(ended[-1].outcome)
        for entry in mine:
            if isinstance(entry, Skipped):
                return "not_played", str(entry.why)
        return ("not_played", "never in the journal") if self._never(unit, end) else ("unknown", None)

    def _never(self, unit: _Unit, end: int) -> bool:
        """All that the unit wrote until after `end` is here (CONTRACT.md, section 9)."""
        told = unit.reported
        return told is not None and told.journal_seq <= unit.acked and told.at > end

    def approved_sounds(self) -> set[tuple[str, str]]:
        return {(unit.name, asset.sha256) for unit in self.units for asset in self.assets}

    def sirens(self) -> Sequence[Siren]:
        storm = self.assets[3]
        return [
            {
                "id": f"a-{at}", "drill": False, "silent": False, "released": at,
                "units": list(self.by_name) if TARGET == "all" else TARGET,
                "begins": at, "hard_end": at + HOUR, "times": 3, "blind_ms": 600_000,
                "lengths": {storm.sha256: storm.duration_ms},
            }
            for at in self.alerted
        ]  # fmt: skip

    def close(self) -> None:
        pass

    def __repr__(self) -> str:
        return json.dumps({"units": len(self.units), "seed": self.setting.seed})


def _ms(instant: datetime) -> int:
    return round(instant.astimezone(UTC).timestamp() * 1000)
