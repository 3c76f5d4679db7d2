"""A bulletin that is typed and read by a machine's voice, as a person sees it, from the form to the approval."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from support.asking import SELF
from support.office import House, open_house
from support.pages import Form, Page, Person, person

from broadcasts.audio.voice_espeak import FIRST, Espeak
from broadcasts.audio.voice_http import HttpVoice
from broadcasts.audio.voices import Voices
from broadcasts.clock import SystemClock
from controller.db.tables import AuditEntry, Broadcast, Rendition, SpokenText
from controller.services.rights import Role
from controller.services.seeding import PROVINCE

TEXT = "UBND xã mời bà con tiêm phòng lúc 7h30 ngày 12/4. BCH họp sau đó."


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    found = open_house(tmp_path_factory.mktemp("house"), sandbox=True)
    found.add_user("cua-xa", Role.BROADCASTER, SELF)
    yield found
    found.ctx.db.close()


@pytest.fixture(scope="module")
def author(house: House) -> Person:
    return person(house, "phatthanh")


def draft(page: Page) -> Form:
    return page.form("/broadcasts")


def asset_of(page: Page) -> str:
    return dict(draft(page).fields)["asset"]


def marked(page: Page) -> list[str]:
    return re.findall(r"<mark[^>]*>([^<]*)</mark>", page.html)


def test_a_typed_text_becomes_the_recording_without_any_script(house: House, author: Person) -> None:
    page = author.get("/broadcasts/new")
    read = author.send(draft(page), act="read", text=TEXT, title="Tiêm phòng")

    assert read.status == 200
    assert "1 chỗ chưa chắc" in read.text
    assert marked(read)[:2] == ["Ủy ban nhân dân", "bảy giờ ba mươi phút"]
    assert dict(draft(read).fields)["title"] == "Tiêm phòng"
    assert asset_of(read) == ""

    at = TEXT.index("BCH")
    chosen = author.send(draft(read), act="read", **{f"as:{at}": "Ban Chỉ huy"})
    assert "Ban Chỉ huy" in marked(chosen)
    assert "1 chỗ chưa chắc" not in chosen.text
    spoken = author.send(draft(chosen), act="speak")

    assert spoken.status == 200
    assert re.fullmatch("[0-9a-f]{64}", asset_of(spoken))
    assert "Ban Chỉ huy" in marked(spoken)
    assert dict(draft(spoken).fields)["text"] == TEXT
    with house.ctx.db.read() as session:
        row = session.scalars(select(SpokenText).where(SpokenText.asset_sha256 == asset_of(spoken))).one()
    assert row.spoken.endswith("Ban Chỉ huy họp sau đó.")


def test_who_approves_sees_the_text_as_it_is_written_and_as_it_was_read(house: House, author: Person) -> None:
    page = author.get("/broadcasts/new")
    spoken = author.send(draft(page), act="speak", text=TEXT, title="Tiêm phòng", voice="espeak/vi", pace="90")
    author.send(draft(spoken), act="submit", areas=[SELF], when="soon", minutes="60")
    with house.ctx.db.read() as session:
        waiting = session.scalars(select(Broadcast.id).where(Broadcast.status == "submitted")).one()

    approval = person(house, "lanhdao").get(f"/approvals/{waiting}")

    assert TEXT in approval.text
    assert "Giọng máy đọc: giọng máy miền Bắc" in approval.text
    assert "Ủy ban nhân dân" in marked(approval)
    assert 'class="doubt"' in approval.html
    assert "Tốc độ 90%" in approval.text
    assert "đã sửa sau khi đọc" not in approval.text
    with house.ctx.db.write() as session:
        rendition = session.scalars(select(Rendition)).one()
        rendition.text = "Một lời khác hẳn."
    assert "đã sửa sau khi đọc" in person(house, "lanhdao").get(f"/approvals/{waiting}").text


def test_a_script_gets_only_the_piece_that_plays_it_and_how_it_was_read(author: Person) -> None:
    fields = {"text": TEXT, "language": "vi", "title": "x"}
    headers = {"x-form-token": author.token(), "hx-request": "true"}

    read = author.client.post("/speech/reading", data=fields, headers=headers)
    made = author.client.post("/speech", data=fields, headers=headers)

    assert read.status_code == made.status_code == 200
    assert "<html" not in read.text + made.text
    assert "<mark" in read.text
    assert re.search(r'id="asset" value="[0-9a-f]{64}"', made.text)
    assert 'hx-swap-oob="innerHTML"' in made.text
    assert made.headers["HX-Trigger-After-Swap"] == "recorded"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"text": ""}, "Chưa có lời để đọc"),
        ({"text": "x" * 100_000}, "Lời dài 100000 chữ"),
        ({"text": "\U0001f600"}, "không có gì đọc được"),
        ({"text": TEXT, "voice": "http/lan"}, "Giọng đọc http/lan không có ở đây"),
        ({"text": TEXT, "pace": "5"}, "Tốc độ từ 60% đến 160%"),
        ({"text": TEXT, "pace": "nhanh"}, "Tốc độ từ 60% đến 160%"),
        ({"text": "សួស្តី", "language": "km"}, "Không có giọng máy cho ngôn ngữ này (km)"),
    ],
)
def test_what_cannot_be_spoken_is_said_and_nothing_typed_is_lost(
    author: Person, told: dict[str, str], sentence: str
) -> None:
    page = author.get("/broadcasts/new")

    back = author.send(draft(page), **({"act": "speak", "title": "Tiêm phòng"} | told))

    assert back.status == 422
    assert sentence in back.text
    fields = dict(draft(back).fields)
    assert (fields["title"], fields["asset"]) == ("Tiêm phòng", "")
    assert fields["text"].strip() == told["text"].strip()


def test_that_there_is_no_khmer_voice_is_said_with_what_to_do_instead(author: Person) -> None:
    page = author.get("/broadcasts/new")

    assert "Tiếng Khmer: chưa có giọng đọc máy" in page.text


def test_a_second_language_is_read_aloud_too(author: Person) -> None:
    page = author.get("/broadcasts/new")

    back = author.send(draft(page), act="speak_second", language="km", second="vi", second_text="Xin chào bà con.")

    assert back.status == 200
    (carried,) = [value for name, value in draft(back).fields if name == "more"]
    assert re.search(r'"asset": "[0-9a-f]{64}", "title": "", "text": "Xin chào bà con."', carried)


def test_a_voice_that_sends_the_text_out_is_marked_and_one_that_fails_loses_nothing(house: House) -> None:
    gone = HttpVoice("http://127.0.0.1:9/v1/audio/speech", [("vi-VN", "lan")], SystemClock())
    away = HttpVoice("https://voice.example.vn/v1/audio/speech", [("vi-VN", "lan")], SystemClock())
    author = person(house, "cua-xa")
    before = house.office.ctx
    assert "gửi lời ra ngoài" not in author.get("/broadcasts/new").text
    try:
        house.office = replace(house.office, ctx=replace(before, voices=Voices([Espeak(), away], {"vi": FIRST})))
        house.app.state.office = house.office
        assert "giọng có ghi “gửi lời ra ngoài”" in author.get("/broadcasts/new").text.lower()
        house.office = replace(house.office, ctx=replace(before, voices=Voices([Espeak(), gone], {"vi": FIRST})))
        house.app.state.office = house.office
        page = author.get("/broadcasts/new")
        failed = author.send(draft(page), act="speak", text=TEXT, voice="http/lan")
        agreed = author.send(draft(failed), act="speak", fallback="1")
    finally:
        house.office = replace(house.office, ctx=before)
        house.app.state.office = house.office

    assert failed.status == 503
    assert "http không đọc được lần này" in failed.text
    assert dict(draft(failed).fields)["text"] == TEXT
    assert agreed.status == 200
    assert "lan không đọc được, bản này do giọng có sẵn đọc" in agreed.text


def test_words_are_added_taken_from_a_file_and_dropped_on_their_page(house: House, author: Person) -> None:
    page = author.get("/pronunciations")
    kept = author.send(forms(page)[0], written="KCN", said="khu công nghiệp", others="")

    assert "Đã lưu cách đọc" in kept.text
    assert "khu công nghiệp" in kept.text
    wrong = author.send(forms(kept)[0], written="ĐH", said="15")
    assert wrong.status == 422
    assert "không có chữ số hay ký hiệu: 15" in wrong.text
    assert dict(forms(wrong)[0].fields)["written"] == "ĐH"
    taken = author.send(forms(kept)[-1], act="import", csv="written,spoken\nTHCS,trung học cơ sở\n")
    assert "trung học cơ sở" in taken.text
    told = author.client.get("/pronunciations.csv").content.decode("utf-8-sig")
    assert told.splitlines() == ["written,spoken,note,alternatives", "KCN,khu công nghiệp,,", "THCS,trung học cơ sở,,"]
    commune = person(house, "cua-xa").get("/pronunciations")
    assert "của tỉnh" in commune.text
    assert not [form for form in commune.forms if form.action.endswith("/drop")]
    dropped = author.send(next(form for form in taken.forms if form.action.endswith("/drop")))
    assert "Đã bỏ từ này" in dropped.text


def test_whose_words_numbers_are_said_in_is_set_where_words_are_and_told_in_the_preview(
    house: House, author: Person
) -> None:
    def read(who: Person) -> Page:
        return who.send(draft(who.get("/broadcasts/new")), act="read", text="Hỗ trợ 1.005 hộ")

    commune = person(house, "cua-xa")
    assert ("một ngàn không trăm lẻ năm" in read(commune).text, "kiểu miền Nam" in read(commune).text) == (True, True)
    page = author.get("/pronunciations")
    form = next(form for form in page.forms if form.action == "/pronunciations/style")
    kept = author.send(form, area=PROVINCE[0], style="north")
    assert "Đã lưu kiểu đọc số" in kept.text
    assert "kiểu miền Bắc (nghìn, linh)" in kept.text
    assert "một nghìn không trăm linh năm" in read(commune).text, "the province's, where the commune says nothing"
    api, token = commune.client, {"x-form-token": commune.token()}
    assert api.put("/api/v1/pronunciations/style", json={"style": "south"}, headers=token).status_code == 204
    assert "một ngàn không trăm lẻ năm" in read(commune).text
    assert "một nghìn không trăm linh năm" in read(author).text
    foreign = {"area": PROVINCE[0], "style": "south"}
    assert api.put("/api/v1/pronunciations/style", json=foreign, headers=token).status_code == 404
    wrong = author.send(form, area=PROVINCE[0], style="west")
    assert wrong.status == 422
    back = author.send(form, area=PROVINCE[0], style="")
    assert "kiểu miền Nam (ngàn, lẻ)" in back.text
    with house.ctx.db.read() as session:
        lines = session.scalars(
            select(AuditEntry).where(AuditEntry.act == "reading_style.set").order_by(AuditEntry.id)
        ).all()
    assert [(line.about, line.detail["before"], line.detail["style"]) for line in lines] == [
        (PROVINCE[0], "", "north"),
        (SELF, "", "south"),
        (PROVINCE[0], "north", ""),
    ]


def forms(page: Page) -> list[Form]:
    return [form for form in page.forms if form.action == "/pronunciations"]


def test_programs_ask_for_voices_readings_and_recordings(author: Person) -> None:
    client: TestClient = author.client
    token = {"x-form-token": author.token()}

    voices = client.get("/api/v1/voices").json()
    read = client.post("/api/v1/speech/reading", json={"text": TEXT}, headers=token).json()
    word = {"start": TEXT.index("BCH"), "written": "BCH", "spoken": "Ban Chỉ huy"}
    made = client.post("/api/v1/speech", json={"text": TEXT, "words": [word]}, headers=token)
    again = client.post("/api/v1/speech", json={"text": TEXT, "words": [word]}, headers=token)
    far = client.post("/api/v1/speech", json={"text": "x" * 100_000}, headers=token)

    assert [each["id"] for each in voices][:1] == ["espeak/vi"]
    assert not any(each["sends_text_out"] for each in voices)
    assert "".join(TEXT[each["start"] : each["end"]] for each in read["tokens"]) == TEXT == read["text"]
    assert [each["written"] for each in read["tokens"] if each["doubtful"]] == ["BCH"]
    assert made.status_code == 201
    assert made.json() == again.json()
    assert "Ban Chỉ huy" in made.json()["spoken"]
    assert far.status_code == 422
    assert "8000" in far.text
    put = client.post("/api/v1/pronunciations", json={"written": "HTX", "spoken": "hợp tác xã"}, headers=token)
    assert put.status_code == 201
    assert "hợp tác xã" in [each["spoken"] for each in client.get("/api/v1/pronunciations").json()]
    gone = client.post(f"/api/v1/pronunciations/{put.json()['id']}/drop", headers=token)
    assert gone.status_code == 204
