"""The bad day: alerts and priority bulletins take the horn, and give it back; bulletins are taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from support.bad_day import HOUR, MINUTE, BadDay

from broadcasts.wire.alert import Repeat
from device_sim.faults import Fault

NOTHING: list[str] = []


@pytest.mark.requirement("R-017", "R-018")
def test_an_alert_sounds_at_once_and_the_bulletin_goes_on_where_the_clock_demands(day: BadDay) -> None:
    song = day.air("song", "07:30")
    day.until("07:30:10")
    day.alert()
    day.until("07:35")
    for post in day.posts:
        first, siren, rest = post.pole.heard
        names = day.heard(post)
        assert names[0].startswith("song 07:30:00-07:30:1")
        assert names[0].endswith(" at 70")
        assert siren.volume == 100
        assert siren.asset == day.studio.sounds["siren"]
        assert siren.from_ms - day.moment("07:30:10") < 25_000, "from the button to the sound, fetching included"
        assert siren.to_ms - siren.from_ms == pytest.approx(12_000, abs=100)
        assert rest.volume == first.volume == 70
        assert rest.offset_ms == pytest.approx(rest.from_ms - day.moment("07:30"), abs=300)
        assert rest.to_ms == pytest.approx(day.moment("07:30:45"), abs=300)
        assert day.page(song, post) == "played: heard (displaced)"
        assert 0.6 < day.row(song, post).coverage < 0.8


@pytest.mark.requirement("R-068")
def test_an_alert_at_night_sounds_at_emergency_volume_and_the_morning_is_as_quiet_as_ever(
    open_day: Callable[..., BadDay],
) -> None:
    day = open_day("03:00")
    morning = day.air("news", "05:10")
    day.until("03:15")
    day.alert()
    day.until("03:40")
    for post in day.posts:
        (siren,) = post.pole.heard
        assert siren.volume == 100
        assert siren.from_ms - day.moment("03:15") < 25_000
    day.until("05:20")
    for post in day.posts:
        assert day.heard(post)[1:] == ["news 05:10:00-05:10:20 at 50"]
    assert day.pages(morning) == {"played: heard"}


@pytest.mark.requirement("R-018")
def test_emergency_goes_over_priority_and_priority_over_ordinary(day: BadDay) -> None:
    day.alert(lasts=timedelta(seconds=10))  # so that the siren is on every disk
    day.wait(60)
    song, news = day.air("song", "07:30"), day.air("news", "07:30:05", priority=2)
    day.until("07:30:10")
    day.alert()
    day.until("07:35")
    for post in day.posts:
        told = day.heard(post)[1:]
        assert [line.split()[0] for line in told] == ["song", "news", "siren", "news", "song"]
        assert told[0] == "song 07:30:00-07:30:05 at 70"
        assert told[3].endswith("-07:30:25 at 70")
        assert told[4] == "song 07:30:25-07:30:45 at 70"
    assert day.pages(song) == day.pages(news) == {"played: heard (displaced)"}


@pytest.mark.parametrize(
    ("on_preempt", "afterwards", "page"),
    [
        ("resume", ["song 07:30:30-07:30:45 at 70"], "played: heard (displaced)"),
        ("restart", ["song 07:30:30-07:31:15 at 70"], "played: heard"),
        ("next_slot", ["song 07:30:30-07:31:15 at 70"], "played: heard"),
        ("drop", NOTHING, "preempted: not_played (displaced)"),
    ],
)
def test_a_displaced_bulletin_does_what_it_said_it_would(
    day: BadDay, on_preempt: str, afterwards: list[str], page: str
) -> None:
    song = day.air("song", "07:30", on_preempt=on_preempt)
    news = day.air("news", "07:30:10", priority=2)
    day.until("07:35")
    for post in day.posts:
        assert day.heard(post) == ["song 07:30:00-07:30:10 at 70", "news 07:30:10-07:30:30 at 70", *afterwards]
    assert day.pages(song) == {page}
    assert day.pages(news) == {"played: heard"}


def test_a_bulletin_that_never_got_the_horn_says_who_had_it(day: BadDay) -> None:
    news = day.air("news", "07:30:10")
    song = day.air("song", "07:30", priority=2)
    day.until("07:35")
    for post in day.posts:
        assert day.heard(post) == ["song 07:30:00-07:30:45 at 70"]
    assert day.pages(song) == {"played: heard"}
    assert day.pages(news) == {"missed: not_played (displaced)"}


@pytest.mark.requirement("R-056")
def test_a_withdrawn_bulletin_is_heard_only_where_the_withdrawal_did_not_arrive(day: BadDay) -> None:
    news, away, back = day.air("news", "07:30"), day.posts[0], day.posts[1]
    day.until("07:10")
    day.befall(Fault.LINK_DOWN, away, lasts=HOUR)
    day.befall(Fault.LINK_DOWN, back, lasts=15 * MINUTE)
    day.until("07:15")
    day.withdraw(news)
    day.until("07:35")
    assert day.heard(away) == ["news 07:30:00-07:30:20 at 70"]
    assert day.page(news, away) == "withdrawn: open"
    for post in day.posts[1:]:
        assert day.heard(post) == NOTHING
        assert day.page(news, post) == "withdrawn: not_played (withdrawn)"
    day.until("08:15")
    assert day.page(news, away) == "played: heard"


@pytest.mark.requirement("R-056")
def test_a_bulletin_that_is_withdrawn_while_it_sounds_falls_silent_at_once(day: BadDay) -> None:
    song = day.air("song", "07:30")
    day.until("07:30:10")
    day.withdraw(song)
    day.until("07:35")
    for post in day.posts:
        (sound,) = post.pole.heard
        assert sound.to_ms - day.moment("07:30:10") < 5_000
    assert day.pages(song) == {"withdrawn: not_played (withdrawn)"}


@pytest.mark.requirement("R-029")
def test_an_edit_after_the_approval_takes_the_old_version_off_the_air(day: BadDay) -> None:
    name = day.air("news", "07:30")
    day.until("07:20")
    day.hand_in("song", "07:30", editing=name)
    day.until("07:35")
    assert [day.heard(post) for post in day.posts] == [NOTHING] * 10
    assert day.pages(name) == {"withdrawn: not_played (edited)"}


@pytest.mark.requirement("R-064")
def test_an_alert_that_was_silenced_stops_every_repeat_and_does_not_sound_where_power_was_off(day: BadDay) -> None:
    dark, cut, *others = day.posts
    day.alert(lasts=timedelta(seconds=10))
    day.wait(60)
    day.befall(Fault.POWER_CUT, dark, lasts=20 * MINUTE)
    day.until("07:10")
    day.alert(lasts=timedelta(hours=1), repeat=Repeat(every_s=60))
    day.until("07:13")
    day.befall(Fault.POWER_CUT, cut, lasts=20 * MINUTE)
    day.silence()
    day.until("08:30")
    assert len(day.heard(dark)[1:]) == 0
    before = [sound.from_ms for sound in cut.pole.heard]
    assert max(before) < day.moment("07:13:05")
    for post in others:
        assert len(day.heard(post)) > 2
        assert max(sound.to_ms for sound in post.pole.heard) < day.moment("07:13:15")


@pytest.mark.requirement("R-065")
def test_an_alert_ends_by_itself_where_nobody_can_silence_it_any_more(day: BadDay) -> None:
    day.alert(lasts=timedelta(minutes=5), repeat=Repeat(every_s=15))
    day.until("07:01")
    day.befall(Fault.CONTROLLER_KILL, lasts=HOUR)
    day.befall(Fault.BROKER_RESTART, lasts=HOUR)
    day.until("07:30")
    for post in day.posts:
        assert post.unit is not None
        assert len(post.pole.heard) > 10
        last = max(sound.to_ms for sound in post.pole.heard)
        assert 0 <= day.moment("07:05") - last < 15_000
        assert post.unit.journal.record(post.pole.heard[-1].item) is not None
    day.until("08:10")
    for post in day.posts:
        told = day.journal(post, post.pole.heard[-1].item)
        assert [entry.kind for entry in told] == ["started", "ended"] * len(post.pole.heard)
