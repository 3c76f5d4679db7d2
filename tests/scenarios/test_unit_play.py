"""What a villager hears from one unit, by the rules of CONTRACT.md section 5."""

from __future__ import annotations

import pytest
from support.rig import Rig
from support.signed import MINUTE, SECOND, T0, Ceiling, Window, asset_of, item, opus, policy

from broadcasts.wire.journal import Amplifier, Ended, NotPlayed, Outcome, Skipped, Started
from broadcasts.wire.plan import Asset, Item, Late, OnPreempt

NEWS = opus(5 * MINUTE, "news")
NEWS_ASSET = asset_of(NEWS, 5 * MINUTE)
SONG = opus(4 * MINUTE, "song")
SONG_ASSET = asset_of(SONG, 4 * MINUTE)
START = T0 + 10 * MINUTE


def rig_with(*items: Item, assets: tuple[Asset, ...] = (NEWS_ASSET, SONG_ASSET), **fields: object) -> Rig:
    rig = Rig()
    rig.hold((NEWS_ASSET, NEWS), (SONG_ASSET, SONG))
    rig.plan(items, assets, **fields)
    return rig


def news(name: str = "news", start: int = START, **fields: object) -> Item:
    return item(name, NEWS_ASSET, start, **fields)


def song(name: str = "song", start: int = START, **fields: object) -> Item:
    return item(name, SONG_ASSET, start, **fields)


def outcomes(rig: Rig, name: str) -> list[str]:
    found = []
    for entry in rig.journal(name):
        if isinstance(entry, Ended):
            found.append(str(entry.outcome))
        elif isinstance(entry, Skipped):
            found.append(f"skipped {entry.why}")
    return found


def minutes(rig: Rig) -> list[tuple[str, float, float, float]]:
    """(item, from, to, offset) in minutes after T0."""
    return [
        (each.item, (each.from_ms - T0) / MINUTE, (each.to_ms - T0) / MINUTE, each.offset_ms / MINUTE)
        for each in rig.heard
    ]


def test_a_bulletin_sounds_at_its_millisecond_and_is_proven() -> None:
    rig = rig_with(news())
    rig.run(T0 + 20 * MINUTE)
    assert [(s.from_ms, s.to_ms, s.offset_ms, s.volume) for s in rig.heard] == [(START, START + 5 * MINUTE, 0, 60)]
    started, ended = rig.journal("news")
    assert isinstance(started, Started)
    assert (started.at, started.late_ms, started.offset_ms) == (START, 0, 0)
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.played_ms, ended.amplifier) == (Outcome.PLAYED, 5 * MINUTE, Amplifier.SOUND)
    assert set(rig.entries) == {1, 2}


def test_a_cluster_offline_at_the_time_of_play_plays_from_its_cache_and_proves_it_later() -> None:
    rig = rig_with(news())
    rig.run(T0 + 5 * MINUTE)
    rig.link_down()
    rig.run(T0 + 60 * MINUTE)
    assert minutes(rig) == [("news", 10, 15, 0)]
    assert not rig.entries
    rig.link_up()
    assert outcomes(rig, "news") == ["played"]
    assert len(rig.entries) == 2


def test_a_cluster_offline_when_the_plan_is_published_joins_in_the_middle_when_it_comes_back() -> None:
    rig = Rig()
    rig.hold((NEWS_ASSET, NEWS))
    rig.run(T0 + MINUTE)
    rig.link_down()
    rig.plan([news()], [NEWS_ASSET])
    rig.run(T0 + 12 * MINUTE)
    rig.link_up()
    rig.run(T0 + 20 * MINUTE)
    assert minutes(rig) == [("news", 12, 15, 2)]


def test_a_reboot_in_the_middle_joins_at_the_right_place() -> None:
    rig = rig_with(news())
    rig.run(T0 + 11 * MINUTE)
    rig.power_off()
    rig.run(T0 + 13 * MINUTE)
    rig.power_on()
    rig.run(T0 + 20 * MINUTE)
    assert minutes(rig) == [("news", 10, 11, 0), ("news", 13, 15, 3)]
    assert outcomes(rig, "news") == ["played"]


def test_power_that_comes_back_after_the_slot_is_told_as_cut() -> None:
    rig = rig_with(news())
    rig.run(T0 + 11 * MINUTE)
    rig.power_off()
    rig.run(T0 + 30 * MINUTE)
    rig.power_on()
    rig.run(T0 + 31 * MINUTE)
    assert minutes(rig) == [("news", 10, 11, 0)]
    [_, ended] = rig.journal("news")
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.reason) == (Outcome.FAILED, "power_off")


def test_what_came_due_without_power_is_told_as_such() -> None:
    rig = rig_with(news())
    rig.run(T0 + 5 * MINUTE)
    rig.power_off()
    rig.run(T0 + 60 * MINUTE)
    rig.power_on()
    rig.run(T0 + 61 * MINUTE)
    assert rig.heard == []
    assert outcomes(rig, "news") == ["skipped power_off"]


def test_a_torn_journal_write_loses_one_line_and_sounds_nothing_twice() -> None:
    rig = rig_with(news())
    rig.link_down()
    rig.run(START + 5 * MINUTE)
    assert outcomes(rig, "news") == ["played"]
    rig.power_off(tear=True)
    rig.run(START + 6 * MINUTE)
    rig.power_on()
    rig.link_up()
    rig.run(START + 20 * MINUTE)
    assert len(rig.heard) == 1
    assert [entry.seq for entry in rig.journal()] == [1, 2]
    assert outcomes(rig, "news") == ["failed"]


def test_everything_told_twice_sounds_once() -> None:
    rig = rig_with(news())
    for topic, payload in list(rig.retained.items()):
        rig.say(topic, payload)
    rig.run(START + MINUTE)
    for topic, payload in list(rig.retained.items()):
        rig.say(topic, payload)
    rig.run(START + 20 * MINUTE)
    assert minutes(rig) == [("news", 10, 15, 0)]
    assert rig.reported().refused is None


def test_a_played_item_stays_played_whatever_newer_plan_names_it() -> None:
    rig = rig_with(news(not_after=START + 60 * MINUTE, late=Late.PLAY))
    rig.run(START + 6 * MINUTE)
    rig.plan([news(not_after=START + 60 * MINUTE, late=Late.PLAY)], [NEWS_ASSET])
    rig.power_off()
    rig.power_on()
    rig.run(START + 30 * MINUTE)
    assert len(rig.heard) == 1


def test_a_cut_speaker_wire_is_silence_that_the_amplifier_betrays() -> None:
    rig = rig_with(news())
    rig.pole.cut_wire(rig.now)
    rig.run(START + 6 * MINUTE)
    assert rig.heard == []
    [_, ended] = rig.journal("news")
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.amplifier) == (Outcome.PLAYED, Amplifier.SILENT)
    assert "speaker_wire" in rig.reported().faults


# --- late


def late_arrival(item_: Item, when: int) -> Rig:
    """The plan arrives at `when`; nothing was known before."""
    rig = Rig()
    rig.hold((NEWS_ASSET, NEWS))
    rig.run(when)
    rig.plan([item_], [NEWS_ASSET])
    rig.run(when + 60 * MINUTE)
    return rig


@pytest.mark.parametrize(
    ("late", "minute", "heard"),
    [
        (Late.DROP, 12, [("news", 12, 15, 2)]),
        (Late.DROP, 16, []),
        (Late.SHIFT, 12, [("news", 12, 17, 0)]),
        (Late.SHIFT, 19, [("news", 19, 24, 0)]),
        (Late.SHIFT, 21, []),
        (Late.PLAY, 12, [("news", 12, 15, 2)]),
        (Late.PLAY, 18, [("news", 18, 23, 0)]),
        (Late.PLAY, 21, []),
    ],
)
def test_a_late_item_does_what_it_said(late: Late, minute: int, heard: list[object]) -> None:
    rig = late_arrival(news(late=late), T0 + minute * MINUTE)
    assert minutes(rig) == heard
    assert outcomes(rig, "news") == (["played"] if heard else ["skipped late"])


def test_an_item_without_its_file_is_told_when_its_time_is_over() -> None:
    rig = Rig()
    rig.plan([news()], [NEWS_ASSET])
    rig.run(START + 4 * MINUTE)
    assert outcomes(rig, "news") == []
    rig.run(START + 6 * MINUTE)
    assert outcomes(rig, "news") == ["skipped no_asset"]


def test_an_item_whose_file_arrives_during_its_slot_joins() -> None:
    rig = Rig()
    rig.plan([news()], [NEWS_ASSET])
    rig.run(START + 2 * MINUTE)
    rig.hold((NEWS_ASSET, NEWS))
    rig.run(START + 10 * MINUTE)
    [sound] = rig.heard
    assert START + 2 * MINUTE <= sound.from_ms <= START + 2 * MINUTE + 300 * SECOND
    assert sound.offset_ms == sound.from_ms - START
    assert sound.to_ms == START + 5 * MINUTE


def test_a_file_that_does_not_decode_fails_with_the_reason() -> None:
    broken = opus(2 * MINUTE, "short")
    asset = asset_of(broken, 5 * MINUTE)
    rig = Rig()
    rig.hold((asset, broken))
    rig.plan([item("x", asset, START)], [asset])
    rig.run(START + 6 * MINUTE)
    assert rig.heard == []
    [ended] = rig.journal("x")
    assert isinstance(ended, Ended)
    assert ended.outcome is Outcome.FAILED
    assert "does not decode" in ended.reason


# --- preemption

MIDDLE = START + 2 * MINUTE


def displaced(how: OnPreempt, **fields: object) -> Rig:
    """News from minute 10 to 15; a priority song from minute 12 to 16."""
    rig = rig_with(news(on_preempt=how, **fields), song(start=MIDDLE, level=2))
    rig.run(START + 60 * MINUTE)
    return rig


def test_a_better_item_takes_the_horn_at_once_and_the_loser_names_it() -> None:
    rig = displaced(OnPreempt.DROP)
    assert minutes(rig) == [("news", 10, 12, 0), ("song", 12, 16, 0)]
    [_, ended] = rig.journal("news")
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.by) == (Outcome.PREEMPTED, "song")


def test_resume_goes_on_where_the_clock_demands() -> None:
    short = opus(MINUTE, "short")
    asset = asset_of(short, MINUTE)
    rig = Rig()
    rig.hold((NEWS_ASSET, NEWS), (asset, short))
    rig.plan([news(), item("short", asset, MIDDLE, level=2)], [NEWS_ASSET, asset])
    rig.run(START + 60 * MINUTE)
    assert minutes(rig) == [("news", 10, 12, 0), ("short", 12, 13, 0), ("news", 13, 15, 3)]
    assert outcomes(rig, "news") == ["preempted", "played"]


def test_resume_does_not_outlive_its_slot() -> None:
    rig = displaced(OnPreempt.RESUME)
    assert minutes(rig) == [("news", 10, 12, 0), ("song", 12, 16, 0)]


def test_restart_begins_again_by_not_after() -> None:
    assert minutes(displaced(OnPreempt.RESTART))[-1] == ("news", 16, 21, 0)
    assert minutes(displaced(OnPreempt.RESTART, not_after=START + 5 * MINUTE))[-1] == ("song", 12, 16, 0)


def test_next_slot_plays_whole_by_its_deadline() -> None:
    assert minutes(displaced(OnPreempt.NEXT_SLOT, deadline=START + 6 * MINUTE))[-1] == ("news", 16, 21, 0)
    assert minutes(displaced(OnPreempt.NEXT_SLOT, deadline=START + 5 * MINUTE))[-1] == ("song", 12, 16, 0)


@pytest.mark.parametrize(
    ("how", "heard"),
    [
        (OnPreempt.RESUME, [("song", 14, 15, 3)]),
        (OnPreempt.RESTART, [("song", 14, 18, 0)]),
        (OnPreempt.DROP, []),
        (OnPreempt.NEXT_SLOT, [("song", 14, 18, 0)]),
    ],
)
def test_an_item_that_could_not_even_start_follows_the_same_rule(how: OnPreempt, heard: list[object]) -> None:
    """A priority bulletin holds the horn from 9 to 14; the song is due from 11 to 15."""
    rig = rig_with(
        news(start=START - MINUTE, level=2),
        song(start=START + MINUTE, on_preempt=how, deadline=START + 10 * MINUTE),
    )
    rig.run(START + 60 * MINUTE)
    assert minutes(rig)[1:] == heard
    last = rig.journal("song")[-1]
    if heard:
        assert isinstance(last, Ended)
    else:
        assert isinstance(last, Skipped)
        assert (last.why, last.by) == (NotPlayed.DISPLACED, "news")


def test_order_is_level_then_rank_then_start_then_id() -> None:
    rig = rig_with(
        song("b", START, on_preempt=OnPreempt.NEXT_SLOT, deadline=START + 60 * MINUTE),
        song("a", START, on_preempt=OnPreempt.NEXT_SLOT, deadline=START + 60 * MINUTE),
        song("ranked", START + MINUTE, rank=5, on_preempt=OnPreempt.NEXT_SLOT, deadline=START + 60 * MINUTE),
        song("urgent", START + 2 * MINUTE, level=2),
    )
    rig.run(START + 60 * MINUTE)
    assert [name for name, *_ in minutes(rig)] == ["a", "ranked", "urgent", "ranked", "a", "b"]


def test_items_back_to_back_displace_nobody() -> None:
    rig = rig_with(news(on_preempt=OnPreempt.DROP), song(start=START + 5 * MINUTE, rank=9, on_preempt=OnPreempt.DROP))
    rig.run(START + 60 * MINUTE)
    assert minutes(rig) == [("news", 10, 15, 0), ("song", 15, 19, 0)]


# --- plans that change, hours, ceilings, ends


def test_an_item_that_a_newer_plan_takes_away_stops_and_is_told_withdrawn() -> None:
    rig = rig_with(news())
    rig.run(START + MINUTE)
    rig.plan([], [])
    rig.run(START + 60 * MINUTE)
    assert minutes(rig) == [("news", 10, 11, 0)]
    assert outcomes(rig, "news") == ["withdrawn"]


def test_an_item_that_a_newer_plan_still_names_goes_on_undisturbed() -> None:
    rig = rig_with(news())
    rig.run(START + MINUTE)
    rig.plan([news(), song(start=START + 20 * MINUTE)], [NEWS_ASSET, SONG_ASSET])
    rig.run(START + 10 * MINUTE)
    assert minutes(rig) == [("news", 10, 15, 0)]


def test_quiet_hours_are_kept_by_the_unit_itself_for_the_whole_sound() -> None:
    """07:00 at the pole is T0; the window ends at 07:14, the news would end at 07:15."""
    rig = rig_with(news(), policy=policy(hours=[Window(start=300, end=7 * 60 + 14)]))
    rig.run(START + 20 * MINUTE)
    assert rig.heard == []
    assert outcomes(rig, "news") == ["skipped quiet_hours"]


def test_windows_that_touch_also_over_midnight_count_as_one() -> None:
    start = T0 + 17 * 60 * MINUTE - MINUTE  # 23:59 at the pole
    night = [Window(start=0, end=10), Window(start=1430, end=1440)]
    rig = rig_with(news(start=start), policy=policy(hours=night))
    rig.run(start + 20 * MINUTE)
    assert len(rig.heard) == 1


def test_no_window_means_never() -> None:
    rig = rig_with(news(), policy=policy(hours=[]))
    rig.run(START + 20 * MINUTE)
    assert rig.heard == []


def test_new_quiet_hours_stop_what_runs() -> None:
    rig = rig_with(news())
    rig.run(START + MINUTE)
    rig.plan([news()], [NEWS_ASSET], policy=policy(hours=[Window(start=300, end=420)]))
    rig.run(START + 20 * MINUTE)
    assert minutes(rig) == [("news", 10, 11, 0)]
    assert outcomes(rig, "news") == ["withdrawn"]


def test_the_lowest_ceiling_in_force_cuts_the_volume_also_in_the_middle() -> None:
    ceilings = [Ceiling(start=0, end=1440, volume=50), Ceiling(start=7 * 60 + 12, end=8 * 60, volume=30)]
    rig = rig_with(news(volume=80), policy=policy(ceilings=ceilings))
    rig.run(START + 20 * MINUTE)
    assert [(s.volume, (s.from_ms - T0) / MINUTE, s.offset_ms / MINUTE) for s in rig.heard] == [
        (50, 10, 0),
        (30, 12, 2),
    ]


def test_hard_end_cuts_at_that_instant() -> None:
    rig = rig_with(news(hard_end=START + 3 * MINUTE))
    rig.run(START + 20 * MINUTE)
    assert minutes(rig) == [("news", 10, 13, 0)]


def test_a_unit_that_is_reset_after_a_plan_change_keeps_the_plan() -> None:
    rig = rig_with(news())
    rig.run(T0 + MINUTE)
    rig.link_down()
    rig.power_off()
    rig.power_on()
    rig.run(START + 20 * MINUTE)
    assert minutes(rig) == [("news", 10, 15, 0)]
