"""What nothing names goes, and what something names stays, whatever happens in which order."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, select
from sqlalchemy.orm import Session
from support.emergencies import a_row

from broadcasts.audio.chain import Limits
from broadcasts.audio.pipeline import Prepared
from broadcasts.audio.store import Kind, Listed, Store
from broadcasts.clock import ManualClock
from broadcasts.errors import Conflict
from broadcasts.ids import CountingIds
from broadcasts.wire.alert import AlertKind
from controller.bootstrap.audio_room import StoredAudio
from controller.db.engine import Database
from controller.db.tables import Area, Asset, Base, Encoding, KeptSound, StandingAlert, Unnamed
from controller.services import audit, collecting, library
from controller.services.context import Context

DAY, HOUR = 86_400.0, 3_600.0
"""Seconds."""
BEGIN = datetime(2026, 11, 23, 5, tzinfo=UTC)


class Killed(BaseException):
    """The process is gone."""


class Shelf(Store):
    """A disk whose time is the test's, and on which something happens at a chosen moment of a collection."""

    def __init__(self, root: Path, clock: ManualClock) -> None:
        super().__init__(root)
        self.clock = clock
        self.at: dict[int, Callable[[], None]] = {}
        self.moment = 0

    def _happens(self) -> None:
        self.moment += 1
        if (what := self.at.pop(self.moment, None)) is not None:
            what()

    def listed(self, kind: Kind) -> Iterator[Listed]:
        self._happens()
        yield from list(super().listed(kind))

    def remove(self, kind: Kind, sha256: str, before: datetime) -> bool:
        self._happens()
        gone = super().remove(kind, sha256, before)
        self._happens()
        return gone

    def bring(self, number: int) -> Prepared:
        """As the pipeline does with an upload: asset and original, put now."""
        kept = []
        for kind, keep in (("sound", self.put), ("original", self.put_original)):
            source = self.root / "work" / f"in-{kind}-{number}"
            source.write_bytes(f"{kind} {number}".encode() * 20)
            stored = keep(source)
            source.unlink()
            os.utime(stored.path, (self.clock.now().timestamp(),) * 2)
            kept.append(stored)
        asset, original = kept
        return Prepared(
            sha256=asset.sha256, size=asset.size, codec="opus", sample_rate=16_000, bitrate=24_000, duration_ms=1_000,
            chunk_size=asset.chunk_size, chunks=asset.chunks, loudness_lufs=-16.0, true_peak_dbtp=-1.0,
            original_sha256=original.sha256, original_lufs=None, warnings=(), peaks=b"",
        )  # fmt: skip


class Room:
    """A controller's database and disk, small."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(BEGIN)
        self.db = Database("sqlite://")
        Base.metadata.create_all(self.db.engine)
        self.store = Shelf(folder / "audio", self.clock)
        audio = StoredAudio(self.store, Limits())
        self.ctx = Context(self.db, self.clock, self.clock, CountingIds(), audio, None, lambda: None)  # type: ignore[arg-type]
        self.coming: dict[int, tuple[Prepared, datetime]] = {}
        with self.db.write() as session:
            session.add(Area(id="c", kind="commune", code="1", name="C", valid_from=BEGIN.date()))

    def put(self, number: int) -> None:
        self.coming[number] = (self.store.bring(number), self.clock.now())

    def row(self, number: int) -> None:
        """The end of an upload; none that is prepared lasts longer than a few hours."""
        prepared, since = self.coming.pop(number, (None, BEGIN))
        if prepared is not None and self.clock.now() - since < timedelta(hours=20):
            with self.db.write() as session:
                library.remember(self.ctx, session, prepared)

    def upload(self, number: int) -> str:
        self.put(number)
        name = self.coming[number][0].sha256
        self.row(number)
        return name

    def name(self, number: int) -> None:
        """What a person does: only what is there can be named."""
        name = sha(number)
        with self.db.write() as session:
            if session.get(Asset, name) is not None:
                session.merge(
                    KeptSound(
                        id=f"s-{number}", area_id="c", kind="chime", name=str(number), asset_sha256=name,
                        added_at=self.clock.now(),
                    )
                )  # fmt: skip

    def alert(self, number: int) -> None:
        entry = {"content": [{"language": "vi", "asset": {"sha256": sha(number)}}], "target": "all"}
        with self.db.write() as session:
            session.add(a_row("a-1", "c", BEGIN))
            session.flush()
            told = {"issued_at": BEGIN, "hard_end": BEGIN + timedelta(days=1), "issued_by": "somebody"}
            session.add(StandingAlert(id="a-1", scope="c", entry=entry | {"kind": str(AlertKind.STORM)}, **told))

    def unname(self, number: int) -> None:
        with self.db.write() as session:
            session.execute(delete(KeptSound).where(KeptSound.id == f"s-{number}"))

    def collect(self, at: dict[int, Callable[[], None]] | None = None) -> None:
        self.store.at, self.store.moment = dict(at or {}), 0
        try:
            collecting.collect(self.ctx)
        except Killed:
            self.store.clear_work()  # the next start
        finally:
            self.store.at = {}

    def check(self) -> None:
        """Every row has its file, and its original, as they were."""
        with self.db.read() as session:
            rows = session.scalars(select(Asset)).all()
            names = set(session.scalars(select(KeptSound.asset_sha256)))
        assert names <= {row.sha256 for row in rows}
        for row in rows:
            assert self.store.verify(row.sha256), "a row without its file"
            assert self.store.sound("originals", row.original_sha256)

    def files(self) -> int:
        return len(list(self.store.listed("assets"))) + len(list(self.store.listed("originals")))


def sha(number: int) -> str:
    return hashlib.sha256(f"sound {number}".encode() * 20).hexdigest()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    found = Room(tmp_path)
    yield found
    found.db.close()


def test_what_nothing_names_goes_after_its_grace_with_its_original_and_not_before(room: Room) -> None:
    room.upload(1)
    room.upload(2)
    room.name(2)
    room.collect()
    room.clock.advance(29 * DAY)
    room.collect()
    assert room.files() == 4
    room.clock.advance(2 * DAY)
    dry = collecting.collect(room.ctx, dry=True)
    assert (dry.removed, room.files()) == ([sha(1)], 4)
    found = collecting.collect(room.ctx)
    assert found.removed[0] == sha(1)
    assert (found.missing, found.damaged, found.orphans) == ([], [], [])
    assert (found.objects, room.files()) == (2, 2)
    assert found.freed > 0
    room.check()
    last = collecting.last_found(room.ctx)
    assert last == found


def test_the_grace_counts_from_when_it_was_last_named_or_brought_again(room: Room) -> None:
    room.upload(1)
    room.collect()
    room.clock.advance(20 * DAY)
    room.name(1)
    room.collect()
    room.clock.advance(20 * DAY)
    room.unname(1)
    room.collect()
    room.clock.advance(20 * DAY)
    room.upload(1)
    room.collect()
    room.clock.advance(25 * DAY)
    room.collect()
    assert room.files() == 2
    room.clock.advance(6 * DAY)
    room.collect()
    assert room.files() == 0


def test_the_encodings_of_one_sound_stay_or_go_together(room: Room) -> None:
    first, second = room.upload(1), room.upload(2)
    with room.db.write() as session:
        session.add(Encoding(asset_sha256=first, codec="mp3", encoded_sha256=second, made_at=BEGIN))
    room.name(2)  # the encoding alone, as a journal does
    for _ in range(3):
        room.collect()
        room.clock.advance(31 * DAY)
    assert room.files() == 4
    room.unname(2)
    for _ in range(2):
        room.collect()
        room.clock.advance(31 * DAY)
    assert room.files() == 0


def test_a_line_of_a_log_and_an_alert_name_it_too(room: Room) -> None:
    room.upload(1)
    room.upload(2)
    room.upload(3)
    with room.db.write() as session:
        audit.record(session, BEGIN, "somebody", "recording.add", sha(1), {})
    room.alert(2)
    for _ in range(3):
        room.collect()
        room.clock.advance(31 * DAY)
    assert {each.sha256 for each in room.store.listed("assets")} == {sha(1), sha(2)}


def test_an_orphan_goes_only_when_no_upload_can_still_be_on_its_way(room: Room) -> None:
    room.put(1)  # and the process dies before the row is written
    room.clock.advance(20 * HOUR)
    room.collect()
    assert room.files() == 2
    room.clock.advance(31 * DAY)
    assert len(collecting.collect(room.ctx).orphans) == 2
    assert room.files() == 0


def test_a_missing_and_a_damaged_file_are_told(room: Room) -> None:
    gone, broken = room.upload(1), room.upload(2)
    room.name(1)
    room.name(2)
    room.store.path(gone).unlink()
    room.store.path(broken).write_bytes(b"other bytes")
    damaged = set()
    for _ in range(collecting.ROUNDS):
        found = collecting.collect(room.ctx)
        assert found.missing == [gone]
        damaged |= set(found.damaged)
        room.clock.advance(DAY)
    assert damaged == {broken}, "within a month every file is read once"


def test_what_comes_while_the_files_are_listed_is_not_missing(room: Room) -> None:
    room.upload(1)

    def comes() -> None:
        room.upload(2)

    room.collect({2: comes})
    found = collecting.last_found(room.ctx)
    assert found is not None
    assert found.missing == []


def test_what_an_alert_names_after_the_long_look_stays(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.upload(1)
    room.upload(2)
    room.collect()
    room.clock.advance(31 * DAY)
    write = room.db.write

    def meanwhile() -> AbstractContextManager[Session]:
        """The long look is over."""
        monkeypatch.setattr(room.db, "write", write)
        room.alert(2)
        return write()

    monkeypatch.setattr(room.db, "write", meanwhile)
    assert collecting.collect(room.ctx).removed == [sha(1)]
    room.check()


def test_nobody_who_wants_to_write_waits_while_history_is_read(room: Room) -> None:
    """A journal of years takes minutes to read: an alert would be refused meanwhile."""
    room.upload(1)
    room.collect()
    room.clock.advance(31 * DAY)
    writing, read, read_alone = False, [], []

    def said(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal writing
        writing = statement.startswith("BEGIN IMMEDIATE") or (writing and not statement.startswith("BEGIN"))
        (read_alone if writing else read).append(statement)

    event.listen(room.db.engine, "before_cursor_execute", said)
    assert collecting.collect(room.ctx).removed == [sha(1)]
    grows = ("FROM journal ", "FROM audit ", "FROM envelope_parts ", "FROM unit_plans ")
    assert all(any(table in each for each in read) for table in grows)
    # The end of the audit log alone is looked at, to write the next line.
    assert not [each for each in read_alone if any(table in each for table in grows) and "LIMIT" not in each]


def test_two_do_not_collect_at_once(room: Room) -> None:
    room.upload(1)
    seen = []

    def second() -> None:
        with pytest.raises(Conflict, match="collecting"):
            collecting.collect(room.ctx)
        seen.append(True)

    room.collect({1: second})
    assert seen == [True]


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(days=9), timedelta(days=-9)])
def test_it_runs_once_a_day_of_the_wall_whatever_the_sandbox_says(room: Room, ahead: timedelta) -> None:
    def step() -> bool:
        before = room.store.moment
        now = room.clock.now() + ahead
        wanted = collecting.step(room.ctx, now, collecting.GRACE)
        assert now < wanted <= now + collecting.LOOK_AGAIN
        return room.store.moment > before

    room.upload(1)
    room.store.at = {}
    assert step()
    for hours, looks in ((23, False), (2, True)):
        room.clock.advance(hours * HOUR)
        assert step() is looks


NUMBERS = st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["put", "row", "upload", "name", "unname"]), NUMBERS),
    st.tuples(st.just("wait"), st.sampled_from([1, 15, 31])),
    st.tuples(st.just("collect"), st.just(0)),
    st.tuples(st.just("killed"), st.integers(1, 6)),
    st.tuples(st.just("meanwhile"), st.tuples(st.integers(1, 6), st.sampled_from(["put", "row", "upload"]), NUMBERS)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEPS, min_size=4, max_size=24))
def test_no_order_of_uploads_names_collections_and_kills_loses_what_is_named(steps: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        room = Room(Path(folder))
        try:
            for what, about in steps:
                if what == "wait":
                    assert isinstance(about, int)
                    room.clock.advance(about * DAY)
                elif what == "collect":
                    room.collect()
                elif what == "killed":
                    assert isinstance(about, int)
                    room.collect({about: _kill})
                elif what == "meanwhile":
                    assert isinstance(about, tuple)
                    moment, act, number = about
                    room.collect({moment: lambda act=act, number=number: getattr(room, act)(number)})  # type: ignore[misc]
                else:
                    getattr(room, what)(about)
                room.check()
            room.coming.clear()
            for _ in range(3):
                room.clock.advance(31 * DAY)
                room.collect()
                room.check()
            with room.db.read() as session:
                kept = len(session.scalars(select(Asset)).all())
                assert kept == len(set(session.scalars(select(KeptSound.asset_sha256))))
                assert session.scalars(select(Unnamed)).all() == []
            assert room.files() == 2 * kept, "and nothing that nobody names stays for ever"
        finally:
            room.db.close()


def _kill() -> None:
    raise Killed
