"""Live voice at one pole: CONTRACT.md section 6a."""

from __future__ import annotations

import random

import pytest
from support.live_pole import CHIME_ASSET, NEWS_ASSET, START, STORM_ASSET, ended, hear, heard, ready, sounds
from support.live_speaker import Speaker, arriving
from support.rig import Rig
from support.signed import DAY, MINUTE, SECOND, T0, item, policy

from broadcasts.wire.journal import Amplifier, Ended, LiveHeard, NotPlayed, Outcome, Skipped, Started
from broadcasts.wire.plan import Ceiling, OnPreempt, Window
from device_sim.unit import Config


def test_what_is_said_is_heard_the_buffer_later_and_told_in_the_journal() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START)
    hear(rig, speaker.speech(20 * SECOND))
    assert sounds(rig) == [(speaker.sound, 1_500, 21_500)]
    started, end = rig.journal(speaker.session.item)
    assert isinstance(started, Started)
    assert isinstance(end, Ended)
    assert (started.live, started.asset, started.late_ms, started.volume) == (
        speaker.session.session, speaker.session.asset, 1_500, 70
    )  # fmt: skip
    assert (end.outcome, end.reason, end.played_ms, end.amplifier) == (Outcome.PLAYED, "", 20_000, Amplifier.SOUND)
    assert end.live_heard == LiveHeard(packets=200, late=0, refused=0, voice_ms=20_000, concealed_ms=0, lost_ms=0)


def test_chimes_frame_what_is_said() -> None:
    rig = ready()
    chime = CHIME_ASSET.sha256
    speaker = Speaker(rig.signer, START, chime_before=chime, chime_after=chime)
    hear(rig, speaker.speech(10 * SECOND, speaks_after_ms=1_500))
    assert [(each.asset, each.from_ms - START, each.to_ms - START) for each in rig.heard] == [
        (chime, 0, 3_000),
        (speaker.sound, 3_000, 13_000),
        (chime, 13_000, 16_000),
    ]
    assert len(rig.journal(speaker.session.item)) == 2


def test_a_chime_yields_to_the_voice_and_one_that_is_not_held_is_left_out() -> None:
    rig = ready()
    early = Speaker(rig.signer, START, chime_before=CHIME_ASSET.sha256, chime_after="0" * 64)
    hear(rig, early.speech(10 * SECOND))
    assert [(each.asset[:5], each.from_ms - START, each.to_ms - START) for each in rig.heard] == [
        (CHIME_ASSET.sha256[:5], 0, 1_500),
        ("live:", 1_500, 11_500),
    ]


@pytest.mark.parametrize(("how", "goes_on"), [(OnPreempt.RESUME, 21_500), (OnPreempt.DROP, None)])
def test_the_schedule_goes_on_as_each_item_says_at_its_own_volume(how: OnPreempt, goes_on: int | None) -> None:
    rig = ready([item("news", NEWS_ASSET, START - 30 * SECOND, on_preempt=how, volume=45)])
    speaker = Speaker(rig.signer, START, level=2, volume=80)
    hear(rig, speaker.speech(20 * SECOND))
    after = [("news", goes_on, 270_000)] if goes_on else []
    rig.run(START + 10 * MINUTE)
    assert sounds(rig) == [("news", -30_000, 1_500), (speaker.sound, 1_500, 21_500), *after]
    assert [each.volume for each in rig.heard] == [45, 80, *[45 for _ in after]]
    cut = next(entry for entry in rig.journal("news") if isinstance(entry, Ended))
    assert (cut.outcome, cut.by) == (Outcome.PREEMPTED, speaker.session.item)


def test_an_item_of_a_more_urgent_level_goes_first_and_the_session_is_joined_where_it_is() -> None:
    rig = ready([item("call", STORM_ASSET, START + 10 * SECOND, level=2)])
    speaker = Speaker(rig.signer, START)
    hear(rig, speaker.speech(60 * SECOND))
    assert sounds(rig) == [
        (speaker.sound, 1_500, 10_000), ("call", 10_000, 40_000), (speaker.sound, 40_000, 61_500)
    ]  # fmt: skip
    assert [entry.kind for entry in rig.journal(speaker.session.item)] == ["started", "ended"] * 2


def test_of_two_sessions_of_one_level_the_newer_speaks() -> None:
    rig = ready()
    first, second = Speaker(rig.signer, START), Speaker(rig.signer, START + 10 * SECOND, seed=2)
    said = sorted([*first.speech(30 * SECOND), *second.speech(10 * SECOND)], key=lambda each: each[0])
    hear(rig, said)
    assert sounds(rig) == [(first.sound, 1_500, 11_500), (second.sound, 11_500, 21_500), (first.sound, 21_500, 31_500)]


# --- the hours, the ceilings, the time


def test_an_ordinary_session_in_quiet_hours_is_refused_and_told() -> None:
    rig = ready(policy=policy(hours=[Window(start=0, end=6 * 60)]))
    speaker = Speaker(rig.signer, START, level=2)
    hear(rig, speaker.speech(10 * SECOND))
    assert rig.heard == []
    (entry,) = rig.journal(speaker.session.item)
    assert isinstance(entry, Skipped)
    assert entry.why is NotPlayed.QUIET_HOURS


def test_an_emergency_passes_quiet_hours_and_ceilings_up_to_the_emergency_volume() -> None:
    quiet = policy(hours=[], ceilings=[Ceiling(start=0, end=1440, volume=20)], emergency_volume=85)
    rig = ready(policy=quiet)
    hear(rig, Speaker(rig.signer, START, level=1, volume=100).speech(10 * SECOND))
    assert [each.volume for each in rig.heard] == [85]


def test_an_ordinary_session_obeys_the_ceiling_also_one_that_comes_into_force_meanwhile() -> None:
    minute = 7 * 60 + 10
    rig = ready(policy=policy(ceilings=[Ceiling(start=minute + 1, end=minute + 2, volume=30)]))
    hear(rig, Speaker(rig.signer, START).speech(90 * SECOND))
    assert [(each.volume, each.from_ms - START) for each in rig.heard] == [(70, 1_500), (30, 60_000)]


def test_a_session_that_could_last_into_the_quiet_hours_does_not_begin() -> None:
    """Like a slot of a relay: nobody at a microphone looks at the clock."""
    rig = ready(policy=policy(hours=[Window(start=0, end=7 * 60 + 15)]))
    hear(rig, Speaker(rig.signer, START).speech(5 * SECOND))
    fits = Speaker(rig.signer, rig.now, seed=2, hard_end=T0 + 15 * MINUTE)
    hear(rig, fits.speech(5 * SECOND))
    assert [each.asset for each in rig.heard] == [fits.sound]


def test_without_trusted_time_an_emergency_sounds_on_arrival_for_a_bounded_time_and_nothing_else_does() -> None:
    rig = Rig(config=Config(battery=False), power=False)
    rig.answers_time = False
    rig.power_on()
    rig = ready(rig=rig)
    ordinary = Speaker(rig.signer, START)
    hear(rig, ordinary.speech(5 * SECOND))
    assert rig.heard == []
    emergency = Speaker(rig.signer, rig.now, level=1, max_blind_s=20)
    begin = rig.now
    hear(rig, emergency.speech(40 * SECOND))
    assert sounds(rig, begin) == [(emergency.sound, 1_500, 21_500)]
    assert ended(rig, emergency).reason == "max_blind"


def test_what_a_unit_without_time_has_heard_before_it_lost_power_is_not_played_to_it_again() -> None:
    rig = Rig(config=Config(battery=False), power=False)
    rig.answers_time = False
    rig.power_on()
    rig = ready(rig=rig)
    emergency = Speaker(rig.signer, START, level=1)
    said = emergency.speech(10 * SECOND)
    hear(rig, said)
    assert len(rig.heard) == 1
    rig.power_off()
    rig.now += MINUTE
    rig.power_on()
    shift = rig.now - START
    hear(rig, [(at + shift, topic, payload) for at, topic, payload in said])
    assert len(rig.heard) == 1


def test_what_a_unit_heard_up_to_the_loss_of_its_power_and_clock_is_not_played_to_it_again() -> None:
    rig = ready(rig=Rig(config=Config(battery=False)))
    emergency = Speaker(rig.signer, START, level=1)
    said = emergency.speech(50 * SECOND)
    hear(rig, [each for each in said if each[0] < START + 45 * SECOND], START + 45 * SECOND)
    rig.power_off()
    rig.answers_time = False
    rig.now += DAY
    rig.power_on()
    sounded = len(rig.heard)
    shift = rig.now - START
    hear(rig, [(at + shift, topic, payload) for at, topic, payload in said if at < START + 45 * SECOND])
    assert len(rig.heard) == sounded
    later = Speaker(rig.signer, rig.now, level=1, seed=2)
    hear(rig, later.speech(5 * SECOND))
    assert rig.heard[-1].asset == later.sound


# --- loss


def test_a_gap_is_concealed_for_200_ms_and_silent_after_that() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START)
    lost = {1_000 + 100 * n for n in (0, 1, 20, 21, 22, 23, 24)}
    said = [each for each in speaker.speech(10 * SECOND) if each[0] - START not in lost or each[0] % 1000 == 0]
    packets = [each for each in said if each[0] - START not in lost]
    hear(rig, packets)
    assert sounds(rig) == [(speaker.sound, 1_500, 4_700), (speaker.sound, 5_000, 11_500)]
    told = heard(rig, speaker)
    assert (told.voice_ms, told.concealed_ms, told.lost_ms) == (10_000 - 700, 400, 300)


@pytest.mark.parametrize(("loss", "least_late", "most_gap_ms"), [(0.0, 0, 0), (0.01, 0, 0), (0.05, 0, 1_500)])
def test_loss_as_tcp_shows_it_leaves_no_gap_at_one_percent(loss: float, least_late: int, most_gap_ms: int) -> None:
    """Retransmission after 200 ms, doubling, behind 100 to 300 ms of way; ten poles, a minute each."""
    gaps = []
    for seed in range(10):
        rig = ready()
        chance = random.Random(f"{loss} {seed}")
        speaker = Speaker(rig.signer, START)
        hear(rig, list(arriving(speaker.speech(60 * SECOND), loss, lambda c=chance: c.randint(100, 300), chance)))
        told = heard(rig, speaker)
        assert told.voice_ms + told.concealed_ms + told.lost_ms == 60_000
        gaps.append(told.concealed_ms + told.lost_ms)
        assert told.late >= least_late
    assert sum(gaps) <= most_gap_ms * len(gaps)


def test_a_pause_of_the_sender_is_silence_and_nothing_is_lost() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START)
    said = speaker.speech(3 * SECOND, ends=False)
    later = [
        (START + 5_000 + 100 * n, speaker.topic, speaker.packet(30 + n, START + 6_500 + 100 * n)) for n in range(20)
    ]
    hear(rig, [*said, *later, (START + 7_000, speaker.topic, speaker.document(START + 7_000, ends_at=START + 8_500))])
    assert sounds(rig) == [(speaker.sound, 1_500, 4_700), (speaker.sound, 6_500, 8_500)]
    assert heard(rig, speaker) == LiveHeard(packets=50, late=0, refused=0, voice_ms=5_000, concealed_ms=200, lost_ms=0)


def test_late_packets_are_dropped_and_counted_and_the_rest_of_one_is_played() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START)
    said = speaker.speech(5 * SECOND)
    held = [(at + (1_630 if at == START + 2_500 else 0), topic, payload) for at, topic, payload in said]
    hear(rig, sorted(held, key=lambda each: each[0]))
    told = heard(rig, speaker)
    # Due at +4,000, there at +4,130: over. The one before it came in time.
    assert (told.late, told.packets, told.voice_ms, told.concealed_ms) == (1, 49, 4_900, 100)
    other = Speaker(rig.signer, rig.now, seed=2)
    said = other.speech(5 * SECOND)
    begin = other.begin
    held = [(at + (1_535 if at == begin + 2_500 else 0), topic, payload) for at, topic, payload in said]
    hear(rig, sorted(held, key=lambda each: each[0]))
    told = heard(rig, other)
    assert (told.late, told.packets, told.voice_ms, told.concealed_ms) == (0, 50, 4_960, 40)


def test_after_five_seconds_without_a_packet_the_horn_is_given_back_and_taken_again() -> None:
    rig = ready([item("news", NEWS_ASSET, START - 30 * SECOND)])
    speaker = Speaker(rig.signer, START, chime_before=CHIME_ASSET.sha256)
    said = speaker.speech(40 * SECOND, speaks_after_ms=1_500)
    away = [each for each in said if not START + 10 * SECOND <= each[0] < START + 30 * SECOND]
    hear(rig, away)
    first, again = [entry for entry in rig.journal(speaker.session.item) if isinstance(entry, Ended)]
    assert (first.outcome, first.reason) == (Outcome.PLAYED, "no_packets")
    assert first.played_ms == 11_500 + 5_000
    assert (again.outcome, again.reason) == (Outcome.PLAYED, "")
    assert sounds(rig)[:4] == [
        ("news", -30_000, 0),
        (speaker.session.item, 0, 3_000),
        (speaker.sound, 3_000, 11_700),
        ("news", 16_500, 31_500),
    ]
    assert sounds(rig)[4][0] == speaker.sound, "without a chime"


def test_at_its_hard_end_it_is_silent_whatever_still_comes() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START, hard_end=START + 8 * SECOND)
    hear(rig, speaker.speech(30 * SECOND, ends=False))
    assert sounds(rig) == [(speaker.sound, 1_500, 8_000)]
    assert (ended(rig, speaker).outcome, ended(rig, speaker).reason) == (Outcome.PLAYED, "hard_end")


def test_broken_off_it_is_silent_at_once_and_never_begins_again() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START)
    said = speaker.speech(30 * SECOND)
    cut = START + 10 * SECOND + 50
    off = [(cut, speaker.topic, speaker.document(cut, ends_at=cut))]
    hear(rig, sorted([*said, *off], key=lambda each: each[0]))
    assert sounds(rig) == [(speaker.sound, 1_500, 10_050)]
    assert [entry.kind for entry in rig.journal(speaker.session.item)] == ["started", "ended"]


# --- around it


def test_a_cut_wire_is_told_of_a_voice_as_of_anything() -> None:
    rig = ready()
    rig.pole.cut_wire(rig.now)
    speaker = Speaker(rig.signer, START)
    hear(rig, speaker.speech(10 * SECOND))
    assert rig.heard == []
    assert ended(rig, speaker).amplifier is Amplifier.SILENT


def test_a_session_of_which_no_packet_came_never_has_the_horn_and_says_so() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START)
    hear(rig, [each for each in speaker.speech(10 * SECOND) if each[2].startswith(b"eyJ")])
    (entry,) = rig.journal(speaker.session.item)
    assert isinstance(entry, Skipped)
    assert entry.why is NotPlayed.EXPIRED
    with_chime = Speaker(rig.signer, rig.now, chime_before=CHIME_ASSET.sha256, seed=2)
    hear(rig, [each for each in with_chime.speech(10 * SECOND) if each[2].startswith(b"eyJ")])
    assert (ended(rig, with_chime).outcome, ended(rig, with_chime).reason) == (Outcome.FAILED, "no_packets")


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.3])
def test_taking_packets_the_short_way_is_taking_them_the_long_way(loss: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten packets a second and pole: what is only for later costs no whole step, and changes nothing."""
    told = []
    for short in (True, False):
        if not short:
            monkeypatch.setattr("device_sim.unit._only_sound", lambda _inbox: False)
        rig = ready([item("news", NEWS_ASSET, START - 30 * SECOND), item("call", STORM_ASSET, START + 20_300, level=2)])
        chance = random.Random(5)
        speaker = Speaker(rig.signer, START)
        said = arriving(speaker.speech(60 * SECOND), loss, lambda c=chance: c.randint(20, 900), chance)
        hear(rig, list(said))
        entries = [each.model_dump(exclude={"asset", "live"}) for each in rig.journal() if each.kind != "fault"]
        told.append(([(each.from_ms, each.to_ms, each.volume) for each in rig.heard], entries))
    assert told[0] == told[1]
    assert len(told[0][0]) >= 4


def test_a_unit_reports_what_speaks() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START)
    said = speaker.speech(10 * SECOND)
    hear(rig, [each for each in said if each[0] < START + 5 * SECOND], START + 5 * SECOND)
    assert rig.reported().player.item == speaker.session.item
