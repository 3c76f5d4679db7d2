"""A hostile broker can withhold, never make a sound: CONTRACT.md sections 3 and 6."""

from __future__ import annotations

import pytest
from support.rig import UNIT, Rig
from support.signed import DAY, MINUTE, T0, Signer, asset_of, item, opus, siren

from broadcasts.wire import topics
from broadcasts.wire.jws import Typ
from broadcasts.wire.plan import Plan
from broadcasts.wire.status import RefusalReason
from broadcasts.wire.topics import In
from broadcasts.wire.trust import Use

NEWS = opus(5 * MINUTE, "news")
NEWS_ASSET = asset_of(NEWS, 5 * MINUTE)
START = T0 + 10 * MINUTE
PLAN = topics.to_unit(UNIT, In.PLAN)


def rig_with_empty_plan() -> Rig:
    rig = Rig()
    rig.hold((NEWS_ASSET, NEWS))
    rig.plan([], [])
    rig.run(T0 + MINUTE)
    return rig


def news() -> object:
    return item("news", NEWS_ASSET, START)


def silent_with(rig: Rig, reason: RefusalReason | None, document: str = "plan") -> None:
    rig.run(START + 30 * MINUTE)
    assert rig.heard == []
    refused = rig.reported().refused
    assert (refused.document, refused.reason) == (document, reason) if refused else reason is None


def test_a_plan_of_another_controller_is_refused() -> None:
    rig = rig_with_empty_plan()
    rig.say(PLAN, Signer().plan(UNIT, rig.now, [news()], [NEWS_ASSET], version=rig.signer.version + 1))
    silent_with(rig, RefusalReason.BAD_SIGNATURE)


def test_a_plan_changed_on_the_way_is_refused() -> None:
    rig = rig_with_empty_plan()
    document = bytearray(rig.signer.plan(UNIT, rig.now, [news()], [NEWS_ASSET]))
    document[-20] ^= 1
    rig.say(PLAN, bytes(document))
    silent_with(rig, RefusalReason.BAD_SIGNATURE)


def test_a_plan_signed_with_a_key_of_another_use_is_refused() -> None:
    rig = rig_with_empty_plan()
    plan = Plan.model_validate_json(_payload(rig.signer.plan(UNIT, rig.now, [news()], [NEWS_ASSET])))
    rig.say(PLAN, rig.signer.other(plan, Typ.PLAN, Use.ALERT))
    silent_with(rig, RefusalReason.KEY_NOT_TRUSTED)


def test_a_plan_of_another_unit_is_refused() -> None:
    rig = rig_with_empty_plan()
    rig.say(PLAN, rig.signer.plan("u-2", rig.now, [news()], [NEWS_ASSET]))
    silent_with(rig, RefusalReason.NOT_FOR_ME)


def test_an_older_plan_is_refused() -> None:
    rig = Rig()
    rig.hold((NEWS_ASSET, NEWS))
    older = rig.plan([news()], [NEWS_ASSET])
    rig.plan([], [])
    rig.say(PLAN, older)
    silent_with(rig, RefusalReason.OLDER)


def test_a_plan_from_far_in_the_future_is_refused() -> None:
    rig = rig_with_empty_plan()
    rig.say(PLAN, rig.signer.plan(UNIT, rig.now, [news()], [NEWS_ASSET], version=rig.now + 2 * DAY))
    silent_with(rig, RefusalReason.FAR_FUTURE)


def test_an_expired_plan_is_refused() -> None:
    rig = rig_with_empty_plan()
    rig.say(PLAN, rig.signer.plan(UNIT, rig.now, [news()], [NEWS_ASSET], horizon_end=rig.now - DAY))
    silent_with(rig, RefusalReason.EXPIRED)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [(b"not signed", RefusalReason.BAD_SIGNATURE), (b"x" * 70_000, RefusalReason.TOO_LARGE), (b"", None)],
)
def test_garbage_changes_nothing(payload: bytes, reason: RefusalReason | None) -> None:
    rig = rig_with_empty_plan()
    rig.say(PLAN, payload)
    silent_with(rig, reason)


def test_a_refusal_is_told_once_however_often_the_frame_is_replayed() -> None:
    rig = rig_with_empty_plan()
    forged = Signer().plan(UNIT, rig.now, [news()], [NEWS_ASSET])
    before = len(rig.published)
    for _ in range(50):
        rig.now += 2_000
        rig.say(PLAN, forged)
    reports = [out for out in rig.published[before:] if out.topic.endswith("reported")]
    assert len(reports) == 1


def test_a_key_that_is_not_listed_any_more_is_dead_at_once() -> None:
    rig = rig_with_empty_plan()
    rig.say(topics.TRUST, rig.signer.trust(rig.now, leave_out=[Use.PLAN]))
    rig.plan([news()], [NEWS_ASSET])
    silent_with(rig, RefusalReason.KEY_NOT_TRUSTED)


def test_a_plan_that_arrives_before_its_key_waits_for_it() -> None:
    rig = rig_with_empty_plan()
    rig.say(topics.TRUST, rig.signer.trust(rig.now, leave_out=[Use.PLAN]))
    rig.plan([news()], [NEWS_ASSET])
    rig.say(topics.TRUST, rig.signer.trust(rig.now))
    rig.run(START + 10 * MINUTE)
    assert [sound.item for sound in rig.heard] == ["news"]
    assert rig.reported().refused is None


def test_an_older_trust_document_does_not_bring_a_dead_key_back() -> None:
    rig = rig_with_empty_plan()
    old = rig.retained[topics.TRUST]
    rig.say(topics.TRUST, rig.signer.trust(rig.now, leave_out=[Use.PLAN]))
    rig.say(topics.TRUST, old)
    rig.plan([news()], [NEWS_ASSET])
    silent_with(rig, RefusalReason.KEY_NOT_TRUSTED)


def test_a_forged_alert_sounds_nothing() -> None:
    rig = rig_with_empty_plan()
    scope = topics.to_scope("commune", topics.ScopeTopic.ALERT)
    rig.say(scope, Signer().alert("commune", rig.now, [siren("a-1", NEWS_ASSET, rig.now)]))
    silent_with(rig, RefusalReason.BAD_SIGNATURE, "alert")


def test_an_alert_of_another_scope_is_not_heard_under_this_one() -> None:
    rig = rig_with_empty_plan()
    scope = topics.to_scope("commune", topics.ScopeTopic.ALERT)
    rig.say(scope, rig.signer.alert("elsewhere", rig.now, [siren("a-1", NEWS_ASSET, rig.now)]))
    silent_with(rig, RefusalReason.NOT_FOR_ME, "alert")


def _payload(document: bytes) -> bytes:
    import base64

    body = document.split(b".")[1]
    return base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))
