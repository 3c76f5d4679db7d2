"""Drills at one pole: CONTRACT.md section 6b."""

from __future__ import annotations

import pytest
from support.rig import UNIT, Rig
from support.signed import HOUR, MINUTE, SECOND, T0, Window, asset_of, exercise, item, opus, policy, siren

from broadcasts.wire import topics
from broadcasts.wire.codec import seal
from broadcasts.wire.drill import DrillDocument
from broadcasts.wire.journal import Amplifier, Ended, NotPlayed, Outcome, Skipped, Started
from broadcasts.wire.jws import Typ
from broadcasts.wire.plan import Ceiling, OnPreempt
from broadcasts.wire.topics import ScopeTopic
from broadcasts.wire.trust import Use
from device_sim.unit import Config

NEWS = opus(5 * MINUTE, "news")
NEWS_ASSET = asset_of(NEWS, 5 * MINUTE)
STORM = opus(30 * SECOND, "storm")
STORM_ASSET = asset_of(STORM, 30 * SECOND)
WORDS = opus(6 * SECOND, "dien tap")
WORDS_ASSET = asset_of(WORDS, 6 * SECOND)
START = T0 + 10 * MINUTE
ALERTS, DRILLS = (topics.to_scope("commune", kind) for kind in (ScopeTopic.ALERT, ScopeTopic.DRILL))


def ready(config: Config | None = None, **fields: object) -> Rig:
    rig = Rig(config=config)
    rig.hold((NEWS_ASSET, NEWS), (STORM_ASSET, STORM), (WORDS_ASSET, WORDS))
    assets = [NEWS_ASSET, STORM_ASSET, WORDS_ASSET]
    rig.plan([item("news", NEWS_ASSET, START)], assets, emergency_set=[STORM_ASSET.sha256], **fields)
    return rig


@pytest.mark.requirement("R-066")
def test_a_loud_drill_says_first_that_it_is_one() -> None:
    rig = ready()
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now, prefix=WORDS_ASSET)])
    rig.run(T0 + MINUTE)
    assert [(s.asset, s.from_ms - T0, s.to_ms - T0, s.volume) for s in rig.heard] == [
        (WORDS_ASSET.sha256, 0, 6_000, 70),
        (STORM_ASSET.sha256, 6_000, 36_000, 70),
    ]
    started, ended = rig.journal("d-1")
    assert isinstance(started, Started)
    assert isinstance(ended, Ended)
    assert (started.drill, ended.drill, ended.outcome, ended.amplifier) == (
        True, True, Outcome.PLAYED, Amplifier.SOUND
    )  # fmt: skip


@pytest.mark.requirement("R-066")
def test_without_its_words_a_loud_drill_does_not_sound() -> None:
    rig = ready()
    missing = asset_of(opus(6 * SECOND, "lost"), 6 * SECOND)
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now, prefix=missing, hard_end=T0 + 5 * MINUTE)])
    rig.run(START - SECOND)
    assert rig.heard == []
    (skipped,) = rig.journal("d-1")
    assert isinstance(skipped, Skipped)
    assert (skipped.why, skipped.drill, skipped.at) == (NotPlayed.NO_ASSET, True, T0 + 5 * MINUTE)


@pytest.mark.requirement("R-066")
def test_a_silent_drill_runs_beside_the_news_and_no_villager_hears_it() -> None:
    rig = ready()
    fresh = opus(20 * SECOND, "fetched for it")
    asset = asset_of(fresh, 20 * SECOND)
    rig.hold((asset, fresh))
    rig.run(START + MINUTE)
    rig.drill("commune", [exercise("d-1", asset, rig.now)])
    rig.run(START + HOUR)
    assert [(s.item, s.from_ms - START, s.to_ms - START) for s in rig.heard] == [("news", 0, 5 * MINUTE)]
    assert asset.sha256 in {fetch.sha256 for fetch in rig.fetched}, "it is fetched as an alert would be"
    started, ended = rig.journal("d-1")
    assert isinstance(started, Started)
    assert isinstance(ended, Ended)
    assert (started.volume, started.at, ended.played_ms, ended.volume, ended.amplifier, ended.drill) == (
        0, START + MINUTE, 20 * SECOND, 0, Amplifier.NONE, True
    )  # fmt: skip


def test_a_loud_drill_displaces_the_news_which_then_goes_on_where_the_clock_demands() -> None:
    rig = ready()
    rig.run(START + MINUTE)
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now, prefix=WORDS_ASSET)])
    rig.run(START + HOUR)
    assert [(s.item, (s.from_ms - START) // 1000, s.offset_ms // 1000) for s in rig.heard] == [
        ("news", 0, 0), ("d-1", 60, 0), ("d-1", 66, 0), ("news", 96, 96)
    ]  # fmt: skip


@pytest.mark.requirement("R-066")
@pytest.mark.parametrize("loud", [True, False])
def test_an_alert_ends_a_drill_for_good(loud: bool) -> None:
    rig = ready()
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now, **({"prefix": WORDS_ASSET} if loud else {}))])
    rig.run(T0 + 3 * SECOND)
    rig.alert("province", [siren("a-1", STORM_ASSET, rig.now)])
    rig.run(START - SECOND)
    assert [s.item for s in rig.heard] == (["d-1", "a-1"] if loud else ["a-1"])
    ended = rig.journal("d-1")[-1]
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.by, ended.drill) == (Outcome.PREEMPTED, "a-1", True)


def test_while_an_alert_is_active_no_drill_begins_also_between_two_soundings() -> None:
    rig = ready()
    rig.alert("commune", [siren("a-1", STORM_ASSET, rig.now, hard_end=T0 + 2 * MINUTE)])
    rig.run(T0 + MINUTE)
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now, prefix=WORDS_ASSET)])
    rig.run(T0 + 2 * MINUTE - 1)
    assert [s.item for s in rig.heard] == ["a-1"]
    rig.run(START - SECOND)
    assert [(s.item, s.from_ms - T0) for s in rig.heard] == [("a-1", 0), ("d-1", 120_000), ("d-1", 126_000)]


@pytest.mark.requirement("R-066")
def test_a_drill_obeys_quiet_hours_and_ceilings() -> None:
    """At the pole it is 07:00 at T0; the hours open at 07:05."""
    hours, low = [Window(start=425, end=1200)], [Ceiling(start=0, end=1440, volume=40)]
    rig = ready(policy=policy(hours=hours, ceilings=low))
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now, prefix=WORDS_ASSET)])
    rig.drill("province", [exercise("d-2", STORM_ASSET, rig.now, issued_at=rig.now - 1)])
    rig.run(START - SECOND)
    assert [(s.item, s.from_ms - T0, s.volume) for s in rig.heard] == [
        ("d-1", 5 * MINUTE, 40), ("d-1", 5 * MINUTE + 6_000, 40)
    ]  # fmt: skip
    assert [entry.at - T0 for entry in rig.journal("d-2")] == [5 * MINUTE, 5 * MINUTE + 30_000]


def test_a_drill_that_never_fits_into_the_hours_is_told_as_skipped() -> None:
    rig = ready(policy=policy(hours=[]))
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now, prefix=WORDS_ASSET, hard_end=T0 + MINUTE)])
    rig.run(START)
    (skipped,) = rig.journal("d-1")
    assert isinstance(skipped, Skipped)
    assert (skipped.why, skipped.drill) == (NotPlayed.QUIET_HOURS, True)


def test_without_trusted_time_no_drill_begins() -> None:
    rig = ready(Config(battery=False))
    rig.answers_time = False
    rig.power_off()
    rig.power_on()
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now, prefix=WORDS_ASSET)])
    rig.drill("province", [exercise("d-2", STORM_ASSET, rig.now)])
    rig.run(T0 + 30 * MINUTE)
    assert rig.heard == []
    assert rig.journal("d-1") == rig.journal("d-2") == []


def test_a_drill_cut_by_power_is_not_begun_again() -> None:
    rig = ready()
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now, prefix=WORDS_ASSET)])
    rig.run(T0 + 3 * SECOND)
    rig.power_off()
    rig.run(T0 + 10 * SECOND)
    rig.power_on()
    rig.run(START - SECOND)
    assert [s.item for s in rig.heard] == ["d-1"]
    ended = rig.journal("d-1")[-1]
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.reason, ended.drill) == (Outcome.FAILED, "power_off", True)


def test_a_drill_that_was_over_while_power_was_off_does_not_begin_at_the_boot_and_none_does_without_the_link() -> None:
    rig = ready()
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now, prefix=WORDS_ASSET, not_before=T0 + 2 * MINUTE)])
    rig.link_down()
    rig.power_off()
    rig.run(T0 + 3 * MINUTE)
    rig.power_on()
    rig.run(T0 + 5 * MINUTE)
    assert rig.heard == []
    rig.link_up()
    rig.run(T0 + 6 * MINUTE)
    assert [(s.item, s.from_ms - T0) for s in rig.heard] == [("d-1", 300_000), ("d-1", 306_000)]


def test_a_newer_list_without_it_stops_a_drill_at_once() -> None:
    rig = ready()
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now, prefix=WORDS_ASSET)])
    rig.drill("province", [exercise("d-2", STORM_ASSET, rig.now - 1)])
    rig.run(T0 + 10 * SECOND)
    rig.drill("commune", [])
    rig.run(START - SECOND)
    assert [s.to_ms - T0 for s in rig.heard] == [6_000, 10_000]
    ended = rig.journal("d-1")[-1]
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.drill) == (Outcome.WITHDRAWN, True)


@pytest.mark.requirement("R-066")
def test_silence_of_alerts_ends_drills_too_and_the_end_of_drills_leaves_alerts_alone() -> None:
    rig = ready()
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now, prefix=WORDS_ASSET)])
    rig.run(T0 + 10 * SECOND)
    rig.alert("province", [], void_before=rig.now)
    rig.run(T0 + MINUTE)
    assert [s.to_ms - T0 for s in rig.heard] == [6_000, 10_000]
    rig.alert("commune", [siren("a-1", STORM_ASSET, rig.now)])
    rig.run(T0 + MINUTE + 10 * SECOND)
    rig.drill("province", [], void_before=rig.now)
    rig.run(START - SECOND)
    assert (rig.heard[-1].item, rig.heard[-1].to_ms - rig.heard[-1].from_ms) == ("a-1", 30_000)


@pytest.mark.requirement("R-066")
@pytest.mark.requirement("R-134")
def test_no_key_and_no_topic_of_the_one_is_good_for_the_other() -> None:
    rig = ready()
    drills = DrillDocument(
        scope="commune", version=T0 + 99, issued_at=T0,
        drills=[exercise("d-1", STORM_ASSET, rig.now, prefix=WORDS_ASSET)],
    )  # fmt: skip
    drill, alert = rig.signer.keys[Use.DRILL], rig.signer.alert("commune", T0, [siren("a-1", STORM_ASSET, T0)])
    rig.say(DRILLS, seal(drills, Typ.DRILL, rig.signer.keys[Use.ALERT]), keep=False)
    rig.say(DRILLS, seal(drills, Typ.ALERT, drill), keep=False)
    rig.say(ALERTS, seal(drills, Typ.DRILL, drill), keep=False)
    rig.say(ALERTS, seal(drills, Typ.ALERT, drill), keep=False)
    rig.say(DRILLS, alert, keep=False)
    rig.run(START - SECOND)
    assert rig.heard == []
    refused = rig.reported().refused
    assert refused is not None
    assert (refused.document, refused.reason) == ("drill", "bad_signature")


def test_a_drill_that_took_the_id_of_an_alert_does_not_keep_it_from_sounding() -> None:
    """Whoever stole the drill key must not be able to spend an alert before it comes."""
    rig = ready()
    rig.drill("commune", [exercise("a-1", STORM_ASSET, rig.now)])
    rig.run(T0 + MINUTE)
    rig.alert("commune", [siren("a-1", STORM_ASSET, rig.now)])
    rig.run(T0 + 2 * MINUTE)
    rig.power_off()
    rig.power_on()
    rig.run(START - SECOND)
    assert [(s.item, s.from_ms - T0) for s in rig.heard] == [("a-1", MINUTE)]
    rig = ready()
    rig.drill("commune", [exercise("a-1", STORM_ASSET, rig.now, prefix=WORDS_ASSET)])
    rig.run(T0 + 3 * SECOND)
    rig.alert("commune", [siren("a-1", STORM_ASSET, rig.now)])
    rig.run(START - SECOND)
    assert [(s.from_ms - T0, s.to_ms - T0, s.volume) for s in rig.heard] == [(0, 3_000, 70), (3_000, 33_000, 90)]


def test_a_drill_for_others_is_none_here() -> None:
    rig = ready()
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now, target=["u-2"])])
    rig.drill("elsewhere", [exercise("d-2", STORM_ASSET, rig.now)])
    rig.run(T0 + MINUTE)
    assert rig.journal("d-1") == rig.journal("d-2") == []
    rig.drill("commune", [exercise("d-3", STORM_ASSET, rig.now, target=[UNIT])])
    rig.run(T0 + 2 * MINUTE)
    assert [entry.kind for entry in rig.journal("d-3")] == ["started", "ended"]


def test_two_drills_run_one_after_the_other() -> None:
    rig = ready()
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now, prefix=WORDS_ASSET), exercise("d-2", NEWS_ASSET, T0)])
    rig.run(START - SECOND)
    assert [entry.at - T0 for entry in rig.journal("d-2")] == [0, 5 * MINUTE]
    assert [entry.at - T0 for entry in rig.journal("d-1")] == [5 * MINUTE, 5 * MINUTE + 36_000]


def test_a_drill_that_gave_way_displaces_no_item_of_its_name() -> None:
    rig = Rig()
    rig.hold((NEWS_ASSET, NEWS), (STORM_ASSET, STORM), (WORDS_ASSET, WORDS))
    planned = item("same", NEWS_ASSET, START, on_preempt=OnPreempt.DROP)
    rig.plan([planned], [NEWS_ASSET, STORM_ASSET, WORDS_ASSET], emergency_set=[STORM_ASSET.sha256])
    rig.drill("commune", [exercise("same", STORM_ASSET, rig.now, prefix=WORDS_ASSET)])
    rig.run(T0 + 10 * SECOND)
    rig.alert("commune", [siren("a-1", STORM_ASSET, rig.now)])
    rig.run(START + 10 * MINUTE)
    assert [(sound.item, sound.from_ms) for sound in rig.heard][-1] == ("same", START)


def test_a_unit_reports_which_drills_it_has_applied_by_scope() -> None:
    rig = ready()
    rig.drill("commune", [exercise("d-1", STORM_ASSET, rig.now)])
    rig.drill("elsewhere", [exercise("d-2", STORM_ASSET, rig.now)])
    rig.run(rig.now + MINUTE)
    [first] = rig.reported().drills.items()
    assert first[0] == "commune"
    rig.drill("commune", [])
    rig.run(rig.now + MINUTE)
    [(scope, version)] = rig.reported().drills.items()
    assert (scope, version > first[1]) == ("commune", True)
