"""Sound that travels in the alert itself: small enough, what the hash says, held by a unit without a download."""

from __future__ import annotations

import base64
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from support.audio import recording
from support.services import HERE, THERE, House, raises
from support.sirens import documents, sounded

from broadcasts.errors import Fault, Refused
from broadcasts.wire.alert import Alert
from controller.db.tables import Emergency
from controller.services import alert_speech, emergencies, library
from controller.services.alert_calls import Content
from controller.services.emergency_rules import EmergencyRules
from controller.services.targets import Target
from device_sim.cache import Cache, CacheStore

COMMUNE, OTHER = f"c-{HERE}", f"c-{THERE}"


def told(house: House, scope: str = COMMUNE) -> list[Alert]:
    return documents(house)[scope].alerts


def cache() -> Cache:
    return Cache(CacheStore(), 1_000_000, random.Random(1))


def test_a_unit_holds_what_came_with_the_alert_and_plays_it(house: House) -> None:
    sounded(house, Target(areas=(COMMUNE,)), content=Content((("vi", house.bulletin.sha256),), inline=True))
    [alert] = told(house)
    held = cache()
    assets = held.carried([alert])
    held.want(assets)
    assert held.held() == [assets[0].sha256]
    assert held.complaint(assets[0]) == ""
    assert held.step(0, True) == []  # nothing to fetch


def test_what_is_not_what_the_hash_says_is_fetched_like_any_other(house: House) -> None:
    sounded(house, Target(areas=(COMMUNE,)), content=Content((("vi", house.bulletin.sha256),), inline=True))
    [alert] = told(house)
    for data in ("AAAA", "A", None, (alert.content[0].data or "")[:-4]):
        forged = alert.model_copy(update={"content": [alert.content[0].model_copy(update={"data": data})]})
        held = cache()
        held.want(held.carried([forged]))
        assert held.held() == []
        assert len(held.step(0, True)) == 1


def test_a_second_one_that_finds_no_room_in_the_list_is_fetched_instead_of_refused(house: House) -> None:
    long = house.ctx.audio.prepare(recording(house.ctx.audio.store.root / "long.wav", seconds=20.0), emergency=True)
    with house.ctx.db.write() as session:
        library.remember(house.ctx, session, long)
    content = Content((("vi", long.sha256),), inline=True)
    sounded(house, Target(areas=(COMMUNE,)), content=content)
    house.clock.advance(1)
    sounded(house, Target(areas=(COMMUNE,)), content=content, reason="Nước lên nữa")
    first, second = told(house)
    assert first.content[0].data is not None
    assert second.content[0].data is None
    assert first.content[0].asset == second.content[0].asset
    assert len(base64.urlsafe_b64decode(first.content[0].data + "==")) <= 32_768


def test_one_that_waits_carries_its_sound_when_it_is_released(house: House) -> None:
    slow = replace(house, ctx=replace(house.ctx, emergencies=EmergencyRules(cancel=timedelta(seconds=5))))
    name = sounded(slow, Target(areas=(OTHER,)), content=Content((("vi", house.bulletin.sha256),), inline=True))
    house.clock.advance(5)
    emergencies.step(slow.ctx, house.now)
    [alert] = told(house, OTHER)
    assert alert.content[0].data is not None
    with house.ctx.db.read() as session:
        assert session.get_one(Emergency, name).inline


def test_what_is_too_long_for_it_is_refused_only_where_it_was_asked_for(house: House) -> None:
    long = house.ctx.audio.prepare(recording(house.ctx.audio.store.root / "longer.wav", seconds=31.0), emergency=True)
    with house.ctx.db.write() as session:
        library.remember(house.ctx, session, long)
    with raises(Refused, "audio.inline"):
        sounded(house, Target(areas=(COMMUNE,)), content=Content((("vi", long.sha256),), inline=True))
    sounded(house, Target(areas=(COMMUNE,)), content=Content((("vi", long.sha256),)))
    assert told(house)[0].content[0].data is None


def test_what_was_typed_before_travels_with_it_and_what_was_recorded_does_not(house: House) -> None:
    spoken = alert_speech.speak(house.ctx, house.on_duty, "Nước lên. Bà con lên chỗ cao.", house.now)
    sounded(house, Target(areas=(COMMUNE,)), content=Content((("vi", spoken.sha256),)))
    sounded(house, Target(areas=(OTHER,)), content=Content((("vi", house.bulletin.sha256),)))
    assert told(house)[0].content[0].data is not None
    assert told(house, OTHER)[0].content[0].data is None


def test_what_cannot_be_made_small_sounds_all_the_same(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    spoken = alert_speech.speak(house.ctx, house.on_duty, "Nước lên. Bà con lên chỗ cao.", house.now)

    def fails(sha256: str) -> None:
        raise Fault("audio.failed", detail=sha256)

    monkeypatch.setattr(house.ctx.audio, "lean", fails)
    sounded(house, Target(areas=(COMMUNE,)), content=Content((("vi", spoken.sha256),)))
    assert (told(house)[0].content[0].data, told(house)[0].content[0].asset.sha256) == (None, spoken.sha256)
    with pytest.raises(Fault, match=r"audio\.failed"):
        sounded(house, Target(areas=(OTHER,)), content=Content((("vi", spoken.sha256),), inline=True))


def test_a_file_that_is_gone_at_the_release_keeps_no_alert_back(house: House) -> None:
    slow = replace(house, ctx=replace(house.ctx, emergencies=EmergencyRules(cancel=timedelta(seconds=5))))
    name = sounded(slow, Target(areas=(OTHER,)), content=Content((("vi", house.bulletin.sha256),), inline=True))
    with house.ctx.db.read() as session:
        [[_, sha256]] = session.get_one(Emergency, name).content
    house.ctx.audio.path(sha256).unlink()
    house.clock.advance(5)
    emergencies.step(slow.ctx, house.now)
    assert [each.content[0].data for each in told(house, OTHER)] == [None]
