"""A technician asks a pole for something, on its page and by the API."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from support.office import PASSWORD, House
from support.pages import Page, Person, person
from support.voices import Voice

from broadcasts.clock import VIETNAM, unix_ms
from broadcasts.wire.journal import CommandResult
from controller.db.tables import Asset, Command
from controller.services import commanding
from controller.services.approving import approve, look_at
from controller.services.composing import submit
from controller.services.heard import Heard
from controller.services.ingesting import apply
from controller.services.rights import Role

TECHNICIAN = ("kythuat", PASSWORD)


class Wire:
    """Takes everything."""

    up = True

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> bool:
        return True

    def publish_all(self, messages: Iterable[tuple[str, bytes]], *, qos: int, retain: bool) -> int:
        return len(list(messages))

    def flush(self) -> bool:
        return True


@pytest.fixture
def technician(house: House) -> Person:
    return person(house, "kythuat")


@pytest.fixture
def client(house: House) -> TestClient:
    return TestClient(house.app, base_url="http://localhost/api/v1", headers={"accept-language": "vi"})


def pole(house: House, number: int) -> str:
    return house.clusters()[number].id


def press(somebody: Person, cluster: str, kind: str, **changed: Any) -> Page:
    page = somebody.get(f"/clusters/{cluster}")
    form = next(form for form in page.forms if form.action == f"/clusters/{cluster}/commands")
    return somebody.send(form, kind=kind, **changed)


def send(house: House) -> None:
    commanding.step(house.ctx, Wire(), house.clock.now())


def answer(house: House, cluster: str, done: bool, detail: str, text: str = "") -> None:
    """The newest command of the cluster."""
    now = house.clock.now()
    with house.ctx.db.write() as session:
        rows = session.query(Command).where(Command.cluster_id == cluster).order_by(Command.seq.desc())
        newest = rows.first()
        assert newest is not None
        result = CommandResult(
            seq=newest.seq % 1_000_000, at=unix_ms(now), command=newest.id, done=done, detail=detail, text=text
        )
        batch = Voice(newest.unit_id, "", 0).batch(result)
        apply(session, [Heard(newest.unit_id, batch, now, signed=True)])


@pytest.mark.requirement("R-079")
def test_what_was_asked_is_shown_as_asked_sent_and_answered_and_never_as_more(house: House, technician: Person) -> None:
    cluster = pole(house, 0)
    asked = press(technician, cluster, "quiet_test")
    assert "Đã ghi lệnh." in asked.text
    assert "Chờ gửi" in asked.text
    assert "chưa gửi lần nào" in asked.text
    send(house)
    rows = f"/clusters/{cluster}/commands/rows"
    sent = technician.get(rows).text
    assert "Đã gửi, chưa trả lời" in sent
    assert "đã gửi 1 lần" in sent
    assert f"chờ đến {(house.clock.now() + commanding.LASTS).astimezone(VIETNAM):%H:%M}" in sent
    answer(house, cluster, True, "line open")
    answered = technician.get(rows).text
    assert "Đã làm dây loa đứt hoặc tuột" in answered
    assert "Kỹ thuật viên (mẫu)" in answered


def test_what_nobody_answered_and_what_was_not_done_stand_out(house: House, technician: Person) -> None:
    cluster = pole(house, 1)
    press(technician, cluster, "quiet_test")
    press(technician, cluster, "capture")
    send(house)
    house.clock.advance(commanding.LASTS.total_seconds())
    send(house)
    answer(house, cluster, False, "busy")
    shown = technician.get(f"/clusters/{cluster}")
    for words in (
        "Hết hạn, chưa rõ kết quả",
        "Không làm được, trả lời muộn",
        "bộ thu đang nghe dở lần trước",
        "trả lời sau khi hết hạn",
    ):
        assert words in shown.text
    assert shown.html.count("tile-warn") == 2


def test_a_reboot_is_asked_again_in_words_that_name_what_it_cuts(
    house: House, technician: Person, asset: Asset
) -> None:
    author, boss = house.actor("phatthanh"), house.actor("lanhdao")
    start = house.clock.now() + timedelta(hours=7, minutes=1)
    name = submit(
        house.ctx,
        author,
        house.draft(asset.sha256, title="Bản tin trưa", first_day=start.date(), at=start.time(), push_now=True),
    )
    approve(house.ctx, boss, name, look_at(house.ctx, boss, name)[2])
    cluster = pole(house, 2)
    page = technician.get(f"/clusters/{cluster}")
    assert "sẽ im khoảng một phút" in page.text
    assert "Đang hoặc sắp phát: Bản tin trưa." in page.text
    unsure = press(technician, cluster, "reboot")
    assert unsure.status == 422
    assert "Hãy xác nhận" in unsure.text
    assert "Chưa có lệnh nào." in unsure.text
    sure = press(technician, cluster, "reboot", sure="yes")
    assert "Đã ghi lệnh." in sure.text
    again = press(technician, cluster, "reboot", sure="yes")
    assert again.status == 409
    assert "chưa trả lời" in again.text


def test_what_a_unit_sends_is_shown_as_text_and_nothing_else(house: House, technician: Person) -> None:
    cluster = pole(house, 3)
    press(technician, cluster, "upload_log")
    answer(house, cluster, True, "<b>1 line</b>", "<script>alert(1)</script>")
    page = technician.get(f"/clusters/{cluster}")
    assert "<script>alert" not in page.html
    assert "<b>1 line" not in page.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.html


def test_who_may_not_command_sees_what_was_asked_and_no_button(house: House, technician: Person) -> None:
    cluster = pole(house, 4)
    press(technician, cluster, "quiet_test")
    page = person(house, "tinh").get(f"/clusters/{cluster}")
    assert "Kiểm tra đường loa" in page.text
    assert not [form for form in page.forms if form.action.endswith("/commands")]


def test_a_technician_of_another_commune_finds_neither_page_nor_command(house: House, client: TestClient) -> None:
    house.add_user("thoxakhac", Role.TECHNICIAN, "c-31618")
    somebody, cluster = person(house, "thoxakhac"), pole(house, 0)
    assert somebody.get(f"/clusters/{cluster}").status == 404
    mine = pole(house, 9)
    form = next(each for each in somebody.get(f"/clusters/{mine}").forms if each.action.endswith("/commands"))
    form.action = f"/clusters/{cluster}/commands"
    assert somebody.send(form, kind="quiet_test").status == 404
    address = f"/clusters/{cluster}/commands"
    theirs = ("thoxakhac", PASSWORD)
    assert client.post(address, json={"kind": "quiet_test"}, auth=theirs).status_code == 404
    assert client.get(address, auth=theirs).status_code == 404


def test_a_program_asks_looks_and_is_told_what_it_did_wrong(house: House, client: TestClient) -> None:
    cluster = pole(house, 5)
    address = f"/clusters/{cluster}/commands"
    asked = {"kind": "capture", "args": {"seconds": "5"}, "minutes": 5}
    made = client.post(address, json=asked, auth=TECHNICIAN)
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["state"], told["sent"], told["args"]) == ("asked", 0, {"seconds": "5"})
    assert datetime.fromisoformat(told["expires_at"]) == house.clock.now() + timedelta(minutes=5)
    again = client.post(address, json=asked, auth=TECHNICIAN)
    assert (again.status_code, again.json()["title"]) == (409, "command.in_flight")
    send(house)
    answer(house, cluster, True, "5 s", "0-5000 silence")
    (line,) = client.get(address, auth=("lanhdao", PASSWORD)).json()
    assert (line["id"], line["state"], line["sent"], line["text"]) == (told["id"], "done", 1, "0-5000 silence")
    for body, title in (
        ({"kind": "reboot"}, "command.confirm"),
        ({"kind": "play_now"}, "choice.unknown"),
        ({"kind": "quiet_test", "minutes": 0}, "command.length"),
        ({"kind": "quiet_test", "minutes": 1441}, "command.length"),
    ):
        refused = client.post(address, json=body, auth=TECHNICIAN)
        assert (refused.status_code, refused.json()["title"]) == (422, title)
    assert client.post(address, json=asked, auth=("phatthanh", PASSWORD)).status_code == 403
    assert client.post(address, json={"kind": "reboot", "seq": 1}, auth=TECHNICIAN).status_code == 422
