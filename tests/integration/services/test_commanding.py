"""Commands: asked once, said until they are answered or expire, settled once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from support.services import HERE, NOON, THERE, House, raises
from support.voices import Voice

from broadcasts.clock import unix_ms
from broadcasts.errors import Conflict, LoaError, Refused
from broadcasts.wire import codec, status, topics
from broadcasts.wire.journal import CommandResult
from broadcasts.wire.jws import Typ
from broadcasts.wire.status import CommandKind
from broadcasts.wire.topics import In, Out
from broadcasts.wire.trust import Use
from controller.db.tables import Assignment, AuditEntry, Cluster, Command, Unit
from controller.mqtt.inbound import Inbound, Received
from controller.services import commanding
from controller.services.rights import Actor, Grant, Role

UNIT, OTHER = f"u-{HERE}-1", f"u-{HERE}-2"
MINUTE = timedelta(minutes=1)
LASTS = commanding.LASTS


def cluster_of(house: House, unit: str = UNIT) -> str:
    return next(str(told["cluster"]) for told in house.enrolments if told["unit"] == unit)


def technician(house: House, commune: str = HERE) -> Actor:
    area = f"c-{commune}"
    return replace(house.actor("kythuat"), grants=(Grant(Role.TECHNICIAN, area, frozenset({area})),))


def ask(house: House, kind: str = "quiet_test", unit: str = UNIT, **told: Any) -> str:
    return commanding.issue(house.ctx, technician(house), cluster_of(house, unit), kind, **told)


def step(house: House) -> datetime:
    return commanding.step(house.ctx, house.link, house.now)


def row(house: House, name: str) -> Command:
    with house.ctx.db.read() as session:
        return session.get_one(Command, name)


def log(house: House, name: str) -> list[tuple[str, str, str]]:
    with house.ctx.db.read() as session:
        lines = session.scalars(select(AuditEntry).where(AuditEntry.about == name).order_by(AuditEntry.id))
        return [(line.actor, line.act, line.area) for line in lines]


def said(house: House) -> list[status.Command]:
    """What left for the units, verified as a unit does."""
    key = house.keys.signer(Use.COMMAND).public
    return [
        codec.unseal(status.Command, payload, Typ.COMMAND, lambda kid: key if kid == key.kid else None)
        for topic, payload, _, _ in house.link.sent
        if topic.endswith(f"/{In.COMMAND}")
    ]


def result(voice: Voice, command: str, *, done: bool = True, **told: Any) -> CommandResult:
    voice.seq += 1
    return CommandResult(**{"seq": voice.seq, "at": unix_ms(NOON), "command": command, "done": done, **told})


def voice_of(house: House, unit: str = UNIT) -> Voice:
    return Voice(unit, house.bulletin.sha256, house.bulletin.duration_ms)


def answer(house: House, *entries: CommandResult, voice: Voice | None = None) -> bool:
    """Whether it made something due."""
    voice = voice or voice_of(house)
    return house.hear(voice.batch(*entries), unit=voice.unit, signed=True).commands_due


# --- asking


def test_a_command_leaves_signed_numbered_expiring_and_never_retained(house: House) -> None:
    name = ask(house, "capture", args={"seconds": "5"})
    assert house.woken == [NOON]
    step(house)
    ((topic, _, qos, retain),) = house.link.sent
    assert (topic, qos, retain) == (topics.to_unit(UNIT, In.COMMAND), 1, False)
    (told,) = said(house)
    assert (told.unit, told.id, told.kind, told.args) == (UNIT, name, CommandKind.CAPTURE, {"seconds": "5"})
    assert (told.issued_at, told.expires_at) == (unix_ms(NOON), unix_ms(NOON + LASTS))
    assert told.seq == unix_ms(NOON) + 1
    assert log(house, name) == [("kythuat", "command.issue", f"c-{HERE}")]


def test_a_unit_may_be_named_instead_of_its_cluster(house: House) -> None:
    name = commanding.issue(house.ctx, technician(house), UNIT, "quiet_test")
    assert (row(house, name).unit_id, row(house, name).cluster_id) == (UNIT, cluster_of(house))


@pytest.mark.parametrize("who", ["author", "boss", "tinh"])
def test_only_a_technician_commands(house: House, who: str) -> None:
    with raises(Refused, "no_right"):
        commanding.issue(house.ctx, house.actor(who), cluster_of(house), "quiet_test")


def test_a_technician_of_another_commune_finds_no_such_cluster_and_no_such_unit(house: House) -> None:
    for where in (cluster_of(house), UNIT, "never-was"):
        with raises(Refused, "cluster.unknown"):
            commanding.issue(house.ctx, technician(house, THERE), where, "quiet_test")


def test_who_writes_here_and_repairs_there_repairs_nothing_here(house: House) -> None:
    here, there = f"c-{HERE}", f"c-{THERE}"
    grants = (
        Grant(Role.BROADCASTER, here, frozenset({here})),
        Grant(Role.TECHNICIAN, there, frozenset({there})),
    )
    both = replace(house.actor("kythuat"), grants=grants)
    with raises(Refused, "cluster.unknown"):
        commanding.issue(house.ctx, both, cluster_of(house), "quiet_test")


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        ("play_now", {}),
        ("", {}),
        ("reboot", {"volume": "100"}),
        ("capture", {"seconds": "0"}),
        ("capture", {"seconds": "31"}),
        ("capture", {"seconds": "٣"}),
        ("capture", {"seconds": "1e1"}),
        ("capture", {"seconds": "5", "loud": "yes"}),
    ],
)
def test_what_no_unit_understands_is_not_asked(house: House, kind: str, args: dict[str, str]) -> None:
    with raises(Refused, "choice.unknown"):
        ask(house, kind, args=args, sure=True)
    step(house)
    assert house.link.sent == []


@pytest.mark.parametrize("lasts", [timedelta(seconds=59), timedelta(hours=24, seconds=1), timedelta(0)])
def test_a_command_for_no_time_or_for_ever_is_refused(house: House, lasts: timedelta) -> None:
    with raises(Refused, "command.length"):
        ask(house, lasts=lasts)


def test_a_reboot_wants_to_be_confirmed(house: House) -> None:
    with raises(Refused, "command.confirm"):
        ask(house, "reboot")
    assert row(house, ask(house, "reboot", sure=True)).kind == "reboot"


def test_a_cluster_without_a_unit_cannot_be_asked(house: House) -> None:
    with house.ctx.db.write() as session:
        session.execute(update(Assignment).where(Assignment.unit_id == UNIT).values(until=NOON))
    with raises(Refused, "command.no_unit"):
        ask(house)


def test_two_of_a_kind_are_not_open_at_one_unit_and_others_are(house: House) -> None:
    first = ask(house)
    with raises(Conflict, "command.in_flight"):
        ask(house)
    ask(house, "capture")
    ask(house, unit=OTHER)
    answer(house, result(voice_of(house), first))
    ask(house)
    house.clock.advance(LASTS.total_seconds())
    ask(house)


def test_of_two_who_ask_at_the_same_instant_one_is_told_so(house: House) -> None:
    came: list[str] = []
    gate = threading.Barrier(2)

    def run() -> None:
        gate.wait(10)
        try:
            ask(house)
            came.append("asked")
        except LoaError as failure:
            came.append(failure.key)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(came) == ["asked", "command.in_flight"]


def test_numbers_grow_with_each_command_and_outrank_what_a_restored_database_forgot(house: House) -> None:
    first, second = ask(house), ask(house, "capture")
    numbers = [row(house, first).seq, row(house, second).seq]
    assert numbers == [unix_ms(NOON) + 1, unix_ms(NOON) + 2]
    with house.ctx.db.write() as session:
        for name in (first, second):
            session.delete(session.get_one(Command, name))
    house.clock.advance(60)
    again = row(house, ask(house)).seq
    assert again > max(numbers), "last night's backup knows of neither"


# --- saying it until it is answered


def instants(house: House, until: datetime) -> list[float]:
    """Seconds after NOON at which something left, stepping exactly when the step asks for it."""
    left: list[float] = []
    while house.now < until:
        before = len(house.link.sent)
        wake = step(house)
        if len(house.link.sent) > before:
            left.append((house.now - NOON).total_seconds())
        assert wake > house.now
        house.clock.set(min(wake, until))
    return left


def test_without_an_answer_it_is_said_again_ever_more_seldom_until_it_expires(house: House) -> None:
    name = ask(house)
    assert instants(house, NOON + LASTS + MINUTE) == [0, 20, 60, 140, 260, 380, 500, 620, 740, 860]
    assert len({telling.model_dump_json() for telling in said(house)}) == 1, "always the same"
    found = row(house, name)
    assert (found.sent, found.expired_at) == (10, NOON + LASTS)
    assert [line[:2] for line in log(house, name)] == [("kythuat", "command.issue"), ("loa", "command.expire")]
    step(house)
    assert len(log(house, name)) == 2, "given up once"


def test_an_answer_ends_it(house: House) -> None:
    name = ask(house)
    step(house)
    assert answer(house, result(voice_of(house), name, detail="line closed"))
    house.clock.advance(60)
    assert step(house) == house.now + commanding.LOOK_AGAIN
    assert len(said(house)) == 1
    found = row(house, name)
    assert (found.done, found.detail, found.answered_at, found.signed) == (True, "line closed", NOON, True)
    assert log(house, name)[1:] == [(UNIT, "command.answer", f"c-{HERE}")]


def test_a_unit_that_connects_is_told_at_once(house: House) -> None:
    ask(house)
    for _ in range(5):
        house.clock.set(step(house))
    step(house)
    house.clock.advance(1)
    left = len(said(house))
    step(house)
    assert len(said(house)) == left, "it was only just said"
    voice = voice_of(house)
    assert not house.hear(voice.presence("offline"), unit=UNIT).commands_due
    assert not house.hear(voice_of(house, OTHER).presence("online"), unit=OTHER).commands_due
    assert house.hear(voice.presence("online", conn=2), unit=UNIT).commands_due
    step(house)
    assert len(said(house)) == left + 1
    answer(house, result(voice, said(house)[0].id), voice=voice)
    assert not house.hear(voice.presence("online", conn=3), unit=UNIT).commands_due, "nothing waits any more"


def test_the_consumer_wakes_the_steps_for_a_unit_that_connects(house: House) -> None:
    ask(house)
    step(house)
    house.woken.clear()
    birth = codec.encode(voice_of(house).presence("online"))
    Inbound(house.ctx, house.link).consume([Received(topics.from_unit(UNIT, Out.PRESENCE), birth, False, house.now)])
    assert house.woken == [NOON]


def test_one_at_a_time_and_in_order_so_that_none_overtakes(house: House) -> None:
    first = ask(house)
    ask(house, "capture")
    ask(house, "upload_log", unit=OTHER)
    step(house)
    assert [(each.unit, each.kind) for each in said(house)] == [(UNIT, "quiet_test"), (OTHER, "upload_log")]
    assert answer(house, result(voice_of(house), first))
    step(house)
    assert [each.kind for each in said(house)][2:] == ["capture"]


def test_what_nobody_answers_blocks_the_next_one_no_longer_than_it_lasts(house: House) -> None:
    ask(house, lasts=MINUTE)
    ask(house, "capture")
    instants(house, NOON + 2 * MINUTE)
    kinds = [each.kind for each in said(house)]
    assert kinds == ["quiet_test"] * 2 + ["capture"] * 2


def test_without_a_link_nothing_counts_as_sent_and_it_still_expires(house: House) -> None:
    house.link.up = False
    name = ask(house)
    assert step(house) == NOON + commanding.LOOK_AGAIN
    assert row(house, name).sent == 0
    house.link.up, house.link.takes = True, 0
    assert step(house) == NOON + timedelta(seconds=1)
    assert row(house, name).sent == 0
    house.link.up = False
    house.clock.advance(LASTS.total_seconds())
    step(house)
    assert row(house, name).expired_at == house.now


def test_a_revoked_unit_is_told_nothing(house: House) -> None:
    ask(house)
    with house.ctx.db.write() as session:
        session.get_one(Unit, UNIT).revoked_at = NOON
    step(house)
    assert house.link.sent == []


# --- settling


def test_an_answer_counts_once_however_often_it_is_told(house: House) -> None:
    name, voice = ask(house), voice_of(house)
    entry = result(voice, name, detail="line closed")
    assert answer(house, entry, voice=voice)
    assert not answer(house, entry, voice=voice)
    lost = Voice(UNIT, voice.asset, voice.length_ms, journal_id="j-2")
    assert not answer(house, result(lost, name, done=False, detail="playing"), voice=lost)
    found = row(house, name)
    assert (found.done, found.detail) == (True, "line closed")
    assert [act for _, act, _ in log(house, name)] == ["command.issue", "command.answer"]


def test_an_answer_after_the_end_still_counts(house: House) -> None:
    name = ask(house)
    house.clock.advance(LASTS.total_seconds() + 3600)
    step(house)
    assert row(house, name).expired_at == house.now
    answer(house, result(voice_of(house), name, done=False, detail="playing"))
    found = row(house, name)
    assert (found.done, found.detail, found.answered_at) == (False, "playing", house.now)
    assert [act for _, act, _ in log(house, name)] == ["command.issue", "command.expire", "command.answer"]


def test_nobody_answers_for_another_unit_and_nobody_what_was_never_asked(house: House) -> None:
    name, other = ask(house), voice_of(house, OTHER)
    assert not answer(house, result(other, name), result(other, "k-never"), voice=other)
    assert row(house, name).answered_at is None


def test_what_a_unit_brings_along_is_kept_as_a_database_can(house: House) -> None:
    name = ask(house, "upload_log")
    answer(house, result(voice_of(house), name, detail="1\x00 lines", text="boot\x00\n" + "ế" * 2_900))
    found = row(house, name)
    assert found.detail == "1\N{REPLACEMENT CHARACTER} lines"
    assert found.text.startswith("boot\N{REPLACEMENT CHARACTER}\nế")


def test_the_cluster_keeps_its_history_when_the_unit_is_changed(house: House) -> None:
    name, where = ask(house), cluster_of(house)
    with house.ctx.db.write() as session:
        session.execute(update(Assignment).where(Assignment.unit_id == UNIT).values(until=NOON))
        session.add(Unit(id="u-new", key_x="x", secret_hashes={}, enrolled_at=NOON))
        session.flush()
        session.add(Assignment(unit_id="u-new", cluster_id=where, since=NOON))
    again = commanding.issue(house.ctx, technician(house), where, "quiet_test")
    with house.ctx.db.read() as session:
        rows: Sequence[Command] = session.scalars(
            select(Command).where(Command.cluster_id == where).order_by(Command.id)
        ).all()
        assert session.get_one(Cluster, where).removed_at is None
    assert {each.id: each.unit_id for each in rows} == {name: UNIT, again: "u-new"}
