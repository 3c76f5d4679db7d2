"""Recordings in pieces over HTTP, by tus 1.0.0: whatever happens on the way, what was acknowledged is there."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update
from support.audio import tone
from support.fresh import fresh_house
from support.office import House
from support.uploads import PATH, PIECE, TUS, Sender, anew, another, checksum, prepare_all, workshop

from controller.app import create_app
from controller.db.tables import Asset, AuditEntry, Upload
from controller.services import preparing, uploads
from controller.services.rights import Role
from controller.services.uploads import State

SOUND = tone(2.0)


house = fresh_house


@pytest.fixture
def sender(house: House) -> Sender:
    return anew(house)


def row(house: House, sender: Sender) -> Upload:
    with house.ctx.db.read() as session:
        return session.get_one(Upload, sender.address.rsplit("/", 1)[1])


def on_disk(house: House) -> list[Path]:
    return sorted(house.office.shelf.folder.glob("*"))


def test_what_the_server_can_is_said_to_anybody(house: House) -> None:
    answer = TestClient(house.app).options(PATH)

    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == str(house.office.max_upload_bytes)
    assert set(answer.headers["tus-extension"].split(",")) == {"creation", "expiration", "checksum", "termination"}
    assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")


def test_a_recording_in_pieces_becomes_an_asset_and_is_in_the_log(house: House, sender: Sender) -> None:
    begun = sender.begin(len(SOUND), filename="tiêm chủng.wav", use="recording")
    assert begun.status_code == 201
    assert "GMT" in begun.headers["upload-expires"]
    assert sender.reached() == 0
    for start in range(0, len(SOUND), 10_000):
        answer = sender.send(start, SOUND[start : start + 10_000])
        assert answer.status_code == 204
        assert answer.headers["upload-offset"] == str(min(start + 10_000, len(SOUND)))
        assert answer.headers["tus-resumable"] == "1.0.0"
    assert sender.told()["state"] == State.QUEUED

    assert prepare_all(house) == 1

    told = sender.told()
    assert told["state"] == State.DONE
    with house.ctx.db.read() as session:
        asset = session.get_one(Asset, told["asset"])
        entry = session.scalars(select(AuditEntry).where(AuditEntry.about == asset.sha256)).one()
    assert asset.original_sha256 == hashlib.sha256(SOUND).hexdigest()
    assert (entry.act, entry.actor) == ("recording.add", "phatthanh")
    assert entry.detail["name"] == "tiêm chủng.wav"
    assert sender.client.get(f"/assets/{asset.sha256}/listen").status_code == 200
    assert on_disk(house) == []


def test_it_goes_on_at_every_offset_at_which_a_line_may_break(house: House, sender: Sender) -> None:
    data = bytes(random.Random(1).randbytes(300))
    assert sender.begin(len(data)).status_code == 201
    for at in range(len(data)):
        assert sender.reached() == at
        assert sender.send(at, data[at : at + 1]).status_code == 204
    assert sender.reached() == len(data)
    assert on_disk(house)[0].read_bytes() == data


@pytest.mark.parametrize("offset", [0, 99, 101, 299, 5_000])
def test_a_piece_for_another_place_is_refused_and_changes_nothing(house: House, sender: Sender, offset: int) -> None:
    sender.begin(300)
    sender.send(0, b"a" * 100)

    answer = sender.send(offset, b"b" * 50)

    assert answer.status_code == 409
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert answer.json()["fields"]["received"] == "100"
    assert sender.reached() == 100
    assert on_disk(house)[0].read_bytes() == b"a" * 100


def test_a_restart_of_the_server_loses_nothing_and_what_was_at_work_waits_again(house: House, sender: Sender) -> None:
    sender.begin(len(SOUND))
    sender.send(0, SOUND[:20_000])
    # What was written and never acknowledged lies behind the mark.
    with on_disk(house)[0].open("ab") as file:
        file.write(b"never acknowledged")
    again = Sender(TestClient(create_app(house.office), base_url="http://localhost"), sender.token, sender.address)
    again.client.cookies = sender.client.cookies

    assert again.reached() == 20_000
    assert again.send(20_000, SOUND[20_000:]).status_code == 204
    with house.ctx.db.write() as session:
        session.execute(update(Upload).values(state=State.WORKING, stage="encoding"))
    assert not workshop(house).work_one()

    preparing.take_up(house.ctx)

    assert prepare_all(house) == 1
    with house.ctx.db.read() as session:
        asset = session.get_one(Asset, again.told()["asset"])
    assert asset.original_sha256 == hashlib.sha256(SOUND).hexdigest()


@pytest.mark.parametrize("kind", ["sha256", "sha1"])
def test_a_piece_that_is_not_what_was_promised_is_not_kept(house: House, sender: Sender, kind: str) -> None:
    sender.begin(200)
    right = sender.send(0, b"a" * 100, **checksum(b"a" * 100, kind))
    assert right.status_code == 204

    wrong = sender.send(100, b"b" * 99 + b"c", **checksum(b"b" * 100, kind))

    assert wrong.status_code == 460
    assert sender.reached() == 100
    assert sender.send(100, b"b" * 100, **checksum(b"b" * 100, kind)).status_code == 204


def test_a_whole_that_is_not_what_was_promised_is_sent_once_more(house: House, sender: Sender) -> None:
    sender.begin(len(SOUND), sha256=hashlib.sha256(SOUND).hexdigest())
    sender.send(0, SOUND[:1000])
    assert sender.send(1000, b"\0" * (len(SOUND) - 1000)).status_code == 460
    assert sender.reached() == 0
    assert sender.send(0, SOUND).status_code == 204
    assert sender.told()["state"] == State.QUEUED


def test_two_pages_that_send_the_same_do_not_mix_their_bytes(house: House, sender: Sender) -> None:
    sender.begin(300)
    actor = house.actor("phatthanh")
    name = sender.address.rsplit("/", 1)[1]
    first = uploads.piece(house.ctx, house.office.shelf, actor, name, 0)
    first.write(b"first")

    assert sender.send(0, b"second").status_code == 423

    assert first.end() == 5
    assert sender.send(0, b"second").status_code == 409
    assert sender.send(5, b"second").status_code == 204
    assert on_disk(house)[0].read_bytes() == b"firstsecond"


def test_a_line_that_breaks_in_the_middle_of_a_piece_keeps_what_came(house: House, sender: Sender) -> None:
    sender.begin(300)
    actor, name = house.actor("phatthanh"), sender.address.rsplit("/", 1)[1]
    plain = uploads.piece(house.ctx, house.office.shelf, actor, name, 0)
    plain.write(b"x" * 40)
    assert plain.drop() == 40
    assert sender.reached() == 40

    promised = uploads.piece(house.ctx, house.office.shelf, actor, name, 40, ("sha256", b""))
    promised.write(b"y" * 40)
    assert promised.drop() == 40
    assert sender.reached() == 40
    assert sender.send(40, b"z" * 260).status_code == 204
    assert on_disk(house)[0].read_bytes() == b"x" * 40 + b"z" * 260


def test_what_nobody_goes_on_with_is_gone_after_a_day_and_what_is_sent_is_not(house: House, sender: Sender) -> None:
    sender.begin(300)
    sender.send(0, b"a")
    abandoned = sender.address
    house.clock.advance(timedelta(hours=20).total_seconds())
    sender = anew(house)
    sender.begin(300)
    sender.send(0, b"b")
    house.clock.advance(timedelta(hours=5).total_seconds())

    assert uploads.sweep(house.ctx, house.office.shelf) == 1

    assert sender.reached() == 1
    assert [path.read_bytes() for path in on_disk(house)] == [b"b"]
    sender.address = abandoned
    assert sender.send(1, b"a").status_code == 404


def test_files_that_nothing_names_go_when_they_are_old(house: House, sender: Sender) -> None:
    sender.begin(300)
    stray, fresh = house.office.shelf.place("up-stray"), house.office.shelf.place("up-fresh")
    stray.write_bytes(b"x")
    fresh.write_bytes(b"x")
    now = house.clock.now().timestamp()
    os.utime(stray, (now - 7_200, now - 7_200))
    os.utime(fresh, (now, now))

    uploads.sweep(house.ctx, house.office.shelf)

    assert not stray.exists()
    assert fresh.exists()
    assert sender.reached() == 0


def test_one_person_has_only_so_many_and_so_much_unfinished(house: House, sender: Sender) -> None:
    largest = house.office.max_upload_bytes
    for _ in range(uploads.MOST_TIMES):
        assert sender.begin(largest).status_code == 201
    assert sender.begin(1).status_code == 429
    mine = on_disk(house)[0].stem
    assert another(house, "khac").begin(largest).status_code == 201

    sender.address = f"{PATH}/{mine}"
    assert sender.drop().status_code == 204
    begun = [sender.begin(1).status_code for _ in range(uploads.MOST)]
    assert begun.count(201) == uploads.MOST - uploads.MOST_TIMES + 1
    assert begun[-1] == 429


@pytest.mark.parametrize("size", [0, 3_000_001])
def test_what_is_empty_or_too_large_is_refused_before_a_byte_is_sent(house: House, sender: Sender, size: int) -> None:
    assert sender.begin(size).status_code in (413, 422)
    assert not house.office.shelf.folder.exists()


def test_more_than_was_announced_is_not_taken(house: House, sender: Sender) -> None:
    sender.begin(100)
    assert sender.send(0, b"a" * 101).status_code == 413
    assert sender.reached() == 0

    def pieces() -> Iterator[bytes]:
        yield b"a" * 60
        yield b"b" * 60

    told = {"x-form-token": sender.token, "upload-offset": "0"} | PIECE
    assert sender.client.patch(sender.address, content=pieces(), headers=told).status_code == 413
    assert sender.reached() in (0, 60)
    assert sender.send(sender.reached(), b"a" * (100 - sender.reached())).status_code == 204


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"tus-resumable": "0.2.2"}, 412),
        ({"content-type": "audio/wav"}, 415),
        ({"upload-offset": "-1"}, 400),
        ({"upload-offset": "x"}, 400),
        ({"upload-offset": "9" * 40}, 400),
        ({"upload-checksum": "md5 aaaa"}, 400),
        ({"upload-checksum": "sha256 ***"}, 400),
    ],
)
def test_headers_that_make_no_sense_are_told_apart(sender: Sender, change: dict[str, str], status: int) -> None:
    sender.begin(100)
    assert sender.send(0, b"a", **change).status_code == status
    assert sender.reached() == 0


@pytest.mark.parametrize("told", ["filename ***", "use YQ==", "sha256 YQ==", "use", "x " + "A" * 5_000])
def test_metadata_that_makes_no_sense_is_refused(sender: Sender, told: str) -> None:
    headers = TUS | {"x-form-token": sender.token, "upload-length": "10", "upload-metadata": told}
    assert sender.client.post(PATH, headers=headers).status_code in (400, 422)


def test_a_name_is_only_a_name(house: House, sender: Sender) -> None:
    sender.begin(10, filename="../../etc/\x00\x07passwd\n" + "a" * 300)
    found = row(house, sender)
    assert found.name.isprintable()
    assert len(found.name) == 120
    assert [path.parent for path in on_disk(house)] == [house.office.shelf.folder]
    assert "passwd" not in on_disk(house)[0].name
    assert on_disk(house)[0].stat().st_mode & 0o777 == 0o600


def test_what_others_send_is_as_unknown_as_what_never_was(house: House, sender: Sender) -> None:
    sender.begin(100)
    other = another(house, "khac")
    other.address = sender.address
    for answer in (other.send(0, b"a"), other.drop(), other.client.get(other.address)):
        assert answer.status_code == 404
    assert other.client.head(other.address, headers=TUS).status_code == 404
    assert sender.reached() == 0


def test_only_who_may_preload_sends_for_emergencies_and_only_who_writes_for_bulletins(house: House) -> None:
    officer = another(house, "khancap", Role.EMERGENCY)
    assert officer.begin(10, use="emergency").status_code == 201
    assert officer.begin(10, use="recording").status_code == 403
    writer = another(house, "khac")
    assert writer.begin(10, use="emergency").status_code == 403


def test_without_the_token_of_its_page_nothing_is_begun_or_sent(sender: Sender) -> None:
    sender.begin(100)
    sender.token = "x" * 32
    assert sender.send(0, b"a").status_code == 403
    assert sender.begin(100).status_code == 403


def test_a_disk_that_fills_up_keeps_what_was_acknowledged(
    house: House, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.begin(300)
    sender.send(0, b"a" * 100)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(uploads.os, "fsync", full)
        assert sender.send(100, b"b" * 100).status_code == 507
    assert sender.reached() == 100
    assert sender.send(100, b"c" * 200).status_code == 204
    assert on_disk(house)[0].read_bytes() == b"a" * 100 + b"c" * 200


def test_what_others_filled_meanwhile_leaves_the_spare_alone_and_what_came_is_kept(
    house: House, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.disk_usage
    assert sender.begin(200).status_code == 201
    assert sender.send(0, b"a" * 100).status_code == 204

    def usage(path: Any) -> Any:
        return real(path)._replace(free=uploads.SPARE_BYTES + 99)

    with monkeypatch.context() as patch:
        patch.setattr(uploads.shutil, "disk_usage", usage)
        assert sender.send(100, b"b" * 100).status_code == 507
        assert sender.reached() == 100
    assert sender.send(100, b"b" * 100).status_code == 204


def test_nothing_is_begun_on_a_disk_that_is_nearly_full(
    house: House, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.disk_usage

    def usage(path: Any) -> Any:
        return real(path)._replace(free=uploads.SPARE_BYTES + 99)

    with monkeypatch.context() as patch:
        patch.setattr(uploads.shutil, "disk_usage", usage)
        assert sender.begin(100).status_code == 507
        assert sender.begin(99).status_code == 201
