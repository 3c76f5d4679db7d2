"""What a unit says, as the services hear it: short words for tests of what becomes of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from broadcasts.clock import unix_ms
from broadcasts.wire.journal import Amplifier as Amp
from broadcasts.wire.journal import AnyEntry, Ended, FaultEntry, JournalBatch, NotPlayed, Outcome, Skipped, Started
from broadcasts.wire.status import ClockSource, ClockState, Player, PlayerState, Presence, PresenceState, Reported


class Voice:
    """One unit. `seq` counts its journal; `asset` is what it plays unless told otherwise."""

    def __init__(self, unit: str, asset: str, length_ms: int, journal_id: str = "j-1") -> None:
        self.unit = unit
        self.asset = asset
        self.length_ms = length_ms
        self.journal_id = journal_id
        self.seq = 0
        self.boot_id = 1

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def started(self, item: str, at: datetime, **told: Any) -> Started:
        given = {"asset": self.asset, "offset_ms": 0, "late_ms": 0, "volume": 70, "seq": self._next()}
        return Started(at=unix_ms(at), item=item, **{**given, **told})

    def ended(self, item: str, at: datetime, outcome: str = "played", **told: Any) -> Ended:
        given = {
            "asset": self.asset,
            "started_at": unix_ms(at),
            "offset_ms": 0,
            "played_ms": self.length_ms,
            "volume": 70,
            "amplifier": Amp.SOUND,
            "seq": self._next(),
        }
        return Ended(at=unix_ms(at), item=item, outcome=Outcome(outcome), **{**given, **told})

    def skipped(self, item: str, at: datetime, why: str = "no_asset", **told: Any) -> Skipped:
        return Skipped(at=unix_ms(at), item=item, why=NotPlayed(why), **{"seq": self._next(), **told})

    def fault(self, code: str, raised: bool, at: datetime, **told: Any) -> FaultEntry:
        return FaultEntry(at=unix_ms(at), code=code, raised=raised, **{"seq": self._next(), **told})

    def batch(self, *entries: AnyEntry, **told: Any) -> JournalBatch:
        given = {"journal_id": self.journal_id, "boot_id": self.boot_id}
        return JournalBatch(unit=self.unit, entries=list(entries), **{**given, **told})

    def reported(self, at: datetime, **told: Any) -> Reported:
        given = {
            "boot_id": self.boot_id,
            "journal_id": self.journal_id,
            "journal_seq": self.seq,
            "player": Player(state=PlayerState.IDLE),
            "clock": ClockState(source=ClockSource.NTP, trusted=True),
            "firmware": "1.0",
        }
        return Reported(unit=self.unit, at=unix_ms(at), **{**given, **told})

    def presence(self, state: str, conn: int = 1, boot_id: int | None = None) -> Presence:
        return Presence(
            unit=self.unit,
            state=PresenceState(state),
            boot_id=self.boot_id if boot_id is None else boot_id,
            conn=conn,
        )
