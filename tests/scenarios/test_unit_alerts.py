"""Emergencies at one pole: CONTRACT.md section 6."""

from __future__ import annotations

import pytest
from support.rig import UNIT, Rig
from support.signed import HOUR, MINUTE, SECOND, T0, Repeat, asset_of, item, opus, policy, siren

from broadcasts.wire import topics
from broadcasts.wire.alert import Rendition
from broadcasts.wire.journal import Ended, Outcome
from broadcasts.wire.topics import ScopeTopic
from device_sim.unit import Config

NEWS = opus(5 * MINUTE, "news")
NEWS_ASSET = asset_of(NEWS, 5 * MINUTE)
STORM = opus(30 * SECOND, "storm")
STORM_ASSET = asset_of(STORM, 30 * SECOND)
KHMER = opus(20 * SECOND, "khmer")
KHMER_ASSET = asset_of(KHMER, 20 * SECOND)
START = T0 + 10 * MINUTE


def ready(config: Config | None = None, **fields: object) -> Rig:
    rig = Rig(config=config)
    rig.hold((NEWS_ASSET, NEWS), (STORM_ASSET, STORM), (KHMER_ASSET, KHMER))
    assets = [NEWS_ASSET, STORM_ASSET, KHMER_ASSET]
    rig.plan([item("news", NEWS_ASSET, START)], assets, emergency_set=[STORM_ASSET.sha256], **fields)
    return rig


def seconds(rig: Rig) -> list[tuple[str, int, int, int]]:
    """(item, from, to, offset) in seconds after the start of the news."""
    return [(s.item, (s.from_ms - START) // 1000, (s.to_ms - START) // 1000, s.offset_ms // 1000) for s in rig.heard]


def test_an_alert_displaces_the_schedule_which_then_goes_on_where_the_clock_demands() -> None:
    rig = ready()
    rig.run(START + MINUTE)
    rig.alert("commune", [siren("a-1", STORM_ASSET, rig.now)])
    rig.run(START + HOUR)
    assert seconds(rig) == [("news", 0, 60, 0), ("a-1", 60, 90, 0), ("news", 90, 300, 90)]
    assert [sound.volume for sound in rig.heard] == [60, 90, 60]


def test_an_alert_passes_quiet_hours_and_ceilings_up_to_the_emergency_volume() -> None:
    rig = ready(policy=policy(hours=[], emergency_volume=80))
    rig.alert("commune", [siren("a-1", STORM_ASSET, rig.now)])
    rig.run(START)
    assert [(sound.item, sound.volume) for sound in rig.heard] == [("a-1", 80)]


def test_renditions_sound_one_after_the_other_as_one_sounding() -> None:
    rig = ready()
    content = [Rendition(language="vi", asset=STORM_ASSET), Rendition(language="km", asset=KHMER_ASSET)]
    rig.alert("commune", [siren("a-1", STORM_ASSET, rig.now, content=content)])
    rig.run(START - SECOND)
    assert [(sound.asset, sound.to_ms - sound.from_ms) for sound in rig.heard] == [
        (STORM_ASSET.sha256, 30 * SECOND),
        (KHMER_ASSET.sha256, 20 * SECOND),
    ]
    assert [entry.kind for entry in rig.journal("a-1")] == ["started", "ended"]


def test_repeat_sounds_on_its_grid_and_never_more_often_than_it_says() -> None:
    rig = ready()
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0, repeat=Repeat(every_s=120, times=3))])
    rig.run(START - SECOND)
    assert [(sound.from_ms - T0) // 1000 for sound in rig.heard] == [0, 120, 240]


def test_repeat_without_a_number_sounds_until_the_hard_end_and_is_cut_there() -> None:
    rig = ready()
    alert = siren("a-1", STORM_ASSET, T0, repeat=Repeat(every_s=60), hard_end=T0 + 3 * MINUTE + 10 * SECOND)
    rig.alert("commune", [alert])
    rig.run(START - SECOND)
    assert [((s.from_ms - T0) // 1000, (s.to_ms - T0) // 1000) for s in rig.heard] == [
        (0, 30),
        (60, 90),
        (120, 150),
        (180, 190),
    ]


def test_what_sounded_of_an_alert_is_remembered_across_boots() -> None:
    rig = ready()
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0)])
    rig.run(T0 + MINUTE)
    rig.power_off()
    rig.power_on()
    rig.run(START - SECOND)
    assert [sound.item for sound in rig.heard] == ["a-1"]


def test_that_it_sounds_is_said_at_once_and_the_rest_a_second_later() -> None:
    rig = ready()
    rig.run(T0 + MINUTE + 30 * SECOND)
    rig.published.clear()
    rig.alert("commune", [siren("a-1", STORM_ASSET, rig.now)])
    assert [out.topic.rsplit("/", 1)[1] for out in rig.published] == ["journal"]
    rig.run(rig.now + SECOND)
    assert [out.topic.rsplit("/", 1)[1] for out in rig.published[1:]] == ["reported", "telemetry"]
    assert rig.reported().player.item == "a-1"


def test_an_alert_cut_by_power_begins_again() -> None:
    rig = ready()
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0)])
    rig.run(T0 + 10 * SECOND)
    rig.power_off()
    rig.run(T0 + 20 * SECOND)
    rig.power_on()
    rig.run(START - SECOND)
    assert [(s.from_ms - T0, s.to_ms - T0, s.offset_ms) for s in rig.heard] == [(0, 10_000, 0), (20_000, 50_000, 0)]


def test_an_alert_silenced_while_power_was_off_does_not_sound_again_at_boot() -> None:
    rig = ready()
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0, repeat=Repeat(every_s=60))])
    rig.run(T0 + 10 * SECOND)
    rig.power_off()
    rig.alert("commune", [])
    rig.run(T0 + 5 * MINUTE)
    rig.power_on()
    rig.run(START - SECOND)
    assert [sound.to_ms - T0 for sound in rig.heard] == [10 * SECOND]


@pytest.mark.parametrize("shown", [b"", b"garbage"])
def test_only_the_document_itself_says_after_a_boot_that_an_alert_still_stands(shown: bytes) -> None:
    rig = ready()
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0, repeat=Repeat(every_s=60))])
    rig.run(T0 + 40 * SECOND)
    rig.power_off()
    topic = topics.to_scope("commune", ScopeTopic.ALERT)
    rig.retained.pop(topic)
    rig.run(T0 + 5 * MINUTE)
    rig.power_on()
    rig.say(topic, shown, keep=False)
    rig.say(topic, shown, keep=False)
    rig.run(rig.now + 10 * SECOND)
    rig.alert("commune", [])
    rig.run(START - SECOND)
    assert [sound.from_ms - T0 for sound in rig.heard] == [0]


def test_an_alert_on_the_disk_sounds_after_a_boot_also_without_a_link() -> None:
    rig = ready()
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0, repeat=Repeat(every_s=60, times=2))])
    rig.run(T0 + 40 * SECOND)
    rig.link_down()
    rig.power_off()
    rig.run(T0 + 5 * MINUTE)
    rig.power_on()
    rig.run(START - SECOND)
    assert [sound.from_ms - T0 for sound in rig.heard] == [0, 5 * MINUTE + 30 * SECOND]


def test_a_unit_that_boots_during_the_flood_learns_of_it() -> None:
    rig = ready()
    rig.run(T0 + MINUTE)
    rig.power_off()
    rig.alert("province", [siren("a-1", STORM_ASSET, rig.now)])
    rig.run(T0 + 3 * MINUTE)
    rig.power_on()
    rig.run(START - SECOND)
    assert [(sound.from_ms - T0) for sound in rig.heard] == [3 * MINUTE]


def test_a_newer_document_without_the_alert_silences_it_at_once() -> None:
    rig = ready()
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0)])
    rig.run(T0 + 10 * SECOND)
    rig.alert("commune", [])
    rig.run(START - SECOND)
    assert [sound.to_ms - T0 for sound in rig.heard] == [10 * SECOND]
    ended = rig.journal("a-1")[-1]
    assert isinstance(ended, Ended)
    assert ended.outcome is Outcome.WITHDRAWN


def test_an_empty_payload_is_no_silence() -> None:
    rig = ready()
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0)])
    rig.run(T0 + 10 * SECOND)
    rig.say(topics.to_scope("commune", topics.ScopeTopic.ALERT), b"")
    rig.run(START - SECOND)
    assert [sound.to_ms - T0 for sound in rig.heard] == [30 * SECOND]


def test_an_older_document_does_not_bring_an_alert_back() -> None:
    rig = ready()
    old = rig.alert("commune", [siren("a-1", STORM_ASSET, T0, repeat=Repeat(every_s=60))])
    rig.run(T0 + 10 * SECOND)
    rig.alert("commune", [])
    rig.say(topics.to_scope("commune", topics.ScopeTopic.ALERT), old)
    rig.run(START - SECOND)
    assert [sound.to_ms - T0 for sound in rig.heard] == [10 * SECOND]


def test_void_before_of_a_wider_scope_silences_what_was_issued_earlier_in_narrower_ones() -> None:
    rig = ready()
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0)])
    rig.run(T0 + 10 * SECOND)
    rig.alert("province", [], void_before=rig.now)
    rig.run(T0 + MINUTE)
    rig.alert("commune", [siren("a-2", STORM_ASSET, rig.now)])
    rig.run(START - SECOND)
    assert [(s.item, s.from_ms - T0, s.to_ms - T0) for s in rig.heard] == [
        ("a-1", 0, 10_000),
        ("a-2", 60_000, 90_000),
    ]


def test_void_before_of_a_narrower_scope_leaves_the_wider_alone() -> None:
    rig = ready()
    rig.alert("province", [siren("a-1", STORM_ASSET, T0)])
    rig.run(T0 + 10 * SECOND)
    rig.alert("commune", [], void_before=rig.now)
    rig.run(START - SECOND)
    assert [sound.to_ms - T0 for sound in rig.heard] == [30_000]


def test_the_newest_alert_wins_and_the_other_sounds_afterwards() -> None:
    rig = ready()
    rig.alert("province", [siren("a-1", STORM_ASSET, T0)])
    rig.run(T0 + 10 * SECOND)
    rig.alert("commune", [siren("a-2", KHMER_ASSET, rig.now)])
    rig.run(START - SECOND)
    assert [(s.item, s.from_ms - T0, s.to_ms - T0) for s in rig.heard] == [
        ("a-1", 0, 10_000),
        ("a-2", 10_000, 30_000),
        ("a-1", 30_000, 60_000),
    ]


def test_an_alert_for_other_units_or_other_scopes_is_ignored() -> None:
    rig = ready()
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0, target=["u-2"])])
    rig.alert("elsewhere", [siren("a-2", STORM_ASSET, T0)])
    rig.run(START - SECOND)
    assert rig.heard == []
    rig.alert("commune", [siren("a-3", STORM_ASSET, rig.now, target=[UNIT])])
    rig.run(START)
    assert rig.pole.playing is not None
    assert rig.pole.playing.item == "a-3"


def test_an_alert_whose_end_has_passed_is_not_sounded() -> None:
    rig = ready()
    rig.run(T0 + 2 * MINUTE)
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0, hard_end=T0 + MINUTE)])
    rig.run(START - SECOND)
    assert rig.heard == []


def test_without_trusted_time_an_alert_sounds_for_at_most_max_blind_s() -> None:
    rig = ready(Config(battery=False))
    rig.answers_time = False
    rig.power_off()
    rig.power_on()
    alert = siren("a-1", STORM_ASSET, T0, repeat=Repeat(every_s=60), max_blind_s=150)
    rig.alert("commune", [alert])
    rig.run(T0 + HOUR)
    assert [sound.from_ms - T0 for sound in rig.heard] == [0, 60_000, 120_000]
    assert rig.heard[-1].to_ms - T0 == 150_000


def blind(max_blind_s: int, *lives_s: int) -> list[int]:
    """Seconds that an alert sounds in each of these lives of a unit that never learns the time."""
    rig = ready(Config(battery=False))
    rig.answers_time = False
    rig.power_off()
    rig.power_on()
    repeat, end = Repeat(every_s=60), T0 + 10 * HOUR
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0, repeat=repeat, max_blind_s=max_blind_s, hard_end=end)])
    told = []
    for lasts in lives_s:
        before = len(rig.heard)
        rig.run(rig.now + lasts * SECOND)
        rig.power_off()
        told.append(sum(sound.to_ms - sound.from_ms for sound in rig.heard[before:]) // 1000)
        rig.power_on()
    return told


def test_a_loss_of_power_gives_a_blind_alert_no_second_time() -> None:
    assert blind(300, 400, 400, 400) == [5 * 30, 0, 0]


def test_a_blind_sounding_that_power_cut_counts_as_whole() -> None:
    assert blind(150, *[20] * 10) == [20] * 5 + [0] * 5


def test_what_is_left_of_the_time_is_sounded_after_the_boot() -> None:
    assert blind(100, 25, 400) == [25, 30 + 10]


def test_trusted_time_forgets_what_an_alert_sounded_blind() -> None:
    rig = ready(Config(battery=False))
    rig.answers_time = False
    rig.power_off()
    rig.power_on()
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0, repeat=Repeat(every_s=60), max_blind_s=60)])
    rig.run(T0 + 10 * MINUTE)
    before = len(rig.heard)
    rig.power_off()
    rig.answers_time = True
    rig.power_on()
    rig.run(rig.now + 3 * MINUTE)
    assert len(rig.heard) >= before + 2
    assert rig.disk.journal.blind == {}


def boots(rig: Rig, *, knows_time: bool) -> None:
    """Power was off for a moment; the box has no clock of its own."""
    rig.power_off()
    rig.answers_time = knows_time
    rig.power_on()


def test_each_loss_of_trusted_time_gives_an_alert_that_stands_one_allowance_and_no_more() -> None:
    rig = ready(Config(battery=False))
    alert = siren("a-1", STORM_ASSET, T0, repeat=Repeat(every_s=60), max_blind_s=100, hard_end=T0 + 5 * HOUR)
    boots(rig, knows_time=False)
    rig.alert("commune", [alert])
    told = []
    for knows_time in (False, True, False, True):
        if told:
            boots(rig, knows_time=knows_time)
        before = len(rig.heard)
        rig.run(rig.now + 20 * MINUTE)
        told.append(sum(sound.to_ms - sound.from_ms for sound in rig.heard[before:]) // 1000)
    blind_once, known, blind_again, known_again = told
    assert (blind_once, blind_again) == (60, 60)
    assert min(known, known_again) >= 18 * 30, "while the time is known it sounds every minute"


def test_an_alert_that_ended_while_the_time_was_known_is_not_sounded_by_a_box_that_lost_it() -> None:
    rig = ready(Config(battery=False))
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0, repeat=Repeat(every_s=60), hard_end=T0 + 5 * MINUTE)])
    rig.run(T0 + 10 * MINUTE)
    before = len(rig.heard)
    assert before == 5
    for _ in range(3):
        boots(rig, knows_time=False)
        rig.run(rig.now + 10 * MINUTE)
    assert len(rig.heard) == before, "it is over, and the box had known so"


def test_without_trusted_time_an_alert_issued_days_later_still_sounds() -> None:
    rig = ready(Config(battery=False))
    rig.power_off()
    rig.answers_time = False
    rig.run(T0 + 72 * HOUR)
    rig.alert("commune", [siren("a-1", STORM_ASSET, rig.now)])
    rig.power_on()
    rig.run(rig.now + MINUTE)
    assert [sound.item for sound in rig.heard] == ["a-1"]


@pytest.mark.requirement("R-144")
def test_alert_content_is_fetched_before_everything_else() -> None:
    rig = Rig()
    rig.hold((NEWS_ASSET, NEWS), (STORM_ASSET, STORM))
    rig.serve = lambda fetch: []  # the news is on its way for ever
    rig.plan([item("news", NEWS_ASSET, T0 + HOUR)], [NEWS_ASSET])
    assert [fetch.sha256 for fetch in rig.fetched] == [NEWS_ASSET.sha256]
    rig.serve = rig.serve_whole
    rig.alert("commune", [siren("a-1", STORM_ASSET, T0)])
    rig.run(T0 + MINUTE)
    assert [fetch.sha256 for fetch in rig.fetched] == [each.sha256 for each in (NEWS_ASSET, STORM_ASSET, NEWS_ASSET)]
    assert [sound.item for sound in rig.heard] == ["a-1"]


def test_a_new_plan_that_follows_another_scope_hears_its_standing_alert() -> None:
    rig = ready()
    rig.alert("hamlet", [siren("a-1", STORM_ASSET, T0)])
    rig.run(T0 + MINUTE)
    assert rig.heard == []
    rig.plan([], [STORM_ASSET], policy=policy(scopes=["province", "commune", "hamlet"]))
    rig.run(T0 + 2 * MINUTE)
    assert [sound.item for sound in rig.heard] == ["a-1"]
