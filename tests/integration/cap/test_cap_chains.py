"""Warnings that take the place of others, and parts of one warning: what ends, and where it sounds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.cap import SENT, Signer, document, info, reference
from support.cap_desk import Cap
from support.services import HERE, THERE, raises

from broadcasts.errors import Refused
from controller.services import cap_by_rule, cap_deciding, cap_feeds, cap_taking, emergencies
from controller.services.alert_calls import Call
from controller.services.cap_deciding import Decision
from controller.services.context import Context
from controller.services.rights import Actor

STORM = Decision("storm", 30)
TIGHT = "<area><areaDesc>Xã</areaDesc><geocode><valueName>VN</valueName><value>31615</value></geocode></area>"


def _bytes(name: str = "bao-5.1", **told: object) -> bytes:
    return document(name, infos=info(area=TIGHT), **told)  # type: ignore[arg-type]


@pytest.mark.requirement("R-064")
def test_what_sounds_for_an_older_one_ends_however_many_updates_came_between(cap: Cap) -> None:
    cap.preload()
    first = cap.take(_bytes())
    cap_deciding.sound(cap.house.ctx, cap.actor("lan"), first.id, STORM)
    cap.take(cap.update(infos=info(area=TIGHT)))
    named = reference("bao-5.2", SENT + timedelta(minutes=3))
    third = cap.take(_bytes("bao-5.3", sent=SENT + timedelta(minutes=4), kind="Update", references=named))
    cap_deciding.sound(cap.house.ctx, cap.actor("lan"), third.id, STORM)
    old, new = cap.emergencies()
    assert (new.ends, old.ended_at) == ([old.id], cap.house.now), "two storms at once would be two truths"


@pytest.mark.requirement("R-064")
def test_a_cancel_of_an_update_that_nobody_decided_silences_what_the_update_was_about(cap: Cap) -> None:
    cap.preload()
    first = cap.take(_bytes())
    cap_deciding.sound(cap.house.ctx, cap.actor("lan"), first.id, STORM)
    cap.take(cap.update(infos=info(area=TIGHT)))
    named = reference("bao-5.2", SENT + timedelta(minutes=3))
    cap.take(document("huy", sent=SENT + timedelta(minutes=4), kind="Cancel", references=named))
    assert cap.emergencies()[0].ended_by == "cap"


def test_a_new_token_is_a_new_sender_and_ends_the_rules(cap: Cap) -> None:
    """One person alone must not be able to write what another one let sound without asking."""
    cap.preload()
    cap.rule()
    token = cap_feeds.new_token(cap.house.ctx, cap.actor("lan"), cap.feed)
    assert token
    row = cap.take(_bytes())
    assert (cap.state(row.id), cap.emergencies()) == ("waiting", [])


def test_what_anybody_on_the_way_could_write_sounds_by_no_rule(cap: Cap) -> None:
    cap.change(url="http://kttv.example.vn/list")
    with raises(Refused, "cap.open_way"):
        cap.rule()
    cap.change(url="https://kttv.example.vn/list")
    assert cap.rule()
    signer = Signer.make()
    cap.change(url="http://kttv.example.vn/list", certificate=signer.pem, signed=True)
    assert cap.rule()


def test_a_rule_sounds_where_its_own_part_says_and_not_where_a_lesser_one_does(cap: Cap) -> None:
    cap.preload()
    cap.rule()
    lesser = info(severity="Minor", event="Gió", expires=SENT + timedelta(hours=20))
    row = cap.take(document(infos=info(area=TIGHT, expires=cap.house.now + timedelta(minutes=10)) + lesser))
    (act,) = cap.emergencies()
    assert (cap.state(row.id), act.scopes) == ("automatic", [f"c-{HERE}"])
    assert act.hard_end == cap.house.now + timedelta(minutes=10), "and no longer than that part"


def test_each_of_several_rules_sounds_in_its_own_place(cap: Cap) -> None:
    cap.preload()
    cap.rule(area=f"c-{THERE}")
    here = cap.rule(area=f"c-{HERE}")
    row = cap.take(_bytes())
    assert ([part.rule_id for part in cap.parts(row.id)], [act.scopes for act in cap.emergencies()]) == (
        [here],
        [[f"c-{HERE}"]],
    )


def test_a_warning_about_elsewhere_is_held_back_by_nothing_and_alarms_nobody(cap: Cap) -> None:
    cap.preload()
    cap.rule(area=f"c-{THERE}")
    row = cap.take(_bytes())
    assert (cap.state(row.id), row.held, cap.emergencies()) == ("waiting", "", [])


def test_a_cancel_that_comes_while_a_long_list_sounds_is_seen_before_its_turn(
    cap: Cap, monkeypatch: pytest.MonkeyPatch
) -> None:
    cap.preload()
    cap.rule()
    rows = [cap_taking.take(cap.house.ctx, cap.feed, _bytes(name)) for name in ("mot", "hai")]
    real = emergencies.sound

    def slow(ctx: Context, actor: Actor, call: Call) -> str:
        cap_taking.take(ctx, cap.feed, cap.update("Cancel", "huy", of="hai"))
        return real(ctx, actor, call)

    monkeypatch.setattr(cap_by_rule.emergencies, "sound", slow)
    cap.step()
    assert (len(cap.emergencies()), cap.alerts(rows[1].id)) == (1, [])
