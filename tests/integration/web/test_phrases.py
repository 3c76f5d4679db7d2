"""Phrases from recorded pieces: recorded, filled, listened to, used in a bulletin."""

from __future__ import annotations

import io
import re
import wave
from collections.abc import Iterator

import pytest
from sqlalchemy import select
from support.asking import SELF
from support.audio import tone
from support.office import House, open_house
from support.pages import Form, Page, Person, person

from broadcasts.errors import Refused
from controller.db.tables import Asset, SpokenText
from controller.services import library, phrase_bank
from controller.services.rights import Role

ALL_CLEAR = {"hour": "07:30", "date": "2026-03-04"}
KM = ("all_clear.what", "at", "hour", "minute", "day", "all_clear.advice", "weekday.2", "month.3", "number.30",
      *(f"number.{n}" for n in (1, 2, 3, 4, 5, 10)))  # fmt: skip


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    found = open_house(tmp_path_factory.mktemp("house"), sandbox=True)
    found.add_user("cua-xa", Role.BROADCASTER, SELF)
    yield found
    found.ctx.db.close()


@pytest.fixture(scope="module")
def author(house: House) -> Person:
    return person(house, "phatthanh")


def filling(page: Page) -> Form:
    return next(form for form in page.forms if "/phrases/" in form.action and "pieces" not in form.action)


def pieces(page: Page) -> Form:
    return [form for form in page.forms if form.action.endswith("/pieces")][-1]


def piece(seconds: float = 0.4, hz: float = 440.0) -> bytes:
    return tone(seconds, hz)


def test_khmer_has_nothing_recorded_and_says_so_with_what_to_read(author: Person) -> None:
    page = author.get("/phrases")
    one = author.get("/phrases/all_clear?language=km")

    assert "Chưa có đoạn tiếng Khmer nào" in page.text
    assert "ម៉ោង" in one.text
    assert "(người đọc tự dịch)" in one.text
    assert "Để giọng máy đọc" not in one.text


def test_a_phrase_with_missing_pieces_is_refused_and_they_are_named(author: Person) -> None:
    page = author.get("/phrases/all_clear?language=km")

    back = author.send(filling(page), **{f"slot:{name}": value for name, value in ALL_CLEAR.items()})

    assert back.status == 422
    assert "đoạn chưa được ghi âm" in back.text
    assert dict(filling(back).fields)["slot:hour"] == "07:30"


def test_recorded_pieces_make_a_recording_that_goes_into_a_bulletin_with_its_words(
    house: House, author: Person
) -> None:
    page = author.get("/phrases/all_clear?language=km")
    files = {f"piece:{name}": (f"{name}.wav", piece(0.3, 300 + 20 * n)) for n, name in enumerate(KM)}
    kept = author.send(pieces(page), files=files)
    assert "Đã lưu các đoạn ghi âm" in kept.text

    made = author.send(filling(kept), **{f"slot:{name}": value for name, value in ALL_CLEAR.items()})

    text = "Tình trạng nguy hiểm đã kết thúc lúc 7 giờ 30 phút thứ Tư ngày 4 tháng 3 Bà con có thể trở lại"
    assert made.status == 200
    assert text in made.text
    (link,) = [each for each in made.links if each.startswith("/broadcasts/new?recording=")]
    form = author.get(link).form("/broadcasts")
    fields = dict(form.fields)
    assert re.fullmatch("[0-9a-f]{64}", fields["asset"])
    assert (fields["language"], text in fields["text"]) == ("km", True)
    with house.ctx.db.read() as session:
        asset = session.get_one(Asset, fields["asset"])
        row = session.scalars(select(SpokenText).where(SpokenText.asset_sha256 == asset.sha256)).one()
    clips = 2 + 1 + 2 + 1 + 1 + 1 + 1 + 1 + 1 + 1  # what, at; hour, 5, 2; 30, minute; Wednesday; day, 4, March; advice
    assert asset.duration_ms == pytest.approx(clips * 300 + 1_000, abs=1_500)
    assert (row.language, row.voice) == ("km", "phrases/all_clear")


def test_the_provinces_pieces_serve_a_commune_and_its_own_go_before_them(house: House) -> None:
    province, commune = house.actor("phatthanh"), house.actor("cua-xa")
    folder = house.folder / "uploads"
    folder.mkdir(exist_ok=True)
    file = folder / "own.wav"
    file.write_bytes(piece())
    phrase_bank.record(house.ctx, province, "km", "thanks", file, folder)
    file.write_bytes(piece(0.5))
    phrase_bank.record(house.ctx, commune, "km", "thanks", file, folder)

    with house.ctx.db.read() as session:
        theirs = phrase_bank.shelf(session, commune, "km").pieces["thanks"]
        ours = phrase_bank.shelf(session, province, "km").pieces["thanks"]

    assert (theirs.area_id, ours.area_id) == (SELF, province.area)
    with pytest.raises(Refused, match="not_yours"):
        phrase_bank.record(house.ctx, commune, "km", "thanks", file, folder, province.area)


def test_a_piece_by_itself_is_no_recording_of_a_bulletin(house: House) -> None:
    actor, folder = house.actor("phatthanh"), house.folder / "uploads"
    folder.mkdir(exist_ok=True)
    (folder / "p.wav").write_bytes(piece(0.7))
    phrase_bank.record(house.ctx, actor, "km", "month.1", folder / "p.wav", folder)

    with house.ctx.db.read() as session, pytest.raises(Refused, match=r"asset\.unknown"):
        library.find(session, phrase_bank.shelf(session, actor, "km").pieces["month.1"].asset_sha256)


@pytest.mark.parametrize(
    ("piece_name", "content", "key"),
    [
        ("never.was", b"x", "phrase.piece"),
        ("place.", b"x", "phrase.piece"),
        ("place." + "x" * 61, b"x", "phrase.piece"),
        ("place.a\x00b", b"x", "phrase.piece"),
        ("number.99999999", b"x", "phrase.piece"),
        ("thanks", b"no sound", "audio.not_audio"),
        ("thanks", b"", "audio.empty"),
        ("thanks", tone(70.0), "phrase.long"),
        ("thanks", tone(1.0, level=0.0), "audio.silent"),
    ],
)
def test_a_piece_that_is_none_is_refused(house: House, piece_name: str, content: bytes, key: str) -> None:
    folder = house.folder / "uploads"
    folder.mkdir(exist_ok=True)
    (folder / "bad").write_bytes(content)

    with pytest.raises(Refused) as refused:
        phrase_bank.record(house.ctx, house.actor("phatthanh"), "km", piece_name, folder / "bad", folder)

    assert refused.value.key == key
    assert [each.name for each in folder.iterdir() if each.is_dir()] == []


def test_vietnamese_pieces_can_be_read_by_the_embedded_voice(author: Person) -> None:
    page = author.get("/phrases/closing?language=vi")
    assert "Để giọng máy đọc các đoạn còn thiếu" in page.text

    kept = author.send(next(f for f in page.forms if f.action.endswith("/pieces")), act="voice")
    made = author.send(filling(kept))

    assert "Đủ đoạn" in kept.text
    assert made.status == 200
    assert "Xin cảm ơn bà con đã chú ý lắng nghe." in made.text


def test_programs_record_and_fill_phrases(author: Person) -> None:
    client, token = author.client, {"x-form-token": author.token()}

    told = client.get("/api/v1/phrases", params={"language": "km"}).json()
    bad = client.post("/api/v1/phrases/salt", json={"language": "km", "values": {"grams": "99"}}, headers=token)
    address = "/api/v1/phrases/recordings"
    kept = client.post(address, params={"piece": "opening.hello"}, content=piece(0.5), headers=token)
    made = client.post("/api/v1/phrases/opening", json={"language": "km"}, headers=token)
    odd = client.post("/api/v1/phrases/never", json={}, headers=token)

    assert {each["name"] for each in told} >= {"storm", "salt", "all_clear"}
    assert bad.status_code == odd.status_code == 422
    assert kept.status_code == 201, kept.text
    assert made.status_code == 201 or "audio.too_short" in made.text


def test_what_is_listened_to_is_a_wav_of_its_own(house: House) -> None:
    with house.ctx.db.read() as session:
        rows = session.scalars(select(Asset).where(Asset.codec == library.PIECE)).all()
    assert rows
    for row in rows:
        with wave.open(io.BytesIO(house.ctx.audio.path(row.sha256).read_bytes())) as file:
            assert file.getnchannels() == 1
