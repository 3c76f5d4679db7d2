from __future__ import annotations

import itertools
import wave
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.live_voice import Ears, decoded, told_of, voice

from broadcasts.audio.pcm import Samples
from broadcasts.clock import ManualClock, unix_ms
from broadcasts.errors import Conflict, Refused
from broadcasts.wire.jws import SigningKey
from controller.services.live_air import Share
from controller.services.live_room import AHEAD_MS, FIRST_MS, LOST_MS, MOST, MOST_BYTES, End, LiveRoom, Mouth

START = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
KEY = SigningKey.generate("plan-1")


class Stage:
    """A room with one speaker, in time that stands."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.ears, self.folder = ManualClock(START), Ears(KEY), folder
        self.cpu = 0.0
        self.counted: list[tuple[int, int, float]] = []
        self.room = LiveRoom(
            self.clock, self.ears.send, counted=lambda *told: self.counted.append(told), cpu=lambda: self.cpu
        )

    @property
    def now(self) -> int:
        return unix_ms(self.clock.now())

    def open(self, silence_s: int = 30, **changed: Any) -> Mouth:
        told = told_of(self.folder, KEY, self.now, **changed)
        self.room.open(told, "u-1", silence_s)
        return self.room.attach(told.id, "u-1", 48_000)

    def speak(self, mouth: Mouth, samples: Samples, every_ms: int = 20) -> None:
        """As a microphone gives it: a block, and the time it took."""
        block = mouth.rate * every_ms // 1000
        for at in range(0, samples.size, block):
            self.clock.advance(every_ms / 1000)
            self.room.give(mouth, samples[at : at + block].tobytes())
            self.room.turn()

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)
            self.room.turn()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    for session in made.room.on_air:
        made.room.end(session, End.RESTART)
    made.room.turn()


def test_what_is_said_is_heard_at_the_pole_after_the_buffer_and_no_gap(stage: Stage) -> None:
    mouth = stage.open()
    stage.speak(mouth, voice(3))
    packets = [packet for _, packet in stage.ears.packets]
    assert [packet.seq for packet in packets] == list(range(len(packets)))
    assert len(packets) in (29, 30)
    began = unix_ms(START)
    # The first hundred milliseconds were said at the very begin.
    assert 1_500 <= packets[0].play_at - began <= 1_500 + 200
    assert {later.play_at - one.play_at for one, later in itertools.pairwise(packets)} == {100}
    heard = decoded(stage.ears.frames)
    assert 0.05 < float(np.sqrt(np.mean(heard[8_000:] ** 2))) < 0.4


def test_the_document_is_said_at_once_and_again_each_second(stage: Stage) -> None:
    mouth = stage.open()
    stage.room.turn()
    stage.speak(mouth, voice(5))
    said = [document.said_at for _, document in stage.ears.documents]
    assert said == [unix_ms(START) + 1_000 * n for n in range(6)]
    assert {document.key for _, document in stage.ears.documents} == {stage.ears.last.key}


def test_each_share_gets_a_document_and_each_scope_the_packets_once(stage: Stage) -> None:
    shares = (Share("s-1", ["u-1"], 70), Share("s-1", ["u-2"], 40), Share("s-2", "all", 70))
    mouth = stage.open(shares=shares)
    stage.speak(mouth, voice(0.5))
    assert [(scope, told.target, told.volume) for scope, told in stage.ears.documents] == [
        ("s-1", ["u-1"], 70),
        ("s-1", ["u-2"], 40),
        ("s-2", "all", 70),
    ]
    assert [scope for scope, _ in stage.ears.packets[:4]] == ["s-1", "s-2", "s-1", "s-2"]


def test_the_chime_comes_before_and_after_and_nothing_said_meanwhile_is_lost_in_it(stage: Stage) -> None:
    mouth = stage.open(chime="rising")
    stage.speak(mouth, voice(1.8))
    assert stage.room.status(mouth.session).state == "on_air"  # type: ignore[union-attr]
    chime = decoded(stage.ears.frames)
    assert 1.7 < chime.size / 16_000 < 1.9, "only the chime until here, in its own time"
    stage.speak(mouth, voice(1))
    stage.room.end(mouth.session, End.HAND, "a", cut=False)
    stage.wait(2.5)
    seconds = 0.02 * len(stage.ears.frames)
    assert 1.8 + 0.9 + 1.8 <= seconds <= 1.8 + 1.0 + 1.8 + 0.1
    ends_at = stage.ears.last.ends_at
    last = stage.ears.packets[-1][1]
    assert ends_at is not None
    assert abs(ends_at - last.ends_at) <= 100, "the end that is said is the end of what was sent"


def test_the_end_is_said_three_times_and_the_room_forgets_it(stage: Stage) -> None:
    mouth = stage.open()
    stage.speak(mouth, voice(1))
    before = len(stage.ears.documents)
    stage.room.end(mouth.session, End.STOPPED, "lanhdao")
    stage.wait(4)
    told = [document.ends_at for _, document in stage.ears.documents[before:] if document.ends_at is not None]
    assert len(told) == 3
    assert len(set(told)) == 1
    assert stage.room.status(mouth.session) is None
    (ended,) = stage.room.ended()
    assert (ended.why, ended.by, ended.at) == (End.STOPPED, "lanhdao", told[0])
    assert not stage.room.ended()


def test_who_is_stopped_by_another_is_silent_at_once_whatever_is_on_its_way(stage: Stage) -> None:
    mouth = stage.open()
    stage.speak(mouth, voice(2))
    sent = len(stage.ears.packets)
    stage.room.end(mouth.session, End.STOPPED, "lanhdao")
    stage.room.turn()
    with pytest.raises(Refused, match=r"live\.over"):
        stage.room.give(mouth, voice(0.02).tobytes())
    assert stage.ears.last.ends_at == stage.now
    stage.wait(2)
    assert len(stage.ears.packets) == sent


def test_nothing_sounds_after_the_hard_end_and_the_session_ends_there(stage: Stage) -> None:
    mouth = stage.open(hard_end=stage.now + 2_950)
    with pytest.raises(Refused, match=r"live\.over"):
        stage.speak(mouth, voice(5))
    assert all(packet.ends_at <= unix_ms(START) + 2_950 for _, packet in stage.ears.packets)
    assert stage.room.ended()[0].why is End.WINDOW
    assert stage.ears.last.ends_at == unix_ms(START) + 2_950


def test_an_end_that_comes_nearer_holds_from_the_next_document_on(stage: Stage) -> None:
    mouth = stage.open()
    stage.speak(mouth, voice(0.5))
    stage.room.shorten(mouth.session, stage.now + 1_000)
    stage.room.shorten(mouth.session, stage.now + 60_000)
    stage.wait(1.2)
    assert stage.ears.last.hard_end == unix_ms(START) + 1_500
    assert stage.room.ended()[0].why is End.WINDOW


def test_a_microphone_that_never_comes_ends_the_session(stage: Stage) -> None:
    stage.open()
    stage.wait(FIRST_MS / 1000 - 1)
    assert stage.room.on_air
    stage.wait(1.5)
    assert stage.room.ended()[0].why is End.LOST


def test_a_dropped_socket_ends_the_session_after_a_few_seconds_unless_it_comes_back(stage: Stage) -> None:
    mouth = stage.open()
    stage.speak(mouth, voice(1))
    stage.room.detach(mouth)
    stage.wait(LOST_MS / 1000 - 1)
    again = stage.room.attach(mouth.session, "u-1", 16_000)
    stage.speak(again, voice(1, 16_000))
    assert stage.room.on_air
    packets = [packet for _, packet in stage.ears.packets]
    pause = max(later.play_at - one.play_at for one, later in itertools.pairwise(packets))
    assert pause >= LOST_MS - 1_500, "what was not said is a pause, and not said later"
    stage.room.detach(again)
    stage.wait(LOST_MS / 1000 + 0.5)
    assert stage.room.ended()[0].why is End.LOST


def test_who_says_nothing_for_so_long_has_forgotten_the_microphone(stage: Stage) -> None:
    mouth = stage.open(silence_s=5)
    stage.speak(mouth, voice(1))
    stage.speak(mouth, np.zeros(48_000 * 4, "<i2"))
    assert stage.room.on_air
    with pytest.raises(Refused, match=r"live\.over"):
        stage.speak(mouth, np.zeros(48_000 * 3, "<i2"))
    assert stage.room.ended()[0].why is End.SILENT


def test_nobody_speaks_for_another_and_the_second_microphone_lets_the_first_go(stage: Stage) -> None:
    mouth = stage.open()
    with pytest.raises(Refused, match="not_yours"):
        stage.room.attach(mouth.session, "u-2", 48_000)
    other = stage.room.attach(mouth.session, "u-1", 48_000)
    with pytest.raises(Refused, match=r"live\.over"):
        stage.room.give(mouth, voice(0.02).tobytes())
    stage.speak(other, voice(0.2))


@pytest.mark.parametrize("sound", [b"", b"\0", b"\0" * 3, b"\0" * (MOST_BYTES + 2)])
def test_a_message_that_is_no_short_piece_of_sound_is_refused(stage: Stage, sound: bytes) -> None:
    mouth = stage.open()
    with pytest.raises(Refused, match=r"live\.message"):
        stage.room.give(mouth, sound)


def test_who_brings_more_sound_than_there_is_time_is_cut(stage: Stage) -> None:
    mouth = stage.open()
    piece = voice(0.1).tobytes()
    for _ in range(AHEAD_MS // 100):
        stage.room.give(mouth, piece)
    with pytest.raises(Refused, match=r"live\.flood"):
        stage.room.give(mouth, piece)
    stage.room.turn()
    assert stage.room.ended()[0].why is End.FLOOD


def test_a_network_that_stalls_for_two_seconds_pushes_nothing_into_the_past(stage: Stage) -> None:
    mouth = stage.open()
    stage.speak(mouth, voice(2))
    stage.wait(2)
    for _ in range(20):
        stage.room.give(mouth, voice(0.1).tobytes())
    stage.room.turn()
    stage.speak(mouth, voice(2))
    now_of_packet = [packet.play_at for _, packet in stage.ears.packets]
    assert now_of_packet == sorted(now_of_packet)
    assert now_of_packet[-1] - stage.now <= 1_500 + 500 + 100, "and the session does not fall behind for ever"
    assert stage.room.status(mouth.session).late > 0  # type: ignore[union-attr]


def test_the_recording_holds_what_was_said_and_no_chime(stage: Stage) -> None:
    mouth = stage.open(chime="gong")
    stage.wait(3.3)
    said = voice(2)
    stage.speak(mouth, said)
    again = stage.room.attach(mouth.session, "u-1", 16_000)
    stage.speak(again, voice(1, 16_000))
    stage.room.end(mouth.session, End.STOPPED)
    stage.room.turn()
    with wave.open(str(stage.folder / "live-1.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 48_000)
        kept = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert np.array_equal(kept[: said.size], said)
    assert abs(kept.size - 3 * 48_000) < 100, "at one rate, whatever the second microphone had"
    assert stage.room.ended()[0].done.spoken_ms in range(2_990, 3_001)


def test_a_broker_that_is_away_is_counted_and_stops_nobody(stage: Stage) -> None:
    mouth = stage.open()
    stage.ears.up = False
    stage.speak(mouth, voice(1))
    stage.room.end(mouth.session, End.HAND)
    stage.room.turn()
    done = stage.room.ended()[0].done
    assert done.unsent == done.packets > 8


def test_a_disk_that_takes_nothing_stops_nobody(stage: Stage) -> None:
    (stage.folder / "nowhere").write_bytes(b"")  # a file, where a folder should be made
    mouth = stage.open(recording=stage.folder / "nowhere" / "x.wav")
    stage.speak(mouth, voice(1))
    assert len(stage.ears.packets) >= 9
    stage.room.end(mouth.session, End.HAND)
    stage.room.turn()
    done = stage.room.ended()[0].done
    assert (done.spoken_ms, done.torn) == (0, True)


def test_one_session_that_breaks_takes_no_other_with_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    mouth = stage.open()
    broken = stage.open(id="live-2", session="ff" * 8, recording=stage.folder / "2.wav")
    monkeypatch.setattr(stage.room._seats["live-2"].air, "speak", lambda *_: 1 // 0)
    stage.room.give(broken, voice(0.02).tobytes())
    stage.speak(mouth, voice(1))
    assert [each.id for each in stage.room.ended()] == ["live-2"]
    assert stage.room.on_air == (mouth.session,)
    assert len(stage.ears.packets) >= 9


def test_emergencies_find_room_where_others_do_not(stage: Stage) -> None:
    for number in range(MOST):
        stage.open(id=f"live-{number}", session=f"{number:016x}", recording=stage.folder / f"{number}.wav")
    with pytest.raises(Conflict, match=r"live\.full"):
        stage.open(id="live-x")
    with pytest.raises(Conflict, match=r"live\.on_air"):
        stage.open(id="live-0", level=1)
    stage.open(
        id="live-y", session="ee" * 8, level=1, shares=(Share("s-9", "all", 100),), recording=stage.folder / "y.wav"
    )
    assert "live-y" in stage.room.on_air


def test_the_work_of_a_session_is_counted_at_its_end(stage: Stage) -> None:
    mouth = stage.open()
    stage.speak(mouth, voice(0.5))
    stage.cpu += 0.0
    stage.room.end(mouth.session, End.HAND)
    stage.room.turn()
    stage.room.turn()
    assert stage.counted == [(4, 0, 0.0)]


def test_a_clock_that_is_put_back_neither_silences_a_voice_nor_puts_off_its_end(stage: Stage) -> None:
    mouth = stage.open(hard_end=stage.now + 20_000)
    stage.speak(mouth, voice(2))
    before = len(stage.ears.packets), stage.ears.last.said_at
    right = stage.clock.now
    stage.clock.now = lambda: right() - timedelta(hours=1)  # type: ignore[method-assign]
    stage.speak(mouth, voice(3))
    assert len(stage.ears.packets) >= before[0] + 29
    assert stage.ears.last.said_at >= before[1] + 2_000
    stage.wait(20)
    assert not stage.room.on_air
    assert stage.room.ended()[0].at <= unix_ms(START) + 20_000
