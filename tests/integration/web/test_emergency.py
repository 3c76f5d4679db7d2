"""The emergency page as an officer uses it without script: form, countdown, tally, silence, the band on every page."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import select
from support.audio import recording
from support.office import AT_EASE, House, open_house
from support.pages import Page, Person, person

from broadcasts.wire import trigger
from broadcasts.wire.trigger import Op
from broadcasts.wire.trust import Use
from controller.db.tables import Cluster, Emergency, EmergencyReach, SpokenText, StandingAlert, Station, UnitStatus
from controller.services import emergencies, emergency_set, emergency_voice
from controller.services.emergency_rules import EmergencyRules
from controller.services.rights import Role
from controller.services.seeding import PROVINCE

COMMUNE, OTHER = "c-31615", "c-31618"
FILLED = {"kind": "storm", "areas": COMMUNE, "reason": "Công điện 07", "act": "sound"}


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Closed again: each test moves into a copy."""
    folder = tmp_path_factory.mktemp("furnished")
    found = open_house(folder)
    found.add_user("ubnd", Role.EMERGENCY, PROVINCE[0])
    found.add_user("xa", Role.EMERGENCY, COMMUNE)
    path = recording(folder / "storm.wav", seconds=2.0)
    for kind in ("storm", "all_clear", "other"):
        emergency_set.put(found.ctx, found.actor("ubnd"), PROVINCE[0], kind, "vi", path, "storm.wav")
    found.ctx.db.close()
    return found


@pytest.fixture
def house(furnished: House, tmp_path: Path) -> Iterator[House]:
    found = open_house(tmp_path / "house", like=furnished)
    yield found
    found.ctx.db.close()


@pytest.fixture
def patient(furnished: House, tmp_path: Path) -> Iterator[House]:
    """With ten seconds to cancel."""
    found = open_house(tmp_path / "house", like=furnished, emergencies=EmergencyRules(cancel=timedelta(seconds=10)))
    yield found
    found.ctx.db.close()


def press(who: Person, **changed: object) -> Page:
    return who.send(who.get("/emergency").form("/emergency"), **(FILLED | changed))


def acts(house: House) -> list[Emergency]:
    with house.ctx.db.read() as session:
        return list(session.scalars(select(Emergency).order_by(Emergency.pressed_at, Emergency.id)))


def tell(house: House, act: Emergency, unit: str, **told: object) -> None:
    """What this unit's journal came to."""
    with house.ctx.db.write() as session:
        row = session.scalars(_REACH.where(EmergencyReach.emergency_id == act.id, EmergencyReach.unit_id == unit)).one()
        for name, value in told.items():
            setattr(row, name, value)


_REACH = select(EmergencyReach)


@pytest.mark.requirement("R-057")
def test_one_screen_sounds_a_storm_in_one_commune(house: House) -> None:
    who = person(house, "xa")
    form = who.get("/emergency")
    assert ("areas", COMMUNE) in form.form("/emergency").fields, "one's own commune is chosen already"
    assert "kind" not in dict(form.form("/emergency").fields), "nothing else is"
    page = press(who)
    [act] = acts(house)
    assert (act.kind, act.state, act.issued_by, act.reason) == ("storm", "issued", "xa", "Công điện 07")
    assert len(act.places) == 1
    assert "Đang có hiệu lực" in page.text
    assert "Im lặng" in page.text
    assert "xa (thử) bấm lúc" in page.text


def test_what_is_missing_is_said_and_nothing_typed_is_lost(house: House) -> None:
    who = person(house, "xa")
    page = press(who, kind=None, reason="Lệnh của huyện")
    assert (page.status, acts(house)) == (422, [])
    assert "Chưa chọn chuyện gì" in page.text
    assert dict(page.form("/emergency").fields)["reason"] == "Lệnh của huyện"
    page = press(who, areas=None)
    assert "Chưa chọn nơi phát" in page.text
    page = press(who, reason=" ")
    assert "Chưa ghi lý do" in page.text
    assert acts(house) == []


def test_looking_ahead_tells_where_how_loud_how_often_and_nothing_about_people(house: House) -> None:
    who = person(house, "xa")
    page = press(who, act="preview")
    assert acts(house) == []
    assert "5 cụm sẽ kêu ngay" in page.text
    assert "Âm lượng 100 %, hai lần liền, rồi mỗi giờ một lần, cả trong giờ yên tĩnh." in page.text
    assert "Nói Tiếng Việt" in page.text
    assert "5 cụm đang mất kết nối" in page.text
    assert not re.search(r"\d+ (người|hộ|dân)", page.text)
    piece = who.client.post("/emergency/preview", data=FILLED, headers={"x-form-token": who.token(), "hx-request": "1"})
    assert "5 cụm sẽ kêu ngay" in piece.text
    assert "<html" not in piece.text


def test_a_tag_names_the_clusters_that_bear_it(house: House) -> None:
    who = person(house, "xa")
    with house.ctx.db.write() as session:
        first, second, *_ = session.scalars(
            select(Cluster).join(Station, Cluster.station_id == Station.id).where(Station.area_id == COMMUNE)
        ).all()
        first.tags, second.tags = ["ven sông"], ["chợ", "ven sông"]
        meant = {first.id, second.id}
    page = press(who, areas=None, tags=" ven sông , không có", act="preview")
    assert "2 cụm sẽ kêu ngay" in page.text
    assert dict(page.form("/emergency").fields)["tags"] == " ven sông , không có"
    who.send(page.form("/emergency"), act="sound")
    [act] = acts(house)
    with house.ctx.db.read() as session:
        assert set(session.scalars(select(EmergencyReach.cluster_id))) == meant
    assert act.target == {"tags": ["ven sông", "không có"]}
    page = press(who, areas=None, tags="không có", reason="Khác")
    assert (page.status, len(acts(house))) == (422, 1)


def test_after_silencing_everything_the_page_has_the_text_that_does_it_by_sms(house: House) -> None:
    who, above = person(house, "xa"), person(house, "ubnd")
    press(who)
    assert 'id="sms"' not in who.get("/alerts").html
    house.clock.advance(1)
    who.client.post("/emergency/silence", headers={"x-form-token": who.token()})
    for one in (who, above):
        page = one.get("/alerts").html
        [text] = re.findall(r"<textarea[^>]*readonly[^>]*>([^<]+)</textarea>", page)
        keys = [house.ctx.keys.signer(Use.ALERT).public]
        assert trigger.unseal(text.encode(), [COMMUNE], "nobody", keys).op is Op.SILENCE
    house.clock.advance(24 * 3600 + 1)
    assert 'id="sms"' not in who.get("/alerts").html, "nothing from before can sound any more"


def test_a_wide_area_wants_its_number_typed(house: House) -> None:
    who = person(house, "ubnd")
    page = press(who, areas=PROVINCE[0])
    assert (page.status, acts(house)) == (422, [])
    assert "Gõ số cụm (10)" in page.text
    page = who.send(page.form("/emergency"), count="9", act="sound")
    assert acts(house) == []
    page = who.send(page.form("/emergency"), count="10", act="sound")
    assert [act.state for act in acts(house)] == ["issued"]


@pytest.mark.requirement("R-061")
def test_typed_words_are_spoken_at_once_with_the_time_and_can_be_heard_before(house: House) -> None:
    who = person(house, "xa")
    page = press(who, voice="text", text="Bà con chú ý! Đê sắp tràn", act="speak")
    assert acts(house) == []
    assert "Loa sẽ nói: Bà con chú ý! Đê sắp tràn. Tin phát lúc 12 giờ, ngày 3 tháng 3." in page.text
    asset = dict(page.form("/emergency").fields)["asset"]
    assert who.client.get(f"/assets/{asset}/listen").status_code == 200
    who.send(page.form("/emergency"), act="sound")
    [act] = acts(house)
    with house.ctx.db.read() as session:
        [entry] = session.scalars(select(StandingAlert.entry)).all()
        heard, sent = (emergency_voice.words_of(session, one) for one in (asset, act.content[0][1]))
    assert heard == sent, "the same words, made small"
    [part] = entry["content"]
    data = base64.urlsafe_b64decode(part["data"] + "=" * (-len(part["data"]) % 4))
    assert hashlib.sha256(data).hexdigest() == part["asset"]["sha256"] == act.content[0][1], "no pole has to fetch it"
    house.clock.advance(1)
    changed = who.send(page.form("/emergency"), text="Đê đã vỡ", act="sound")
    assert changed.status == 200
    second = acts(house)[-1]
    with house.ctx.db.read() as session:
        told = session.scalar(select(SpokenText.written).where(SpokenText.asset_sha256 == second.content[0][1]))
    assert told is not None
    assert told.startswith("Đê đã vỡ."), "what sounds is what was typed last, whatever was listened to"
    empty = press(who, voice="text", text=" ", act="speak")
    assert "Chưa có" in empty.text or empty.status == 422


@pytest.mark.requirement("R-067")
def test_the_second_factor_is_asked_again_on_the_same_form(furnished: House, tmp_path: Path) -> None:
    house = open_house(tmp_path / "strict", like=furnished, rules=replace(AT_EASE, second_factor=True))
    who = Person(house)
    page = who.log_in("xa")
    secret = re.search(r"<code[^>]*>([A-Z2-7]{32})</code>", page.html)
    assert secret
    app = pyotp.TOTP(secret.group(1))
    who.send(page.form("/second-factor"), code=app.at(house.clock.now()))
    assert 'id="fresh_code"' not in who.get("/emergency").html, "given just now"
    house.clock.advance(20 * 60)
    form = who.get("/emergency").form("/emergency")
    assert ("fresh_code", "") in form.fields
    wrong = who.send(form, **FILLED, fresh_code="000000")
    assert (wrong.status, acts(house)) == (422, [])
    page = who.send(wrong.form("/emergency"), fresh_code=app.at(house.clock.now()))
    assert [act.reason for act in acts(house)] == ["Công điện 07"], "nothing had to be filled in again"
    house.clock.advance(60 * 60)
    silent = who.send(who.get("/").form("/emergency/silence"))
    assert silent.status == 200, "silence asks for nothing"
    assert [act.state for act in acts(house)] == ["silenced"]
    house.ctx.db.close()


def test_a_form_that_is_handed_in_twice_is_one_emergency_and_another_text_is_another(house: House) -> None:
    who = person(house, "xa")
    form = who.get("/emergency").form("/emergency")
    assert all("Đang có hiệu lực" in who.send(form, **FILLED).text for _ in range(2))
    [act] = acts(house)
    token, told = {"x-form-token": who.token()}, {"call": act.id, "apology": "1"}
    for _ in range(2):
        house.clock.advance(1)
        who.client.post("/emergency/silence", data=told, headers=token)
    assert "Đã tắt" in who.send(form, **FILLED).text, "what comes late wakes nobody up again"
    house.clock.advance(1)
    who.send(form, **(FILLED | {"reason": "Công điện 08"}))
    assert [one.kind for one in acts(house)] == ["storm", "all_clear", "storm"], "one apology too"


@pytest.mark.requirement("R-061")
def test_what_was_listened_to_sounds_only_where_it_says_just_that_and_about_now(house: House) -> None:
    who = person(house, "xa")
    page = press(who, voice="text", text="Sơ tán thôn Một và thôn Hai", act="speak")
    who.send(page.form("/emergency"), text="Sơ tán thôn Một", act="sound")
    house.clock.advance(20 * 60)
    who.send(page.form("/emergency"), act="sound")
    with house.ctx.db.read() as session:
        told = [emergency_voice.words_of(session, act.content[0][1]) for act in acts(house)]
    assert told[0] == "Sơ tán thôn Một. Tin phát lúc 12 giờ, ngày 3 tháng 3."
    assert told[1] == "Sơ tán thôn Một và thôn Hai. Tin phát lúc 12 giờ 20 phút, ngày 3 tháng 3."


def test_what_never_sounded_waits_for_nobodys_word_on_the_page(patient: House) -> None:
    who, above = person(patient, "xa"), person(patient, "ubnd")
    press(who)
    emergencies.cancel(patient.ctx, patient.actor("xa"), acts(patient)[0].id)
    patient.clock.advance(1)
    press(who, reason="Công điện 08")
    patient.clock.advance(100)
    emergencies.step(patient.ctx, patient.clock.now())
    page = above.get("/alerts")
    assert all(told in page.text for told in ("Đã hủy trước khi phát", "Không phát: hệ thống gián đoạn"))
    assert "/confirm" not in page.html
    assert "Không phát: hệ thống gián đoạn" in who.get(f"/emergency/{acts(patient)[1].id}").text


def test_the_countdown_cancels_without_script_and_nothing_has_left(patient: House) -> None:
    who = person(patient, "xa")
    page = press(who)
    assert "HỦY" in page.text
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page.html
    assert 'data-left="10000"' in page.html
    patient.clock.advance(4)
    again = who.get(f"/emergency/{acts(patient)[0].id}")
    assert 'data-left="6000"' in again.html
    page = who.send(again.form(f"/emergency/{acts(patient)[0].id}/cancel"))
    assert "Đã hủy. Không cụm nào kêu." in page.text
    with patient.ctx.db.read() as session:
        assert session.scalars(select(StandingAlert)).all() == []


def test_seconds_count_from_the_end_of_the_countdown_and_the_press_is_told_apart(patient: House) -> None:
    who = person(patient, "xa")
    press(who)
    [act] = acts(patient)
    patient.clock.advance(10)
    emergencies.step(patient.ctx, patient.clock.now())
    patient.clock.advance(3)
    tell(patient, act, reached(patient, act)[0], sounded_at=act.release_at + timedelta(seconds=2))
    page = who.get(f"/emergency/{act.id}")
    assert 'data-since="3000"' in page.html
    assert "Cụm đầu kêu sau 2,0 giây" in page.text
    assert "Phát sau 10,0 giây chờ hủy" in page.text
    assert "1 /5 Kêu muộn" not in page.text


def test_a_cancel_that_comes_too_late_silences(patient: House) -> None:
    who = person(patient, "xa")
    page = press(who)
    [act] = acts(patient)
    form = page.form(f"/emergency/{act.id}/cancel")
    patient.clock.advance(11)
    emergencies.step(patient.ctx, patient.clock.now())
    page = who.send(form)
    assert "Đã gửi lệnh im lặng" in page.text
    assert [one.state for one in acts(patient)] == ["silenced"]


@pytest.mark.requirement("R-069")
def test_the_tally_says_of_each_cluster_whether_and_after_how_many_seconds_it_sounded(house: House) -> None:
    who = person(house, "xa")
    press(who)
    [act] = acts(house)
    address = f"/emergency/{act.id}"
    first, late, mute, knows, away = reached(house, act)
    after = {seconds: act.pressed_at + timedelta(seconds=seconds) for seconds in (1.22, 1.5, 4.0, 14.0)}
    tell(house, act, first, sounded_at=after[1.22], ended_at=after[4.0], heard=True)
    tell(house, act, late, sounded_at=after[14.0])
    tell(house, act, mute, sounded_at=after[1.5], ended_at=after[4.0], heard=False)
    with house.ctx.db.write() as session:
        row = session.scalars(select(StandingAlert)).one()
        holds = {row.scope: row.version}
        session.add(UnitStatus(unit_id=knows, connected=True, last_sign=act.issued_at, alert_versions=holds))
        session.add(UnitStatus(unit_id=away, connected=False, last_sign=act.issued_at - timedelta(hours=3)))
    rows = who.get(f"{address}/rows").text
    assert re.search(r"2 /5 +Đã kêu", rows)
    assert re.search(r"1 /5 +Đã nghe thấy", rows)
    assert re.search(r"1 /5 +Kêu muộn", rows)
    assert re.search(r"1 /5 +Chưa tới được", rows)
    assert re.search(r"1 /5 +Không ra tiếng", rows)
    assert "1,3 giây" in rows, "rounded up"
    assert "14,0 giây" in rows
    assert "mất kết nối, lần cuối 3 giờ trước" in rows
    assert "Cụm đầu kêu sau 1,3 giây, cụm cuối sau 14,0 giây." in rows
    seen = re.search(r"seen=([0-9a-f]+)", who.get(f"{address}/rows").html)
    assert seen
    assert who.client.get(f"{address}/rows?seen={seen.group(1)}").status_code == 204
    house.clock.advance(20)
    who.send(who.get("/").form("/emergency/silence"))
    with house.ctx.db.read() as session:
        over = session.get_one(Emergency, act.id).ended_at
    assert over is not None
    tell(house, act, late, ended_at=over + timedelta(seconds=2.5))
    told = who.get(address).text
    assert "Cụm cuối im lặng sau 2,5 giây." in told


def reached(house: House, act: Emergency) -> list[str]:
    with house.ctx.db.read() as session:
        found = session.scalars(select(EmergencyReach.unit_id).where(EmergencyReach.emergency_id == act.id))
        return sorted(str(each) for each in found)


def test_what_sounds_stands_as_a_band_on_every_page_of_whoever_may_silence_it(house: House) -> None:
    who, above = person(house, "xa"), person(house, "ubnd")
    press(above, areas=OTHER)
    assert "band-alert" not in who.get("/").html, "that one is not his"
    press(who)
    for page in ("/", "/schedule", "/more", "/alerts"):
        assert who.get(page).html.count("band-alert") == 1
        assert above.get(page).html.count("band-alert") == 2
    assert "band-alert" not in person(house, "phatthanh").get("/").html
    above.send(above.get("/alerts").form("/emergency/silence"), call=None)
    assert {act.state for act in acts(house)} == {"silenced"}
    assert "band-alert" not in above.get("/").html


def test_an_alert_elsewhere_is_as_unknown_as_one_that_never_was(house: House) -> None:
    above, who = person(house, "ubnd"), person(house, "xa")
    press(above, areas=OTHER)
    [act] = acts(house)
    assert who.get(f"/emergency/{act.id}").status == 404
    token = {"x-form-token": who.token()}
    assert who.client.post("/emergency/silence", data={"call": act.id}, headers=token).status_code == 404
    assert who.client.post(f"/emergency/{act.id}/cancel", headers=token).status_code == 404
    assert [one.state for one in acts(house)] == ["issued"]


def test_the_guide_names_the_readers_own_account_and_area(house: House) -> None:
    page = person(house, "xa").get("/guide/emergency")
    assert f"loa alert sound --as xa --kind storm --area {COMMUNE}" in page.text
    assert "loa alert silence --as xa --all" in page.text
