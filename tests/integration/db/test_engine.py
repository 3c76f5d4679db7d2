"""The door to the database: instants, locks, full disks, on both engines."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session
from support.services import HERE, NOON, THERE, House, raises

from broadcasts.errors import Fault
from controller.db import append_only, engine, migrate
from controller.db.engine import Database, sqlite_at
from controller.db.tables import Area, AuditEntry, Cluster, Kept, Quarantined, Station, User
from controller.services import audit


def test_an_instant_comes_back_aware_in_utc_to_the_microsecond(house: House) -> None:
    there = timezone(timedelta(hours=7))
    told = datetime(2026, 3, 3, 12, 0, 0, 123456, tzinfo=there)
    with house.ctx.db.write() as session:
        session.add(Quarantined(at=told, topic="t", reason="r", detail="d", head=b"\x00\xff"))
    with house.ctx.db.read() as session:
        found = session.scalars(select(Quarantined)).one()
    assert (found.at, found.at.tzinfo, found.head) == (told.astimezone(UTC), UTC, b"\x00\xff")


def test_a_naive_instant_is_refused_before_it_reaches_the_database(house: House) -> None:
    naive = datetime(2026, 3, 3, 12, 0)  # noqa: DTZ001 - that is the point
    with pytest.raises(StatementError, match="naive instant"), house.ctx.db.write() as session:
        session.add(Quarantined(at=naive, topic="t", reason="r", detail="d", head=b""))
    with pytest.raises(StatementError, match="naive instant"), house.ctx.db.read() as session:
        session.scalars(select(User).where(User.created_at > naive)).all()


def test_instants_are_compared_as_instants(house: House) -> None:
    with house.ctx.db.write() as session:
        for second in (0, 1, 1.5):
            at = NOON + timedelta(seconds=second)
            session.add(Quarantined(at=at, topic=str(second), reason="", detail="", head=b""))
    with house.ctx.db.read() as session:
        later = select(Quarantined.topic).where(Quarantined.at > NOON + timedelta(seconds=1))
        assert session.scalars(later).all() == ["1.5"]


def test_what_breaks_a_reference_is_refused(house: House) -> None:
    with pytest.raises(IntegrityError), house.ctx.db.write() as session:
        session.add(Cluster(id="cl-x", station_id="s-nowhere", name="x", added_at=NOON))


@pytest.mark.requirement("R-002")
def test_a_cluster_belongs_to_exactly_one_station_and_a_commune_has_one(house: House) -> None:
    with pytest.raises(IntegrityError), house.ctx.db.write() as session:
        session.add(Cluster(id="cl-x", name="x", added_at=NOON))
    with pytest.raises(IntegrityError), house.ctx.db.write() as session:
        session.add(Station(id="s-two", area_id=f"c-{HERE}", name="x", scope="two", hours=[]))
    with house.ctx.db.read() as session:
        owners = session.execute(
            select(Cluster.id, func.count(Station.id))
            .outerjoin(Station, Cluster.station_id == Station.id)
            .group_by(Cluster.id)
        ).all()
        roots = session.scalars(select(Area.kind).where(Area.parent_id.is_(None))).all()
    assert [count for _, count in owners] == [1] * 10
    assert roots == ["province"]


def test_an_integer_of_the_contract_fits(house: House) -> None:
    """Boot ids and versions have up to 53 bits."""
    with house.ctx.db.write() as session:
        session.execute(
            text("insert into unit_status (unit_id, boot_id, conn, seen_plan_version, alert_versions, held, reported, "
                 "telemetry, journal_epoch) values (:unit, :boot, :conn, :seen, '{}', '[]', '{}', '{}', 0)"),
            {"unit": f"u-{HERE}-1", "boot": 2**53 - 1, "conn": 2**31 - 1, "seen": 9_999_999_999_999},
        )  # fmt: skip


def stop_half_way(session: Session) -> None:
    session.add(Kept(name="half", value=1))
    session.flush()
    raise ZeroDivisionError


def test_a_failure_in_the_middle_leaves_nothing_behind(house: House) -> None:
    with pytest.raises(ZeroDivisionError), house.ctx.db.write() as session:
        stop_half_way(session)
    with house.ctx.db.read() as session:
        assert session.get(Kept, "half") is None


def test_a_second_writer_waits_for_the_first_and_sees_what_it_wrote(house: House) -> None:
    inside, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def first() -> None:
        with house.ctx.db.write() as session:
            session.add(Kept(name="count", value=1))
            session.flush()
            inside.set()
            go_on.wait(10)
            order.append("first")

    def second() -> None:
        inside.wait(10)
        go_on.set()
        with house.ctx.db.write() as session:
            order.append("second")
            kept = session.get_one(Kept, "count")
            kept.value += 1

    threads = [threading.Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert order == ["first", "second"]
    with house.ctx.db.read() as session:
        assert session.get_one(Kept, "count").value == 2


def test_reading_and_then_writing_is_never_overtaken(house: House) -> None:
    """Eight writers, each adding one to what it read: none is lost on either engine."""
    with house.ctx.db.write() as session:
        session.add(Kept(name="count", value=0))

    def add() -> None:
        for _ in range(5):
            with house.ctx.db.write() as session:
                kept = session.get_one(Kept, "count")
                kept.value = kept.value + 1

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with house.ctx.db.read() as session:
        assert session.get_one(Kept, "count").value == 40


def test_a_reader_sees_one_instant_while_others_write(house: House) -> None:
    with house.ctx.db.read() as session:
        before = session.scalar(select(func.count()).select_from(Kept))
        with house.ctx.db.write() as other:
            other.add(Kept(name="new", value=1))
        assert session.scalar(select(func.count()).select_from(Kept)) == before
    with house.ctx.db.read() as session:
        assert session.get(Kept, "new") is not None


def test_a_reader_is_not_kept_waiting_by_a_writer(house: House) -> None:
    with house.ctx.db.write() as session:
        session.add(Kept(name="new", value=1))
        session.flush()
        with house.ctx.db.read() as other:
            assert other.get(Kept, "new") is None


def test_a_writer_that_waits_too_long_is_told_that_the_database_is_busy(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "WAIT_S", 1)
    impatient = Database(house.ctx.db.engine.url.render_as_string(hide_password=False))
    with house.ctx.db.write():  # noqa: SIM117 - the second one must begin inside the first
        with raises(Fault, "database_busy"), impatient.write():
            pytest.fail("two writers at once")
    with impatient.write() as session:
        session.add(Kept(name="later", value=1))
    impatient.close()


@pytest.mark.requirement("R-104")
def test_the_audit_log_stays_one_chain_however_many_write_at_once(house: House) -> None:
    def write(who: str) -> None:
        for number in range(5):
            with house.ctx.db.write() as session:
                audit.record(session, house.now, who, "act", "about", {"n": number, "ữ": "ữ"})

    threads = [threading.Thread(target=write, args=(f"writer-{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with house.ctx.db.read() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry).where(AuditEntry.act == "act")) == 30
        assert audit.first_broken(session) is None


@pytest.mark.requirement("R-104")
@pytest.mark.parametrize("wish", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"])
def test_the_database_itself_changes_and_takes_away_no_line(house: House, wish: str) -> None:
    if wish.startswith("TRUNCATE") and house.ctx.db.is_sqlite:
        wish = "DELETE FROM audit WHERE 1 = 1"
    with house.ctx.db.read() as session:
        before = session.scalar(select(func.count()).select_from(AuditEntry))
    with pytest.raises(DBAPIError, match="append-only"), house.ctx.db.write() as session:
        session.execute(text(wish))
    with house.ctx.db.read() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == before != 0
        assert audit.first_broken(session) is None


@pytest.mark.requirement("R-104")
def test_a_line_that_was_changed_or_taken_out_is_found(house: House) -> None:
    for number in range(4):
        with house.ctx.db.write() as session:
            audit.record(session, house.now, "boss", "act", "about", {"n": number})
    with house.ctx.db.read() as session:
        lines = session.scalars(select(AuditEntry.id).order_by(AuditEntry.id)).all()
        assert audit.first_broken(session) is None
    victim = lines[-3]
    with house.ctx.db.write() as session:  # whoever owns the database can do this
        append_only.lower_guard(session.get_bind().dialect.name, lambda told: session.execute(text(told)))
    changes = [
        {"actor": "nobody"}, {"act": "other"}, {"about": "other"}, {"detail": {"n": 9}},
        {"at": NOON + timedelta(seconds=1)}, {"hash": "0" * 64}, {"area": "p-94"}, {"previous": "0" * 64},
    ]  # fmt: skip
    for change in changes:
        with house.ctx.db.write() as session:
            line = session.get_one(AuditEntry, victim)
            before = {name: getattr(line, name) for name in change}
            session.execute(update(AuditEntry).where(AuditEntry.id == victim).values(**change))
        with house.ctx.db.read() as session:
            assert audit.first_broken(session) == victim, change
        with house.ctx.db.write() as session:
            session.execute(update(AuditEntry).where(AuditEntry.id == victim).values(**before))
    with house.ctx.db.write() as session:
        session.delete(session.get_one(AuditEntry, victim))
    with house.ctx.db.read() as session:
        assert audit.first_broken(session) == lines[-2]


def test_sqlite_writes_ahead_fully_and_keeps_references(tmp_path: Path) -> None:
    db = Database(sqlite_at(tmp_path / "new.db"))
    with db.engine.connect() as connection:
        told = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    db.close()
    assert told == ["wal", 2, 1, 5000]


def test_a_full_disk_is_said_in_so_many_words_and_nothing_is_lost(tmp_path: Path) -> None:
    """As SQLite tells it: the file may not grow any further."""
    db = Database(sqlite_at(tmp_path / "small.db"))
    migrate.upgrade(db)
    with db.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    with db.write() as session:
        session.add(Kept(name="before", value=1))
    with raises(Fault, "database_full"), db.write() as session:
        session.connection().exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")
        for number in range(50):
            session.add(Kept(name=str(number), value="x" * 4000))
            session.flush()
    with db.read() as session:
        assert [kept.name for kept in session.scalars(select(Kept))] == ["before"]
    db.close()


def test_a_word_in_a_message_is_not_taken_for_a_full_disk(house: House) -> None:
    """`users.full_name` stands in what SQLite complains of."""
    with pytest.raises(IntegrityError), house.ctx.db.write() as session:
        session.add(User(id="u-x", name="x", area_id=f"c-{THERE}", password_hash="", created_at=NOON))


def test_what_was_read_stays_readable_after_the_door_is_shut(house: House) -> None:
    with house.ctx.db.read() as session:
        area = session.get_one(Area, f"c-{HERE}")
    assert (area.kind, area.valid_from) == ("commune", date(2025, 3, 1))
