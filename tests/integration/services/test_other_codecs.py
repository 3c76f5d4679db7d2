"""The same sound in another codec: what a plan names, who may fetch it, what counts as whose proof."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.services import HERE, THERE, House, raises

from broadcasts.errors import Fault, Refused
from broadcasts.wire.plan import Plan
from controller.db.tables import Asset, Encoding, UnitPlan, UnitStatus
from controller.services import files, library, other_codecs
from controller.services.recoding import Encoder

UNIT, OTHER, FAR = f"u-{HERE}-1", f"u-{HERE}-2", f"u-{THERE}-1"


def simple(house: House, unit: str = UNIT) -> None:
    with house.ctx.db.write() as session:
        status = session.get(UnitStatus, unit) or UnitStatus(unit_id=unit, seen_plan_version=0)
        session.add(status)
        assert other_codecs.taught(session, status, ["mp3"], house.ctx.clock.now())


def make(house: House) -> str:
    """What the step makes of the bulletin; its hash."""
    Encoder(house.ctx).step(house.ctx.clock.now())
    with house.ctx.db.read() as session:
        return session.get_one(Encoding, (house.bulletin.sha256, "mp3")).encoded_sha256


def test_only_a_unit_that_cannot_play_the_first_file_is_given_the_other(house: House) -> None:
    house.on_air()
    simple(house)
    house.compile()
    assert house.plan(UNIT).items == [], "it waits for the file that it can play"
    second = make(house)
    house.compile()
    for unit, name, codec in ((UNIT, second, "mp3"), (OTHER, house.bulletin.sha256, "opus")):
        plan = house.plan(unit)
        assert {item.asset for item in plan.items} == {name}
        assert {(asset.sha256, asset.codec) for asset in plan.assets} == {(name, codec)}
        Plan.model_validate_json(plan.model_dump_json())


def test_each_unit_may_fetch_its_own_encoding_and_nobody_elses_recording_with_it(house: House) -> None:
    house.on_air()
    simple(house)
    second = make(house)
    house.compile()
    assert files.asset_for_unit(house.ctx, UNIT, house.secret(UNIT), second).size
    with raises(Refused, "asset.not_yours"):
        files.asset_for_unit(house.ctx, FAR, house.secret(FAR), second)


def test_a_unit_that_says_now_this_and_now_that_gets_another_plan_every_ten_minutes_at_most(house: House) -> None:
    simple(house)
    house.compile()
    marked = 0
    for minute in range(30):
        with house.ctx.db.write() as session:
            status = session.get_one(UnitStatus, UNIT)
            now = house.ctx.clock.now()
            marked += other_codecs.taught(session, status, ["opus"] if minute % 2 else ["mp3", "opus"], now)
            due = session.get_one(UnitPlan, UNIT).due_again
        assert due <= now + other_codecs.SETTLES, "what it said last is not forgotten"
        house.clock.advance(60)
    assert marked == 2


def test_nothing_is_made_while_no_unit_needs_it(house: House) -> None:
    house.on_air()
    Encoder(house.ctx).step(house.ctx.clock.now())
    with house.ctx.db.read() as session:
        assert session.get(Encoding, (house.bulletin.sha256, "mp3")) is None


def test_an_encoding_is_made_once_and_a_second_look_makes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.on_air()
    simple(house)
    make(house)
    monkeypatch.setattr(house.ctx.audio, "encode", lambda *_: pytest.fail("made again"))
    Encoder(house.ctx).step(house.ctx.clock.now())


def test_what_failed_is_tried_again_later_and_not_at_every_knock(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.on_air()
    simple(house)
    tries: list[str] = []

    def full(sha256: str, codec: str) -> None:
        tries.append(codec)
        raise Fault("storage.full")

    monkeypatch.setattr(house.ctx.audio, "encode", full)
    encoder, now = Encoder(house.ctx), house.ctx.clock.now()
    for minutes in (0, 1, 5, 11, 12):
        encoder.step(now + timedelta(minutes=minutes))
    assert tries == ["mp3", "mp3"]


def test_an_alert_names_every_encoding(house: House) -> None:
    house.on_air()
    simple(house)
    with house.ctx.db.write() as session:
        asset = session.get_one(Asset, house.bulletin.sha256)
        assert other_codecs.rendition(session, "vi", asset).also is None
    second = make(house)
    with house.ctx.db.read() as session:
        told = other_codecs.rendition(session, "vi", library.find(session, house.bulletin.sha256))
    assert [each.sha256 for each in told.also or []] == [second]
    assert told.asset.sha256 == house.bulletin.sha256


def test_an_encoding_stands_for_its_recording_and_for_no_other(house: House) -> None:
    house.on_air()
    simple(house)
    second = make(house)
    with house.ctx.db.read() as session:
        assert other_codecs.firsts(session, {second, house.other.sha256}) == {second: house.bulletin.sha256}
        assert other_codecs.same_sound(session, house.other.sha256) == [house.other.sha256]
        status = UnitStatus(unit_id=UNIT, held=[second], codecs=["mp3"])
        assert other_codecs.held(session, {UNIT: status})[UNIT] == {second, house.bulletin.sha256}
