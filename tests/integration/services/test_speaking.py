"""A text becomes a recording, and how words are said: with the real embedded voice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from support.services import HERE, House, raises

from broadcasts.audio.voice_espeak import FIRST, Espeak
from broadcasts.audio.voices import Sentence, Voice, Voices
from broadcasts.errors import Fault, Refused
from controller.db.tables import AuditEntry, SpokenText
from controller.services import pronouncing, speaking
from controller.services.ports import NoMeasures
from controller.services.recordings import heard_by
from controller.services.speaking import LONGEST, Wish

TEXT = "UBND xã mời bà con đi tiêm phòng lúc 7h30 ngày 12/4."


class Broken:
    """A provider in the place of one that is down."""

    id, offline, sends_text_out = "http", False, True

    def version(self, voice: str) -> str:
        return f"broken {voice}"

    def voices(self) -> Sequence[Voice]:
        return [Voice("http", "lan", "vi-VN"), Voice("http", "sok", "km-KH")]

    def speak(self, texts: Sequence[str], voice: str, rate: float, folder: Path) -> list[Path]:
        raise Fault("audio.voice_failed", provider="http", reason="HTTP 503")


class Counting(Espeak):
    def __init__(self) -> None:
        self.said: list[list[str]] = []

    def speak(self, texts: Sequence[str], voice: str, rate: float, folder: Path) -> list[Path]:
        self.said.append(list(texts))
        return super().speak(texts, voice, rate, folder)


def with_voices(house: House, *providers: object) -> House:
    house.ctx = replace(house.ctx, voices=Voices(list(providers), {"vi": FIRST}))  # type: ignore[arg-type]
    return house


@pytest.mark.requirement("R-023")
def test_a_text_is_read_by_the_rules_spoken_and_kept_with_all_that_it_came_from(house: House, tmp_path: Path) -> None:
    actor = house.actor("phatthanh")

    made = speaking.speak(house.ctx, actor, Wish(TEXT), tmp_path)

    row = made.spoken
    assert "Ủy ban nhân dân xã mời" in row.spoken
    assert "bảy giờ ba mươi phút" in row.spoken
    assert (row.written, row.voice, row.percent, row.sent_out) == (TEXT, FIRST, 100, False)
    assert row.version.startswith("espeakng-loader ")
    assert [TEXT[start:end] for start, end, _, _ in row.words] == ["UBND", "7h30", "12/4"]
    assert 3_000 < made.asset.duration_ms < 15_000
    assert made.asset.loudness_lufs == pytest.approx(-16, abs=0.5)
    assert heard_by(house.ctx, actor, made.asset.sha256).is_file()
    assert list(tmp_path.iterdir()) == []


def test_the_same_is_spoken_once_however_often_and_by_whomever_it_is_asked(house: House, tmp_path: Path) -> None:
    voice = Counting()
    with_voices(house, voice)
    actor, other = house.actor("phatthanh"), house.actor("neighbour")

    first = speaking.speak(house.ctx, actor, Wish(TEXT), tmp_path)
    again = speaking.speak(house.ctx, actor, Wish(f"  {TEXT}\n"), tmp_path)
    theirs = speaking.speak(house.ctx, other, Wish(TEXT.replace("UBND", "Ủy ban nhân dân")), tmp_path)
    slower = speaking.speak(house.ctx, actor, Wish(TEXT, percent=90), tmp_path)

    assert len(voice.said) == 2
    assert first.asset.sha256 == again.asset.sha256 == theirs.asset.sha256 != slower.asset.sha256
    assert first.spoken.id == again.spoken.id != theirs.spoken.id
    assert heard_by(house.ctx, other, theirs.asset.sha256).is_file()


def test_what_an_officer_chooses_is_said_also_where_the_text_moved_since(house: House, tmp_path: Path) -> None:
    actor = house.actor("phatthanh")
    text = "Kính thưa bà con. BCH họp."
    with house.ctx.db.read() as session:
        (doubt,) = speaking.reading(session, actor, Wish(text)).doubtful
        chosen = {doubt.start - 18: ("BCH", "Ban Chỉ huy"), 3: ("nowhere", "nothing")}
        found = speaking.reading(session, actor, Wish(text, words=chosen))

    assert doubt.written == "BCH"
    assert found.spoken.endswith("Ban Chỉ huy họp.")
    assert found.doubtful == ()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "speech.empty"),
        (" \n\t ", "speech.empty"),
        ("a" * (LONGEST + 1), "speech.long"),
        ("x" * 100_000, "speech.long"),
        ("\U0001f600 \U0001f600", "speech.nothing"),
        ("\x01\x02\x7f", "speech.nothing"),
        ("...!?", "speech.nothing"),
    ],
)
def test_a_text_of_which_nothing_can_be_spoken_is_refused(house: House, tmp_path: Path, text: str, key: str) -> None:
    with raises(Refused, key):
        speaking.speak(house.ctx, house.actor("phatthanh"), Wish(text), tmp_path)

    with house.ctx.db.read() as session:
        assert session.scalar(select(SpokenText.id)) is None


def test_corrections_do_not_make_a_text_of_any_length(house: House, tmp_path: Path) -> None:
    words = {3 * n: ("10", "một " * 1_900) for n in range(100)}
    wish = Wish("10 " * 100, words=words)
    with house.ctx.db.read() as session, raises(Refused, "speech.long"):
        speaking.reading(session, house.actor("phatthanh"), wish)


def test_control_characters_and_marks_of_other_languages_are_left_out_and_said_so(house: House) -> None:
    with house.ctx.db.read() as session:
        found = speaking.reading(session, house.actor("phatthanh"), Wish("Xin\x00 chào <b>bà con</b> សួស្តី \u202ehết."))

    assert {"\x00", "\u202e"} & set(found.spoken) == set()
    assert any("សួស្តី" in one.written for one in found.left_out)


def test_an_unknown_voice_a_pace_out_of_bounds_and_a_language_without_a_voice_are_refused(
    house: House, tmp_path: Path
) -> None:
    def speak(wish: Wish) -> None:
        speaking.speak(house.ctx, house.actor("phatthanh"), wish, tmp_path)

    with raises(Refused, "audio.voice_unknown"):
        speak(Wish(TEXT, voice="http/lan"))
    for percent in (0, -1, 59, 161, 10**9):
        with raises(Refused, "speech.pace"):
            speak(Wish(TEXT, percent=percent))
    with raises(Refused, "speech.no_voice"):
        speak(Wish("សួស្តី", language="km"))
    with raises(Refused, "speech.no_voice"):
        speak(Wish("សួស្តី", language="km", voice=FIRST))
    with raises(Refused, "no_right"):
        speaking.speak(house.ctx, house.actor("lanhdao"), Wish(TEXT), tmp_path)


def test_where_a_voice_fails_the_embedded_one_speaks_only_when_the_officer_agreed(house: House, tmp_path: Path) -> None:
    with_voices(house, Espeak(), Broken())
    actor = house.actor("phatthanh")

    with raises(Fault, "audio.voice_failed"):
        speaking.speak(house.ctx, actor, Wish(TEXT, voice="http/lan"), tmp_path)
    made = speaking.speak(house.ctx, actor, Wish(TEXT, voice="http/lan", fallback=True), tmp_path)
    with raises(Fault, "audio.voice_failed"):
        speaking.speak(house.ctx, actor, Wish("សួស្តី", "km", voice="http/sok", fallback=True), tmp_path)

    assert made.instead == "http/lan"
    assert made.spoken.voice.startswith("espeak/")
    assert made.spoken.sent_out is False
    assert list(tmp_path.iterdir()) == []


def test_what_voices_do_is_counted_once_and_what_was_spoken_before_is_not(house: House, tmp_path: Path) -> None:
    told: list[tuple[str, bool]] = []

    class Measured(NoMeasures):
        def spoke(self, voice: str, seconds: float, *, well: bool) -> None:
            assert seconds >= 0
            told.append((voice, well))

    with_voices(house, Espeak(), Broken())
    house.ctx = replace(house.ctx, measures=Measured())
    actor = house.actor("phatthanh")

    made = speaking.speak(house.ctx, actor, Wish(TEXT, voice="http/lan", fallback=True), tmp_path)
    assert told == [("http", False), ("espeak", True)]
    speaking.speak(house.ctx, actor, Wish(TEXT, voice=made.spoken.voice), tmp_path)
    with raises(Refused, "audio.voice_unknown"):
        speaking.speak(house.ctx, actor, Wish(TEXT, voice="http/nobody"), tmp_path)
    assert told == [("http", False), ("espeak", True)]


def test_in_an_emergency_the_embedded_voice_steps_in_without_a_question(house: House, tmp_path: Path) -> None:
    with_voices(house, Espeak(), Broken())
    out = tmp_path / "urgent.wav"

    with raises(Fault, "audio.voice_failed"):
        speaking.say(house.ctx, [Sentence("Bão.")], "http/lan", 100, out, urgent=False)
    assert speaking.say(house.ctx, [Sentence("Bão.")], "http/lan", 100, out, urgent=True).startswith("espeak/")
    assert out.stat().st_size > 10_000


def test_the_audit_log_says_who_had_what_spoken_by_which_voice_and_whether_it_left_the_house(
    house: House, tmp_path: Path
) -> None:
    speaking.speak(house.ctx, house.actor("phatthanh"), Wish(TEXT), tmp_path)

    with house.ctx.db.read() as session:
        (line,) = session.scalars(select(AuditEntry).where(AuditEntry.act == "speech.make"))
    assert (line.actor, line.detail["voice"], line.detail["sent_out"]) == ("phatthanh", FIRST, False)


# How words are said.


def said(house: House, text: str, name: str = "phatthanh") -> str:
    with house.ctx.db.read() as session:
        return speaking.reading(session, house.actor(name), Wish(text)).spoken


def test_a_communes_word_goes_before_the_provinces_and_both_before_the_built_in(house: House) -> None:
    province, commune = house.actor("phatthanh"), house.actor("author")
    assert "Ủy ban nhân dân" in said(house, "UBND", "author")

    pronouncing.put(house.ctx, province, province.area, "UBND", "u bê en đê")
    assert said(house, "UBND", "author") == "u bê en đê"
    word = pronouncing.put(house.ctx, commune, f"c-{HERE}", "UBND", "ủy ban")
    assert (said(house, "UBND", "author"), said(house, "UBND")) == ("ủy ban", "u bê en đê")
    pronouncing.drop(house.ctx, commune, word)
    assert said(house, "UBND", "author") == "u bê en đê"


def test_nobody_changes_the_words_of_a_place_where_he_does_not_write(house: House) -> None:
    commune = house.actor("author")
    word = pronouncing.put(house.ctx, house.actor("phatthanh"), house.actor("phatthanh").area, "KCN", "khu công nghiệp")

    for area in ("p-94", "c-never", ""):
        with raises(Refused, "not_yours"):
            pronouncing.put(house.ctx, commune, area, "UBND", "ủy ban")
    with raises(Refused, "not_yours"):
        pronouncing.drop(house.ctx, commune, word)
    with raises(Refused, "no_right"):
        pronouncing.put(house.ctx, house.actor("lanhdao"), "p-94", "UBND", "ủy ban")


def test_words_go_out_as_csv_and_come_back_as_they_were(house: House) -> None:
    actor = house.actor("phatthanh")
    pronouncing.put(house.ctx, actor, actor.area, "Mỹ Xuyên", "Mỹ Xuyên", "tên xã")
    pronouncing.put(house.ctx, actor, actor.area, "BCH", "Ban Chỉ huy", "", ["Ban Chấp hành"])
    with house.ctx.db.read() as session:
        told = pronouncing.exported(session, actor, actor.area)
        for line in pronouncing.entries(session, actor):
            pronouncing.drop(house.ctx, actor, line.row.id)

    assert pronouncing.imported(house.ctx, actor, actor.area, "\ufeff" + told.replace(",", ";")) == 2

    with house.ctx.db.read() as session:
        assert pronouncing.exported(session, actor, actor.area) == told


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ("UBND,Ủy ban\nKCN,", 2),
        ("written,spoken\nUBND,15", 2),
        ("UBND,Ủy ban\n\na,b", 3),
        ("UBND," + "ủ" * 300, 1),
        ("UB\x00ND,ủy ban", 1),
        ('"' + "x" * 200_000, 1),
    ],
)
def test_a_csv_with_one_wrong_line_changes_nothing_and_the_line_is_named(house: House, told: str, line: int) -> None:
    actor = house.actor("phatthanh")

    with pytest.raises(Refused) as refused:
        pronouncing.imported(house.ctx, actor, actor.area, told)

    assert (refused.value.key, refused.value.fields["line"]) == ("pronunciation.csv", line)
    with house.ctx.db.read() as session:
        assert pronouncing.entries(session, actor) == []
