"""A technician's round on both databases: proposed, begun, written down under the poles, sent twice, contradicted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import func, select
from support.services import HERE, THERE, House, raises

from broadcasts.clock import VIETNAM, unix_ms
from broadcasts.domain.fault_life import State
from broadcasts.errors import Conflict, Refused
from controller.db.tables import (
    Asset,
    AuditEntry,
    Cluster,
    Command,
    FaultCase,
    Round,
    RoundEntry,
    RoundStop,
    Station,
)
from controller.services import accounts, commanding, fault_acts, naming, round_entries, rounds
from controller.services.rights import Role
from controller.services.round_entries import Result, Told

AREA = f"c-{HERE}"
BROKEN = f"cl-{HERE}-2"
KEY = "form-0001"


@pytest.fixture(autouse=True)
def others(house: House) -> None:
    """Another technician here, and one of another commune."""
    first = {name: accounts.FirstPassword.make() for name in ("tho-hai", "tho-xa")}
    with house.ctx.db.write() as session:
        for name, commune in (("tho-hai", HERE), ("tho-xa", THERE)):
            accounts.create_user(house.ctx, session, first[name], name, name, Role.TECHNICIAN, f"c-{commune}", "test")


def fault(house: House, cluster: str = BROKEN, code: str = "line_open", name: str = "f-1", **told: Any) -> str:
    at = house.now - timedelta(hours=2)
    with house.ctx.db.write() as session:
        session.add(FaultCase(id=name, code=code, cluster_id=cluster, area_id=AREA, since=at, raised_at=at, **told))
    return name


def make(house: House, by: str = "kythuat", key: str = KEY, routine: bool = True) -> str:
    return rounds.make(house.ctx, house.actor(by), AREA, house.now.astimezone(VIETNAM).date(), key, routine)


def stops(house: House, name: str) -> list[RoundStop]:
    with house.ctx.db.read() as session:
        found = select(RoundStop).where(RoundStop.round_id == name).order_by(RoundStop.place)
        return list(session.scalars(found))


def send(house: House, name: str, *told: Told, by: str = "kythuat", sent_ms: int | None = None) -> list[Result]:
    return round_entries.take(house.ctx, house.actor(by), name, told, sent_ms)


def entry(stop: str, kind: str, number: int, body: Mapping[str, Any] | None = None, at: int | None = None) -> Told:
    return Told(f"phone-{number:04}", stop, kind, body or {}, at)


def outcomes(found: list[Result]) -> list[tuple[str, str]]:
    return [(each.outcome, each.problems[0][1].key if each.problems else "") for each in found]


def state_of(house: House, name: str) -> str:
    with house.ctx.db.read() as session:
        return session.get_one(FaultCase, name).state


def entries(house: House) -> list[RoundEntry]:
    with house.ctx.db.read() as session:
        return list(session.scalars(select(RoundEntry).order_by(RoundEntry.id)))


def test_a_round_has_what_is_wrong_and_where_nobody_was_for_long_each_pole_once(house: House) -> None:
    fault(house)
    fault(house, code="battery_low", name="f-2")
    fault(house, cluster=f"cl-{HERE}-1", name="f-3", state="resolved")
    short = make(house, key="form-short", routine=False)
    assert [(stop.cluster_id, stop.faults) for stop in stops(house, short)] == [(BROKEN, ["f-1", "f-2"])]
    house.clock.advance(100 * 86_400)
    name = make(house)
    with house.ctx.db.read() as session:
        here = set(
            session.scalars(
                select(Cluster.id).join(Station).where(Station.area_id == AREA, Cluster.removed_at.is_(None))
            )
        )
    found = stops(house, name)
    assert {stop.cluster_id for stop in found} == here
    assert [stop.place for stop in found] == list(range(1, len(here) + 1))
    assert make(house) == name, "the same form again"
    with house.ctx.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Round)) == 2


def test_who_has_no_right_there_makes_none_and_nobody_makes_one_of_nothing(house: House) -> None:
    with raises(Refused, "round.nothing"):
        make(house, routine=False)
    fault(house)
    with raises(Refused, "no_right"):
        make(house, by="boss")
    with raises(Refused, "not_yours"):
        make(house, by="tho-xa")
    with raises(Refused, "round.key"):
        make(house, key="x y")
    with raises(Refused, "round.day"):
        rounds.make(house.ctx, house.actor("kythuat"), AREA, (house.now - timedelta(days=2)).date(), KEY)


def test_what_a_phone_sends_twice_is_there_once_and_each_entry_is_taken_for_itself(house: House) -> None:
    fault(house)
    name = make(house)
    stop = next(each for each in stops(house, name) if each.cluster_id == BROKEN).id
    batch = [
        entry(stop, "check", 1, {"item": "cable", "seen": "no"}),
        entry(stop, "check", 2, {"item": "no-such", "seen": "no"}),
        entry("r-elsewhere-1", "note", 3, {"note": "x"}),
        entry(stop, "part", 4, {"part": "cable", "count": 3}),
        entry(stop, "part", 5, {"part": "cable", "count": True}),
        entry(stop, "part", 6, {"part": "cable", "count": 1_000_000}),
        entry(stop, "dance", 7),
        Told("short", stop, "note", {"note": "x"}),
        entry(stop, "note", 8, {"note": "dây đứt ở cột 3\x00"}),
        entry(stop, "note", 8, {"note": "dây đứt ở cột 3"}),
        entry(stop, "finish", 9, {"outcome": "done", "note": "nối dây", "faults": {"f-other": {"state": "resolved"}}}),
        entry(stop, "finish", 10, {"outcome": "could_not"}),
        entry(stop, "check", 1, {"item": "horns", "seen": "yes"}),
        entry(stop, "part", 1, {"part": "cable", "count": 3}),
        Told("phone-0011", stop, "note", {"note": "x"}, 10**18),
        entry(stop, "photo", 12, {"which": "before"}),
    ]
    assert outcomes(send(house, name, *batch)) == [
        ("taken", ""),
        ("refused", "choice.unknown"),
        ("refused", "round.stop_unknown"),
        ("taken", ""),
        ("refused", "choice.unknown"),
        ("refused", "choice.unknown"),
        ("refused", "choice.unknown"),
        ("refused", "round.key"),
        ("taken", ""),
        ("known", ""),
        ("refused", "round.fault_elsewhere"),
        ("refused", "fault.reason"),
        ("known", ""),
        ("refused", "round.entry_other"),
        ("refused", "choice.unknown"),
        ("refused", "choice.unknown"),
    ]
    again = send(house, name, *batch)
    assert [each.outcome for each in again].count("taken") == 0
    kept = entries(house)
    assert [(each.kind, each.client_id) for each in kept] == [
        ("check", "phone-0001"),
        ("part", "phone-0004"),
        ("note", "phone-0008"),
    ]
    assert "\x00" not in kept[2].body["note"]
    with house.ctx.db.read() as session:
        acts = list(session.scalars(select(AuditEntry.act).where(AuditEntry.about == name)))
        assert session.get_one(Round, name).state == "under_way", "who writes something down is on his way"
    assert acts.count("round.entry") == 3
    assert acts.count("round.make") == 1


def test_nobody_writes_in_another_technicians_round(house: House) -> None:
    fault(house)
    name = make(house)
    [stop, *_] = stops(house, name)
    for who in ("tho-hai", "tho-xa"):
        with raises(Refused, "not_yours"):
            send(house, name, entry(stop.id, "note", 1, {"note": "x"}), by=who)
    with raises(Refused, "no_right"):
        send(house, name, entry(stop.id, "note", 1, {"note": "x"}), by="boss")
    theirs = make(house, by="tho-hai", key="form-theirs")
    note = entry(stop.id, "note", 1, {"note": "x"})
    assert outcomes(send(house, theirs, note, by="tho-hai")) == [("refused", "round.stop_unknown")]
    assert entries(house) == []
    mine, other = entry(stop.id, "note", 1, {"note": "x"}), entry(stops(house, theirs)[0].id, "note", 1, {"note": "y"})
    assert outcomes(send(house, name, mine) + send(house, theirs, other, by="tho-hai")) == [("taken", "")] * 2, (
        "two phones may come to the same name"
    )


def test_a_finished_stop_moves_its_faults_by_the_rules_of_faults(house: House) -> None:
    fault(house)
    fault(house, code="battery_low", name="f-2")
    name = make(house)
    stop = next(each for each in stops(house, name) if each.cluster_id == BROKEN).id
    wanted = {"f-1": {"state": "resolved", "revision": 0}, "f-2": {"state": "in_repair", "revision": 0}}
    done = entry(stop, "finish", 1, {"outcome": "done", "note": "nối lại dây loa", "faults": wanted})
    assert outcomes(send(house, name, done)) == [("taken", "")]
    assert (state_of(house, "f-1"), state_of(house, "f-2")) == (State.RESOLVED, State.IN_REPAIR)
    assert outcomes(send(house, name, done)) == [("known", "")]
    other = entry(stop, "finish", 2, {"outcome": "could_not", "note": "mưa"})
    assert outcomes(send(house, name, other)) == [("conflict", "round.stop_over")]
    assert outcomes(send(house, name, other)) == [("conflict", "round.stop_over")]
    assert [each.body["note"] for each in entries(house)] == ["nối lại dây loa", "mưa"], "kept, and once"
    assert next(each for each in stops(house, name) if each.id == stop).state == "done"
    late = entry(stop, "note", 3, {"note": "quên chìa khoá tủ"})
    assert outcomes(send(house, name, late)) == [("taken", "")]


def test_what_somebody_else_resolved_meanwhile_is_told_and_not_overwritten(house: House) -> None:
    fault(house)
    name = make(house)
    stop = next(each for each in stops(house, name) if each.cluster_id == BROKEN).id
    fault_acts.move(house.ctx, house.actor("tho-hai"), "f-1", "resolved", "thay loa", 0)
    wanted = {"f-1": {"state": "in_repair", "revision": 0}}
    done = entry(stop, "finish", 1, {"outcome": "done", "note": "không thấy hỏng", "faults": wanted})
    for _ in range(2):
        [result] = send(house, name, done)
        assert (result.outcome, result.problems[0][0]) == ("conflict", "f-1")
        error = result.problems[0][1]
        assert (error.key, error.fields["by"]) == ("round.fault_moved", "tho-hai")
    assert state_of(house, "f-1") == State.RESOLVED
    assert [each.kind for each in entries(house)] == ["finish"], "what he did is kept all the same"


def test_what_was_taken_and_not_carried_out_is_carried_out_when_it_comes_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(house)
    name = make(house)
    stop = next(each for each in stops(house, name) if each.cluster_id == BROKEN).id
    wanted = {"f-1": {"state": "resolved", "revision": 0}}
    done = entry(stop, "finish", 1, {"outcome": "done", "note": "nối dây", "faults": wanted})
    moved = fault_acts.move

    def killed(*told: Any, **named: Any) -> None:
        moved(*told, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(fault_acts, "move", killed)
    with pytest.raises(KeyboardInterrupt):
        send(house, name, done)
    monkeypatch.undo()
    assert outcomes(send(house, name, done)) == [("known", "")], "moved by his own hand: no conflict"
    assert state_of(house, "f-1") == State.RESOLVED
    assert entries(house)[0].settled_at is not None


def test_a_phone_that_thinks_it_is_1970_tells_how_long_ago_it_was(house: House) -> None:
    fault(house)
    name = make(house)
    house.clock.advance(3 * 3600)
    [stop, *_] = stops(house, name)
    send(house, name, entry(stop.id, "note", 1, {"note": "x"}, at=60_000), sent_ms=3_660_000)
    ahead = unix_ms(house.now + timedelta(days=400))
    send(house, name, entry(stop.id, "note", 2, {"note": "y"}, at=ahead - 60_000), sent_ms=ahead)
    one, other = entries(house)
    assert (one.at, one.phone_ms) == (house.now - timedelta(hours=1), 60_000)
    assert one.clock_off_s < 0 < other.clock_off_s
    assert other.at == house.now - timedelta(minutes=1)


def test_a_quiet_test_from_the_stop_is_asked_once_however_often_it_is_sent(house: House) -> None:
    fault(house)
    name = make(house)
    stop = next(each for each in stops(house, name) if each.cluster_id == BROKEN).id
    assert outcomes(send(house, name, entry(stop, "test", 1), entry(stop, "test", 1))) == [("taken", ""), ("known", "")]
    assert outcomes(send(house, name, entry(stop, "test", 2))) == [("conflict", "command.in_flight")]
    with house.ctx.db.read() as session:
        [command] = session.scalars(select(Command).where(Command.cluster_id == BROKEN))
    assert entries(house)[0].command_id == command.id


def test_a_quiet_test_is_the_entrys_own_when_the_controller_died_in_between(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(house)
    name = make(house)
    stop = next(each for each in stops(house, name) if each.cluster_id == BROKEN).id
    asked = commanding.issue

    def killed(*told: Any, **named: Any) -> None:
        asked(*told, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(commanding, "issue", killed)
    with pytest.raises(KeyboardInterrupt):
        send(house, name, entry(stop, "test", 1))
    monkeypatch.undo()
    assert outcomes(send(house, name, entry(stop, "test", 1))) == [("known", "")]
    with house.ctx.db.read() as session:
        [command] = session.scalars(select(Command).where(Command.cluster_id == BROKEN))
    assert entries(house)[0].command_id == command.id


def test_a_quiet_test_that_comes_twice_at_once_keeps_its_answer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(house)
    name = make(house)
    stop = next(each for each in stops(house, name) if each.cluster_id == BROKEN).id
    asked = commanding.issue

    def overtaken(*told: Any, **named: Any) -> str:
        monkeypatch.undo()
        send(house, name, entry(stop, "test", 1))
        return asked(*told, **named)

    monkeypatch.setattr(commanding, "issue", overtaken)
    assert outcomes(send(house, name, entry(stop, "test", 1))) == [("known", "")]
    [row] = entries(house)
    assert (row.command_id is not None, row.outcome) == (True, [])


def test_of_one_stop_there_are_only_so_many_photos(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_entries, "MOST_PHOTOS", 2)
    fault(house)
    name = make(house)
    [stop, *_] = stops(house, name)
    picture = tmp_path / "a.jpg"
    Image.new("RGB", (40, 30), "green").save(picture, "JPEG")
    me = house.actor("kythuat")
    told = [entry(stop.id, "photo", number, {"which": "before"}) for number in (1, 2, 3, 1)]
    found = [round_entries.take_photo(house.ctx, me, name, each, picture, tmp_path / "work") for each in told]
    assert outcomes(found) == [("taken", ""), ("taken", ""), ("refused", "round.photos_most"), ("known", "")]


def test_a_photo_is_drawn_anew_kept_once_and_named(house: House, tmp_path: Path) -> None:
    fault(house)
    name = make(house)
    [stop, *_] = stops(house, name)
    picture = tmp_path / "a.jpg"
    Image.new("RGB", (2400, 1200), "green").save(picture, "JPEG")
    told = entry(stop.id, "photo", 1, {"which": "before"})

    def put(each: Told, source: Path) -> Result:
        return round_entries.take_photo(house.ctx, house.actor("kythuat"), name, each, source, tmp_path / "work")

    assert [put(told, picture).outcome for _ in range(2)] == ["taken", "known"]
    [row] = entries(house)
    assert row.photo_sha256 is not None
    with house.ctx.db.read() as session:
        assert session.get_one(Asset, row.photo_sha256).codec == "jpg"
        assert naming.named(session, [row.photo_sha256]) == {row.photo_sha256}
    text = tmp_path / "b.jpg"
    text.write_bytes(b"not a picture at all")
    large = tmp_path / "c.jpg"
    large.write_bytes(b"\xff\xd8" + b"\0" * 12_000_001)
    bad = [put(entry(stop.id, "photo", 2, {"which": "after"}), text)]
    bad += [put(entry(stop.id, "photo", 3, {"which": "after"}), large)]
    bad += [put(entry(stop.id, "photo", 4, {"which": "inside"}), picture)]
    bad += [put(entry("r-x-1", "photo", 5, {"which": "after"}), picture)]
    bad += [put(entry(stop.id, "note", 6, {"note": "x"}), picture)]
    assert outcomes(bad) == [
        ("refused", "photo.unreadable"),
        ("refused", "photo.large"),
        ("refused", "choice.unknown"),
        ("refused", "round.stop_unknown"),
        ("refused", "choice.unknown"),
    ]
    assert len(entries(house)) == 1


def test_a_round_begins_and_ends_once_and_what_still_waits_on_the_phone_is_taken_afterwards(house: House) -> None:
    fault(house)
    name = make(house)
    me = house.actor("kythuat")
    rounds.start(house.ctx, me, name)
    rounds.start(house.ctx, me, name)
    rounds.finish(house.ctx, me, name)
    rounds.finish(house.ctx, me, name)
    with raises(Conflict, "round.over"):
        rounds.start(house.ctx, me, name)
    with raises(Refused, "not_yours"):
        rounds.finish(house.ctx, house.actor("tho-hai"), name)
    [stop, *_] = stops(house, name)
    assert outcomes(send(house, name, entry(stop.id, "note", 1, {"note": "về muộn"}))) == [("taken", "")]
    with house.ctx.db.read() as session:
        acts = list(session.scalars(select(AuditEntry.act).where(AuditEntry.about == name).order_by(AuditEntry.id)))
        assert session.get_one(Round, name).state == "over"
    assert acts == [
        *("round.make", "round.start", "round.finish", "round.start.refused", "round.finish.refused", "round.entry")
    ]
