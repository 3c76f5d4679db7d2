"""The disks of live units as files, so that a second run goes on where the first one ended.

    assets/{sha256}               held files, once for the whole fleet
    units/{unit}/journal.log      one frame a line, appended
    units/{unit}/documents.json   trust, plan, alerts that stand
    units/{unit}/parts/{sha256}   begun downloads, written when the fleet stops
    units/{unit}/state.json       everything small, and which assets are held

Every file but the journal is replaced as a whole; the journal's torn last line is dropped. Written before the unit's
outbox is carried out, so an entry is durable before it is published: against the death of this process, which is a
unit's power cut, not against that of the machine (no fsync: 80 units share one disk here, and each has its own there).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from broadcasts.errors import Refused
from broadcasts.wire.alert import AlertDocument
from broadcasts.wire.drill import DrillDocument
from broadcasts.wire.plan import Plan
from broadcasts.wire.trigger import Trigger
from broadcasts.wire.trust import Trust
from device_sim.cache import CacheStore
from device_sim.disk import Disk
from device_sim.hardware import Hardware
from device_sim.journal import JournalStore
from device_sim.slots import Slots
from device_sim.timekeeper import ClockStore
from device_sim.trust import DocumentStore, Texted

COMPACT_AFTER_LINES = 2_000


class Shelf:
    """Held files, once in memory and once on disk for all units; dropped when the last unit drops them."""

    def __init__(self, folder: Path | None) -> None:
        """Without a folder nothing outlives the process."""
        self.folder = folder
        self._files: dict[str, bytes] = {}
        self._holders: Counter[str] = Counter()
        if folder is not None:
            (folder / "assets").mkdir(mode=0o700, parents=True, exist_ok=True)

    def take(self, sha256: str, data: bytes) -> bytes:
        """One more unit holds it. Returns the fleet's copy."""
        if self._holders[sha256] == 0:
            self._files[sha256] = data
            if self.folder is not None:
                _replace(self.folder / "assets" / sha256, data)
        self._holders[sha256] += 1
        return self._files[sha256]

    def drop(self, sha256: str) -> None:
        self._holders[sha256] -= 1
        if self._holders[sha256] == 0:
            del self._files[sha256]
            if self.folder is not None:
                (self.folder / "assets" / sha256).unlink(missing_ok=True)

    def find(self, sha256: str) -> bytes | None:
        """From an earlier run, one holder more; none when it is gone or not what its name says."""
        if sha256 not in self._files and self.folder is not None:
            with contextlib.suppress(OSError):
                data = (self.folder / "assets" / sha256).read_bytes()
                if hashlib.sha256(data).hexdigest() == sha256:
                    self._files[sha256] = data
        if sha256 not in self._files:
            return None
        self._holders[sha256] += 1
        return self._files[sha256]


class UnitStorage:
    """The disk of one unit. `load` once, then `save` after every step."""

    def __init__(self, shelf: Shelf, unit: str) -> None:
        self._shelf = shelf
        self._folder = None if shelf.folder is None else shelf.folder / "units" / unit
        if self._folder is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held: dict[str, bytes] = {}
        self._documents: tuple[object, ...] = ()
        self._state = ""
        self._last_frame: bytes | None = None
        self._lines = 0

    def load(self) -> tuple[Disk, Hardware]:
        """Raises ValueError, KeyError or TypeError when the files are of another make."""
        disk, hardware = Disk(), Hardware()
        if self._folder is None or not (self._folder / "state.json").exists():
            return disk, hardware
        told = json.loads((self._folder / "state.json").read_bytes())
        disk.boot_id, disk.command_seq = told["boot_id"], told["command_seq"]
        disk.firmware, disk.configuration, disk.settings = told["firmware"], told["configuration"], told["settings"]
        disk.capturing = told.get("capturing", "")
        disk.slots = Slots(**told.get("slots", {}))
        disk.clock = ClockStore(**told["clock"])
        disk.documents = self._load_documents(self._folder / "documents.json")
        disk.journal = JournalStore(**told["journal"], frames=self._load_journal(self._folder / "journal.log"))
        for sha256 in told["held"]:
            if (data := self._shelf.find(sha256)) is not None:
                disk.cache.files[sha256] = self._held[sha256] = data
        self._load_parts(disk.cache, self._folder / "parts")
        return disk, Hardware(**told["hardware"])

    def save(self, disk: Disk, hardware: Hardware) -> None:
        """Writes what changed. Raises OSError."""
        self._share(disk.cache)
        if self._folder is None:
            return
        self._save_documents(disk.documents, self._folder / "documents.json")
        self._save_journal(disk.journal, self._folder / "journal.log")
        journal = disk.journal
        state = json.dumps(
            {
                "boot_id": disk.boot_id,
                "command_seq": disk.command_seq,
                "firmware": disk.firmware,
                "configuration": disk.configuration,
                "settings": disk.settings,
                "capturing": disk.capturing,
                "slots": asdict(disk.slots),
                "clock": asdict(disk.clock),
                "journal": {
                    "journal_id": journal.journal_id,
                    "next_seq": journal.next_seq,
                    "acked": journal.acked,
                    "epoch": journal.epoch,
                    "blind": journal.blind,
                },
                "held": list(self._held),
                "hardware": asdict(hardware),
            }
        )
        if state != self._state:
            _replace(self._folder / "state.json", state.encode())
            self._state = state

    def close(self, disk: Disk) -> None:
        """The fleet stops: begun downloads go on from here next time."""
        if self._folder is None:
            return
        parts = self._folder / "parts"
        for old in parts.glob("*"):
            old.unlink()
        if disk.cache.parts:
            parts.mkdir(mode=0o700, exist_ok=True)
        for sha256, part in disk.cache.parts.items():
            _replace(parts / sha256, bytes(part))

    # --- held files

    def _share(self, cache: CacheStore) -> None:
        if cache.files.keys() == self._held.keys():
            return
        for sha256 in cache.files.keys() - self._held.keys():
            cache.files[sha256] = self._held[sha256] = self._shelf.take(sha256, cache.files[sha256])
        for sha256 in self._held.keys() - cache.files.keys():
            del self._held[sha256]
            self._shelf.drop(sha256)

    def _load_parts(self, cache: CacheStore, folder: Path) -> None:
        for part in folder.glob("*"):
            cache.parts[part.name] = bytearray(part.read_bytes())

    # --- documents

    def _load_documents(self, path: Path) -> DocumentStore:
        if not path.exists():
            return DocumentStore()
        told = json.loads(path.read_bytes())
        store = DocumentStore(
            trust=_read(Trust, told["trust"]),
            plan=_read(Plan, told["plan"]),
            plan_hash=told["plan_hash"],
            alerts={scope: AlertDocument.model_validate_json(text) for scope, text in told["alerts"].items()},
            drills={scope: DrillDocument.model_validate_json(text) for scope, text in told.get("drills", {}).items()},
            texted={
                scope: Texted(floor, [Trigger.model_validate_json(text) for text in texts])
                for scope, (floor, texts) in told.get("texted", {}).items()
            },
        )
        self._documents = _identity(store)
        return store

    def _save_documents(self, store: DocumentStore, path: Path) -> None:
        identity = _identity(store)
        if identity == self._documents:
            return
        told = {
            "trust": None if store.trust is None else store.trust.model_dump_json(),
            "plan": None if store.plan is None else store.plan.model_dump_json(),
            "plan_hash": store.plan_hash,
            "alerts": {scope: document.model_dump_json() for scope, document in store.alerts.items()},
            "drills": {scope: document.model_dump_json() for scope, document in store.drills.items()},
            "texted": {
                scope: (held.floor, [trigger.model_dump_json() for trigger in held.triggers])
                for scope, held in store.texted.items()
            },
        }
        _replace(path, json.dumps(told).encode())
        self._documents = identity

    # --- journal

    def _load_journal(self, path: Path) -> deque[bytes]:
        if not path.exists():
            return deque()
        *frames, torn = path.read_bytes().split(b"\n")
        self._lines = len(frames)
        if not torn:
            self._last_frame = frames[-1] if frames else None
        return deque(frames)

    def _save_journal(self, store: JournalStore, path: Path) -> None:
        fresh: list[bytes] = []
        known = False
        for frame in reversed(store.frames):
            if frame is self._last_frame:
                known = True
                break
            fresh.append(frame)
        if known and not fresh:
            return
        if not known and not store.frames and self._last_frame is None:
            return
        if known and self._lines <= len(store.frames) + COMPACT_AFTER_LINES:
            with path.open("ab") as log:
                log.write(b"".join(frame + b"\n" for frame in reversed(fresh)))
            self._lines += len(fresh)
        else:  # the first entry, another journal, a torn end, or a ring that has turned far enough
            _replace(path, b"".join(frame + b"\n" for frame in store.frames))
            self._lines = len(store.frames)
        self._last_frame = store.frames[-1] if store.frames else None


def _identity(store: DocumentStore) -> tuple[object, ...]:
    """Documents are frozen: another version is another object, and versions never repeat."""
    trust = None if store.trust is None else store.trust.version
    texted = tuple((scope, held.floor, tuple(held.triggers)) for scope, held in store.texted.items())
    return (trust, store.plan_hash, _versions(store.alerts), _versions(store.drills), texted)


def _versions(documents: Mapping[str, AlertDocument | DrillDocument]) -> tuple[tuple[str, int], ...]:
    return tuple((scope, document.version) for scope, document in documents.items())


def _read(model: Any, text: str | None) -> Any:
    return None if text is None else model.model_validate_json(text)


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_suffix(".new")
    beside.write_bytes(data)
    beside.replace(path)


@contextlib.contextmanager
def alone_in(state: Path) -> Iterator[None]:
    """Two fleets on the same disks would write each other's journals away."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (state / "lock").open("w")
    except OSError as failure:
        raise Refused("sim_state", path=state, why=failure.strerror) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused("sim_state_taken", path=state) from None
        yield
