"""Who gives which role to whom: invitations, separation of duties, the way in for emergencies."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from support.services import HERE, THERE, House, an_exception, raises

from broadcasts.errors import Refused
from controller.db.tables import AuditEntry, RoleGrant
from controller.services import accounts, approving, composing, delegating, people
from controller.services.rights import Actor, Right, Role
from controller.services.seeding import PROVINCE

FRESH = "Mot-cau-de-nho-2026"
COMMUNE, OTHER = f"c-{HERE}", f"c-{THERE}"


def add(house: House, name: str, role: Role, area: str) -> Actor:
    first = accounts.FirstPassword.make()
    with house.ctx.db.write() as session:
        accounts.create_user(house.ctx, session, first, name, name, role, area, "test")
    return house.actor(name)


@pytest.fixture
def admin(house: House) -> Actor:
    """Of the commune HERE."""
    return add(house, "quantri", Role.ADMINISTRATOR, COMMUNE)


def last(house: House) -> AuditEntry:
    with house.ctx.db.read() as session:
        return session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()


@pytest.mark.requirement("R-112")
def test_an_invited_person_sets_the_password_once_by_the_link(house: House, admin: Actor) -> None:
    user, code = people.invite(house.ctx, admin, "moi.nguoi", "Người mới", Role.BROADCASTER, COMMUNE)
    with raises(Refused, "login.wrong"):
        accounts.log_in(house.ctx, "moi.nguoi", "")
    with raises(Refused, "password.short"):
        people.accept(house.ctx, code, "ngan")
    actor = accounts.who(house.ctx, people.accept(house.ctx, code, FRESH))
    assert actor is not None
    assert (actor.id, actor.owes, actor.roles, actor.area) == (user, "", (Role.BROADCASTER,), COMMUNE)
    with raises(Refused, "invitation.unknown"):
        people.accept(house.ctx, code, FRESH)
    with house.ctx.db.read() as session:
        told = session.scalars(select(AuditEntry.detail).where(AuditEntry.about == user)).all()
    assert code not in str(told)


def test_an_invitation_goes_stale_and_a_new_one_makes_the_old_one_worthless(house: House, admin: Actor) -> None:
    user, first = people.invite(house.ctx, admin, "moi.nguoi", "Người mới", Role.BROADCASTER, COMMUNE)
    second = people.invite_again(house.ctx, admin, user)
    with raises(Refused, "invitation.unknown"):
        people.invited(house.ctx, first)
    house.clock.advance(72 * 3600)
    for code in (first, second, "never-was"):
        with raises(Refused, "invitation.unknown"):
            people.invited(house.ctx, code)


@pytest.mark.requirement("R-120")
def test_nobody_gives_a_role_to_himself_or_beyond_his_area(house: House, admin: Actor) -> None:
    with raises(Refused, "people.self"):
        people.grant(house.ctx, admin, admin.id, Role.APPROVER, COMMUNE)
    with raises(Refused, "people.self"):
        people.unlock(house.ctx, admin, admin.id, "tôi")
    for area in (OTHER, PROVINCE[0], "nowhere"):
        with raises(Refused, "not_yours"):
            people.grant(house.ctx, admin, house.actor("author").id, Role.TECHNICIAN, area)
    with raises(Refused, "not_yours"):
        people.grant(house.ctx, admin, house.actor("stranger").id, Role.TECHNICIAN, COMMUNE)
    for name in ("author", "boss"):
        with raises(Refused, "no_right"):
            people.grant(house.ctx, house.actor(name), house.actor("deputy").id, Role.TECHNICIAN, COMMUNE)


@pytest.mark.requirement("R-120")
def test_author_and_approver_of_one_station_are_two_people_unless_the_station_has_its_exception(
    house: House, admin: Actor
) -> None:
    author = house.actor("author")
    with raises(Refused, "grant.apart"):
        people.grant(house.ctx, admin, author.id, Role.APPROVER, COMMUNE)
    with house.ctx.db.write() as session:
        session.add(an_exception(house, f"s-{HERE}"))
    people.grant(house.ctx, admin, author.id, Role.APPROVER, COMMUNE)
    line = last(house)
    assert (line.actor, line.act, line.about, line.area) == ("quantri", "role.grant", author.id, COMMUNE)
    assert len(line.detail["exceptions"]) == 1


@pytest.mark.requirement("R-120")
def test_who_manages_or_audits_does_nothing_else_there(house: House, admin: Actor) -> None:
    auditor = add(house, "kiemtra", Role.AUDITOR, COMMUNE)
    for user, role in (
        (house.actor("author"), Role.ADMINISTRATOR),
        (house.actor("boss"), Role.AUDITOR),
        (auditor, Role.APPROVER),
    ):
        with raises(Refused, "grant.apart"):
            people.grant(house.ctx, admin, user.id, role, COMMUNE)


@pytest.mark.requirement("R-112", "R-120")
def test_who_writes_here_and_approves_there_approves_nothing_here(house: House) -> None:
    chief = add(house, "chief", Role.ADMINISTRATOR, PROVINCE[0])
    author = house.actor("author")
    people.grant(house.ctx, chief, author.id, Role.APPROVER, OTHER)
    both = house.actor("author")
    assert both.within(Right.APPROVE) == {OTHER}
    assert both.areas == {COMMUNE, OTHER}
    broadcast = composing.submit(house.ctx, both, house.draft())
    with raises(Refused, "not_yours"):
        approving.look_at(house.ctx, both.need(Right.APPROVE), broadcast)
    with raises(Refused, "not_yours"):
        approving.approve(house.ctx, both, broadcast, house.seen(broadcast))


def test_a_role_holds_from_its_first_instant_to_its_last(house: House, admin: Actor) -> None:
    user = house.actor("author").id
    begin, end = house.now + timedelta(days=1), house.now + timedelta(days=2)
    people.grant(house.ctx, admin, user, Role.TECHNICIAN, COMMUNE, begin, end)
    for at, there in ((0, False), (86400, True), (86400 - 1, True), (1, False)):
        house.clock.advance(at)
        assert (Role.TECHNICIAN in house.actor("author").roles) is there
    with raises(Refused, "grant.time"):
        people.grant(house.ctx, admin, user, Role.TECHNICIAN, COMMUNE, None, house.now)


def test_a_role_that_ended_opens_nothing_and_leaves_its_trace(house: House, admin: Actor) -> None:
    user = house.actor("author").id
    with house.ctx.db.read() as session:
        grant = session.scalars(select(RoleGrant).where(RoleGrant.user_id == user)).one()
    with raises(Refused, "grant.there"):
        people.grant(house.ctx, admin, user, Role.BROADCASTER, COMMUNE)
    people.end_grant(house.ctx, admin, user, grant.id, "chuyển việc")
    assert last(house).detail["reason"] == "chuyển việc"
    with raises(Refused, "no_right"):
        composing.submit(house.ctx, house.actor("author"), house.draft())


@pytest.mark.requirement("R-117")
def test_somebody_else_unlocks_with_a_reason_and_the_password_is_still_asked(house: House) -> None:
    duty = house.actor("tinh")
    boss = house.actor("boss").id
    for _ in range(5):
        with pytest.raises(Refused):
            accounts.log_in(house.ctx, "boss", "wrong")
    with raises(Refused, "login.locked"):
        accounts.log_in(house.ctx, "boss", house.passwords["boss"])
    with raises(Refused, "reason.missing"):
        people.unlock(house.ctx, duty, boss, "  ")
    people.unlock(house.ctx, duty, boss, "bão, đã gọi điện xác nhận")
    line = last(house)
    assert (line.actor, line.act, line.detail["reason"]) == ("tinh", "account.unlock", "bão, đã gọi điện xác nhận")
    with raises(Refused, "login.wrong"):
        accounts.log_in(house.ctx, "boss", "wrong")
    accounts.log_in(house.ctx, "boss", house.passwords["boss"])


@pytest.mark.requirement("R-117")
def test_each_further_lock_lasts_twice_as_long_up_to_thirty_days(house: House) -> None:
    hours = []
    for _ in range(8):
        until = None
        for _ in range(5):
            with pytest.raises(Refused) as caught:
                accounts.log_in(house.ctx, "boss", "wrong")
            until = caught.value.fields.get("until")
        assert until is not None
        hours.append((until - house.now) / timedelta(hours=1))  # type: ignore[operator]
        house.clock.set(until)  # type: ignore[arg-type]
    assert hours == [12, 24, 48, 96, 192, 384, 720, 720]


@pytest.mark.requirement("R-119")
def test_an_account_that_nobody_used_is_off_until_somebody_reviewed_it(house: House, admin: Actor) -> None:
    accounts.log_in(house.ctx, "author", house.passwords["author"])
    house.clock.advance(45 * 86400 + 1)
    with raises(Refused, "login.unused"):
        accounts.log_in(house.ctx, "author", house.passwords["author"])
    people.review(house.ctx, admin, house.actor("author").id)
    accounts.log_in(house.ctx, "author", house.passwords["author"])


@pytest.mark.requirement("R-119")
def test_a_disabled_person_is_out_at_once_and_back_when_enabled(house: House, admin: Actor) -> None:
    token, user = accounts.log_in(house.ctx, "author", house.passwords["author"]), house.actor("author").id
    people.disable(house.ctx, admin, user, "nghỉ việc")
    assert accounts.who(house.ctx, token) is None
    with raises(Refused, "login.wrong"):
        accounts.log_in(house.ctx, "author", house.passwords["author"])
    people.enable(house.ctx, admin, user)
    accounts.log_in(house.ctx, "author", house.passwords["author"])


@pytest.mark.requirement("R-116")
def test_an_administrators_password_grows_old_and_the_last_ten_do_not_come_back(house: House, admin: Actor) -> None:
    word = accounts.reset_password(house.ctx, "quantri", "test")
    accounts.change_password(house.ctx, admin, word, FRESH)
    house.clock.advance(60 * 86400 + 1)
    people.review(house.ctx, add(house, "chief", Role.ADMINISTRATOR, PROVINCE[0]), admin.id)
    actor = accounts.who(house.ctx, accounts.log_in(house.ctx, "quantri", FRESH))
    assert actor is not None
    assert actor.owes == "password"
    accounts.change_password(house.ctx, actor, FRESH, FRESH + "x")
    with raises(Refused, "password.former"):
        accounts.change_password(house.ctx, actor, FRESH + "x", FRESH)


@pytest.mark.requirement("R-118")
def test_an_idle_session_ends_sooner_for_an_administrator_and_a_page_alone_keeps_none_alive(
    house: House, admin: Actor
) -> None:
    word = accounts.reset_password(house.ctx, "quantri", "test")
    tokens = [
        accounts.log_in(house.ctx, "author", house.passwords["author"]),
        accounts.log_in(house.ctx, "quantri", word),
    ]
    house.clock.advance(5 * 60)
    assert accounts.who(house.ctx, tokens[1], touch=False) is not None
    house.clock.advance(1)
    assert accounts.who(house.ctx, tokens[1]) is None
    house.clock.advance(10 * 60 - 1)
    assert accounts.who(house.ctx, tokens[0], touch=False) is not None
    house.clock.advance(1)
    assert accounts.who(house.ctx, tokens[0]) is None


@pytest.mark.parametrize(
    ("new", "key"),
    [
        ("Ngan-12", "password.short"),
        ("khong co chu hoa nao 1", "password.classes"),
        ("Author-2026-----", "password.name"),
        ("Qwertyuiop-12345", "password.guessable"),
        ("Password-1234567", "password.guessable"),
    ],
)
@pytest.mark.requirement("R-114")
def test_a_password_that_anybody_would_try_is_refused(house: House, new: str, key: str) -> None:
    with raises(Refused, key):
        accounts.change_password(house.ctx, house.actor("author"), house.passwords["author"], new)


@pytest.mark.requirement("R-120")
def test_a_communes_administrator_comes_by_no_account_that_may_more_than_his_commune(
    house: House, admin: Actor
) -> None:
    """With the link for a new password and the second factor forgotten, the account would be his."""
    chief = add(house, "chief", Role.ADMINISTRATOR, PROVINCE[0])
    boss = house.actor("boss")
    people.grant(house.ctx, chief, boss.id, Role.EMERGENCY, PROVINCE[0], until=house.now + timedelta(days=2))
    for act in (
        lambda by: people.invite_again(house.ctx, by, boss.id),
        lambda by: people.disable(house.ctx, by, boss.id, "nghỉ"),
        lambda by: people.enable(house.ctx, by, boss.id),
    ):
        with raises(Refused, "people.wider"):
            act(admin)
        act(chief)
    people.unlock(house.ctx, admin, boss.id, "bão")
    house.clock.advance(3 * 86400)
    people.invite_again(house.ctx, admin, boss.id)


@pytest.mark.requirement("R-120")
def test_who_was_lent_a_right_beyond_the_commune_is_out_of_hand_of_its_administrator(
    house: House, admin: Actor
) -> None:
    lender, author = add(house, "tinh-duyet", Role.APPROVER, PROVINCE[0]), house.actor("author")
    until = house.now + timedelta(days=2)
    made = delegating.lend(house.ctx, lender, "author", PROVINCE[0], None, until, "Đi họp")
    with raises(Refused, "people.wider"):
        people.invite_again(house.ctx, admin, author.id)
    delegating.take_back(house.ctx, lender, made)
    people.invite_again(house.ctx, admin, author.id)
    delegating.lend(house.ctx, lender, "author", COMMUNE, None, until, "Đi họp")
    people.invite_again(house.ctx, admin, author.id)


def test_an_invited_account_without_a_password_is_let_in_by_none(house: House, admin: Actor) -> None:
    people.invite(house.ctx, admin, "moi.nguoi", "Người mới", Role.BROADCASTER, COMMUNE)
    for word in ("", "nobody"):
        with raises(Refused, "login.wrong"):
            accounts.log_in(house.ctx, "moi.nguoi", word)
        with raises(Refused, "login.wrong"):
            accounts.actor_by_password(house.ctx, "moi.nguoi", word)
