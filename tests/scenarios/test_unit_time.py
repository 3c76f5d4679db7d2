"""What a unit does with a clock that lies: CONTRACT.md section 4."""

from __future__ import annotations

import pytest
from support.rig import UNIT, Rig
from support.signed import DAY, HOUR, MINUTE, SECOND, T0, asset_of, item, opus, policy

from broadcasts.wire import topics
from broadcasts.wire.journal import FaultEntry, Skipped, Started
from broadcasts.wire.plan import Item
from broadcasts.wire.status import PlayerState, RefusalReason
from broadcasts.wire.topics import In
from device_sim.unit import Config

NEWS = opus(5 * MINUTE, "news")
NEWS_ASSET = asset_of(NEWS, 5 * MINUTE)
START = T0 + 10 * MINUTE


def news(start: int = START, name: str = "news") -> Item:
    return item(name, NEWS_ASSET, start)


def ready(config: Config | None = None, **fields: object) -> Rig:
    rig = Rig(config=config)
    rig.hold((NEWS_ASSET, NEWS))
    rig.plan([news()], [NEWS_ASSET], **fields)
    rig.run(T0 + MINUTE)
    return rig


def faults(rig: Rig) -> list[tuple[str, bool, str]]:
    return [(e.code, e.raised, e.detail) for e in rig.journal() if isinstance(e, FaultEntry)]


def why(rig: Rig, name: str = "news") -> list[str]:
    return [str(entry.why) for entry in rig.journal(name) if isinstance(entry, Skipped)]


@pytest.mark.parametrize("off", [40 * SECOND, -40 * SECOND])
def test_a_clock_40_s_off_with_a_link_is_corrected_before_it_matters(off: int) -> None:
    rig = ready()
    rig.jump_clock(off)
    rig.run(START + 10 * MINUTE)
    assert [(sound.from_ms, sound.to_ms) for sound in rig.heard] == [(START, START + 5 * MINUTE)]
    assert ("clock_drift", True, str(-off)) in faults(rig)
    assert "clock_drift" not in rig.reported().faults


@pytest.mark.parametrize("off", [40 * SECOND, -40 * SECOND])
def test_a_clock_40_s_off_without_a_link_sounds_40_s_off_and_says_so_when_it_learns(off: int) -> None:
    rig = ready()
    rig.link_down()
    rig.jump_clock(off)
    rig.run(START + 10 * MINUTE)
    [sound] = rig.heard
    assert sound.from_ms == START - off
    rig.link_up()
    assert ("clock_drift", True, str(-off)) in faults(rig)
    started = next(e for e in rig.entries.values() if isinstance(e, Started))
    drift = next(e for e in rig.entries.values() if isinstance(e, FaultEntry) and e.raised)
    # What the controller can compute: the unit's claim plus the correction that followed is the true second.
    assert started.at + int(drift.detail) == sound.from_ms


def test_a_jump_holds_scheduled_play_until_signed_time_confirms_it() -> None:
    rig = ready()
    rig.link_down()
    rig.jump_clock(2 * HOUR)
    rig.run(START + HOUR)
    assert rig.heard == []
    assert ("clock_jump", True, "") in faults(rig)
    rig.link_up()
    rig.run(START + HOUR + MINUTE)
    assert why(rig) == ["time_jump"]
    assert ("clock_jump", False, "") in faults(rig)


def test_a_held_unit_says_held_and_plays_again_after_confirmation() -> None:
    rig = ready()
    rig.answers_time = False
    rig.jump_clock(-2 * HOUR)
    rig.run(rig.now + 2 * SECOND)
    assert rig.reported().player.state is PlayerState.HELD
    rig.answers_time = True
    rig.run(START + 10 * MINUTE)
    assert [(sound.from_ms, sound.to_ms) for sound in rig.heard] == [(START, START + 5 * MINUTE)]


def test_a_unit_that_lost_its_clock_plays_nothing_until_it_learns_the_time() -> None:
    rig = ready(Config(battery=False))
    rig.link_down()
    rig.power_off()
    rig.clock_error_ms = -T0
    rig.power_on()
    rig.run(START + HOUR)
    assert rig.heard == []
    assert ("clock_untrusted", True, "") in faults(rig)
    rig.link_up()
    rig.run(START + HOUR + MINUTE)
    assert why(rig) == ["no_trusted_time"]
    assert rig.reported().clock.trusted


def test_a_unit_that_lost_its_clock_joins_as_soon_as_it_learns_the_time() -> None:
    rig = ready(Config(battery=False))
    rig.link_down()
    rig.power_off()
    rig.power_on()
    rig.run(START + 2 * MINUTE)
    rig.link_up()
    rig.run(START + 10 * MINUTE)
    assert [(sound.from_ms, sound.offset_ms) for sound in rig.heard] == [(START + 2 * MINUTE, 2 * MINUTE)]


def test_a_battery_clock_that_comes_back_in_the_past_is_not_believed() -> None:
    rig = ready()
    rig.link_down()
    rig.power_off()
    rig.clock_error_ms = -30 * DAY
    rig.power_on()
    rig.run(START + 10 * MINUTE)
    assert rig.heard == []


def test_a_battery_clock_is_believed_without_a_link() -> None:
    rig = ready()
    rig.link_down()
    rig.power_off()
    rig.run(T0 + 5 * MINUTE)
    rig.power_on()
    rig.run(START + 10 * MINUTE)
    assert [sound.from_ms for sound in rig.heard] == [START]


def test_what_a_clock_that_stood_still_refused_is_heard_once_it_is_right() -> None:
    rig = ready()
    rig.link_down()
    rig.power_off()
    rig.now += 3 * DAY
    rig.clock_error_ms = -3 * DAY + MINUTE
    rig.signer.version = rig.now
    late = rig.now + 10 * MINUTE
    rig.plan([news(late, "late")], [NEWS_ASSET])
    rig.power_on()
    rig.answers_time = False  # yet: what is retained comes first
    rig.link_up()
    rig.run(rig.now + 2 * SECOND)
    refused = rig.reported().refused
    assert refused is not None
    assert refused.reason is RefusalReason.FAR_FUTURE
    rig.answers_time = True
    rig.run(late + 10 * MINUTE)
    assert [(sound.item, sound.from_ms) for sound in rig.heard] == [("late", late)]


def test_an_answer_to_another_question_changes_nothing() -> None:
    rig = ready()
    rig.say(topics.to_unit(UNIT, In.TIME), rig.signer.time(UNIT, "0123456789abcdef", T0 + DAY), keep=False)
    rig.run(START + 10 * MINUTE)
    assert [sound.from_ms for sound in rig.heard] == [START]


def test_an_answer_after_more_than_ten_seconds_is_not_used() -> None:
    rig = Rig(config=Config(battery=False))
    rig.answers_time = False
    rig.power_off()
    rig.power_on()
    ask = [out for out in rig.published if out.topic.endswith("time-ask")][-1]
    rig.run(rig.now + 11 * SECOND)
    nonce = ask.payload.decode().split('"nonce":"')[1].split('"')[0]
    rig.say(topics.to_unit(UNIT, In.TIME), rig.signer.time(UNIT, nonce, rig.now), keep=False)
    rig.run(rig.now + 2 * SECOND)
    assert not rig.reported().clock.trusted


def test_a_unit_without_a_word_for_longer_than_its_autonomy_falls_silent() -> None:
    rig = Rig()
    rig.hold((NEWS_ASSET, NEWS))
    late = T0 + 3 * HOUR
    rig.plan([news(), news(late, "late")], [NEWS_ASSET], policy=policy(max_autonomy_s=2 * 3600))
    rig.run(T0 + MINUTE)
    rig.link_down()
    rig.run(late + 10 * MINUTE)
    assert [sound.item for sound in rig.heard] == ["news"]
    assert why(rig, "late") == ["autonomy_over"]
    assert ("autonomy_over", True, "") in faults(rig)


def test_a_replayed_plan_does_not_prolong_autonomy() -> None:
    rig = Rig()
    rig.hold((NEWS_ASSET, NEWS))
    late = T0 + 3 * HOUR
    plan = rig.plan([news(late)], [NEWS_ASSET], policy=policy(max_autonomy_s=2 * 3600))
    rig.answers_time = False
    for hour in (1, 2):
        rig.run(T0 + hour * HOUR)
        rig.say(topics.to_unit(UNIT, In.PLAN), plan)
    rig.run(late + 10 * MINUTE)
    assert rig.heard == []


def test_time_is_asked_at_joining_and_every_six_hours() -> None:
    rig = ready()
    rig.run(T0 + DAY)
    asks = [out for out in rig.published if out.topic.endswith("time-ask")]
    assert len(asks) == 5
