"""The unit's files: what is held, what is fetched next, and repair of what arrived broken. CONTRACT.md, section 7."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from broadcasts.wire.alert import Alert
from broadcasts.wire.plan import Asset, Plan
from device_sim import mp3
from device_sim.events import CancelFetch, Fetch, FetchFailed, Got, Moment

DEADLINE_MS = 10 * 60_000
BACKOFF_FIRST_S = 5
BACKOFF_MOST_S = 300
CHUNK_TRIES = 3
GRANULES_PER_MS = 48
"""Opus in Ogg always counts at 48 kHz (RFC 7845, section 4)."""
LENGTH_TOLERANCE_MS = 60
BOTH = ("opus", "mp3")
"""What a unit decodes that says nothing of it (CONTRACT.md, section 7)."""


@dataclass
class CacheStore:
    """What is on the disk, by SHA-256. Whatever is in `files` was hashed as a whole."""

    files: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, bytearray] = field(default_factory=dict)


@dataclass
class _Running:
    asset: Asset
    begin: int
    size: int
    deadline: int
    arrived: int = 0
    chunk: int | None = None


@dataclass
class _Trouble:
    failures: int = 0
    retry_at: int = 0
    chunk_tries: dict[int, int] = field(default_factory=dict)


class Cache:
    def __init__(
        self, store: CacheStore, limit_bytes: int, chance: random.Random, codecs: Sequence[str] = BOTH
    ) -> None:
        self.codecs = tuple(codecs)
        self.store = store
        self._limit = limit_bytes
        self._chance = chance
        self._wanted: dict[str, Asset] = {}
        self._missing: list[Asset] = []
        self._running: _Running | None = None
        self._trouble: dict[str, _Trouble] = {}
        self._decodes: dict[str, str] = {}
        self.corrupt: set[str] = set()
        self.crowded: set[str] = set()
        """Wanted, and there is no room even after everything that may go is gone."""
        self.generation = 0
        """Grows whenever the list of held files changes."""

    def want(self, assets: Sequence[Asset]) -> None:
        """All that must be held, the most urgent first; nothing of it is ever dropped."""
        wanted = {asset.sha256: asset for asset in assets}
        if list(wanted) == list(self._wanted):
            return
        self._wanted = wanted
        self.crowded = set()
        self.corrupt &= wanted.keys()
        self.generation += 1
        self._look()

    def carried(self, alerts: Sequence[Alert]) -> list[Asset]:
        """What these alerts name. Sound that came inside of them is held from now on, if it is what the hash says; else
        it is fetched like any other."""
        named = [part for alert in alerts for part in alert.content]
        for part in named:
            if part.data is None or self.holds(part.asset.sha256):
                continue
            if len(part.data) % 4 == 1:
                continue  # no bytes are written so
            data = base64.urlsafe_b64decode(part.data + "=" * (-len(part.data) % 4))
            if self._right(part.asset, data) and self._make_room(part.asset):
                self.store.files[part.asset.sha256] = data
                self.generation += 1
                self._look()
        return [part.asset for part in named]

    def _look(self) -> None:
        self._missing = [asset for sha256, asset in self._wanted.items() if sha256 not in self.store.files]

    def holds(self, sha256: str) -> bool:
        return sha256 in self.store.files

    def held(self) -> list[str]:
        """Of what is wanted, the most urgent first."""
        return [sha256 for sha256 in self._wanted if sha256 in self.store.files]

    def free_bytes(self) -> int:
        return max(0, self._limit - self._used())

    def _used(self) -> int:
        return sum(map(len, self.store.files.values())) + sum(map(len, self.store.parts.values()))

    def look_again(self, only: str | None) -> list[str] | None:
        """Hash what is held and throw away what is wrong; what is missing is tried at once. Their names, of `only`
        where it is named; None: nobody wants that file."""
        if only is not None and only not in self._wanted:
            return None
        for sha256 in self._wanted if only is None else (only,):
            held = self.store.files.get(sha256)
            if held is not None and hashlib.sha256(held).hexdigest() != sha256:
                del self.store.files[sha256]
                self.generation += 1
            if sha256 not in self.store.files:
                self._trouble.pop(sha256, None)
        self._look()
        return [asset.sha256 for asset in self._missing if only in (None, asset.sha256)]

    # --- fetching

    def step(self, mono: int, online: bool) -> list[Fetch | CancelFetch]:
        out: list[Fetch | CancelFetch] = []
        running = self._running
        if running is None and not self._missing:
            return out
        if running is not None:
            sha256 = running.asset.sha256
            if not online:
                # Whatever the runner still carries belongs to a connection that is gone.
                self._running = None
                out.append(CancelFetch(sha256))
            elif mono >= running.deadline:
                out.append(CancelFetch(sha256))
                self._stumble(sha256, mono)
            elif (best := self._next(mono)) is not None and best.sha256 != sha256:
                self._running = None
                out.append(CancelFetch(sha256))
        if self._running is None and online and (asset := self._next(mono)) is not None:
            out.append(self._begin(asset, mono))
        return out

    def link_returned(self) -> None:
        """Waiting was for the link: try at once."""
        for trouble in self._trouble.values():
            trouble.retry_at = 0

    def _next(self, mono: int) -> Asset | None:
        for asset in self._missing:
            trouble = self._trouble.get(asset.sha256)
            if (trouble is None or trouble.retry_at <= mono) and self._make_room(asset):
                return asset
        return None

    def _make_room(self, asset: Asset) -> bool:
        have = len(self.store.parts.get(asset.sha256, b""))
        short = self._used() + asset.size - have - self._limit
        if short <= 0:
            self.crowded.discard(asset.sha256)
            return True
        for place in (self.store.parts, self.store.files):
            for sha256 in [name for name in place if name not in self._wanted]:
                short -= len(place[sha256])
                del place[sha256]
                if short <= 0:
                    self.crowded.discard(asset.sha256)
                    return True
        self.crowded.add(asset.sha256)
        return False

    def _begin(self, asset: Asset, mono: int) -> Fetch:
        have = len(self.store.parts.get(asset.sha256, b""))
        wrong = self._wrong_chunks(asset) if have >= asset.size else []
        if have >= asset.size and not wrong:
            del self.store.parts[asset.sha256]
            have = 0
        if wrong:
            # Complete and wrong: only the wrong chunks are asked for again.
            chunk = wrong[0]
            begin = chunk * asset.chunk_size
            size = min(asset.chunk_size, asset.size - begin)
            self._running = _Running(asset, begin, size, mono + DEADLINE_MS, chunk=chunk)
        else:
            self._running = _Running(asset, have, asset.size - have, mono + DEADLINE_MS)
        return Fetch(asset.sha256, asset.path, self._running.begin, self._running.size)

    def got(self, event: Got, mono: int) -> None:
        running = self._running
        if running is None or event.sha256 != running.asset.sha256 or event.offset != running.begin + running.arrived:
            return
        asset, data = running.asset, event.data[: running.size - running.arrived]
        running.arrived += len(data)
        part = self.store.parts.get(asset.sha256)
        if running.chunk is not None and part is not None:
            part[event.offset : event.offset + len(data)] = data
        elif part is None and len(data) == asset.size and self._right(asset, data):
            self._keep(asset, bytes(data))
            return
        else:
            self.store.parts.setdefault(asset.sha256, bytearray()).extend(data)
        if running.arrived == running.size:
            self._running = None
            self._check(asset, mono)
        elif event.complete:
            self._stumble(asset.sha256, mono)

    def failed(self, event: FetchFailed, mono: int) -> None:
        if self._running is not None and event.sha256 == self._running.asset.sha256:
            if event.status == 416:
                self.store.parts.pop(event.sha256, None)
            self._stumble(event.sha256, mono)

    def _check(self, asset: Asset, mono: int) -> None:
        part = bytes(self.store.parts[asset.sha256])
        if self._right(asset, part):
            self._keep(asset, part)
            return
        trouble = self._trouble.setdefault(asset.sha256, _Trouble())
        wrong = self._wrong_chunks(asset)
        if wrong and trouble.chunk_tries.get(wrong[0], 0) < CHUNK_TRIES:
            trouble.chunk_tries[wrong[0]] = trouble.chunk_tries.get(wrong[0], 0) + 1
            return
        # Every chunk is right and the whole is not, or a chunk never comes right: the source is wrong.
        self.corrupt.add(asset.sha256)
        del self.store.parts[asset.sha256]
        trouble.chunk_tries.clear()
        trouble.failures = max(trouble.failures, 6)
        self._stumble(asset.sha256, mono)

    def _wrong_chunks(self, asset: Asset) -> list[int]:
        part = self.store.parts[asset.sha256]
        step = asset.chunk_size
        return [n for n, name in enumerate(asset.chunks) if chunk_name(bytes(part[n * step : (n + 1) * step])) != name]

    def _right(self, asset: Asset, data: bytes) -> bool:
        return hashlib.sha256(data).hexdigest() == asset.sha256

    def _keep(self, asset: Asset, data: bytes) -> None:
        self._running = None
        self.store.parts.pop(asset.sha256, None)
        self.store.files[asset.sha256] = data
        self._trouble.pop(asset.sha256, None)
        self.corrupt.discard(asset.sha256)
        self.generation += 1
        self._look()

    def _stumble(self, sha256: str, mono: int) -> None:
        self._running = None
        trouble = self._trouble.setdefault(sha256, _Trouble())
        wait = min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2 ** min(trouble.failures, 10))
        trouble.failures += 1
        trouble.retry_at = mono + round(wait * 1000 * self._chance.uniform(0.8, 1.0))

    def wake_at(self, online: bool) -> int | None:
        """When `step` may have something to do; without a link only the link's return changes anything."""
        if not online:
            return None
        if self._running is not None:
            return self._running.deadline
        waits = [
            self._trouble[asset.sha256].retry_at
            for asset in self._missing
            if asset.sha256 in self._trouble and asset.sha256 not in self.crowded
        ]
        return min(waits, default=None)

    # --- reading

    def complaint(self, asset: Asset) -> str:
        """Why the decoder cannot play a held file; "" when it can."""
        if asset.sha256 not in self._decodes:
            self._decodes[asset.sha256] = _complaint(asset, self.store.files[asset.sha256], self.codecs)
        return self._decodes[asset.sha256]


def chunk_name(chunk: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(chunk).digest()[:16]).decode().rstrip("=")


def _complaint(asset: Asset, data: bytes, codecs: Sequence[str]) -> str:
    if asset.codec not in codecs:
        return f"no decoder for {asset.codec}"
    return _opus_complaint(data, asset.duration_ms) if asset.codec == "opus" else _mp3_complaint(data, asset)


def _mp3_complaint(data: bytes, asset: Asset) -> str:
    length = mp3.length_ms(data) if asset.codec == "mp3" else asset.duration_ms
    if length is None:
        return "not an MP3 stream"
    if abs(length - asset.duration_ms) > LENGTH_TOLERANCE_MS:
        return f"{length} ms of sound where {asset.duration_ms} were announced"
    return ""


def _opus_complaint(data: bytes, duration_ms: int) -> str:
    """RFC 3533: a page begins with `OggS`, its granule position stands at byte 6. RFC 7845: `OpusHead` holds the
    samples to skip at its byte 10."""
    last, head = data.rfind(b"OggS"), data.find(b"OpusHead", 0, 512)
    if not data.startswith(b"OggS") or len(data) < last + 14:
        return "not an Ogg stream"
    granule = int.from_bytes(data[last + 6 : last + 14], "little", signed=True)
    skip = int.from_bytes(data[head + 10 : head + 12], "little") if head >= 0 else 0
    length = (granule - skip) // GRANULES_PER_MS
    if abs(length - duration_ms) > LENGTH_TOLERANCE_MS:
        return f"{length} ms of sound where {duration_ms} were announced"
    return ""


def to_hold(plan: Plan, alert_assets: list[Asset], m: Moment) -> list[Asset]:
    """Emergency set, alert content, then by the next start (CONTRACT.md, section 7)."""
    named = {asset.sha256: asset for asset in plan.assets}
    coming = [item for item in plan.items if max(item.not_after, item.deadline or 0) + 3_600_000 >= m.now]
    order = [named[sha256] for sha256 in plan.emergency_set]
    order += alert_assets
    order += [named[item.asset] for item in sorted(coming, key=lambda item: item.start)]
    return list({asset.sha256: asset for asset in [*order, *plan.assets]}.values())
