"""The sounds that we make ourselves: made where they are asked for, never in place of what somebody recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import select
from support.asking import SELF
from support.audio import tone
from support.office import PROVINCE, House, open_house
from support.pages import Person, person

from broadcasts.audio.chime import TUNES, chime
from broadcasts.wire.alert import AlertKind
from controller.db.tables import EmergencyRecording, KeptSound
from controller.services import emergency_set, issue_time, sound_library, speaking
from controller.services.rights import Role


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    found = open_house(tmp_path_factory.mktemp("house"), sandbox=True)
    found.add_user("cua-xa", Role.BROADCASTER, SELF)
    found.add_user("khan-xa", Role.EMERGENCY, SELF)
    yield found
    found.ctx.db.close()


def test_there_are_three_chimes_and_each_is_the_same_every_time() -> None:
    made = {name: chime(16_000, name) for name in TUNES}

    assert len(made) == 3
    assert len(set(made.values())) == 3
    assert all(chime(16_000, name) == sound for name, sound in made.items())
    assert all(1.5 < len(sound) / 2 / 16_000 < 4 for sound in made.values())


def test_every_kind_of_alert_has_a_warning_and_khmer_is_shown_as_absent(house: House) -> None:
    page = person(house, "tinh").get("/sound-library")

    assert page.status == 200
    assert page.text.count("chưa có") == 2 * len(AlertKind)
    assert "cần một người ghi âm" in page.text
    assert all(text in page.text for text in sound_library.WARNINGS.values())


def test_missing_warnings_are_spoken_and_what_was_recorded_stays(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {kind: sound_library.WARNINGS[kind] for kind in (AlertKind.STORM, AlertKind.ALL_CLEAR, AlertKind.FIRE)}
    monkeypatch.setattr(sound_library, "WARNINGS", kept)
    file = house.folder / "own.wav"
    file.write_bytes(tone(3.0))
    tinh = house.actor("tinh")
    own = emergency_set.put(house.ctx, tinh, PROVINCE[0], AlertKind.STORM, "vi", file, "own.wav").sha256
    author: Person = person(house, "tinh")

    page = author.get("/sound-library")
    made = author.send(next(form for form in page.forms if form.action == "/sound-library"), act="warnings")

    assert "Đã tạo xong" in made.text
    with house.ctx.db.read() as session:
        rows = {row.kind: row.asset_sha256 for row in session.scalars(select(EmergencyRecording))}
        told = emergency_set.entries(session, tinh)
    assert rows.keys() == {"storm", "all_clear", "fire"}
    assert rows["storm"] == own
    assert all(entry.asset.loudness_lufs == pytest.approx(-14, abs=1) for entry in told)
    assert all(4_000 < entry.asset.duration_ms < 60_000 for entry in told if entry.kind != AlertKind.STORM)
    assert sound_library.speak_warnings(house.ctx, tinh, PROVINCE[0], house.folder / "uploads") == 0


def test_chimes_and_the_words_around_a_drill_are_kept_by_the_area_once(house: House) -> None:
    author = person(house, "cua-xa")
    page = author.get("/sound-library")

    made = author.send(next(form for form in page.forms if form.action == "/sound-library"), act="frame")

    assert "Đã tạo xong" in made.text
    assert "chưa có" not in made.text
    with house.ctx.db.read() as session:
        rows = session.scalars(select(KeptSound).where(KeptSound.area_id == SELF)).all()
    assert {(row.kind, row.name) for row in rows} == {
        *(("chime", name) for name in sound_library.CHIME_NAMES.values()),
        ("intro", "Diễn tập"),
        ("outro", "Hết diễn tập"),
    }
    assert "Diễn tập" in author.get("/sounds").text
    assert sound_library.keep_frame(house.ctx, house.actor("cua-xa"), house.folder / "uploads") == 0


def test_a_set_of_elsewhere_is_nobodys_business(house: House) -> None:
    commune = person(house, "khan-xa")
    form = next(form for form in commune.get("/sound-library").forms if form.action == "/sound-library")

    assert commune.send(form, act="warnings", area=PROVINCE[0]).status == 404
    assert commune.send(form, act="nothing").status == 422
    assert person(house, "lanhdao").get("/sound-library").status == 403


def test_the_lead_in_names_the_station_and_the_time_as_people_say_it(house: House) -> None:
    actor, folder = house.actor("cua-xa"), house.folder / "uploads"
    issued = house.clock.now().replace(hour=4, minute=30, second=0)

    sha256 = issue_time.spoken(house.ctx, actor, issued, folder)

    with house.ctx.db.read() as session:
        row = speaking.of_asset(session, sha256)
    assert row is not None
    assert row.written.startswith("Đài truyền thanh ")
    assert "mười một giờ ba mươi phút" in row.spoken
    changed = replace(house.ctx, voices=house.ctx.voices)
    assert issue_time.spoken(changed, actor, issued, folder) == sha256
