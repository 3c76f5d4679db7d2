"""Accounts: wrong passwords, locks, sessions, the first password."""

from __future__ import annotations

import queue
import threading
from datetime import timedelta
from typing import NoReturn

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from support.services import HERE, House, raises

from broadcasts.errors import Fault, LoaError, Refused
from controller.db.tables import AuditEntry, LoginSession, User
from controller.services import accounts
from controller.services.rights import Actor, Role

FRESH = "Mot-cau-de-nho-2026"


def enter(house: House, name: str = "author", password: str | None = None) -> str:
    return accounts.log_in(house.ctx, name, house.passwords[name] if password is None else password)


def who(house: House, token: str) -> Actor | None:
    return accounts.who(house.ctx, token)


def acts(house: House) -> list[tuple[str, str]]:
    with house.ctx.db.read() as session:
        lines = session.scalars(select(AuditEntry).where(AuditEntry.act.like("log%")).order_by(AuditEntry.id))
        return [(line.actor, line.act) for line in lines]


@pytest.mark.requirement("R-104")
def test_the_right_password_opens_a_session_of_that_person_and_is_logged(house: House) -> None:
    token = enter(house)
    actor = who(house, token)
    assert actor is not None
    assert (actor.name, actor.roles, actor.areas) == ("author", (Role.BROADCASTER,), frozenset({f"c-{HERE}"}))
    assert acts(house)[-1] == ("author", "login")
    with house.ctx.db.read() as session:
        assert token not in str([row.token_sha256 for row in session.scalars(select(LoginSession))])


def test_a_wrong_password_and_a_wrong_name_are_told_alike_and_logged(house: House) -> None:
    for name, password in (("author", "wrong"), ("nobody", "wrong"), ("a\x00b", "x"), ("author\x00", "x"), ("", "")):
        with raises(Refused, "login.wrong"):
            accounts.log_in(house.ctx, name, password)
    assert [act for _, act in acts(house)] == ["login.wrong"] * 5


@pytest.mark.requirement("R-117")
def test_five_wrong_tries_lock_for_twelve_hours_and_the_right_password_does_not_open(house: House) -> None:
    for _ in range(4):
        with raises(Refused, "login.wrong"):
            enter(house, password="wrong")
    with raises(Refused, "login.locked"):
        enter(house, password="wrong")
    house.clock.advance(12 * 3600 - 1)
    with raises(Refused, "login.locked"):
        enter(house)
    house.clock.advance(2)
    assert who(house, enter(house)) is not None


@pytest.mark.requirement("R-117")
def test_a_locked_account_has_a_way_out_that_is_logged(house: House) -> None:
    for _ in range(5):
        with pytest.raises(LoaError):
            enter(house, password="wrong")
    fresh = accounts.reset_password(house.ctx, "author", by="tinh")
    actor = who(house, enter(house, password=fresh))
    assert actor is not None
    assert actor.must_change
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "password.reset")).one()
    assert (line.actor, line.about) == ("tinh", actor.id)


def test_the_count_begins_anew_after_the_right_password(house: House) -> None:
    for _ in range(2):
        for _ in range(4):
            with raises(Refused, "login.wrong"):
                enter(house, password="wrong")
        enter(house)


def test_tries_at_once_are_counted_each(house: House) -> None:
    came: list[str] = []

    def attempt() -> None:
        try:
            enter(house, password="wrong")
        except LoaError as failure:
            came.append(failure.key)

    threads = [threading.Thread(target=attempt) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(came) == ["login.locked"] + ["login.wrong"] * 4
    with raises(Refused, "login.locked"):
        enter(house)


@pytest.mark.requirement("R-114")
def test_the_first_password_is_only_good_for_choosing_another_one(house: House) -> None:
    actor = who(house, enter(house))
    assert actor is not None
    assert actor.must_change
    with raises(Refused, "password.first"):
        accounts.actor_by_password(house.ctx, "author", house.passwords["author"])
    first = house.passwords["author"]
    with raises(Refused, "password.short"):
        accounts.change_password(house.ctx, actor, first, "x" * 13)
    with raises(Refused, "password.same"):
        accounts.change_password(house.ctx, actor, first, first)
    with raises(Refused, "login.wrong"):
        accounts.change_password(house.ctx, actor, "wrong", FRESH)
    accounts.change_password(house.ctx, actor, first, FRESH)
    assert not accounts.actor_by_password(house.ctx, "author", FRESH).must_change
    with raises(Refused, "login.wrong"):
        enter(house)


def test_wrong_tries_of_a_script_count_too(house: House) -> None:
    accounts.change_password(house.ctx, house.actor("author"), house.passwords["author"], FRESH)
    for _ in range(4):
        with raises(Refused, "login.wrong"):
            accounts.actor_by_password(house.ctx, "author", "wrong")
    with raises(Refused, "login.locked"):
        accounts.actor_by_password(house.ctx, "author", "wrong")
    with raises(Refused, "login.locked"):
        accounts.actor_by_password(house.ctx, "author", FRESH)
    with raises(Refused, "login.wrong"):
        accounts.actor_by_password(house.ctx, "no\x00body", FRESH)


def test_a_session_ends_after_twelve_hours_at_log_out_and_when_the_password_is_reset(house: House) -> None:
    tokens = [enter(house) for _ in range(3)]
    accounts.log_out(house.ctx, tokens[0])
    accounts.log_out(house.ctx, tokens[0])
    accounts.log_out(house.ctx, "never was one")
    assert [who(house, token) is not None for token in tokens] == [False, True, True]
    for _ in range(12 * 4):
        house.clock.advance(15 * 60)
        assert who(house, tokens[1]) is not None
    house.clock.advance(1)
    assert who(house, tokens[1]) is None
    late = enter(house)
    accounts.reset_password(house.ctx, "author", by="tinh")
    assert who(house, late) is None
    assert who(house, "0" * 43) is None


def test_a_disabled_account_is_out_at_once(house: House) -> None:
    token = enter(house)
    with house.ctx.db.write() as session:
        session.scalars(select(User).where(User.name == "author")).one().disabled_at = house.now
    assert who(house, token) is None
    with raises(Refused, "login.wrong"):
        enter(house)


@pytest.mark.requirement("R-113")
def test_an_account_is_one_persons_and_its_name_is_taken_once(house: House) -> None:
    first = accounts.FirstPassword.make()
    with raises(Refused, "user.taken"), house.ctx.db.write() as session:
        accounts.create_user(house.ctx, session, first, "author", "Người khác", Role.APPROVER, f"c-{HERE}", "test")
    with house.ctx.db.read() as session:
        users = session.scalars(select(User)).all()
    assert len({user.name for user in users}) == len(users)
    assert all(user.full_name for user in users)


def test_passwords_are_kept_as_slow_hashes_and_one_time_ones_are_long(house: House) -> None:
    with house.ctx.db.read() as session:
        hashes = session.scalars(select(User.password_hash)).all()
    assert all(told.startswith("$argon2id$") for told in hashes)
    made = {accounts.one_time_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(each.replace("-", "")) == 16 for each in made)


def test_a_session_is_touched_no_more_than_once_a_minute(house: House) -> None:
    token, began = enter(house), house.now
    for seconds, seen in ((30, 0), (31, 61), (30, 61)):
        house.clock.advance(seconds)
        who(house, token)
        with house.ctx.db.read() as session:
            assert session.scalars(select(LoginSession.seen_at)).one() == began + timedelta(seconds=seen)


def test_a_changed_password_ends_every_other_session_of_that_person(house: House) -> None:
    mine, other, colleague = enter(house), enter(house), enter(house, "boss")
    actor = who(house, mine)
    assert actor is not None
    accounts.change_password(house.ctx, actor, house.passwords["author"], FRESH)
    assert [who(house, token) is not None for token in (mine, other, colleague)] == [True, False, True]


@pytest.mark.requirement("R-117")
def test_wrong_old_passwords_count_as_tries_and_lock(house: House) -> None:
    actor, right = house.actor("author"), house.passwords["author"]
    for key in ["login.wrong"] * 4 + ["login.locked"]:
        with raises(Refused, key):
            accounts.change_password(house.ctx, actor, "wrong", FRESH)
    with raises(Refused, "login.locked"):
        accounts.change_password(house.ctx, actor, right, FRESH)
    with raises(Refused, "login.locked"):
        enter(house)
    assert acts(house) == [("author", "login.wrong")] * 5 + [("author", "login.locked")] * 2
    house.clock.advance(12 * 3600 + 1)
    accounts.change_password(house.ctx, actor, right, FRESH)
    enter(house, password=FRESH)


@pytest.mark.requirement("R-104")
def test_tries_of_scripts_with_names_that_nobody_has_are_logged(house: House) -> None:
    with raises(Refused, "login.wrong"):
        accounts.actor_by_password(house.ctx, "khong-co-ai", "x")
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "login.wrong")).one()
    assert (line.actor, line.about) == ("-", "khong-co-ai")


def test_no_more_than_two_passwords_are_hashed_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    three = threading.Barrier(3)
    together: list[bool] = []

    class Hasher:
        def verify(self, stored: str, password: str) -> bool:
            try:
                three.wait(0.5)
                together.append(True)
            except threading.BrokenBarrierError:
                together.append(False)
            return True

        def hash(self, password: str) -> str:
            return str(self.verify("", password))

    monkeypatch.setattr(accounts, "_HASHER", Hasher())
    work = [lambda: enter(house, password="any"), lambda: enter(house, password="any")]
    threads = [threading.Thread(target=each) for each in [*work, *work, accounts.FirstPassword.make]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert together == [False] * 5


@pytest.mark.parametrize(
    "failure", [Fault("database_full"), Fault("database_busy"), OperationalError("update", {}, OSError("read-only"))]
)
def test_a_disk_that_takes_nothing_does_not_stop_people_from_looking(
    house: House, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    token = enter(house)
    house.clock.advance(61)

    def full() -> NoReturn:
        raise failure

    monkeypatch.setattr(house.ctx.db, "write", full)
    actor = who(house, token)
    assert actor is not None
    assert actor.name == "author"


class Slow:
    """A hasher whose every hash takes until `go`."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.busy = threading.Semaphore(0)

    def verify(self, stored: str, password: str) -> bool:
        self.busy.release()
        assert self.go.wait(60)
        return True

    def hash(self, password: str) -> str:
        return "x"


def test_who_finds_a_line_at_the_door_is_sent_away_at_once_and_no_try_is_counted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty waiting threads would be all that the pages have."""
    slow = Slow()
    monkeypatch.setattr(accounts, "_HASHER", slow)
    came: queue.Queue[str] = queue.Queue()

    def attempt() -> None:
        try:
            enter(house, password="wrong")
            came.put("in")
        except LoaError as failure:
            came.put(failure.key)

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    assert [came.get(timeout=60) for _ in range(4)] == ["login.busy"] * 4
    assert acts(house) == []
    slow.go.set()
    assert [came.get(timeout=60) for _ in range(8)] == ["in"] * 8
    for thread in threads:
        thread.join(60)
    enter(house)


def test_nobody_waits_for_his_turn_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow()
    monkeypatch.setattr(accounts, "_HASHER", slow)
    monkeypatch.setattr(accounts, "PATIENCE_S", 0.05)
    threads = [threading.Thread(target=enter, args=(house,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert slow.busy.acquire(timeout=60)
    assert slow.busy.acquire(timeout=60)
    with raises(Refused, "login.busy"):
        enter(house)
    slow.go.set()
    for thread in threads:
        thread.join(60)
    assert acts(house) == [("author", "login")] * 2
