"""Lending the right to approve, one-person exceptions and approvals that end, as the pages have them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from support.audio import tone
from support.office import House, open_house
from support.pages import Person, person

from broadcasts.clock import VIETNAM
from broadcasts.domain.relay import Relay
from controller.db.tables import Approval, Asset, Delegation, RoleGrant, User
from controller.services import approving, relay_sources, rescheduling
from controller.services.composing import submit
from controller.services.relay_sources import Told
from controller.services.rescheduling import Extent
from controller.services.rights import Role

COMMUNE, STATION, PROVINCE = "c-31615", "s-31615", "p-94"


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Closed again: each test moves into a copy, as people and their rights change."""
    found = open_house(tmp_path_factory.mktemp("furnished"))
    for name, role, area in (
        ("xa-truong", Role.APPROVER, COMMUNE),
        ("xa-pho", Role.BROADCASTER, COMMUNE),
        ("xa-viet", Role.BROADCASTER, COMMUNE),
        ("xa-quantri", Role.ADMINISTRATOR, COMMUNE),
        ("xa-kiemtra", Role.AUDITOR, COMMUNE),
        ("tinh-quantri", Role.ADMINISTRATOR, PROVINCE),
        ("tinh-quantri-2", Role.ADMINISTRATOR, PROVINCE),
    ):
        found.add_user(name, role, area)
    path = found.folder / "bản tin.wav"
    path.write_bytes(tone(10.0))
    found.add_asset(path)
    found.ctx.db.close()
    return found


@pytest.fixture
def house(furnished: House, tmp_path: Path) -> Iterator[House]:
    found = open_house(tmp_path / "house", like=furnished)
    yield found
    found.ctx.db.close()


@pytest.fixture
def asset(house: House) -> str:
    with house.ctx.db.read() as session:
        return session.scalars(select(Asset.sha256)).one()


def day(house: House, later: int) -> str:
    return (house.clock.now().astimezone(VIETNAM).date() + timedelta(days=later)).isoformat()


def handed_in(house: House, asset: str, by: str = "xa-viet", **changed: object) -> str:
    return submit(house.ctx, house.actor(by), house.draft(house.use(by, asset), areas=(COMMUNE,), **changed))


def a_relay(house: House) -> Relay:
    told = Told("Đài ví dụ", "vov", url="https://phat.example.vn/vov1")
    return Relay(relay_sources.add(house.ctx, house.actor("tinh"), told), 15, 20)


def lend(boss: Person, house: House, **changed: str) -> None:
    form = boss.get("/delegations").form("/delegations")
    page = boss.send(form, **{"to": "xa-pho", "until": day(house, 2), "reason": "Đi họp tỉnh"} | changed)
    assert "Đã ủy quyền" in page.text, page.text


@pytest.mark.requirement("R-031")
def test_a_right_is_lent_on_the_page_and_the_borrower_sees_in_whose_name_he_approves(house: House, asset: str) -> None:
    broadcast = handed_in(house, asset)
    boss, deputy = person(house, "xa-truong"), person(house, "xa-pho")
    page = boss.get("/delegations")
    assert all(name in page.html for name in ('value="xa-pho"', 'value="xa-viet"'))
    assert not any(f'value="{name}"' in page.html for name in ("xa-truong", "xa-quantri", "xa-kiemtra", "kythuat"))
    assert deputy.get("/delegations").status == 403
    lend(boss, house)
    assert "Bạn đang duyệt thay xa-truong (thử), đến hết thứ Năm, 05/03" in deputy.get("/approvals").text
    page = deputy.get(f"/approvals/{broadcast}")
    assert "Bạn duyệt thay xa-truong (thử), theo ủy quyền đến hết thứ Năm, 05/03: Đi họp tỉnh" in page.text
    assert "duyệt thay" not in boss.get(f"/approvals/{broadcast}").text
    page = deputy.send(page.form(f"/approvals/{broadcast}"), decision="approve")
    assert "duyệt thay xa-truong (thử)" in page.text
    with house.ctx.db.read() as session:
        assert session.scalars(select(Approval.delegation_id)).one() is not None


def test_what_the_borrower_wrote_says_beforehand_that_he_cannot_approve_it(house: House, asset: str) -> None:
    own = handed_in(house, asset, "xa-pho")
    boss, deputy = person(house, "xa-truong"), person(house, "xa-pho")
    lend(boss, house)
    page = deputy.get(f"/approvals/{own}")
    assert "duyệt thay" not in page.text
    assert 'value="approve" disabled' in page.html
    assert 'value="approve" disabled' not in boss.get(f"/approvals/{own}").html


def test_a_lent_right_is_listed_with_its_state_and_taken_back(house: House) -> None:
    boss, deputy = person(house, "xa-truong"), person(house, "xa-pho")
    lend(boss, house)
    lend(boss, house, to="xa-viet", since=day(house, 5), until=day(house, 6))
    page = boss.get("/delegations")
    assert all(word in page.text for word in ("đang hiệu lực", "sắp tới", "Đi họp tỉnh"))
    admin = person(house, "xa-quantri").get("/delegations")
    assert "xa-truong (thử) ủy quyền cho xa-pho (thử)" in admin.text
    assert "/delegations" not in [form.action for form in admin.forms], "who approves nothing lends nothing"
    with house.ctx.db.read() as session:
        now = session.scalars(select(Delegation.id).where(Delegation.since <= house.clock.now())).one()
    assert deputy.get("/approvals").status == 200
    assert f"/delegations/{now}/end" not in [form.action for form in deputy.get("/delegations").forms]
    page = boss.send(page.form(f"/delegations/{now}/end"))
    assert all(word in page.text for word in ("Đã thu lại", "đã hết", "do xa-truong"))
    assert deputy.get("/approvals").status == 403
    again = boss.client.post(f"/delegations/{now}/end", data={"form_token": boss.token()})
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"until": ""}, "không quá 92 ngày"),
        ({"until": "nonsense"}, "until"),
        ({"reason": " "}, "lý do"),
        ({"to": "khong-co-ai"}, "khong-co-ai"),
        ({"area": PROVINCE}, ""),
    ],
)
def test_a_wrong_form_comes_back_as_it_was_with_the_reason(house: House, changed: dict[str, str], words: str) -> None:
    boss = person(house, "xa-truong")
    form = boss.get("/delegations").form("/delegations")
    told = {"to": "xa-viet", "until": day(house, 2), "reason": "Đi họp tỉnh", "since": day(house, 1)} | changed
    page = boss.send(form, **told)
    assert page.status in (404, 422)
    assert words.lower() in page.text.lower()
    shown = dict(page.form("/delegations").fields)
    assert {name: shown[name] for name in ("since", "reason")} == {
        name: told[name].strip() for name in ("since", "reason")
    }
    with house.ctx.db.read() as session:
        assert session.scalar(select(Delegation)) is None


@pytest.mark.requirement("R-031")
def test_an_exception_is_granted_from_above_used_with_a_warning_and_reported(house: House, asset: str) -> None:
    boss = house.actor("xa-truong")
    with house.ctx.db.write() as session:
        told = {"area_id": COMMUNE, "since": house.clock.now(), "until": None, "granted_by": "test"}
        session.add(RoleGrant(user_id=boss.id, role=Role.BROADCASTER, **told))
    own = handed_in(house, asset, "xa-truong")
    head, alone = person(house, "tinh-quantri"), person(house, "xa-truong")
    assert 'value="approve" disabled' in alone.get(f"/approvals/{own}").html
    assert "/exceptions" not in [form.action for form in person(house, "xa-quantri").get("/exceptions").forms]
    form = head.get("/exceptions").form("/exceptions")
    page = head.send(form, station=STATION, number="", reason="Một cán bộ", until=day(house, 30))
    assert (page.status, "số văn bản" in page.text) == (422, True)
    page = head.send(page.form("/exceptions"), number="07/QĐ")
    assert all(word in page.text for word in ("Đã cho phép", "văn bản số 07/QĐ", "0 lần tự duyệt", "do tinh-quantri"))
    page = alone.get(f"/approvals/{own}")
    assert "Bạn tự duyệt theo ngoại lệ số 07/QĐ" in page.text
    alone.send(page.form(f"/approvals/{own}"), decision="approve")
    report = person(house, "xa-kiemtra").get("/exceptions")
    assert "1 lần tự duyệt" in report.text
    assert [form for form in report.forms if form.action.endswith("/end")] == [], "who audits ends nothing"
    page = head.get("/exceptions")
    (end,) = [form for form in page.forms if form.action.endswith("/end")]
    assert all(word in head.send(end).text for word in ("Ngoại lệ đã kết thúc", "đã hết"))
    assert head.send(end).status == 409


@pytest.mark.requirement("R-024")
def test_the_approval_page_proposes_an_end_for_a_relay_and_for_a_series_without_one(house: House, asset: str) -> None:
    boss = person(house, "xa-truong")
    once, endless = handed_in(house, asset), handed_in(house, asset, repeat="daily")
    bounded = handed_in(house, asset, repeat="daily", until_day=house.clock.now().date() + timedelta(days=9))
    relay = handed_in(house, asset, repeat="daily", origin="relay", relay=a_relay(house))
    shown = {name: dict(boss.get(f"/approvals/{name}").form(f"/approvals/{name}").fields) for name in
             (once, endless, bounded, relay)}  # fmt: skip
    assert {name for name, fields in shown.items() if "until" in fields} == {endless, relay}
    assert shown[relay]["until"] == day(house, 30)
    form = boss.get(f"/approvals/{relay}").form(f"/approvals/{relay}")
    page = boss.send(form, decision="approve", until="")
    assert (page.status, "có thời hạn" in page.text) == (422, True)
    assert dict(page.form(f"/approvals/{relay}").fields)["until"] == "", "what was chosen stays"
    assert boss.send(form, decision="approve", until=day(house, 40)).status == 422
    page = boss.send(form, decision="approve")
    assert "có hiệu lực đến hết thứ Năm, 02/04" in page.text
    form = boss.get(f"/approvals/{endless}").form(f"/approvals/{endless}")
    assert "có hiệu lực đến" not in boss.send(form, decision="approve", until="").text


def test_who_can_do_something_about_it_is_warned_before_an_approval_ends_and_after(house: House, asset: str) -> None:
    series = handed_in(house, asset, repeat="daily", title="Nhắc đóng cống")
    ends = handed_in(house, asset, title="Một lần")
    for name, later in ((series, 20), (ends, 6)):
        seen = approving.look_at(house.ctx, house.actor("xa-truong"), name)[2]
        until = house.clock.now() + timedelta(days=later)
        approving.approve(house.ctx, house.actor("xa-truong"), name, seen, until=until)
    author = person(house, "xa-viet")
    for path in ("/", "/schedule"):
        assert "thì hết hạn" not in author.get(path).text
    house.clock.advance(timedelta(days=14).total_seconds())
    author, looker = person(house, "xa-viet"), person(house, "tinh")
    for path in ("/", "/schedule"):
        page = author.get(path)
        assert "Nhắc đóng cống : phê duyệt đến 12:00 thứ Hai, 23/03 thì hết hạn; lượt 14:00 thứ Hai, 23/03" in page.text
        assert "Một lần : phê duyệt" not in page.text, "nothing of it is left to start"
        assert "thì hết hạn" not in looker.get(path).text
    answer = author.client.get(f"/api/v1/broadcasts/{series}").json()
    assert answer["approved_until"].startswith("2026-03-23T05:00")
    house.clock.advance(timedelta(days=7).total_seconds())
    author = person(house, "xa-viet")
    assert "phê duyệt đã hết hạn từ 12:00 hôm qua" in author.get("/schedule").text
    draft = house.draft(asset, areas=(COMMUNE,), repeat="daily")
    rescheduling.change(house.ctx, house.actor("xa-viet"), series, draft, Extent.ALL)
    assert "phê duyệt đã hết hạn" not in author.get("/schedule").text


def test_a_program_approves_until_a_date(house: House, asset: str) -> None:
    relay = handed_in(house, asset, repeat="daily", origin="relay", relay=a_relay(house))
    boss = person(house, "xa-truong")
    head, address = {"x-form-token": boss.token()}, f"/api/v1/broadcasts/{relay}"
    told = {"seen": boss.client.get(address).json()["seen"]}
    refused = boss.client.post(f"{address}/approve", json=told, headers=head)
    assert refused.json()["title"] == "approval.end_missing"
    told["until"] = (house.clock.now() + timedelta(days=10)).isoformat()
    answer = boss.client.post(f"{address}/approve", json=told, headers=head)
    assert answer.json()["approved_until"].startswith("2026-03-13T05:00")


@pytest.mark.requirement("R-120")
def test_two_administrators_forget_a_second_factor_on_their_pages(house: House) -> None:
    who = house.actor("xa-truong").id
    with house.ctx.db.write() as session:
        session.get_one(User, who).factor_at = house.clock.now()
    first, second = person(house, "tinh-quantri"), person(house, "tinh-quantri-2")
    form = next(one for one in first.get(f"/people/{who}").forms if ("act", "forget_factor") in one.fields)
    page = first.send(form, reason="Mất điện thoại")
    assert "Một quản trị viên khác phải xác nhận" in page.text
    acts = [value for one in page.forms for name, value in one.fields if name == "act"]
    assert ("confirm_forget" in acts, "drop_forget" in acts) == (False, True)
    page = second.get(f"/people/{who}")
    assert "tinh-quantri (thử) đề nghị lúc 12:00 hôm nay. Lý do: Mất điện thoại." in page.text
    confirm = next(one for one in page.forms if ("act", "confirm_forget") in one.fields)
    page = second.send(confirm)
    assert "Đã bỏ xác thực hai lớp" in page.text
    assert "Xác thực hai lớp: chưa" in page.text


def test_a_program_proposes_and_another_one_drops_or_confirms(house: House) -> None:
    who = house.actor("xa-truong").id
    with house.ctx.db.write() as session:
        session.get_one(User, who).factor_at = house.clock.now()
    address = f"/api/v1/people/{who}/acts"
    first, second = person(house, "tinh-quantri"), person(house, "tinh-quantri-2")

    def act(by: Person, name: str) -> dict[str, object]:
        answer = by.client.post(f"{address}/{name}", json={"reason": "Mất"}, headers={"x-form-token": by.token()})
        told: dict[str, object] = answer.json()
        return told

    assert act(first, "forget-factor")["forget_factor_asked_by"] == "tinh-quantri (thử)"
    assert act(first, "confirm-forget-factor")["title"] == "second_factor.reset_own"
    assert act(second, "drop-forget-factor")["forget_factor_asked_by"] == ""
    assert act(second, "forget-factor")["second_factor"] is True
    assert act(first, "confirm-forget-factor")["second_factor"] is False
    names = [one["name"] for one in person(house, "xa-truong").client.get("/api/v1/delegations/candidates").json()]
    assert {"xa-pho", "xa-viet"} <= set(names)
