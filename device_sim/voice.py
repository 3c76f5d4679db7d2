"""What a unit says: presence, state, numbers, evidence, and the question about time. CONTRACT.md, section 9."""

from __future__ import annotations

import random
from collections.abc import Sequence

from broadcasts.errors import ContractViolation
from broadcasts.wire import topics
from broadcasts.wire.base import Message
from broadcasts.wire.codec import decode, encode, seal
from broadcasts.wire.ear import Clip
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.status import (
    Player,
    PlayerState,
    PowerSource,
    Presence,
    PresenceState,
    Refusal,
    Reported,
    Telemetry,
    TimeAsk,
)
from broadcasts.wire.topics import Out
from device_sim import health
from device_sim.cache import BOTH, Cache
from device_sim.disk import Disk
from device_sim.events import Moment, Publish
from device_sim.journal import Journal
from device_sim.player import Player as Sounder
from device_sim.timekeeper import Timekeeper

_SIGNED = {Out.JOURNAL: Typ.JOURNAL, Out.CLIP: Typ.CLIP}
REPORT_GAP_MS = 1_000
BIRTH_GAP_MS = 10_000
TELEMETRY_IDLE_S = 900
"""Until a plan says otherwise."""
REPORTED_ASSETS = 180
"""As many hashes as fit into the 16 KiB of `out/reported`, the most urgent first."""
REPORTED_FAULTS = 32


class Voice:
    """Everything here only reads the other parts, except for noting what was said when."""

    def __init__(
        self,
        unit: str,
        key: SigningKey | None,
        firmware: str,
        disk: Disk,
        journal: Journal,
        cache: Cache,
        clock: Timekeeper,
        player: Sounder,
        chance: random.Random,
    ) -> None:
        self._unit, self._key, self._firmware = unit, key, firmware
        self._disk, self._journal, self._cache, self._clock, self._player = disk, journal, cache, clock, player
        self._chance = chance
        self._topics = {kind: topics.from_unit(unit, kind) for kind in Out}
        self._conn = 0
        self._birth_at: int | None = None
        self._reborn: int | None = None
        """When a birth was last said against an untimely death of this connection (monotonic)."""
        self._reported: tuple[object, ...] | None = None
        self._report_at: int | None = None
        self._report_after = 0
        self._evidence_until = 0
        """Till then nothing but evidence is said that can wait."""
        self._telemetry_at: int | None = None
        self._measured = 0
        self._mains = True
        self._ailing: list[str] = []
        self.refusal: Refusal | None = None

    @property
    def presence_topic(self) -> str:
        return self._topics[Out.PRESENCE]

    def will(self) -> bytes:
        """Of the next connection."""
        self._conn += 1
        return encode(self._presence(PresenceState.OFFLINE, None))

    def joined(self, m: Moment) -> Publish:
        """Birth; everything else is said by the next `speak`."""
        self._reported = self._reborn = self._birth_at = None
        self._report_after = self._telemetry_at = m.mono
        return self._birth(m)

    def saw_presence(self, payload: bytes, m: Moment) -> None:
        """Our own death, told while we live: the will of an older connection, or a broker that lost us."""
        try:
            seen = decode(Presence, payload, topics.MANNERS[Out.PRESENCE].max_bytes)
        except ContractViolation:
            return
        if seen.state is PresenceState.OFFLINE and self._birth_at is None:
            self._birth_at = m.mono if self._reborn is None else max(m.mono, self._reborn + BIRTH_GAP_MS)

    def speak(self, m: Moment, scopes: Sequence[str]) -> list[Publish]:
        """All that is due on a connection that is up."""
        out: list[Publish] = []
        if self._birth_at is not None and m.mono >= self._birth_at:
            self._birth_at, self._reborn = None, m.mono
            out.append(self._birth(m))
        for batch in self._journal.batches(self._unit, self._disk.boot_id, m):
            out.append(self._say(Out.JOURNAL, batch))
            if self._reported is not None and self._report_at is None:
                self._evidence_until = m.mono + REPORT_GAP_MS
        self._report(m, scopes, out)
        if self._clock.ask_at is not None and m.mono >= self._clock.ask_at:
            nonce = f"{self._chance.getrandbits(128):032x}"
            self._clock.asked(nonce)
            out.append(self._say(Out.TIME_ASK, TimeAsk(unit=self._unit, nonce=nonce)))
        self._measure(m, out)
        return out

    def send(self, clips: Sequence[Clip]) -> list[Publish]:
        """What somebody asked to hear."""
        return [self._say(Out.CLIP, clip) for clip in clips]

    def marks(self) -> list[int | None]:
        """When something becomes due (monotonic)."""
        return [self._clock.ask_at, self._journal.retry_at, self._telemetry_at, self._report_at, self._birth_at]

    def _say(self, kind: Out, message: Message) -> Publish:
        manner = topics.MANNERS[kind]
        # What proves something is signed, if there is a key to sign with.
        typ = _SIGNED.get(kind)
        payload = encode(message) if typ is None or self._key is None else seal(message, typ, self._key)
        return Publish(self._topics[kind], payload, manner.qos, manner.retain)

    def _presence(self, state: PresenceState, at: int | None) -> Presence:
        return Presence(unit=self._unit, state=state, boot_id=self._disk.boot_id, conn=self._conn, at=at)

    def _birth(self, m: Moment) -> Publish:
        return self._say(Out.PRESENCE, self._presence(PresenceState.ONLINE, m.now if m.trusted else None))

    def _report(self, m: Moment, scopes: Sequence[str], out: list[Publish]) -> None:
        documents, running = self._disk.documents, self._player.current
        key = (
            documents.plan_hash,
            self._disk.configuration,
            self._disk.slots.said,
            documents.trust.version if documents.trust is not None else None,
            tuple((scope, document.version) for scope, document in documents.alerts.items()),
            tuple((scope, document.version) for scope, document in documents.drills.items()),
            tuple(scopes),
            self._cache.generation,
            self.refusal,
            running.name if running is not None else None,
            self._clock.source,
            m.trusted,
            m.held,
            tuple(self._journal.faults),
        )
        self._report_at = None
        if key == self._reported:
            return
        after = max(self._report_after, self._evidence_until)
        if m.mono < after:
            self._report_at = after
            return
        self._reported, self._report_after = key, m.mono + REPORT_GAP_MS
        out.append(self._say(Out.REPORTED, self._state(m, scopes)))

    def _state(self, m: Moment, scopes: Sequence[str]) -> Reported:
        documents, running = self._disk.documents, self._player.current
        state = PlayerState.PLAYING if running is not None else PlayerState.IDLE if m.trusted else PlayerState.HELD
        return Reported(
            unit=self._unit,
            boot_id=self._disk.boot_id,
            at=m.now,
            plan_version=documents.plan.version if documents.plan is not None else None,
            plan_hash=documents.plan_hash,
            trust_version=documents.trust.version if documents.trust is not None else None,
            alerts={name: each.version for name, each in documents.alerts.items() if name in scopes},
            drills={name: each.version for name, each in documents.drills.items() if name in scopes},
            assets=self._cache.held()[:REPORTED_ASSETS],
            journal_id=self._disk.journal.journal_id,
            journal_seq=self._journal.last_seq,
            refused=self.refusal,
            player=Player(state=state, item=running.name if running is not None else None),
            clock=self._clock.state(),
            firmware=self._disk.firmware or self._firmware,
            configuration=self._disk.configuration or None,
            update=self._disk.slots.update(),
            faults=sorted(self._journal.faults)[:REPORTED_FAULTS],
            codecs=None if self._cache.codecs == BOTH else list(self._cache.codecs),
        )

    def _measure(self, m: Moment, out: list[Publish]) -> None:
        plan, running, sensors = self._disk.documents.plan, self._player.current, m.sensors
        idle = plan.policy.telemetry_idle_s if plan is not None else TELEMETRY_IDLE_S
        every = idle if plan is None or running is None else plan.policy.telemetry_playing_s
        if self._telemetry_at is not None:
            self._telemetry_at = max(min(self._telemetry_at, self._measured + every * 1000), self._evidence_until)
        faults = [code for code in health.NUMBERS if code in self._journal.faults]
        changed = (sensors.mains, faults) != (self._mains, self._ailing)
        if not changed and self._telemetry_at is not None and m.mono < self._telemetry_at:
            return
        self._mains, self._ailing, self._measured = sensors.mains, faults, m.mono
        self._telemetry_at = m.mono + every * 1000
        telemetry = Telemetry(
            unit=self._unit,
            at=m.now,
            power=PowerSource.MAINS if sensors.mains else PowerSource.BATTERY,
            volts=sensors.volts,
            temperature_c=sensors.temperature_c,
            signal_dbm=sensors.signal_dbm,
            storage_free_mb=min(self._cache.free_bytes() // 1_000_000, _or_all(sensors.storage_free_mb)),
            amplifier_ma=self._player.horn.drawn_ma(m),
            volume=running.volume if running is not None else 0,
            playing=running.name if running is not None else None,
            data_mb=sensors.data_mb,
        )
        out.append(self._say(Out.TELEMETRY, telemetry))


def _or_all(free_mb: int | None) -> int:
    return 10**9 if free_mb is None else free_mb
