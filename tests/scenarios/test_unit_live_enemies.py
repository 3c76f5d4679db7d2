"""Live voice at one pole that is not alone: other emergencies, lost power, and whoever wants it to say other things."""

from __future__ import annotations

import pytest
from support.live_pole import CHIME_ASSET, NEWS_ASSET, START, STORM_ASSET, ended, hear, heard, ready, sounds
from support.live_speaker import Speaker
from support.signed import HOUR, MINUTE, SECOND, item, siren

from broadcasts.wire import topics
from broadcasts.wire.journal import Ended, LiveHeard, Outcome
from broadcasts.wire.jws import SigningKey
from broadcasts.wire.status import RefusalReason
from broadcasts.wire.topics import ScopeTopic

# --- emergencies


def test_of_emergencies_the_newest_has_the_horn_be_it_alert_or_voice() -> None:
    rig = ready([item("news", NEWS_ASSET, START - 30 * SECOND)])
    speaker = Speaker(rig.signer, START, level=1, issued_at=START - 10 * SECOND, said_at=START)
    rig.run(START - 5 * SECOND)
    rig.alert("commune", [siren("old", STORM_ASSET, START - 11 * SECOND)])
    said = speaker.speech(60 * SECOND)
    hear(rig, [each for each in said if each[0] < START + 20 * SECOND], START + 20 * SECOND)
    rig.alert("commune", [siren("new", STORM_ASSET, rig.now)])
    hear(rig, [each for each in said if each[0] >= START + 20 * SECOND])
    assert sounds(rig)[:4] == [
        ("news", -30_000, -5_000),
        ("old", -5_000, 1_500),
        (speaker.sound, 1_500, 20_000),
        ("new", 20_000, 50_000),
    ]
    assert sounds(rig)[4][:2] == (speaker.sound, 50_000), "the newer has said what it had to say"


@pytest.mark.requirement("R-068")
def test_a_running_voice_gives_way_to_an_alert_and_goes_on_at_its_own_volume() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START, level=2, volume=55)
    said = speaker.speech(60 * SECOND)
    hear(rig, [each for each in said if each[0] < START + 10 * SECOND], START + 10 * SECOND)
    rig.alert("commune", [siren("storm", STORM_ASSET, rig.now)])
    hear(rig, [each for each in said if each[0] >= START + 10 * SECOND])
    assert sounds(rig)[:2] == [(speaker.sound, 1_500, 10_000), ("storm", 10_000, 40_000)]
    assert sounds(rig)[2][0] == speaker.sound
    assert [each.volume for each in rig.heard] == [55, 90, 55]
    first = next(entry for entry in rig.journal(speaker.session.item) if isinstance(entry, Ended))
    assert (first.outcome, first.by) == (Outcome.PREEMPTED, "storm")


def test_silence_all_silences_a_voice_and_a_later_one_is_heard() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START, level=1)
    said = speaker.speech(30 * SECOND)
    hear(rig, [each for each in said if each[0] < START + 10 * SECOND], START + 10 * SECOND)
    rig.alert("province", [], void_before=rig.now)
    hear(rig, [each for each in said if each[0] >= START + 10 * SECOND])
    assert sounds(rig) == [(speaker.sound, 1_500, 10_000)]
    assert ended(rig, speaker).outcome is Outcome.WITHDRAWN
    later = Speaker(rig.signer, rig.now, level=1, seed=2)
    hear(rig, later.speech(5 * SECOND))
    assert rig.heard[-1].asset == later.sound


def test_an_emergency_of_a_narrower_scope_is_not_voided_by_another_one_beside_it() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START, scope="province", level=1)
    said = speaker.speech(20 * SECOND)
    hear(rig, said[:100], START + 9 * SECOND)
    rig.alert("commune", [], void_before=rig.now)
    hear(rig, said[100:])
    assert sum(each.to_ms - each.from_ms for each in rig.heard) > 18 * SECOND


def test_an_emergency_is_heard_however_many_ordinary_voices_were_announced() -> None:
    rig = ready()
    for seed in range(20):
        rig.say(Speaker(rig.signer, START, seed=seed).topic, Speaker(rig.signer, rig.now, seed=seed).document(rig.now),
                keep=False)  # fmt: skip
    emergency = Speaker(rig.signer, rig.now, level=1, seed=99)
    hear(rig, emergency.speech(5 * SECOND))
    assert [each.asset for each in rig.heard] == [emergency.sound]


# --- power and link


def test_after_a_loss_of_power_it_joins_what_is_still_said() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START)
    said = speaker.speech(60 * SECOND)
    hear(rig, [each for each in said if each[0] < START + 20 * SECOND], START + 20 * SECOND)
    rig.power_off()
    rig.run(START + 30 * SECOND)
    rig.power_on()
    hear(rig, [each for each in said if each[0] >= START + 30 * SECOND])
    assert sounds(rig)[0] == (speaker.sound, 1_500, 20_000)
    name, begin, end = sounds(rig)[1]
    assert (name, end) == (speaker.sound, 61_500)
    assert 30_000 < begin <= 32_500, "the next document comes within a second, and then the first packet after it"
    cut = [entry for entry in rig.journal(speaker.session.item) if isinstance(entry, Ended)]
    assert [(each.outcome, each.reason) for each in cut] == [(Outcome.FAILED, "power_off"), (Outcome.PLAYED, "")]


def test_who_joins_late_hears_the_rest() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START, chime_before=CHIME_ASSET.sha256)
    said = speaker.speech(30 * SECOND, speaks_after_ms=1_500)
    hear(rig, [each for each in said if each[0] > START + 15 * SECOND])
    assert sounds(rig) == [(speaker.sound, 17_500, 33_000)]
    assert heard(rig, speaker).lost_ms == 0, "what was before it came is nobody's gap"


# --- enemies


def test_packets_of_another_session_and_of_no_session_are_nothing() -> None:
    rig = ready()
    speaker, other = Speaker(rig.signer, START), Speaker(rig.signer, START, seed=2)
    said = speaker.speech(10 * SECOND)
    # Spliced in: the right session's name under another session's key, and the other session's own packets.
    forged = [
        (START + 2_000 + 100 * n, speaker.topic, speaker.packet(1_000 + n, START + 12_000 + 100 * n, other.key))
        for n in range(50)
    ]
    strange = [(START + 2_000 + 100 * n, other.topic, other.packet(n, START + 3_600 + 100 * n)) for n in range(50)]
    hear(rig, sorted([*said, *forged, *strange], key=lambda each: each[0]))
    assert sounds(rig) == [(speaker.sound, 1_500, 11_500)]
    told = heard(rig, speaker)
    assert (told.packets, told.refused) == (100, 50)


def test_yesterday_replayed_is_silence() -> None:
    rig = ready()
    for level in (1, 3):
        speaker = Speaker(rig.signer, rig.now, level=level, seed=level)
        said = speaker.speech(10 * SECOND)
        hear(rig, said)
        count = len(rig.heard)
        for later in (20 * SECOND, HOUR, 24 * HOUR):
            shift = rig.now + later - speaker.begin
            hear(rig, [(at + shift, topic, payload) for at, topic, payload in said])
        assert len(rig.heard) == count


def test_a_replay_in_the_middle_of_the_session_changes_nothing() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START)
    said = speaker.speech(20 * SECOND)
    echoes = [(at + later, topic, payload) for at, topic, payload in said for later in (1_000, 5_000)]
    hear(rig, sorted([*said, *echoes], key=lambda each: each[0]))
    assert sounds(rig) == [(speaker.sound, 1_500, 21_500)]
    assert heard(rig, speaker) == LiveHeard(packets=200, late=0, refused=0, voice_ms=20_000, concealed_ms=0, lost_ms=0)


def test_nothing_is_kept_that_is_to_be_played_far_in_the_future() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START)
    said = speaker.speech(10 * SECOND)
    far = [(START + 2_000, speaker.topic, speaker.packet(5_000 + n, START + 60_000 + 100 * n)) for n in range(100)]
    hear(rig, sorted([*said, *far], key=lambda each: each[0]), START + 2 * MINUTE)
    assert sounds(rig) == [(speaker.sound, 1_500, 11_500)]
    assert heard(rig, speaker).refused == 100


def test_a_session_that_a_wrong_key_signed_is_refused_and_its_packets_are_nothing() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START, level=1)
    stolen = {use: SigningKey.generate(key.kid) for use, key in rig.signer.keys.items()}
    true, rig.signer.keys = rig.signer.keys, stolen
    said = speaker.speech(10 * SECOND)
    rig.signer.keys = true
    hear(rig, said)
    assert rig.heard == []
    refusal = rig.reported().refused
    assert refusal is not None
    assert (refusal.document, refusal.reason) == ("live", RefusalReason.BAD_SIGNATURE)


def test_a_session_of_a_scope_that_is_not_ours_or_said_in_a_wrong_one_is_nothing() -> None:
    rig = ready()
    foreign = Speaker(rig.signer, START, scope="another-commune")
    said = foreign.speech(10 * SECOND)
    here = topics.to_scope("commune", ScopeTopic.LIVE)
    hear(rig, said)
    assert rig.reported().refused is None
    hear(rig, [(at + 20 * SECOND, here, payload) for at, _, payload in said])
    assert rig.heard == []
    refusal = rig.reported().refused
    assert refusal is not None
    assert (refusal.document, refusal.reason) == ("live", RefusalReason.NOT_FOR_ME)


def test_only_whom_a_document_names_takes_part_and_a_long_list_may_be_split() -> None:
    rig = ready()
    others = Speaker(rig.signer, START, target=["u-7", "u-8"])
    hear(rig, others.speech(5 * SECOND))
    assert rig.heard == []
    ours = Speaker(rig.signer, rig.now, target=["u-7", "u-8"], seed=2)
    said = []
    for at, topic, payload in ours.speech(10 * SECOND):
        said.append((at, topic, payload))
        if payload.startswith(b"eyJ") and at < ours.begin + 10 * SECOND:
            said.append((at, topic, ours.document(at, target=["u-1", "u-2"])))
    hear(rig, said)
    assert [each.asset for each in rig.heard] == [ours.sound]


def test_a_document_that_changes_what_never_changes_is_dropped() -> None:
    rig = ready()
    speaker = Speaker(rig.signer, START)
    other = SigningKey.generate("session")
    said = speaker.speech(10 * SECOND)
    twist = [
        (START + 3_050, speaker.topic, speaker.document(START + 3_050, key=other.public.x)),
        (START + 3_060, speaker.topic, speaker.packet(900, START + 11_600, other)),
    ]
    hear(rig, sorted([*said, *twist], key=lambda each: each[0]))
    assert sounds(rig) == [(speaker.sound, 1_500, 11_500)]
