"""A broker that has seen a whole day and is nobody's friend: it replays, reorders, cuts up, splices, redirects, forges
and withholds. Nothing sounds that should not, and no evidence is lost."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select
from support.bad_day import HOUR, MINUTE, BadDay
from support.live_speaker import Speaker

from broadcasts.wire import codec, topics
from broadcasts.wire import trigger as sms
from broadcasts.wire.alert import Alert, Repeat
from broadcasts.wire.drill import Drill, DrillDocument
from broadcasts.wire.journal import JournalAck
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.topics import In, ScopeTopic
from broadcasts.wire.trust import Use
from controller.db.tables import JournalEntry, StandingAlert
from controller.services import library, other_codecs
from controller.services.seeding import PROVINCE
from device_sim.events import Arrived, SmsReceived
from device_sim.faults import Fault
from device_sim.mischief import Eavesdropper
from device_sim.post import Post

SCOPE = PROVINCE[0]
DRILLS, ALERTS = (topics.to_scope(SCOPE, kind) for kind in (ScopeTopic.DRILL, ScopeTopic.ALERT))


class Tape(Eavesdropper):
    """Everything that went to one unit, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Arrived] = []

    def note(self, arrived: Arrived) -> None:
        super().note(arrived)
        if arrived.payload:
            self.frames.append(arrived)


@dataclass
class Taped:
    day: BadDay
    tapes: dict[str, Tape]
    texts: list[bytes]

    @property
    def frames(self) -> list[Arrived]:
        return [frame for tape in self.tapes.values() for frame in tape.frames]

    def heard(self) -> list[list[str]]:
        """At every pole, in words; and nothing sounds at this moment."""
        assert all(post.pole.playing is None for post in self.day.posts)
        return [self.day.heard(post) for post in self.day.posts]

    def show(self, post: Post, frames: Sequence[Arrived]) -> None:
        """At once, one after the other, with the texts between them, and time for the unit to obey."""
        for n, frame in enumerate(frames):
            self.day.world.give(post, frame)
            if n % 50 == 0:
                for said in self.texts:
                    self.day.world.give(post, SmsReceived(said))


def drill(day: BadDay, name: str, loud: bool) -> None:
    now = day.world.now
    with day.ctx.db.read() as session:
        words, warning = (
            other_codecs.rendition(session, "vi", library.find(session, day.studio.sounds[each]))
            for each in ("song", "news")
        )
    told = Drill.model_validate(
        {
            "id": name, "kind": "storm", "target": "all", "silent": not loud, "prefix": [words] if loud else [],
            "content": [warning], "volume": 60, "issued_at": now, "not_before": now, "hard_end": now + 5 * MINUTE,
            "reason": "diễn tập",
        },
        strict=False,
    )  # fmt: skip
    document = DrillDocument(scope=SCOPE, version=now, issued_at=now, drills=[told])
    sealed = codec.seal(document, Typ.DRILL, day.ctx.keys.signer(Use.DRILL))
    assert day.world.backstage._say(DRILLS, sealed, 1, True)


class _Keys:
    """The office's, by use."""

    def __init__(self, day: BadDay) -> None:
        self.keys = {use: day.ctx.keys.signer(use) for use in Use}


def speak(day: BadDay) -> None:
    """Somebody speaks live to all poles for ten seconds."""
    speaker = Speaker(_Keys(day), day.world.now + 100, scope=SCOPE)  # type: ignore[arg-type]
    day.studio.sounds["voice"] = speaker.sound
    for at, topic, payload in speaker.speech(10_000):
        day.world.run_until(at)
        assert day.world.backstage._say(topic, payload, 0, False)
    day.wait(5)


def text(day: BadDay) -> bytes:
    """Of the alert that stands."""
    with day.ctx.db.read() as session:
        row = session.scalars(select(StandingAlert).where(StandingAlert.silenced_at.is_(None))).one()
        entry = Alert.model_validate(row.entry, strict=False)
    told = sms.of_alert(entry, SCOPE, day.world.now)
    return sms.text(sms.seal(told, day.ctx.keys.signer(Use.ALERT))).encode()


@pytest.fixture
def taped(open_day: Callable[..., BadDay]) -> Taped:
    """Two bulletins, a silent drill and a loud one, an alert that was silenced, a live voice, an alert that ended; it
    is noon."""
    day = open_day("07:00")
    tapes = {}
    for post in day.posts:
        post.snoop = tapes[post.name] = Tape()
        day.befall(Fault.REBOOT, post, lasts=1_000)  # so that what is retained is on the tape too
    day.air("news", "07:30")
    day.air("song", "08:30")
    day.until("07:20")
    drill(day, "dr-1", loud=False)
    day.until("07:25")
    drill(day, "dr-2", loud=True)
    day.until("07:40")
    day.alert()
    day.wait(8)
    texts = [text(day)]
    day.silence()
    day.until("07:45")
    speak(day)
    day.until("07:50")
    day.alert(lasts=timedelta(minutes=2))
    day.until("12:00")
    return Taped(day, tapes, texts)


def test_the_day_was_a_day(taped: Taped) -> None:
    """What is replayed below is worth it: every kind of document is on the tape, and everything was heard once."""
    kinds = {topics.parse(frame.topic).kind for frame in taped.frames}
    assert kinds >= {None, In.PLAN, In.TIME, In.JOURNAL_ACK, *ScopeTopic}
    for told in taped.heard():
        assert [each.split(" ")[0] for each in told] == ["song", "news", "news", "siren", "voice", "siren", "song"]
    for post in taped.day.posts:
        assert [entry.entry.get("drill") for entry in taped.day.journal(post, "dr-1")] == [True, True]


@pytest.mark.requirement("R-064")
@pytest.mark.requirement("R-134")
def test_nothing_of_a_replayed_day_sounds_again(taped: Taped, subtests: pytest.Subtests) -> None:
    day, before = taped.day, taped.heard()
    for n, how in enumerate(("whole", "reordered", "in pieces", "to its neighbours", "whole, after a boot")):
        with subtests.test(how):
            chance = random.Random(how)
            if how.endswith("boot"):
                for post in day.posts:
                    day.befall(Fault.WITHHOLD, post, lasts=HOUR)
                    day.befall(Fault.REBOOT, post, lasts=2_000)
                day.wait(30)
            for post in day.posts:
                frames = list(taped.tapes[post.name].frames)
                if how == "reordered":
                    chance.shuffle(frames)
                elif how == "in pieces":
                    frames = [frame for _ in range(3) for frame in chance.sample(frames, len(frames) // 3)]
                elif how == "to its neighbours":
                    frames = [
                        _redirected(each, post) for each in chance.sample(taped.frames, min(800, len(taped.frames)))
                    ]
                taped.show(post, frames)
            day.until(f"12:{10 + 10 * n}")
            assert taped.heard() == before
    day.until("13:45")
    day.air("news", "14:00")
    day.until("14:05")
    assert [told[:-1] for told in taped.heard()] == before, "and whoever was shown all that still does his work"
    assert {told[-1].split(" ")[0] for told in taped.heard()} == {"news"}


def _redirected(frame: Arrived, post: Post) -> Arrived:
    parts = frame.topic.split("/")
    if len(parts) > 4:
        parts[3] = post.name if parts[2] == "u" else random.Random(frame.topic).choice([SCOPE, post.name])
    return Arrived("/".join(parts), frame.payload)


@pytest.mark.requirement("R-134")
def test_no_document_can_be_made_of_the_pieces_of_others_nor_under_another_topic(taped: Taped) -> None:
    day, chance, before = taped.day, random.Random(1), taped.heard()
    for post in day.posts[:4]:
        frames = taped.tapes[post.name].frames
        made: list[Arrived] = []
        for _ in range(400):
            one, other = chance.choice(frames), chance.choice(frames)
            a, b = one.payload.split(b"."), other.payload.split(b".")
            if len(a) == len(b) == 3:
                made.append(Arrived(one.topic, b".".join(chance.choice(pair) for pair in zip(a, b, strict=True))))
            cut = chance.randrange(len(one.payload))
            made += [Arrived(one.topic, one.payload[:cut]), Arrived(one.topic, one.payload[:cut] + other.payload[cut:])]
            made.append(Arrived(other.topic, one.payload))
        taped.show(post, [*made, *post.snoop.forged(post.name, day.world.now)])
        for said in taped.texts:
            for at in range(0, len(said), 7):
                day.world.give(post, SmsReceived(said[:at] + bytes([said[at] ^ 1]) + said[at + 1 :]))
    day.until("12:30")
    assert taped.heard() == before


@pytest.mark.requirement("R-134")
def test_forged_acknowledgements_lose_no_evidence(taped: Taped) -> None:
    """The controller is away, a broker acknowledges in its name what it never got, and more."""
    day, thief = taped.day, SigningKey.generate(taped.day.ctx.keys.signer(Use.COMMAND).kid)
    day.air("news", "13:00")
    day.until("12:59")
    day.befall(Fault.CONTROLLER_KILL, lasts=HOUR)
    day.until("13:10")
    for post in day.posts:
        disk = post.disk.journal
        topic = topics.to_unit(post.name, In.JOURNAL_ACK)
        for seq in (disk.acked, disk.next_seq + 1_000, 2**40):
            for epoch in (disk.epoch, disk.epoch + 1):
                ack = JournalAck(unit=post.name, journal_id=disk.journal_id, seq=seq, epoch=epoch)
                day.smuggle(post, topic, codec.seal(ack, Typ.JOURNAL_ACK, thief))
                day.smuggle(post, topic, codec.seal(ack, Typ.COMMAND, thief))
                day.smuggle(post, topic, codec.encode(ack))
        others = [frame for frame in taped.frames if frame.topic.endswith(In.JOURNAL_ACK)]
        for frame in others:
            day.smuggle(post, topic, frame.payload)
    day.until("14:30")
    for post in day.posts:
        with day.ctx.db.read() as session:
            rows = session.scalars(select(JournalEntry).where(JournalEntry.unit_id == post.name)).all()
        numbers = sorted(row.seq for row in rows)
        assert numbers == list(range(1, len(post.disk.journal.frames) + 1)), "every entry arrived, and each once"
    assert {told[-1].split(" ")[0] for told in taped.heard()} == {"news"}


@pytest.mark.requirement("R-065")
def test_silence_that_is_withheld_costs_no_more_than_the_hard_end(day: BadDay) -> None:
    post, free = day.posts[:2]
    day.until("07:30")
    day.alert(lasts=timedelta(minutes=3), repeat=Repeat(every_s=30))
    day.wait(20)
    day.befall(Fault.WITHHOLD, post, lasts=HOUR)
    day.silence()
    day.until("07:45")
    ends = [max(sound.to_ms for sound in each.pole.heard) for each in (post, free)]
    assert ends[0] <= day.moment("07:33")
    assert ends[1] <= day.moment("07:30") + 26_000
    assert any(entry.kind == "ended" for entry in day.journal(post)), "and it says what it did"


def test_a_drill_document_says_nothing_under_the_topic_of_alerts_nor_the_other_way_round(taped: Taped) -> None:
    day, before = taped.day, taped.heard()
    post = day.posts[0]
    frames = taped.tapes[post.name].frames
    swapped = [Arrived(ALERTS, each.payload) for each in frames if each.topic == DRILLS]
    swapped += [Arrived(DRILLS, each.payload) for each in frames if each.topic == ALERTS]
    assert len(swapped) >= 4
    taped.show(post, swapped)
    day.until("12:30")
    assert taped.heard() == before
