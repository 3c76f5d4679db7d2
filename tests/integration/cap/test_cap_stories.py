"""Warnings of others from the bytes to the horns: what waits, what sounds, what falls silent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from support.cap import SENT, Signer, document, info
from support.cap_desk import Cap
from support.services import HERE, raises

from broadcasts.errors import Conflict, Fault, Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import AuditEntry, CapMessage, Drill
from controller.services import cap_acting, cap_deciding, cap_standing, cap_taking, emergencies, speaking
from controller.services.cap_deciding import Decision
from controller.services.context import Context
from controller.services.rights import Actor

STORM = Decision("storm", 30)
TIGHT = "<area><areaDesc>Xã</areaDesc><geocode><valueName>VN</valueName><value>31615</value></geocode></area>"
"""Half of the clusters: below what is wide."""


def _bytes(name: str = "bao-5.1", **told: object) -> bytes:
    return document(name, infos=info(area=TIGHT), **told)  # type: ignore[arg-type]


def test_an_actual_warning_waits_and_sounds_nothing_by_itself(cap: Cap) -> None:
    row = cap.take(_bytes())
    assert (row.fate, cap.state(row.id), row.title) == ("draft", "waiting", "Bão số 5 đổ bộ đêm nay")
    assert cap.emergencies() == []
    with cap.house.ctx.db.read() as session:
        shown = cap_deciding.show(cap.house.ctx, session, cap.actor("lan"), row.id)
        assert cap_deciding.waiting(session, cap.actor("lan"), cap.house.now) == 1
    assert shown.outlook is not None
    assert shown.reach is not None
    assert (shown.outlook.kind, len(shown.reach.poles)) == (AlertKind.STORM, 5)
    assert shown.outlook.texts["vi"].splitlines()[0] == "Bão số 5 đổ bộ đêm nay."


def test_a_person_sounds_it_with_the_recordings_that_every_pole_holds(cap: Cap) -> None:
    cap.preload()
    row = cap.take(_bytes())
    alert = cap_deciding.sound(cap.house.ctx, cap.actor("lan"), row.id, STORM)
    (act,) = cap.emergencies()
    assert (act.id, act.issued_by, act.kind, act.state) == (alert, "lan", "storm", "issued")
    assert act.hard_end == cap.house.now + timedelta(minutes=30)
    assert act.places == [[f"c-{HERE}", None]]
    assert (cap.alerts(row.id), cap.state(row.id)) == ([alert], "sounded")
    with raises(Conflict, "cap.decided"):
        cap_deciding.sound(cap.house.ctx, cap.actor("minh"), row.id, STORM)
    with raises(Conflict, "cap.decided"):
        cap_deciding.reject(cap.house.ctx, cap.actor("minh"), row.id, "Trùng")


@pytest.mark.requirement("R-061")
def test_the_words_of_the_sender_are_read_aloud_with_the_hour_at_which_they_were_said(cap: Cap) -> None:
    row = cap.take(_bytes())
    cap_deciding.sound(cap.house.ctx, cap.actor("lan"), row.id, Decision("storm", 30, ("vi",)))
    (act,) = cap.emergencies()
    ((language, sha256),) = act.content
    with cap.house.ctx.db.read() as session:
        said = speaking.of_asset(session, sha256)
    assert said is not None
    assert (language, said.language) == ("vi", "vi")
    assert said.written.splitlines()[-2:] == ["Gió giật cấp 12.", "Vào nhà kiên cố."]
    assert "11 giờ 55" in said.written, "the authority's hour, in Viet Nam"


def test_it_never_outlasts_what_the_sender_said(cap: Cap) -> None:
    cap.preload()
    ends = cap.house.now + timedelta(minutes=12)
    row = cap.take(document(infos=info(area=TIGHT, expires=ends)))
    cap_deciding.sound(cap.house.ctx, cap.actor("lan"), row.id, STORM)
    assert cap.emergencies()[0].hard_end == ends
    late = cap.take(document("bao-5.9", infos=info(area=TIGHT, expires=ends)))
    cap.later(13)
    with raises(Refused, "cap.over"):
        cap_deciding.sound(cap.house.ctx, cap.actor("lan"), late.id, STORM)


@pytest.mark.parametrize("status", ["Exercise", "System", "Test", "Draft"])
def test_nothing_but_actual_is_ever_sounded(cap: Cap, status: str) -> None:
    cap.preload()
    cap.rule()
    row = cap.take(_bytes(status=status))
    with raises(Conflict, "cap.decided"):
        cap_deciding.sound(cap.house.ctx, cap.actor("lan"), row.id, STORM)
    assert cap.emergencies() == []


@pytest.mark.requirement("R-066")
def test_an_exercise_becomes_a_silent_drill_by_hand_and_its_cancel_ends_that(cap: Cap) -> None:
    cap.preload()
    row = cap.take(_bytes(status="Exercise"))
    assert cap.state(row.id) == "exercise"
    name = cap_deciding.drill(cap.house.ctx, cap.actor("lan"), row.id, STORM)
    with cap.house.ctx.db.read() as session:
        found = session.get_one(Drill, name)
        assert (found.silent, found.state, found.kind) == (True, "issued", "storm")
    assert (cap.state(row.id), cap.emergencies()) == ("drilled", [])
    cap.take(cap.update("Cancel", "huy-that"))
    cap.take(cap.update("Cancel", "huy", status="Exercise"))
    with cap.house.ctx.db.read() as session:
        assert session.get_one(Drill, name).ended_by == "cap"
    real = cap.take(_bytes("bao-5.7"))
    with raises(Conflict, "cap.decided"):
        cap_deciding.drill(cap.house.ctx, cap.actor("lan"), real.id, STORM)


def test_who_was_refused_finds_it_waiting_still(cap: Cap) -> None:
    row = cap.take(_bytes())
    with raises(Refused, "emergency.none"):
        cap_deciding.sound(cap.house.ctx, cap.actor("lan"), row.id, STORM)
    assert cap.state(row.id) == "waiting"
    with raises(Refused, "choice.unknown"):
        cap_deciding.sound(cap.house.ctx, cap.actor("lan"), row.id, Decision("war", 30))
    with raises(Refused, "no_right"):
        cap_deciding.sound(cap.house.ctx, cap.actor("tinh"), row.id, STORM)
    with raises(Refused, "no_right"):
        cap_deciding.sound(cap.house.ctx, cap.actor("author"), row.id, STORM)


def test_a_place_that_nobody_knows_is_chosen_by_hand(cap: Cap) -> None:
    cap.preload()
    row = cap.take(document(infos=info(area="<area><areaDesc>Đâu đó</areaDesc></area>")))
    with raises(Refused, "cap.place_unknown"):
        cap_deciding.sound(cap.house.ctx, cap.actor("lan"), row.id, STORM)
    cap_deciding.sound(cap.house.ctx, cap.actor("lan"), row.id, Decision("storm", 30, areas=(f"c-{HERE}",)))
    assert cap.emergencies()[0].scopes == [f"c-{HERE}"]


def test_it_is_rejected_with_a_reason(cap: Cap) -> None:
    row = cap.take(_bytes())
    with raises(Refused, "reason.missing"):
        cap_deciding.reject(cap.house.ctx, cap.actor("lan"), row.id, " ")
    cap_deciding.reject(cap.house.ctx, cap.actor("lan"), row.id, "Đã báo rồi")
    assert (cap.state(row.id), cap.row(row.id).note) == ("rejected", "Đã báo rồi")


@pytest.mark.requirement("R-064")
def test_a_cancel_silences_what_sounded_and_asks_nobody(cap: Cap) -> None:
    cap.preload()
    row = cap.take(_bytes())
    cap_deciding.sound(cap.house.ctx, cap.actor("lan"), row.id, STORM)
    cap.later(1)
    cap.take(cap.update("Cancel", "huy"))
    (act,) = cap.emergencies()
    assert (act.ended_by, cap.parts(row.id)[0].silenced_at) == ("cap", cap.house.now)
    assert act.ended_at == cap.house.now
    silenced = act.ended_at
    cap.later(1)
    cap.step()
    assert cap.emergencies()[0].ended_at == silenced, "once"


def test_a_cancel_of_another_sender_or_of_an_exercise_silences_nothing(cap: Cap) -> None:
    cap.preload()
    row = cap.take(_bytes())
    cap_deciding.sound(cap.house.ctx, cap.actor("lan"), row.id, STORM)
    cap.take(cap.update("Cancel", "huy-1", sender="khac@thu.vn"))
    cap.take(cap.update("Cancel", "huy-2", status="Exercise"))
    assert [act.ended_at for act in cap.emergencies()] == [None]


def test_an_update_is_a_new_draft_and_ends_the_older_when_it_sounds(cap: Cap) -> None:
    cap.preload()
    first = cap.take(_bytes())
    cap_deciding.sound(cap.house.ctx, cap.actor("lan"), first.id, STORM)
    second = cap.take(cap.update(infos=info(area=TIGHT)))
    assert (cap.row(first.id).why, cap.row(first.id).by_id) == ("superseded", second.id)
    assert [act.state for act in cap.emergencies()] == ["issued"], "until somebody decided it goes on"
    assert cap.state(second.id) == "waiting"
    cap.later(1)
    alert = cap_deciding.sound(cap.house.ctx, cap.actor("minh"), second.id, STORM)
    old, new = cap.emergencies()
    assert (new.id, new.ends, new.state) == (alert, [old.id], "issued")
    assert old.ended_at == cap.house.now


def test_a_cancel_that_overtakes_its_warning_takes_it_back_all_the_same(cap: Cap) -> None:
    cap.preload()
    cap.rule()
    cancel = cap.take(cap.update("Cancel", "huy"))
    assert cancel.why == "unknown_reference"
    row = cap.take(_bytes())
    assert (row.fate, row.why, row.by_id) == ("kept", "cancelled", cancel.id)
    assert cap.row(cancel.id).fate == "cancel"
    assert cap.emergencies() == []


def test_the_same_bytes_twice_are_one_message(cap: Cap) -> None:
    first = cap_taking.take(cap.house.ctx, cap.feed, _bytes())
    again = cap_taking.take(cap.house.ctx, cap.feed, _bytes())
    assert (first.new, again.new, again.id, again.outcome) == (True, False, first.id, "duplicate")
    spaced = cap.take(_bytes().replace(b"<alert", b"\n<alert"))
    assert spaced.why == "duplicate"
    other = cap.take(document(infos=info(headline="Không có bão", area=TIGHT)))
    assert other.why == "reused"


def test_what_cannot_be_read_is_kept_with_the_reason_and_refused_to_who_hands_it_in(cap: Cap) -> None:
    bad = _bytes().replace(b"Actual", b"Real")
    row = cap.take(bad)
    assert (row.why, row.unread["key"], row.body) == ("unread", "cap.value", bad)
    with raises(Refused, "cap.value"):
        cap_taking.take(cap.house.ctx, cap.feed, bad + b"\n", strict=True)
    with cap.house.ctx.db.read() as session:
        assert len(session.scalars(select(CapMessage.id)).all()) == 1
        shown = cap_deciding.show(cap.house.ctx, session, cap.actor("lan"), row.id)
    assert shown.message is None


def test_a_feed_that_asks_for_signatures_believes_nothing_else(cap: Cap) -> None:
    theirs, stranger = Signer.make(), Signer.make("Người lạ")
    cap.change(certificate=theirs.pem, signed=True, senders=("kttv@thu.vn",))
    plain = cap.take(_bytes())
    false = cap.take(stranger.sign(_bytes("bao-5.2")))
    true = cap.take(theirs.sign(_bytes("bao-5.3")))
    other = cap.take(theirs.sign(_bytes("bao-5.4", sender="khac@thu.vn")))
    assert [(row.seal, row.fate, row.why) for row in (plain, false, true, other)] == [
        ("none", "kept", "unsigned"),
        ("broken", "kept", "signature"),
        ("valid", "draft", ""),
        ("valid", "kept", "sender"),
    ]
    cancel = cap.take(cap.update("Cancel", "huy", of="bao-5.3"))
    assert (cancel.why, cap.state(true.id)) == ("unsigned", "waiting"), "nobody unsigned takes back what is signed"


def test_a_rule_sounds_what_reaches_it_and_a_person_confirms_afterwards(cap: Cap) -> None:
    cap.preload()
    rule = cap.rule()
    row = cap.take(_bytes())
    (act,) = cap.emergencies()
    assert (act.issued_by, act.kind, act.content, act.scopes) == ("cap", "storm", [], [f"c-{HERE}"])
    (part,) = cap.parts(row.id)
    assert (cap.state(row.id), part.rule_id, part.alert_id, part.clusters) == ("automatic", rule, act.id, 5)
    cap.step()
    assert len(cap.emergencies()) == 1
    with cap.house.ctx.db.read() as session:
        assert session.scalars(select(AuditEntry.actor).where(AuditEntry.act == "cap.automatic")).all() == ["cap"]


def test_an_update_under_a_rule_takes_the_place_of_the_older(cap: Cap) -> None:
    cap.preload()
    cap.rule()
    cap.take(_bytes())
    cap.take(cap.update(infos=info(area=TIGHT)))
    old, new = cap.emergencies()
    assert (old.ended_at, new.ends) == (cap.house.now, [old.id])
    cap.take(cap.update("Cancel", "huy", of="bao-5.2", infos=""))
    assert cap.emergencies()[1].ended_at is None, "another instant names another message"


LESSER = {
    "another event": info(event="Lũ", headline="Lũ", area=TIGHT),
    "less severe": info(severity="Moderate", area=TIGHT),
    "less certain": info(certainty="Possible", area=TIGHT),
    "less urgent": info(urgency="Future", area=TIGHT),
}


@pytest.mark.parametrize("case", LESSER)
def test_what_does_not_reach_a_rule_waits_for_a_person(cap: Cap, case: str) -> None:
    cap.preload()
    cap.rule()
    row = cap.take(document(infos=LESSER[case]))
    assert (cap.state(row.id), row.held, cap.emergencies()) == ("waiting", "", [])


def test_a_rule_that_is_not_in_force_sounds_nothing(cap: Cap) -> None:
    cap.preload()
    waiting = cap.rule(approve=False)
    first = cap.take(_bytes())
    with raises(Refused, "cap.own_rule"):
        cap_standing.approve(cap.house.ctx, cap.actor("lan"), waiting)
    cap_standing.approve(cap.house.ctx, cap.actor("minh"), waiting)
    cap.step()
    assert cap.state(first.id) == "waiting", "a rule wakes nobody with what came before it"
    cap.change(name="Khí tượng thủy văn")
    cap.take(_bytes("bao-5.3"))
    assert cap.emergencies() == [], "another feed is another sender"
    cap.rule(until=cap.house.now + timedelta(minutes=5))
    cap.later(6)
    cap.take(_bytes("bao-5.4"))
    assert cap.emergencies() == [], "it ended by itself"


def test_a_rule_obeys_the_guards_and_then_a_person_is_asked(cap: Cap) -> None:
    cap.preload()
    cap.rule()
    wide = cap.take(document("bao-rong"))
    assert (cap.state(wide.id), wide.held, cap.emergencies()) == ("waiting", "alert.confirm_reach", [])
    nowhere = cap.take(document("bao-5.3", infos=info(area="<area><areaDesc>Đâu đó</areaDesc></area>")))
    assert (cap.state(nowhere.id), nowhere.held) == ("waiting", "cap.place_unknown")
    cap_deciding.sound(cap.house.ctx, cap.actor("lan"), wide.id, Decision("storm", 30, confirmed="10"))
    assert len(cap.emergencies()) == 1


def test_a_rule_stays_inside_of_its_own_area(cap: Cap) -> None:
    cap.preload()
    cap.rule(area=f"c-{HERE}")
    cap.take(document())
    assert [act.scopes for act in cap.emergencies()] == [[f"c-{HERE}"]]


def test_what_lay_about_while_we_were_down_waits_for_a_person(cap: Cap) -> None:
    cap.preload()
    cap.rule()
    taken = cap_taking.take(cap.house.ctx, cap.feed, _bytes())
    cap.later(16)
    cap.step()
    assert (cap.state(taken.id), cap.emergencies()) == ("waiting", [])


def test_killed_between_the_sound_and_the_note_of_it_it_is_found_again_and_a_cancel_reaches_it(
    cap: Cap, monkeypatch: pytest.MonkeyPatch
) -> None:
    cap.preload()
    cap.rule()
    taken = cap_taking.take(cap.house.ctx, cap.feed, _bytes())
    cap.die_before_noting(monkeypatch)
    assert (len(cap.emergencies()), cap.alerts(taken.id)) == (1, [""])
    cap.later(3)
    cap.step()
    (act,) = cap.emergencies()
    assert (cap.alerts(taken.id), cap.state(taken.id)) == ([act.id], "automatic")
    cap.take(cap.update("Cancel", "huy"))
    assert cap.emergencies()[0].ended_by == "cap"


def test_what_cannot_be_silenced_at_once_is_tried_again_and_keeps_back_nothing(
    cap: Cap, monkeypatch: pytest.MonkeyPatch
) -> None:
    cap.preload()
    rows = [cap.take(_bytes(name)) for name in ("mot", "hai")]
    acts = [cap_deciding.sound(cap.house.ctx, cap.actor("lan"), row.id, STORM) for row in rows]
    real = emergencies.silence

    def broken(ctx: Context, actor: Actor, name: str) -> int:
        if name == acts[0]:
            raise Fault("database_busy")
        return real(ctx, actor, name)

    with monkeypatch.context() as patched:
        patched.setattr(cap_acting.emergencies, "silence", broken)
        for name in ("mot", "hai"):
            cap.take(cap.update("Cancel", f"huy-{name}", of=name))
        assert [act.ended_at is None for act in cap.emergencies()] == [True, False]
    cap.step()
    assert all(act.ended_at for act in cap.emergencies())


def test_a_mad_sender_does_not_fill_the_disk(cap: Cap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cap_taking, "MOST_A_DAY", 3)
    for number in range(3):
        cap_taking.take(cap.house.ctx, cap.feed, _bytes(f"n{number}"))
    with raises(Refused, "cap.too_many"):
        cap_taking.take(cap.house.ctx, cap.feed, _bytes("n4"))
    cancel = cap.update("Cancel", "huy", of="n0")
    assert cap_taking.take(cap.house.ctx, cap.feed, cancel).new, "silence does not wait until tomorrow"
    monkeypatch.setattr(cap_taking, "MOST_A_DAY", 30)
    monkeypatch.setattr(cap_taking, "MOST_BYTES_A_DAY", 2_000)
    with raises(Refused, "cap.too_many"):
        cap_taking.take(cap.house.ctx, cap.feed, _bytes("n5"))
    assert not cap_taking.take(cap.house.ctx, cap.feed, _bytes("n1")).new


def test_what_is_old_and_sounded_nothing_is_forgotten(cap: Cap) -> None:
    cap.take(_bytes())
    cap.house.clock.set(SENT + timedelta(days=366))
    assert cap_taking.sweep(cap.house.ctx, cap.house.now) == 1
