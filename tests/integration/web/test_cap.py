"""Warnings of others, as people see them and as programs hand them in and read ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from lxml import etree
from sqlalchemy import select
from support.audio import tone
from support.cap import SENT, document, info, reference
from support.office import PROVINCE, House
from support.pages import Page, Person, person

from broadcasts.domain.cap import MsgType, Status
from broadcasts.wire.alert import AlertKind
from controller.app import create_app
from controller.db.tables import CapFeed, CapMessage, CapRule, Emergency
from controller.services import alert_guards, cap_acting, cap_by_rule, cap_xml, emergencies, emergency_set
from controller.services.alert_calls import Call
from controller.services.emergency_rules import EmergencyRules
from controller.services.rights import Role
from controller.services.targets import Target
from controller.web.words import Words

TIGHT = "<area><areaDesc>Xã</areaDesc><geocode><valueName>VN-GSO</valueName><value>31615</value></geocode></area>"
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(scope="module")
def lan(house: House, tmp_path_factory: pytest.TempPathFactory) -> Person:
    for name in ("lan", "minh"):
        house.add_user(name, Role.EMERGENCY, PROVINCE[0])
    sound = tmp_path_factory.mktemp("storm") / "storm.wav"
    sound.write_bytes(tone(1.0))
    emergency_set.put(house.ctx, house.actor("lan"), PROVINCE[0], AlertKind.STORM, "vi", Path(sound), "x.wav")
    return person(house, "lan")


@pytest.fixture(scope="module")
def minh(house: House, lan: Person) -> Person:
    return person(house, "minh")


@pytest.fixture(scope="module")
def token(house: House, lan: Person) -> str:
    """Of a feed that somebody set up on the page."""
    page = _post(lan, "/cap-feeds", name="Khí tượng", area=PROVINCE[0], systems="VN-GSO", every="60")
    assert "Đã thêm nguồn cảnh báo" in page.text
    feed = _feed(house)
    page = _post(lan, f"/cap-feeds/{feed.id}", act="token")
    found = page.html.partition("<code>")[2].partition("</code>")[0]
    assert len(found) > 40
    assert found not in lan.get("/cap-feeds").html, "said once"
    return found


def _post(who: Person, path: str, **told: str) -> Page:
    return Page(who.client.post(path, data={"form_token": who.token(), **told}))


def _feed(house: House) -> CapFeed:
    with house.ctx.db.read() as session:
        return session.scalars(select(CapFeed)).one()


def _messages(house: House) -> list[CapMessage]:
    with house.ctx.db.read() as session:
        return list(session.scalars(select(CapMessage).order_by(CapMessage.number)))


def _hand_in(house: House, token: str, data: bytes, kind: str = "application/cap+xml") -> Any:
    headers = {"authorization": f"Bearer {token}", "content-type": kind}
    return TestClient(house.app).post("/api/v1/cap", content=data, headers=headers)


def _bytes(name: str, **told: Any) -> bytes:
    return document(name, infos=info(area=TIGHT), **told)


def test_who_has_the_token_hands_in_and_twice_is_once(house: House, token: str) -> None:
    first = _hand_in(house, token, _bytes("day-1"))
    assert (first.status_code, first.json()["fate"], first.json()["identifier"]) == (201, "draft", "day-1")
    again = _hand_in(house, token, _bytes("day-1"))
    assert (again.status_code, again.json()) == (200, first.json())
    assert _feed(house).heard_at == house.clock.now()


REFUSED: dict[str, tuple[bytes, str, int, str]] = {
    "another type": (document(), "text/html", 415, "cap.media"),
    "too large": (b"<alert>" + b" " * 600_000, "application/cap+xml", 413, "cap.large"),
    "CAP 1.1": (document(namespace="urn:oasis:names:tc:emergency:cap:1.1"), "text/xml", 422, "cap.version"),
    "no XML": (b"xin", "application/xml; charset=utf-8", 422, "cap.xml"),
    "a bomb": (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "application/cap+xml", 422, "cap.dtd"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_says_why_and_is_not_kept(house: House, token: str, case: str) -> None:
    data, kind, status, key = REFUSED[case]
    before = len(_messages(house))
    answer = _hand_in(house, token, data, kind)
    assert (answer.status_code, answer.json()["title"]) == (status, key)
    assert len(_messages(house)) == before


def test_a_body_without_a_length_is_left_where_it_is_too_large(house: House, token: str) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 60_000

    headers = {"authorization": f"Bearer {token}", "content-type": "application/cap+xml"}
    answer = TestClient(house.app).post("/api/v1/cap", content=endless(), headers=headers)
    assert answer.status_code == 413


def test_another_token_opens_nothing(house: House, token: str) -> None:
    for told in ("", "x" * 43, token[:-1], f"{token}x"):
        answer = _hand_in(house, told, _bytes("day-x"))
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_person_looks_at_a_warning_and_sounds_it(house: House, token: str, lan: Person, minh: Person) -> None:
    name = _hand_in(house, token, _bytes("trang-1")).json()["id"]
    assert "Chờ xác nhận" in lan.get("/cap").text
    page = lan.get(f"/cap/{name}")
    assert "Sẽ phát ra 5 trong 10 cụm loa" in page.text
    assert "Gió giật cấp 12" in page.text
    (form,) = [form for form in page.forms if ("kind", "storm") in form.fields]
    assert dict(form.fields)["minutes"] == "30"
    answer = _post(lan, f"/cap/{name}", act="sound", kind="storm", minutes="x", language="")
    assert (answer.status, "Số phút phải từ 1" in answer.text) == (422, True)
    assert "Đã phát cảnh báo" in _post(lan, f"/cap/{name}", act="sound", kind="storm", minutes="20", language="").text
    late = _post(minh, f"/cap/{name}", act="sound", kind="storm", minutes="20", language="")
    assert (late.status, "không chờ quyết định nữa" in late.text) == (409, True)
    assert f"[{name}]" in minh.get("/alerts").text, "a second person confirms it there"


def test_a_place_that_nobody_knows_is_chosen_by_hand_and_looked_at_first(house: House, token: str, lan: Person) -> None:
    unknown = info(area="<area><areaDesc>Vùng biển X</areaDesc></area>")
    name = _hand_in(house, token, document("trang-2", infos=unknown)).json()["id"]
    assert "Không rõ địa bàn của: Vùng biển X" in lan.get(f"/cap/{name}").text
    looked = _post(lan, f"/cap/{name}", act="look", kind="storm", minutes="5", area="c-31615")
    assert "Sẽ phát ra 5 trong 10 cụm loa" in looked.text
    wide = _post(lan, f"/cap/{name}", act="look", kind="storm", minutes="5", area=PROVINCE[0])
    assert "Gõ số cụm loa (10)" in wide.text
    refused = _post(lan, f"/cap/{name}", act="sound", kind="storm", minutes="5", area=PROVINCE[0], language="")
    assert refused.status == 422
    rejected = _post(lan, f"/cap/{name}", act="reject", note="Không phải ở đây")
    assert "không phát cảnh báo này" in rejected.text
    assert "Không phải ở đây" in lan.get(f"/cap/{name}").text


def test_a_hostile_text_is_shown_as_text(house: House, token: str, lan: Person) -> None:
    bad = info(headline="<script>alert(1)</script>", area=TIGHT)
    name = _hand_in(house, token, document("trang-3", infos=bad)).json()["id"]
    for page in (lan.get("/cap"), lan.get(f"/cap/{name}")):
        assert "<script>alert(1)" not in page.html
        assert "<script>alert(1)</script>" in page.text


def test_a_rule_is_written_by_one_and_put_into_force_by_another(
    house: House, token: str, lan: Person, minh: Person
) -> None:
    feed = _feed(house)
    told = {"area": "c-31615", "kind": "storm", "severity": "Extreme", "urgency": "Immediate"}
    told |= {"certainty": "Observed", "minutes": "15", "until": "2026-06-30", "events": "Bão mạnh"}
    bad = _post(lan, f"/cap-feeds/{feed.id}", act="rule", **(told | {"until": "2020-01-01"}))
    assert (bad.status, "Ngày hết hiệu lực" in bad.text) == (422, True)
    assert "Cần người thứ hai duyệt" in _post(lan, f"/cap-feeds/{feed.id}", act="rule", **told).text
    with house.ctx.db.read() as session:
        rule = session.scalars(select(CapRule)).one()
    own = _post(lan, f"/cap-rules/{rule.id}", act="approve")
    assert (own.status, "không được tự duyệt" in own.text) == (422, True)
    assert "Quy tắc đã có hiệu lực" in _post(minh, f"/cap-rules/{rule.id}", act="approve").text
    _hand_in(house, token, document("tu-dong", infos=info(event="Bão mạnh", area=TIGHT)))
    cap_acting.Acting(house.ctx).step(house.clock.now())
    assert _messages(house)[-1].decision == "automatic"
    assert "Đã tự động phát" in lan.get("/cap").text
    assert "Quy tắc đã chấm dứt" in _post(lan, f"/cap-rules/{rule.id}", act="end").text


def test_two_who_change_a_feed_at_once(house: House, token: str, lan: Person) -> None:
    feed = _feed(house)
    told = {"name": "Khí tượng", "area": PROVINCE[0], "systems": "VN-GSO", "every": "60"}
    assert "Đã sửa" in _post(lan, f"/cap-feeds/{feed.id}", act="save", revision=str(feed.revision), **told).text
    late = _post(lan, f"/cap-feeds/{feed.id}", act="save", revision=str(feed.revision), **told)
    assert (late.status, "Có người vừa thay đổi" in late.text) == (409, True)


@pytest.fixture
def reader(house: House) -> TestClient:
    office = replace(house.office, cap_out="public", cap_sender="loa@soctrang.example.vn")
    return TestClient(create_app(office))


def test_what_we_sounded_is_read_by_others_as_cap(house: House, lan: Person, reader: TestClient) -> None:
    house.clock.advance(60)
    actor = replace(house.actor("lan"), strong=True, strong_at=house.ctx.wall.now())
    call = Call(AlertKind.STORM, Target(areas=("c-31615",)), reason="Bão số 5, lệnh của ông Nam")
    first = emergencies.sound(house.ctx, actor, call)
    house.clock.advance(60)
    second = emergencies.sound(house.ctx, actor, replace(call, reason="Bão số 5, tin mới", ends=(first,)))
    house.clock.advance(60)
    emergencies.silence(house.ctx, actor, second)
    feed = etree.fromstring(reader.get("/cap/feed.xml").content)
    links = [link.get("href") or "" for link in feed.iterfind(f"{ATOM}entry/{ATOM}link")]
    names = [link.rpartition("/")[2].removesuffix(".xml") for link in links]
    assert names[:3] == [f"{second}-x", second, first]
    found = {}
    for name in names[:3]:
        answer = reader.get(f"/cap/{name}.xml")
        assert answer.headers["content-type"].startswith("application/cap+xml")
        found[name] = cap_xml.read(cap_xml.parse(answer.content))
        again = reader.get(f"/cap/{name}.xml", headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
    alert, update, cancel = found[first], found[second], found[f"{second}-x"]
    assert [one.msg_type for one in (alert, update, cancel)] == [MsgType.ALERT, MsgType.UPDATE, MsgType.CANCEL]
    assert {one.status for one in found.values()} == {Status.ACTUAL}
    assert (update.references, cancel.references) == ((alert.name,), (update.name,))
    (part,) = alert.infos
    assert (part.language, part.event, part.description) == ("vi-VN", "Bão", "")
    said = reader.get("/cap/feed.xml").text + "".join(reader.get(f"/cap/{name}.xml").text for name in names[:3])
    assert not [word for word in ("Nam", "lan", "Lan") if f" {word}" in said or f">{word}" in said], "who ordered it"
    assert part.areas[0].geocodes == (("VN-GSO", "31615"),)
    assert reader.get(f"/cap/{first}-x.xml").status_code == 404, "the newer one says that it is over"


def test_a_drill_is_told_to_others_as_an_exercise(house: House, lan: Person, token: str, reader: TestClient) -> None:
    name = _hand_in(house, token, _bytes("tap-1", status="Exercise")).json()["id"]
    page = lan.get(f"/cap/{name}")
    assert "Diễn tập theo bản tin này" in page.text
    assert 'name="language"' not in page.html, "nothing to choose but the recording"
    assert "Đã bắt đầu diễn tập" in _post(lan, f"/cap/{name}", act="drill", kind="storm", minutes="10").text
    feed = etree.fromstring(reader.get("/cap/feed.xml").content)
    link = feed.find(f"{ATOM}entry/{ATOM}link")
    assert link is not None
    found = cap_xml.read(cap_xml.parse(reader.get(link.get("href") or "").content))
    assert (found.status, found.msg_type) == (Status.EXERCISE, MsgType.ALERT)
    assert found.infos[0].areas[0].geocodes == (("VN-GSO", "31615"),)


def test_what_waits_stands_on_the_first_page(house: House, lan: Person, token: str) -> None:
    _hand_in(house, token, _bytes("nha-1"))
    page = lan.get("/")
    assert "đang chờ xác nhận" in page.text
    assert "/cap" in page.links


def test_what_was_cancelled_in_time_was_never_said_to_anybody(house: House, lan: Person, reader: TestClient) -> None:
    with house.ctx.db.write() as session:
        act = session.scalars(select(Emergency).order_by(Emergency.pressed_at.desc()).limit(1)).one()
        was, act.state = act.state, "cancelled"
        name = act.id
    assert reader.get(f"/cap/{name}.xml").status_code == 404
    with house.ctx.db.write() as session:
        session.get_one(Emergency, name).state = was


def test_our_own_feed_comes_in_elsewhere_as_what_it_is(house: House, token: str, reader: TestClient) -> None:
    """Round trip: what one Loa says another one takes."""
    feed = etree.fromstring(reader.get("/cap/feed.xml").content)
    for link in reversed([each.get("href") or "" for each in feed.iterfind(f"{ATOM}entry/{ATOM}link")]):
        answer = _hand_in(house, token, reader.get(link).content)
        assert answer.status_code == 201, answer.text
    ours = [row for row in _messages(house) if row.sender == "loa@soctrang.example.vn"]
    assert {row.why for row in ours} <= {"", "superseded", "cancelled"}


def test_nobody_reads_ours_unless_the_settings_say_so(house: House) -> None:
    assert TestClient(house.app).get("/cap/feed.xml").status_code == 404
    office = replace(house.office, cap_out="token", cap_token="mot-ma-dai")
    some = TestClient(create_app(office))
    assert some.get("/cap/feed.xml").status_code == 401
    assert some.get("/cap/feed.xml", headers={"authorization": "Bearer mot-ma"}).status_code == 401
    assert some.get("/cap/feed.xml", headers={"authorization": "Bearer mot-ma-dai"}).status_code == 200


def test_a_cancel_that_is_handed_in_shows_what_it_took_back(house: House, token: str, lan: Person) -> None:
    name = _hand_in(house, token, _bytes("huy-1")).json()["id"]
    _hand_in(house, token, document("huy-2", kind="Cancel", sent=SENT, references=reference("huy-1"), infos=""))
    page: Page = lan.get(f"/cap/{name}")
    assert "Đã bị hủy" in page.text
    assert not [form for form in page.forms if ("act", "sound") in form.fields]


RULE = {"kind": "storm", "severity": "Extreme", "urgency": "Immediate", "certainty": "Observed", "minutes": "15"}
EVERYWHERE = TIGHT.replace("31615", "94")


def _in_force(house: House, lan: Person, minh: Person, area: str, **changed: str) -> str:
    """A standing rule, by two persons; its id."""
    feed = _feed(house)
    with house.ctx.db.read() as session:
        before = set(session.scalars(select(CapRule.id)))
    _post(lan, f"/cap-feeds/{feed.id}", act="rule", **(RULE | {"area": area, "until": "2026-06-30"} | changed))
    with house.ctx.db.read() as session:
        (rule,) = set(session.scalars(select(CapRule.id))) - before
    assert "Quy tắc đã có hiệu lực" in _post(minh, f"/cap-rules/{rule}", act="approve").text
    return rule


HELD: dict[str, tuple[str, dict[str, str], dict[str, Any], str]] = {
    "too wide": (PROVINCE[0], {}, {}, "Lý do: quá nhiều cụm loa, cần người xác nhận bằng tay."),
    "no recording": ("c-31615", {"kind": "tsunami"}, {}, "Lý do: chưa có bản ghi sẵn cho loại cảnh báo này."),
    "too many here": ("c-31615", {}, {"per_scope": 0}, "Lý do: nơi này đã có quá nhiều cảnh báo trong thời gian ngắn."),
    "too many": ("c-31615", {}, {"per_person": 0}, "Lý do: đã phát quá nhiều cảnh báo trong thời gian ngắn."),
}


@pytest.mark.parametrize("case", HELD)
def test_a_rule_that_is_held_back_says_why_in_words_and_waits_for_a_person(
    house: House, token: str, lan: Person, minh: Person, case: str
) -> None:
    area, told, guards, words = HELD[case]
    rule = _in_force(house, lan, minh, area, events=f"Giữ {case}", **told)
    where = EVERYWHERE if area == PROVINCE[0] else TIGHT
    data = document(f"giu-{case}".replace(" ", "-"), infos=info(event=f"Giữ {case}", area=where))
    name = _hand_in(house, token, data).json()["id"]
    strict = replace(house.ctx, emergencies=replace(EmergencyRules(), **guards))
    cap_acting.Acting(strict).step(house.clock.now())
    page = lan.get(f"/cap/{name}")
    assert "Chờ xác nhận" in page.text
    assert "Quy tắc tự động không phát bản tin này: cần người xác nhận." in page.text
    assert words in page.text
    assert "Quy tắc tự động không phát bản tin này" in lan.get("/cap").text
    assert [form for form in page.forms if ("kind", "storm") in form.fields or told], "and a person may sound it here"
    with house.ctx.db.read() as session:
        assert not session.scalars(select(Emergency.id).where(Emergency.reason.contains(f"[{name}]"))).all()
    assert "Quy tắc đã chấm dứt" in _post(lan, f"/cap-rules/{rule}", act="end").text


def test_where_one_rule_sounds_and_another_is_held_the_page_says_which_and_where_to_go(
    house: House, token: str, lan: Person, minh: Person
) -> None:
    sounds = _in_force(house, lan, minh, "c-31615", events="Giữ một phần")
    held = _in_force(house, lan, minh, PROVINCE[0], events="Giữ một phần", kind="tsunami")
    data = document("giu-mot-phan", infos=info(event="Giữ một phần", area=EVERYWHERE))
    name = _hand_in(house, token, data).json()["id"]
    cap_acting.Acting(house.ctx).step(house.clock.now())
    page = lan.get(f"/cap/{name}")
    assert "Đã tự động phát" in page.text
    assert "Phát khẩn cấp ở 5 cụm loa" in page.text
    assert "Không phát." in page.text
    assert "ở những nơi đó cần người phát" in page.text
    assert 'href="/emergency"' in page.html
    for rule in (sounds, held):
        _post(lan, f"/cap-rules/{rule}", act="end")


def test_every_guard_that_can_hold_a_rule_back_has_words_of_its_own() -> None:
    """A key without words would be "the system could not, see the log"."""
    sources = [Path(str(each.__file__)).read_text("utf-8") for each in (alert_guards, cap_by_rule)]
    told = set(re.findall(r'Refused\(\s*"([a-z_.]+)"', "".join(sources)))
    assert {"alert.confirm_reach", "alert.rate_person", "alert.rate_scope", "cap.over", "cap.place_unknown"} <= told
    for language in ("vi", "en"):
        words = Words(language, SENT)
        other = words.t("cap.why.other")
        assert [key for key in told if words.maybe("cap.why", key) == other] == []
