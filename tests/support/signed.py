"""A controller written by hand: keys, and documents signed with them. Nothing of `controller` is used."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from broadcasts.wire import topics
from broadcasts.wire.alert import Alert, AlertDocument, AlertKind, Rendition, Repeat
from broadcasts.wire.base import Message
from broadcasts.wire.codec import seal
from broadcasts.wire.drill import Drill, DrillDocument
from broadcasts.wire.firmware import Manifest
from broadcasts.wire.journal import JournalAck
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.plan import Asset, Assignment, Ceiling, Item, Late, OnPreempt, Plan, Policy, Window
from broadcasts.wire.status import Command, CommandKind, Time
from broadcasts.wire.trust import Trust, TrustedKey, Use

DAY = 86_400_000
HOUR = 3_600_000
MINUTE = 60_000
SECOND = 1_000
T0 = 1_800_000_000_000 - 1_800_000_000_000 % DAY
"""Midnight UTC, 07:00 at the pole."""
CHUNK = 4096


def opus(length_ms: int, seed: str = "", filler: int = 9_000) -> bytes:
    """The frame of an Ogg Opus file: first page, filler, last page with the granule position (no real sound)."""

    def page(granule: int, body: bytes) -> bytes:
        return b"OggS\0\2" + granule.to_bytes(8, "little") + bytes(13) + body

    noise = hashlib.sha256(f"{seed}{length_ms}".encode()).digest() * (filler // 32)
    head = b"OpusHead\1\1" + (312).to_bytes(2, "little") + bytes(7)
    return page(0, head) + noise.replace(b"OggS", b"oggs") + page(length_ms * 48 + 312, b"end")


def asset_of(data: bytes, length_ms: int, codec: str = "opus") -> Asset:
    name = hashlib.sha256(data).hexdigest()
    pieces = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]
    chunks = [base64.urlsafe_b64encode(hashlib.sha256(piece).digest()[:16]).decode().rstrip("=") for piece in pieces]
    return Asset(
        sha256=name, size=len(data), codec=codec, duration_ms=length_ms, path=f"a/{name}", chunk_size=CHUNK,
        chunks=chunks,
    )  # fmt: skip


def item(name: str, asset: Asset, start: int, **fields: Any) -> Item:
    given: dict[str, Any] = {
        "not_after": start + 10 * MINUTE,
        "level": 3,
        "volume": 60,
        "on_preempt": OnPreempt.RESUME,
        "late": Late.DROP,
    }
    return Item(id=name, asset=asset.sha256, start=start, **{**given, **fields})


def policy(**fields: Any) -> Policy:
    given: dict[str, Any] = {
        "utc_offset_min": 420,
        "hours": [Window(start=0, end=1440)],
        "ceilings": [],
        "emergency_volume": 100,
        "telemetry_idle_s": 900,
        "telemetry_playing_s": 60,
        "max_autonomy_s": 7 * 86_400,
        "scopes": ["province", "commune"],
    }
    return Policy(**{**given, **fields})


class Signer:
    """All the keys of one controller. `version` of each kind of document only grows."""

    def __init__(self, now: int = T0) -> None:
        self.root = SigningKey.generate("root")
        self.keys = {use: SigningKey.generate(f"{use}-1") for use in Use}
        self.version = now

    def next_version(self) -> int:
        self.version += 1
        return self.version

    def trust(self, now: int, version: int | None = None, leave_out: Sequence[Use] = ()) -> bytes:
        keys = [
            TrustedKey(kid=key.kid, use=use, x=key.public.x, not_before=T0 - 365 * DAY, not_after=T0 + 3650 * DAY)
            for use, key in self.keys.items()
            if use not in leave_out
        ]
        trust = Trust(version=self.next_version() if version is None else version, issued_at=now, keys=keys)
        return seal(trust, Typ.TRUST, self.root)

    def plan(self, unit: str, now: int, items: Sequence[Item], assets: Sequence[Asset], **fields: Any) -> bytes:
        given: dict[str, Any] = {
            "version": self.next_version(),
            "issued_at": now,
            "horizon_end": now + 7 * DAY,
            "assignment": Assignment(cluster=f"c-{unit}", since=T0 - DAY),
            "policy": policy(),
        }
        plan = Plan(unit=unit, items=list(items), assets=list(assets), **{**given, **fields})
        return seal(plan, Typ.PLAN, self.keys[Use.PLAN])

    def alert(self, scope: str, now: int, alerts: Sequence[Alert], **fields: Any) -> bytes:
        given: dict[str, Any] = {"version": self.next_version(), "issued_at": now}
        document = AlertDocument(scope=scope, alerts=list(alerts), **{**given, **fields})
        return seal(document, Typ.ALERT, self.keys[Use.ALERT])

    def drill(self, scope: str, now: int, drills: Sequence[Drill], **fields: Any) -> bytes:
        given: dict[str, Any] = {"version": self.next_version(), "issued_at": now}
        document = DrillDocument(scope=scope, drills=list(drills), **{**given, **fields})
        return seal(document, Typ.DRILL, self.keys[Use.DRILL])

    def time(self, unit: str, nonce: str, now: int) -> bytes:
        return seal(Time(unit=unit, nonce=nonce, now=now), Typ.TIME, self.keys[Use.TIME])

    def ack(self, unit: str, journal_id: str, seq: int, epoch: int = 0) -> bytes:
        ack = JournalAck(unit=unit, journal_id=journal_id, seq=seq, epoch=epoch)
        return seal(ack, Typ.JOURNAL_ACK, self.keys[Use.COMMAND])

    def command(self, unit: str, seq: int, kind: CommandKind, now: int, lasts: int = 5 * MINUTE, **args: str) -> bytes:
        command = Command(
            unit=unit, seq=seq, id=f"cmd-{seq}", kind=kind, args=args, issued_at=now, expires_at=now + lasts
        )
        return seal(command, Typ.COMMAND, self.keys[Use.COMMAND])

    def manifest(self, image: Asset, version: str, release: int = 2, use: Use = Use.FIRMWARE, **fields: Any) -> str:
        """Of an image, for the simulator's own box."""
        given: dict[str, Any] = {"vendor": "loasim", "sha256": image.sha256, "size": image.size, "issued_at": T0}
        manifest = Manifest(version=version, release=release, **{**given, **fields})
        return seal(manifest, Typ.FIRMWARE, self.keys[use]).decode()

    def other(self, message: Message, typ: Typ, use: Use) -> bytes:
        return seal(message, typ, self.keys[use])


def siren(name: str, asset: Asset, now: int, **fields: Any) -> Alert:
    given: dict[str, Any] = {
        "kind": AlertKind.STORM,
        "target": "all",
        "content": [Rendition(language="vi", asset=asset)],
        "volume": 90,
        "issued_at": now,
        "not_before": now,
        "hard_end": now + HOUR,
        "max_blind_s": 600,
        "reason": "storm",
    }
    return Alert(id=name, **{**given, **fields})


def exercise(name: str, asset: Asset, now: int, **fields: Any) -> Drill:
    """Silent, unless `prefix` (an asset) says that it is one."""
    prefix = fields.pop("prefix", None)
    given: dict[str, Any] = {
        "kind": AlertKind.STORM,
        "target": "all",
        "silent": prefix is None,
        "prefix": [] if prefix is None else [Rendition(language="vi", asset=prefix)],
        "content": [Rendition(language="vi", asset=asset)],
        "volume": 70,
        "issued_at": now,
        "not_before": now,
        "hard_end": now + HOUR,
        "reason": "exercise",
    }
    return Drill(id=name, **{**given, **fields})


__all__ = ["Ceiling", "Repeat", "Window", "topics"]
