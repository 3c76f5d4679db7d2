"""What a villager hears of another station's slot, by the rules of CONTRACT.md section 5a."""

from __future__ import annotations

from itertools import pairwise

import pytest
from support.rig import UNIT, Rig
from support.signed import MINUTE, SECOND, T0, Ceiling, Window, asset_of, item, opus, policy, siren

from broadcasts.wire.journal import Amplifier, Ended, FaultEntry, Outcome, Skipped, Started
from broadcasts.wire.plan import Item, OnPreempt
from broadcasts.wire.relay import Relay
from broadcasts.wire.status import CommandKind
from broadcasts.wire.topics import In, to_unit
from device_sim.events import Tune
from device_sim.radio import CONNECT_MS, Air, Stretch, dropping
from device_sim.receiver import LEAD_MS
from device_sim.unit import Config

SORRY = opus(40 * SECOND, "sorry")
SORRY_ASSET = asset_of(SORRY, 40 * SECOND)
NEWS = opus(2 * MINUTE, "news")
NEWS_ASSET = asset_of(NEWS, 2 * MINUTE)
START = T0 + 10 * MINUTE
SLOT = 15 * MINUTE
END = START + SLOT
VOV = Relay(source="vov1", url="https://radio.example.vn/vov1", length_ms=SLOT)
FM = Relay(source="soc-trang-fm", frequency_khz=100_400, length_ms=SLOT)
LIVE, FALLBACK = "relay:vov1", SORRY_ASSET.sha256


def slot(relay: Relay = VOV, name: str = "vov", start: int = START, **fields: object) -> Item:
    return item(name, SORRY_ASSET, start, relay=relay, hard_end=start + relay.length_ms, not_after=start, **fields)


def rig_with(*items: Item, disturbed: tuple[Stretch, ...] = (), hold: bool = True, **fields: object) -> Rig:
    rig = Rig()
    if hold:
        rig.hold((SORRY_ASSET, SORRY))
    rig.hold((NEWS_ASSET, NEWS))
    rig.radio.disturb(disturbed)
    rig.plan(items, (SORRY_ASSET, NEWS_ASSET), **fields)
    return rig


def told(rig: Rig) -> list[tuple[str, float, float]]:
    """(sound, from, to) in seconds after the begin of the slot."""
    return [
        (each.asset, (each.from_ms - START) / SECOND, (each.to_ms - START) / SECOND)
        for each in rig.heard
        if each.asset != NEWS_ASSET.sha256
    ]


def ended(rig: Rig, name: str = "vov") -> list[Ended]:
    return [entry for entry in rig.journal(name) if isinstance(entry, Ended)]


def faults(rig: Rig) -> list[tuple[float, bool, str]]:
    return [
        ((entry.at - START) / SECOND, entry.raised, entry.detail)
        for entry in rig.journal()
        if isinstance(entry, FaultEntry) and entry.code == "relay_silent"
    ]


@pytest.mark.requirement("R-024")
def test_a_slot_sounds_the_other_station_from_second_to_second_and_the_log_names_it() -> None:
    rig = rig_with(slot())
    rig.run(T0 + 40 * MINUTE)
    assert told(rig) == [(LIVE, 0, 900)]
    assert {sound.volume for sound in rig.heard} == {60}
    started, end = rig.journal("vov")
    assert isinstance(started, Started)
    assert isinstance(end, Ended)
    assert (started.relay, started.asset, started.late_ms) == ("vov1", FALLBACK, 0)
    assert (end.outcome, end.relay, end.relay_ms, end.fallback_ms) == (Outcome.PLAYED, "vov1", SLOT, 0)
    assert (end.amplifier, end.reason) == (Amplifier.SOUND, "")
    assert faults(rig) == []


def test_the_source_is_tuned_in_beforehand_and_given_back_at_the_end() -> None:
    rig = rig_with(slot())
    rig.run(T0 + 40 * MINUTE)
    assert rig.tuned == [(START - LEAD_MS, Tune("vov1", VOV.url, None))]
    assert not rig.reception.is_tuned
    assert rig.reception.streamed_ms == SLOT + LEAD_MS - CONNECT_MS


@pytest.mark.requirement("R-024")
def test_a_silent_source_is_replaced_by_the_fallback_and_taken_back_when_that_is_over() -> None:
    silence = Stretch(START + 60 * SECOND, START + 95 * SECOND, Air.SILENT)
    rig = rig_with(slot(), disturbed=(silence,))
    rig.run(T0 + 40 * MINUTE)
    assert told(rig) == [(LIVE, 0, 60), (FALLBACK, 80, 120), (LIVE, 120, 900)], "20 s of patience, then 40 s of words"
    assert faults(rig) == [(80, True, "vov1"), (120, False, "vov1")]
    [end] = ended(rig)
    assert (end.outcome, end.amplifier) == (Outcome.PLAYED, Amplifier.SOUND)
    assert (end.played_ms, end.relay_ms, end.fallback_ms) == (SLOT, 840 * SECOND, 40 * SECOND)


@pytest.mark.requirement("R-024")
@pytest.mark.parametrize("air", [Air.SILENT, Air.OFF])
@pytest.mark.parametrize("patience_s", [5, 20, 120])
def test_a_source_that_never_comes_is_replaced_within_its_patience(air: Air, patience_s: int) -> None:
    relay = VOV.model_copy(update={"silence_s": patience_s})
    rig = rig_with(slot(relay), disturbed=(Stretch(T0, END, air),))
    rig.run(T0 + 40 * MINUTE)
    [(sound, begin, end)] = told(rig)
    assert sound == FALLBACK
    assert patience_s <= begin <= patience_s + 1
    assert end == begin + 40, "once: what is still silent afterwards leaves silence"
    assert faults(rig) == [(begin, True, "vov1")]
    assert "relay_silent" in rig.reported().faults
    [entry] = ended(rig)
    assert (entry.outcome, entry.relay_ms, entry.fallback_ms) == (Outcome.PLAYED, 0, 40 * SECOND)


def test_the_fault_stands_until_the_source_sounds_again_in_a_later_slot() -> None:
    again = slot(name="again", start=START + 60 * MINUTE)
    rig = rig_with(slot(), again, disturbed=(Stretch(T0, END, Air.OFF),))
    rig.run(END + MINUTE)
    assert "relay_silent" in rig.reported().faults
    rig.run(START + 80 * MINUTE)
    assert faults(rig) == [(20, True, "vov1"), (3600, False, "vov1")]


def test_a_source_that_the_plan_names_no_more_is_not_complained_about() -> None:
    rig = rig_with(slot(), disturbed=(Stretch(T0, END, Air.OFF),))
    rig.run(END + 10 * MINUTE)
    rig.plan([], [])
    assert [raised for _, raised, _ in faults(rig)] == [True, False]


def test_two_sources_that_are_silent_are_complained_about_one_after_the_other() -> None:
    evening = slot(FM, "evening", START + 60 * MINUTE)
    rig = rig_with(slot(), evening, disturbed=(Stretch(T0, T0 + 300 * MINUTE, Air.OFF),))
    rig.run(T0 + 120 * MINUTE)
    assert faults(rig) == [(20, True, "vov1"), (3620, False, "vov1"), (3620, True, "soc-trang-fm")]


def test_a_fallback_is_cut_at_the_end_of_the_slot() -> None:
    short = VOV.model_copy(update={"length_ms": 45 * SECOND})
    rig = rig_with(slot(short), disturbed=(Stretch(T0, END, Air.OFF),))
    rig.run(T0 + 40 * MINUTE)
    assert told(rig) == [(FALLBACK, 20, 45)]


def test_a_source_and_a_fallback_that_are_both_missing_have_failed_to_sound() -> None:
    rig = rig_with(slot(), disturbed=(Stretch(T0, END, Air.OFF),), hold=False)
    rig.run(T0 + 40 * MINUTE)
    assert told(rig) == []
    [end] = ended(rig)
    assert (end.outcome, end.reason, end.relay_ms, end.fallback_ms) == (Outcome.FAILED, "relay_silent", 0, 0)
    assert end.amplifier is Amplifier.NONE


def test_a_slot_needs_no_fallback_on_the_disk_to_begin() -> None:
    rig = rig_with(slot(), hold=False)
    rig.run(T0 + 40 * MINUTE)
    assert told(rig) == [(LIVE, 0, 900)]


def test_a_connection_that_breaks_off_again_and_again_is_taken_up_again_within_seconds() -> None:
    rig = rig_with(slot())
    rig.radio.disturb(dropping(START, END, up_ms=2 * MINUTE, down_ms=3 * SECOND), "vov1")
    rig.run(T0 + 40 * MINUTE)
    assert faults(rig) == []
    [end] = ended(rig)
    assert end.relay_ms is not None
    assert SLOT - 7 * 10 * SECOND < end.relay_ms < SLOT - 7 * 3 * SECOND
    assert end.relay_ms == sum(sound.to_ms - sound.from_ms for sound in rig.heard), "the log says what was heard"


def test_a_source_that_answers_nobody_is_asked_more_and_more_seldom() -> None:
    rig = rig_with(slot(), disturbed=(Stretch(T0, END, Air.OFF),))
    rig.run(T0 + 40 * MINUTE)
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(rig.tuned)]
    assert gaps[:6] == [each + CONNECT_MS for each in (0, 1_000, 2_000, 4_000, 8_000, 15_000)]
    assert set(gaps[6:]) == {15_000 + CONNECT_MS}


def test_the_tuner_needs_no_link_and_costs_no_data() -> None:
    rig = rig_with(slot(FM))
    rig.run(T0 + 5 * MINUTE)
    rig.link_down()
    rig.run(T0 + 40 * MINUTE)
    assert told(rig) == [("relay:soc-trang-fm", 0, 900)]
    assert rig.reception.streamed_ms == 0


def test_a_stream_over_a_link_that_is_gone_gives_way_to_the_fallback() -> None:
    rig = rig_with(slot())
    rig.run(START + 5 * MINUTE)
    rig.link_down()
    rig.run(START + 10 * MINUTE)
    rig.link_up()
    rig.run(T0 + 40 * MINUTE)
    assert told(rig)[:2] == [(LIVE, 0, 300), (FALLBACK, 320, 360)]
    [(sound, begin, end)] = told(rig)[2:]
    assert (sound, end) == (LIVE, 900)
    assert 600 <= begin <= 617


def test_a_priority_bulletin_takes_the_horn_and_the_station_is_joined_again_where_it_is() -> None:
    news = item("news", NEWS_ASSET, START + 5 * MINUTE, level=2)
    rig = rig_with(slot(), news)
    rig.run(T0 + 40 * MINUTE)
    assert told(rig)[0] == (LIVE, 0, 300)
    sound, begin, end = told(rig)[1]
    assert (sound, end) == (LIVE, 900)
    assert 420 <= begin <= 421
    assert rig.heard[-1].offset_ms == rig.heard[-1].from_ms - START
    first, second = ended(rig)
    assert (first.outcome, first.by, second.outcome) == (Outcome.PREEMPTED, "news", Outcome.PLAYED)
    assert [entry.offset_ms for entry in rig.journal("vov") if isinstance(entry, Started)] == [0, 7 * MINUTE]
    assert first.relay_ms == 5 * MINUTE


def test_a_relay_that_is_dropped_when_it_loses_does_not_come_back() -> None:
    news = item("news", NEWS_ASSET, START + 5 * MINUTE, level=2)
    rig = rig_with(slot(on_preempt=OnPreempt.DROP), news)
    rig.run(T0 + 40 * MINUTE)
    assert told(rig) == [(LIVE, 0, 300)]
    assert not rig.reception.is_tuned


def test_a_displaced_fallback_does_not_go_on_the_source_is_asked_first() -> None:
    news = item("news", NEWS_ASSET, START + 30 * SECOND, level=2)
    rig = rig_with(slot(), news, disturbed=(Stretch(T0, START + 60 * SECOND, Air.OFF),))
    rig.run(T0 + 40 * MINUTE)
    assert told(rig)[0] == (FALLBACK, 20, 30)
    sound, begin, end = told(rig)[1]
    assert (sound, end) == (LIVE, 900)
    assert 150 <= begin <= 151


def test_an_alert_takes_horn_and_link_at_once() -> None:
    rig = rig_with(slot())
    rig.run(START + MINUTE)
    assert rig.reception.is_tuned
    rig.alert("commune", [siren("a-1", NEWS_ASSET, rig.now)])
    assert rig.pole.playing is not None
    assert rig.pole.playing.item == "a-1"
    assert not rig.reception.is_tuned
    rig.run(T0 + 40 * MINUTE)
    assert [(sound, end) for sound, _, end in told(rig)] == [(LIVE, 60), (LIVE, 900)]


def test_a_reboot_in_the_middle_of_a_slot_joins_the_station_where_it_is() -> None:
    rig = rig_with(slot())
    rig.run(START + 5 * MINUTE)
    rig.power_off()
    rig.run(START + 7 * MINUTE)
    rig.power_on()
    rig.run(T0 + 40 * MINUTE)
    (_, _, cut), (sound, begin, end) = told(rig)
    assert (sound, cut, end) == (LIVE, 300, 900)
    assert 420 <= begin <= 421


def test_power_that_comes_back_after_the_slot_tells_which_station_was_cut() -> None:
    rig = rig_with(slot())
    rig.run(START + 5 * MINUTE)
    rig.power_off()
    rig.run(END + MINUTE)
    rig.power_on()
    rig.run(END + 2 * MINUTE)
    [end] = ended(rig)
    assert (end.outcome, end.reason, end.relay) == (Outcome.FAILED, "power_off", "vov1")


def test_a_unit_that_learns_of_a_slot_too_late_joins_while_it_lasts() -> None:
    rig = Rig()
    rig.hold((SORRY_ASSET, SORRY))
    rig.run(T0 + MINUTE)
    rig.link_down()
    rig.plan([slot()], [SORRY_ASSET])
    rig.run(START + 8 * MINUTE)
    rig.link_up()
    rig.run(T0 + 40 * MINUTE)
    [(sound, begin, end)] = told(rig)
    assert (sound, end) == (LIVE, 900)
    assert 480 <= begin <= 481


def test_a_slot_that_does_not_fit_into_the_hours_does_not_sound() -> None:
    hours = [Window(start=7 * 60, end=7 * 60 + 20)]  # local; the slot is 07:10 to 07:25
    rig = rig_with(slot(), policy=policy(hours=hours))
    rig.run(T0 + 40 * MINUTE)
    assert told(rig) == []
    assert [type(entry) for entry in rig.journal("vov")] == [Skipped]
    assert rig.tuned == [] or not rig.reception.is_tuned


def test_a_ceiling_that_comes_into_force_turns_the_station_down() -> None:
    ceilings = [Ceiling(start=7 * 60 + 15, end=8 * 60, volume=30)]
    rig = rig_with(slot(), policy=policy(ceilings=ceilings))
    rig.run(T0 + 40 * MINUTE)
    assert [(sound.volume, sound.offset_ms // SECOND) for sound in rig.heard] == [(60, 0), (30, 300)]


def test_another_address_in_a_newer_plan_is_another_broadcast() -> None:
    rig = rig_with(slot())
    rig.run(START + 5 * MINUTE)
    other = VOV.model_copy(update={"url": "https://radio.example.vn/vov2"})
    rig.plan([slot(other)], [SORRY_ASSET])
    rig.run(T0 + 40 * MINUTE)
    first, second = ended(rig)
    assert (first.outcome, second.outcome) == (Outcome.WITHDRAWN, Outcome.PLAYED)
    assert [tune.url for _, tune in rig.tuned] == [VOV.url, other.url]


def test_a_slot_taken_from_the_plan_stops_at_once() -> None:
    rig = rig_with(slot())
    rig.run(START + 5 * MINUTE)
    rig.plan([], [])
    rig.run(T0 + 40 * MINUTE)
    assert told(rig) == [(LIVE, 0, 300)]
    assert ([end.outcome for end in ended(rig)], rig.reception.is_tuned) == ([Outcome.WITHDRAWN], False)


def test_a_shortened_slot_ends_when_the_newer_plan_says() -> None:
    rig = rig_with(slot())
    rig.run(START + 5 * MINUTE)
    shorter = slot().model_copy(update={"hard_end": START + 7 * MINUTE})
    rig.plan([shorter], [SORRY_ASSET])
    rig.run(T0 + 40 * MINUTE)
    assert told(rig) == [(LIVE, 0, 420)]
    assert [end.outcome for end in ended(rig)] == [Outcome.PLAYED]


def test_a_cut_wire_is_seen_although_the_station_sounds() -> None:
    rig = rig_with(slot())
    rig.pole.cut_wire(rig.now)
    rig.run(T0 + 40 * MINUTE)
    assert told(rig) == []
    [end] = ended(rig)
    assert (end.amplifier, end.relay_ms) == (Amplifier.SILENT, SLOT)


def test_pauses_of_the_station_do_not_look_like_a_cut_wire() -> None:
    begins = [START + n * 20 * SECOND for n in range(45)]
    pauses = [Stretch(begin, begin + 19 * SECOND, Air.SILENT) for begin in begins]
    rig = rig_with(slot(), disturbed=tuple(pauses))
    rig.run(T0 + 40 * MINUTE)
    [end] = ended(rig)
    assert (end.amplifier, end.fallback_ms) == (Amplifier.SOUND, 0)
    assert end.relay_ms == 45 * SECOND


def test_without_trusted_time_nothing_is_tuned_in() -> None:
    rig = Rig(config=Config(battery=False), power=False)
    rig.answers_time = False
    rig.hold((SORRY_ASSET, SORRY))
    rig.power_on()
    rig.plan([slot()], [SORRY_ASSET])
    rig.run(T0 + 40 * MINUTE)
    assert rig.tuned == []
    assert told(rig) == []


def test_a_capture_says_which_station_is_on_the_line_and_when_it_is_silent() -> None:
    rig = rig_with(slot(), disturbed=(Stretch(START + 64 * SECOND, START + 70 * SECOND, Air.SILENT),))
    rig.run(START + MINUTE)
    command = rig.signer.command(UNIT, rig.now, CommandKind.CAPTURE, rig.now, seconds="8")
    rig.say(to_unit(UNIT, In.COMMAND), command, keep=False)
    rig.run(START + 2 * MINUTE)
    [result] = [entry for entry in rig.journal() if entry.kind == "command_result"]
    assert getattr(result, "text", "").splitlines() == [
        "0-4000 sound item=vov asset=relay:vov1 at=60000 volume=60 amplifier=1300",
        "4000-8000 silence",
    ]


def test_a_unit_that_knows_no_relays_plays_the_fallback_in_the_slot_and_no_longer() -> None:
    """The field is unknown to it, as all that a newer controller says."""
    older = slot(VOV.model_copy(update={"length_ms": 30 * SECOND})).model_copy(update={"relay": None})
    rig = rig_with(older)
    rig.run(T0 + 40 * MINUTE)
    assert told(rig) == [(FALLBACK, 0, 30)]


def test_the_fallback_is_fetched_like_any_other_sound() -> None:
    rig = rig_with(slot())
    rig.run(T0 + MINUTE)
    assert FALLBACK in rig.reported().assets


@pytest.mark.parametrize("relay", [FM, VOV], ids=["no tuner", "a way of a newer version"])
def test_a_box_that_cannot_receive_the_station_says_the_fallback_at_once(relay: Relay) -> None:
    newer = relay if relay is FM else VOV.model_copy(update={"url": None})
    rig = Rig(config=Config(tuner=False))
    rig.hold((SORRY_ASSET, SORRY))
    rig.plan([slot(relay).model_copy(update={"relay": newer})], [SORRY_ASSET])
    rig.run(T0 + 40 * MINUTE)
    assert told(rig) == [(FALLBACK, 0, 40)]
    assert faults(rig) == [(0, True, newer.source)]
    assert rig.tuned == []
