"""One unit that talks without end: its measure, what is held, what is told, and what it costs the others."""

from __future__ import annotations

import queue
import tracemalloc
from datetime import UTC, datetime

import pytest

from broadcasts.clock import ManualClock
from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out
from controller.mqtt import flood as module
from controller.mqtt.flood import AT_ONCE, EVERY_S, NEWS_EVERY_S, STRANGE, FloodGate
from controller.mqtt.inbound import Received

NOON = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)


class Stage:
    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.inbox: queue.SimpleQueue[Received] = queue.SimpleQueue()
        self.gate = FloodGate(self.clock, self.inbox.put)

    def say(self, topic: str, times: int = 1, body: bytes = b"{}") -> None:
        for number in range(times):
            self.gate.offer(Received(topic, body + str(number).encode(), False, self.clock.now()))

    def passed(self) -> list[Received]:
        return [self.inbox.get() for _ in range(self.inbox.qsize())]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def of(unit: str, kind: Out) -> str:
    return topics.from_unit(unit, kind)


def test_what_a_unit_says_in_its_measure_passes_in_order(stage: Stage) -> None:
    stage.say(of("u-1", Out.JOURNAL), AT_ONCE)
    assert [one.payload for one in stage.passed()] == [b"{}%d" % number for number in range(AT_ONCE)]
    assert stage.gate.dropped.total() == 0
    assert stage.gate.flooding == 0


def test_a_flood_of_one_unit_takes_nothing_from_another_nor_from_its_own_journal(stage: Stage) -> None:
    stage.say(of("u-bad", Out.TIME_ASK), 10_000)
    assert len(stage.passed()) == AT_ONCE
    stage.say(of("u-good", Out.TIME_ASK), 3)
    stage.say(of("u-bad", Out.JOURNAL), 3)
    assert [one.topic for one in stage.passed()] == [of("u-good", Out.TIME_ASK)] * 3 + [of("u-bad", Out.JOURNAL)] * 3
    assert stage.gate.dropped == {"time-ask": 10_000 - AT_ONCE}
    assert stage.gate.flooding == 1


def test_the_measure_fills_again(stage: Stage) -> None:
    topic = of("u-1", Out.JOURNAL)
    stage.say(topic, AT_ONCE + 1)
    stage.clock.advance(EVERY_S)
    stage.say(topic, 2)
    assert len(stage.passed()) == AT_ONCE + 1
    stage.clock.advance(EVERY_S * AT_ONCE)
    stage.say(topic, AT_ONCE)
    assert len(stage.passed()) == AT_ONCE


@pytest.mark.parametrize("kind", [Out.PRESENCE, Out.REPORTED, Out.TELEMETRY])
def test_the_last_word_on_a_state_is_held_and_let_in_later(stage: Stage, kind: Out) -> None:
    topic = of("u-1", kind)
    stage.say(topic, AT_ONCE)
    stage.say(topic, 5, b"later")
    stage.gate.release()
    assert len(stage.passed()) == AT_ONCE
    stage.clock.advance(EVERY_S)
    stage.gate.release()
    assert [one.payload for one in stage.passed()] == [b"later4"]
    stage.clock.advance(60)
    stage.gate.release()
    assert stage.passed() == []
    assert stage.gate.dropped[kind] == 4


def test_what_was_held_never_comes_after_something_newer(stage: Stage) -> None:
    topic = of("u-1", Out.REPORTED)
    stage.say(topic, AT_ONCE + 1)
    stage.passed()
    stage.clock.advance(EVERY_S)
    stage.say(topic, 1, b"newer")
    stage.clock.advance(60)
    stage.gate.release()
    assert [one.payload for one in stage.passed()] == [b"newer0"]


def test_a_million_made_up_topics_of_a_unit_have_one_measure(stage: Stage) -> None:
    for number in range(20_000):
        stage.say(f"loa/v1/u/u-1/out/nonsense-{number}/deep")
    assert len(stage.passed()) == AT_ONCE
    assert stage.gate.dropped == {STRANGE: 20_000 - AT_ONCE}
    stage.say(of("u-1", Out.PRESENCE))
    assert len(stage.passed()) == 1


def test_a_million_made_up_units_take_a_bounded_memory_and_known_ones_still_pass(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 1_000)
    stage.say(of("u-known", Out.JOURNAL), 2)
    tracemalloc.start()
    for number in range(30_000):
        stage.say(of(f"x{number}", Out.JOURNAL))
        stage.clock.advance(0.0001)
    stage.say(of("u-known", Out.JOURNAL), 2)
    known = [one for one in stage.passed() if one.topic == of("u-known", Out.JOURNAL)]
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(known) == 4
    assert used < 2_000_000
    assert stage.gate.dropped["journal"] > 0


def test_names_that_no_unit_can_have_share_one_measure_and_nothing_of_them_is_kept(stage: Stage) -> None:
    """A topic may be 64 KiB long, and there is no end of them."""
    tracemalloc.start()
    for number in range(3_000):
        stage.say(of(f"{number}-" + "X" * 10_000, Out.PRESENCE))
    passed = len(stage.passed())
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert abs(passed - module.SHARED_AT_ONCE) <= 1
    assert stage.gate.dropped["presence"] == 3_000 - passed
    assert used < 1_000_000
    stage.clock.advance(60)
    stage.gate.release()
    assert stage.passed() == []
    stage.say(of("u-good", Out.PRESENCE))
    assert len(stage.passed()) == 1


@pytest.mark.parametrize("name", ["out", "in", "u"])
def test_a_unit_whose_name_is_a_word_of_the_contract_has_its_measure_as_well(stage: Stage, name: str) -> None:
    stage.say(of(name, Out.JOURNAL), AT_ONCE + 1)
    stage.say(f"loa/v1/u/{name}/out/made-up", AT_ONCE + 1)
    assert len(stage.passed()) == 2 * AT_ONCE
    assert stage.gate.dropped == {"journal": 1, STRANGE: 1}


def test_our_own_words_read_back_always_pass(stage: Stage) -> None:
    for topic in (topics.TRUST, topics.to_unit("u-1", In.PLAN), topics.to_scope("c-1", topics.ScopeTopic.ALERT)):
        stage.say(topic, 2 * AT_ONCE)
        assert len(stage.passed()) == 2 * AT_ONCE


def test_who_floods_is_told_once_a_minute_with_the_count_and_never_with_sound(stage: Stage) -> None:
    stage.say(of("u-1", Out.CLIP), AT_ONCE + 7, b"the sound of a street")
    [first] = stage.gate.news()
    assert (first.reason, first.detail, first.head) == ("flooding", "u-1: 7 messages beyond the measure", b"")
    stage.say(of("u-1", Out.CLIP), 3)
    assert stage.gate.news() == []
    stage.clock.advance(NEWS_EVERY_S)
    stage.say(of("u-1", Out.CLIP), AT_ONCE + 200)
    assert len(stage.gate.news()) == 1
    stage.clock.advance(10 * NEWS_EVERY_S)
    assert (stage.gate.news(), stage.gate.flooding) == ([], 0)
