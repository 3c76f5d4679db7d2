"""Recordings that came whole while the store for recordings was away or full: kept, tried again, told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select
from support.audio import tone
from support.fresh import fresh_house
from support.office import House
from support.uploads import Sender, anew, another, prepare_all, workshop

from broadcasts.errors import Fault
from controller.bootstrap.audio_room import StoredAudio
from controller.db.tables import Upload
from controller.services import trying_again, uploads
from controller.services.uploads import REMEMBERED, State

SOUND = tone(2.0)
AWAY = Fault("storage.away", reason="connection refused")


house = fresh_house


@pytest.fixture
def sender(house: House) -> Sender:
    return anew(house)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Until `undo`."""

    def fail(*_: object, **__: object) -> None:
        raise AWAY

    with monkeypatch.context() as patch:
        patch.setattr(StoredAudio, "prepare", fail)
        yield patch


def only(house: House) -> Upload:
    with house.ctx.db.read() as session:
        found = session.scalars(select(Upload)).one()
        session.expunge(found)
    return found


def held(house: House) -> None:
    """Tried as often as we try."""
    for wait in trying_again.WAITS:
        assert workshop(house).work_one()
        assert only(house).state == State.QUEUED
        house.clock.advance(wait.total_seconds())
    assert workshop(house).work_one()
    assert only(house).state == State.HELD


def test_what_was_sent_while_the_store_was_away_is_prepared_when_it_is_back(
    house: House, sender: Sender, away: pytest.MonkeyPatch
) -> None:
    sender.whole(SOUND)

    assert workshop(house).work_one()
    told = sender.told()
    assert (told["state"], told["error"]) == ("queued", "storage.away")
    assert not workshop(house).work_one(), "it is not tried without a pause"

    away.undo()
    house.clock.advance(trying_again.WAITS[0].total_seconds())
    assert prepare_all(house) == 1
    told = sender.told()
    assert (told["state"], told["error"]) == ("done", None)
    assert told["asset"]


def test_the_page_says_why_it_waits_and_that_nothing_is_lost(house: House, sender: Sender, away: object) -> None:
    sender.whole(SOUND, filename="sang nay.wav")
    assert workshop(house).work_one()
    upload = only(house)

    piece = sender.client.get(f"/uploads/{upload.id}/rows").text
    assert 'id="preparing"' in piece
    assert "bạn không cần gửi lại" in piece
    page = sender.client.get("/uploads").text
    assert "sang nay.wav" in page
    assert f'action="/uploads/{upload.id}/again"' in page


def test_another_one_that_needs_no_store_goes_on_meanwhile(
    house: House, sender: Sender, away: pytest.MonkeyPatch
) -> None:
    sender.whole(SOUND)
    assert workshop(house).work_one()
    away.undo()

    other = another(house, "nguoikhac")
    other.whole(tone(2.0, hz=700.0))
    assert prepare_all(house) == 1

    assert other.told()["state"] == "done"
    assert sender.told()["state"] == "queued"


def test_after_a_day_of_tries_it_is_held_with_its_bytes_until_its_sender_says_again(
    house: House, sender: Sender, away: pytest.MonkeyPatch
) -> None:
    sender.whole(SOUND)
    assert "chưa làm xong" not in sender.client.get("/").text, "it is not ours to tell of yet"
    held(house)
    assert "1 bản ghi âm gửi lên chưa làm xong" in anew(house).client.get("/").text
    upload = only(house)
    assert house.office.shelf.place(upload.id).read_bytes() == SOUND
    house.clock.advance(timedelta(days=6).total_seconds())
    assert uploads.sweep(house.ctx, house.office.shelf) == 0
    away.undo()
    assert prepare_all(house) == 0

    page = anew(house)
    answer = page.client.post(f"/uploads/{upload.id}/again", data={"form_token": page.token}, follow_redirects=False)

    assert answer.headers["location"] == "/uploads?done=upload_again"
    assert prepare_all(house) == 1
    assert only(house).state == State.DONE
    assert not house.office.shelf.place(upload.id).exists()
    assert "/broadcasts/new?recording=" in page.client.get("/uploads").text
    assert "chưa làm xong" not in page.client.get("/").text


def test_what_nobody_comes_back_for_goes_in_the_end_with_its_bytes(house: House, sender: Sender, away: object) -> None:
    sender.whole(SOUND)
    held(house)
    place = house.office.shelf.place(only(house).id)

    house.clock.advance(REMEMBERED.total_seconds() + 1)

    assert uploads.sweep(house.ctx, house.office.shelf) == 1
    assert not place.exists()


def test_what_is_kept_counts_as_ones_own_until_it_is_dropped(house: House, sender: Sender, away: object) -> None:
    sender.whole(SOUND)
    held(house)
    upload, page = only(house), anew(house)
    with house.ctx.db.read() as session:
        assert session.scalar(select(Upload.id).where(Upload.state.in_(uploads.UNFINISHED))) == upload.id

    page.client.post(f"/uploads/{upload.id}/drop", data={"form_token": page.token})

    assert not house.office.shelf.place(upload.id).exists()
    assert page.client.get(f"/uploads/{upload.id}/rows").status_code == 404


def test_nobody_else_tries_or_drops_it(house: House, sender: Sender, away: object) -> None:
    sender.whole(SOUND)
    held(house)
    upload, other = only(house), another(house, "nguoikhac")

    for act in ("again", "drop"):
        answer = other.client.post(f"/uploads/{upload.id}/{act}", data={"form_token": other.token})
        assert answer.status_code == 404
    assert only(house).state == State.HELD


def test_bytes_that_are_gone_are_not_tried_for_a_day(house: House, sender: Sender) -> None:
    sender.whole(SOUND)
    house.office.shelf.place(only(house).id).unlink()

    assert workshop(house).work_one()

    assert only(house).state == State.REFUSED


def test_a_file_that_goes_while_the_sweep_looks_stops_it_not(house: House) -> None:
    folder = house.office.shelf.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gone.part").symlink_to(folder / "nowhere")
    old = folder / "old.part"
    old.write_bytes(b"x")
    begun = house.ctx.wall.now().timestamp()
    os.utime(old, (begun, begun))
    house.clock.advance(uploads.STRAY.total_seconds() + 1)

    uploads.sweep(house.ctx, house.office.shelf)

    assert not old.exists()
