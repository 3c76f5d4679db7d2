"""Relays, from the registry to what a villager hears: another station in the morning, and what comes in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from support.bad_day import DAY, BadDay, at

from broadcasts.clock import VIETNAM
from broadcasts.domain.relay import Relay
from broadcasts.errors import Refused
from controller.db.tables import Delivery, Station
from controller.services import accounts, approving, regulating, relay_evidence, relay_sources
from controller.services.composing import Draft, preview
from controller.services.seeding import PROVINCE
from controller.services.views.why import chain
from controller.web.chain_words import sentence
from controller.web.words import Words
from device_sim.radio import Air, Stretch

MORNING = "05:00"
SILENCE_S = 20


class Listening:
    """A day before dawn, a station to relay, and ears at every pole."""

    def __init__(self, day: BadDay) -> None:
        self.day = day
        with day.ctx.db.read() as session:
            self.tinh = accounts.actor_by_name(session, "tinh", day.ctx.wall.now())
        self.told = relay_sources.Told("Đài quốc gia mẫu", "vov", url="https://phat.example.vn/1")
        self.source = relay_sources.add(day.ctx, self.tinh, self.told)

    def hand_in(self, start: str = MORNING, minutes: int = 15, **fields: Any) -> str:
        relay = {"origin": "relay", "relay": Relay(self.source, minutes, SILENCE_S)}
        return self.day.hand_in("song", start, **{**relay, **fields})

    def approve(self, name: str, until: datetime, unusual: str = "") -> None:
        seen = approving.look_at(self.day.ctx, self.day.approver, name)[2]
        approving.approve(self.day.ctx, self.day.approver, name, seen, unusual, until)

    def air(self, start: str = MORNING, until: datetime | None = None, **fields: Any) -> str:
        name = self.hand_in(start, **fields)
        self.approve(name, until or at("00:00", 7))
        return name

    def falls_silent(self, since: str, until: str) -> None:
        self.day.world.airwaves.radio.disturb(
            [Stretch(self.day.moment(since), self.day.moment(until), Air.SILENT)], self.source
        )

    def heard(self) -> set[tuple[tuple[str, str, str], ...]]:
        """What is heard at the poles, in steps of 5 s: (what, from, to); one line where all hear the same."""
        names = {sha256: name for name, sha256 in self.day.studio.sounds.items()}
        names[f"relay:{self.source}"] = "relay"
        return {
            tuple((names[each.asset], _clock(each.from_ms), _clock(each.to_ms)) for each in post.pole.heard)
            for post in self.day.posts
        }


def _clock(ms: int) -> str:
    return f"{datetime.fromtimestamp(round(ms / 5_000) * 5, VIETNAM):%H:%M:%S}"


@pytest.fixture
def dawn(open_day: Callable[..., BadDay]) -> Listening:
    return Listening(open_day("04:30"))


@pytest.mark.requirement("R-024")
def test_the_morning_news_of_another_station_sound_at_every_pole_and_the_log_names_it(dawn: Listening) -> None:
    news = dawn.air()
    dawn.day.until("05:30")
    assert dawn.heard() == {(("relay", "05:00:00", "05:15:00"),)}
    assert dawn.day.pages(news) == {"played: heard"}
    for post in dawn.day.posts:
        row = dawn.day.row(news, post)
        assert row.relayed == dawn.told.name
        assert shares(row) == (100, 0)


@pytest.mark.requirement("R-024", "R-099")
def test_when_the_source_falls_silent_at_05_07_every_pole_goes_on_with_the_fallback_and_the_report_says_so(
    dawn: Listening,
) -> None:
    news = dawn.air()
    dawn.falls_silent("05:07", "06:00")
    dawn.day.until("05:10")
    assert all(dawn.day.faults(post) == {"relay_silent"} for post in dawn.day.posts)
    dawn.day.until("05:30")
    # The fallback lasts 45 s and sounds once; after it the station is as silent as before.
    (lines,) = dawn.heard()
    assert lines == (("relay", "05:00:00", "05:07:00"), ("song", "05:07:20", "05:08:05"))
    assert dawn.day.pages(news) == {"played: heard (relay_fallback)"}
    for post in dawn.day.posts:
        row = dawn.day.row(news, post)
        assert row.relayed == dawn.told.name
        assert shares(row) == (90, 10)
        assert row.coverage == pytest.approx(465 / 900, abs=0.01)
    with dawn.day.ctx.db.read() as session:
        told = [
            sentence(Words("vi", dawn.day.ctx.clock.now()), step) for step in chain(session, dawn.tinh, row.id).steps
        ]
    assert any(dawn.told.name in each and "bản dự phòng" in each for each in told)


def test_where_no_station_can_be_heard_at_all_the_fallback_is_all_there_is(dawn: Listening) -> None:
    news = dawn.air()
    dawn.falls_silent("04:00", "06:00")
    dawn.day.until("05:30")
    assert dawn.heard() == {(("song", "05:00:20", "05:01:05"),)}
    assert {shares(dawn.day.row(news, post)) for post in dawn.day.posts} == {(0, 100)}
    assert dawn.day.pages(news) == {"played: heard (relay_fallback)"}


@pytest.mark.requirement("R-030")
def test_a_standing_approval_that_has_ended_lets_nothing_sound_the_next_day(dawn: Listening) -> None:
    news = dawn.air(until=at("06:00"), repeat="daily")
    dawn.day.until("05:30")
    assert dawn.day.pages(news) == {"played: heard"}
    dawn.day.until("07:00", day=1)
    assert dawn.heard() == {(("relay", "05:00:00", "05:15:00"),)}
    tomorrow = [dawn.day.rows(news, post)[1] for post in dawn.day.posts]
    assert {(row.start, row.reason) for row in tomorrow} == {(at(MORNING, 1), "approval_over")}


@pytest.mark.requirement("R-014")
def test_a_priority_bulletin_in_the_middle_displaces_the_relay_which_is_rejoined(dawn: Listening) -> None:
    news = dawn.air()
    dawn.day.air("news", "05:05", priority=2)
    dawn.day.until("05:30")
    assert dawn.heard() == {
        (("relay", "05:00:00", "05:05:00"), ("news", "05:05:00", "05:05:20"), ("relay", "05:05:20", "05:15:00"))
    }
    assert dawn.day.pages(news) == {"played: heard (displaced)"}


def test_an_alert_takes_the_horn_from_a_relay_at_once(dawn: Listening) -> None:
    dawn.air()
    dawn.day.until("05:05")
    dawn.day.alert(timedelta(seconds=12))
    dawn.day.until("05:30")
    for lines in dawn.heard():
        assert [what for what, _, _ in lines] == ["relay", "siren", "relay"]
        assert lines[-1][2] == "05:15:00"


@pytest.mark.requirement("R-051", "R-053")
def test_a_relay_at_03_15_is_refused_where_there_is_a_night_and_asked_about_twice_where_there_is_none(
    open_day: Callable[..., BadDay],
) -> None:
    night = Listening(open_day("02:00"))
    with pytest.raises(Refused) as refused:
        night.hand_in("03:15")
    assert refused.value.key == "time.quiet"
    _around_the_clock(night.day)
    with pytest.raises(Refused) as asked:
        night.hand_in("03:15")
    assert asked.value.key == "time.unusual"
    mark = _mark(night)
    name = night.hand_in("03:15", unusual=mark)
    with pytest.raises(Refused) as again:
        night.approve(name, at("00:00", 1))
    assert again.value.key == "time.unusual"
    night.day.until("04:00")
    assert night.heard() == {()}


def _around_the_clock(day: BadDay) -> None:
    with day.ctx.db.read() as session:
        stations = session.scalars(select(Station)).all()
    for station in stations:
        rules = replace(regulating.rules_of(station), hours=((0, 1440),), early="NQ 12/NQ-HĐND")
        regulating.change(day.ctx, day.approver, station.id, rules, station.regulation_revision)


def _mark(night: Listening) -> str:
    """What the form asks."""
    song, relay = night.day.studio.sounds["song"], Relay(night.source, 15, SILENCE_S)
    draft = Draft(
        "song", 1, "vi", song, areas=(PROVINCE[0],), first_day=DAY, at=time(3, 15), origin="relay", relay=relay
    )
    found = preview(night.day.ctx, night.day.author, draft).air.unusual
    assert found is not None
    return found.mark


def shares(row: Delivery) -> tuple[int, int]:
    found = relay_evidence.share(row)
    return found.percent if found is not None else (0, 0)
