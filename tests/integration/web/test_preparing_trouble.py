"""The line of recordings on a bad day: nothing is lost for our own troubles, and emergencies go first."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from support.audio import tone
from support.fresh import fresh_house
from support.office import House
from support.uploads import Sender, anew, another, prepare_all, workshop

from broadcasts.audio.chain import Limits
from broadcasts.audio.pipeline import Prepared
from broadcasts.audio.store import Store
from broadcasts.errors import Fault
from controller.bootstrap.audio_room import CORES, IN_LINE, StoredAudio
from controller.db.tables import Upload
from controller.services import preparing
from controller.services.rights import Role
from controller.services.uploads import State, Use

SOUND = tone(2.0)
AWAY = OperationalError("select", {}, Exception("server closed the connection"))


house = fresh_house


@pytest.fixture
def sender(house: House) -> Sender:
    return anew(house)


def state(house: House) -> str:
    with house.ctx.db.read() as session:
        return session.scalars(select(Upload.state)).one()


def test_progress_that_cannot_be_written_down_costs_nobody_his_recording(
    house: House, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.whole(SOUND)
    move, failed = preparing._move, []

    def busy(session: Any, upload: Upload, **values: Any) -> None:
        if values.keys() == {"stage"}:
            failed.append(values["stage"])
            raise Fault("database_busy")
        move(session, upload, **values)

    monkeypatch.setattr(preparing, "_move", busy)
    shop = workshop(house)
    shop._tell(_only(house), "decoding")
    assert failed == ["decoding"]

    assert shop.work_one()

    assert sender.told()["state"] == State.DONE


@pytest.mark.parametrize("trouble", [Fault("database_busy"), AWAY])
def test_a_database_that_is_away_when_the_work_is_done_is_tried_again(
    trouble: Exception, house: House, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.whole(SOUND)
    monkeypatch.setattr(preparing, "AGAIN_S", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(preparing, "remember", _raising(trouble))
        assert workshop(house).work_one()
    assert state(house) == State.QUEUED

    assert prepare_all(house) == 1

    assert sender.told()["state"] == State.DONE


def test_what_could_not_even_be_put_back_is_taken_up_without_a_restart(
    house: House, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.whole(SOUND)
    shop = workshop(house)
    with monkeypatch.context() as patch:
        patch.setattr(preparing, "_move", _raising(AWAY))
        with pytest.raises(OperationalError):
            shop.work_one()
    assert state(house) == State.WORKING

    assert shop.work_one()

    assert sender.told()["state"] == State.DONE


def test_an_emergency_recording_goes_before_all_that_wait(house: House, sender: Sender) -> None:
    sender.whole(SOUND)
    house.clock.advance(1)
    officer = another(house, "khancap", Role.EMERGENCY)
    officer.whole(tone(2.0, hz=700.0), use=Use.EMERGENCY)
    officer.whole(tone(2.0, hz=800.0), use=Use.EMERGENCY)

    assert sender.told()["before"] == 2
    shop = workshop(house)
    assert shop.work_one(urgent=True)
    assert shop.work_one(urgent=True)
    assert officer.told()["state"] == State.DONE
    assert not shop.work_one(urgent=True), "the bench for emergencies leaves the rest to others"
    assert sender.told()["state"] == State.QUEUED


def test_an_emergency_recording_waits_for_no_ordinary_one_that_is_at_work(tmp_path: Path) -> None:
    room = StoredAudio(Store(tmp_path / "audio"), Limits())
    upload = tmp_path / "upload"
    upload.write_bytes(SOUND)
    for _ in range(CORES):
        assert room._cores.acquire(blocking=False)
    for _ in range(CORES + IN_LINE):
        assert room._line.acquire(blocking=False)
    made: list[Prepared] = []
    officer = Thread(target=lambda: made.append(room.prepare(upload, emergency=True)), daemon=True)

    officer.start()
    officer.join(60)

    assert [each.duration_ms for each in made] == [2_000]
    with pytest.raises(Fault, match=r"audio\.busy"):
        room.prepare(upload)


def _only(house: House) -> Upload:
    with house.ctx.db.read() as session:
        found = session.scalars(select(Upload)).one()
        session.expunge(found)
    return found


def _raising(trouble: Exception) -> Any:
    def fail(*_: Any, **__: Any) -> None:
        raise trouble

    return fail
