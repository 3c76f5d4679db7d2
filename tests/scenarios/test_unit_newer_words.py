"""What an older unit does with words of a newer contract: CONTRACT.md, section 11."""

from __future__ import annotations

import base64

from support.rig import UNIT, Rig
from support.signed import MINUTE, SECOND, T0, asset_of, item, opus, siren

from broadcasts.wire import topics
from broadcasts.wire.alert import Alert, AlertDocument, Rendition
from broadcasts.wire.codec import encode
from broadcasts.wire.journal import Ended, Outcome
from broadcasts.wire.jws import Typ
from broadcasts.wire.plan import Asset, Item, OnPreempt, Plan
from broadcasts.wire.topics import In, ScopeTopic
from broadcasts.wire.trust import Trust, Use

SIREN = opus(20 * SECOND, "siren")
SIREN_ASSET = asset_of(SIREN, 20 * SECOND)
NEWS = opus(5 * MINUTE, "news")
NEWS_ASSET = asset_of(NEWS, 5 * MINUTE)
START = T0 + 10 * MINUTE
PROVINCE = topics.to_scope("province", ScopeTopic.ALERT)


def rig_with(*items: Item) -> Rig:
    rig = Rig()
    rig.hold((SIREN_ASSET, SIREN), (NEWS_ASSET, NEWS))
    rig.plan(items, [NEWS_ASSET, SIREN_ASSET])
    return rig


def newer(payload: bytes, old: str, new: str) -> bytes:
    assert payload.count(old.encode()) >= 1
    return payload.replace(old.encode(), new.encode())


def say_alerts(rig: Rig, alerts: list[Alert], old: str = "", new: str = "") -> None:
    version = rig.signer.next_version()
    document = AlertDocument(scope="province", version=version, issued_at=rig.now, alerts=alerts)
    payload = encode(document)
    payload = newer(payload, old, new) if old else payload
    rig.say(PROVINCE, rig.signer.keys[Use.ALERT].sign(Typ.ALERT, payload))


def refused(rig: Rig) -> object:
    return rig.reported().refused


def test_an_alert_of_a_kind_that_is_not_known_yet_sounds() -> None:
    rig = rig_with()
    rig.run(T0 + MINUTE)
    say_alerts(rig, [siren("al-1", SIREN_ASSET, rig.now)], '"kind":"storm"', '"kind":"dam_release"')
    rig.run(T0 + 5 * MINUTE)
    assert rig.heard_as() == [("al-1", 60, 80, 0)]
    assert refused(rig) is None


def test_a_silence_is_obeyed_although_another_alert_of_the_document_is_of_an_unknown_kind() -> None:
    """Refused as a whole, the document would let the first one sound on until its hard end."""
    rig = rig_with()
    long = asset_of(NEWS, 5 * MINUTE)
    rig.run(T0 + MINUTE)
    first = siren("al-1", long, rig.now)
    say_alerts(rig, [first])
    rig.run(T0 + 2 * MINUTE)
    second = siren("al-2", SIREN_ASSET, rig.now)
    say_alerts(rig, [second], '"kind":"storm"', '"kind":"dam_release"')
    rig.run(T0 + 30 * MINUTE)
    assert rig.heard_as() == [("al-1", 60, 120, 0), ("al-2", 120, 140, 0)]


def test_a_rendition_in_a_codec_that_is_not_known_yet_is_left_out() -> None:
    rig = rig_with()
    modern = b"what a newer encoder made"
    modern_asset = asset_of(modern, 10 * SECOND, codec="mp3")
    rig.hold((modern_asset, modern))
    rig.run(T0 + MINUTE)
    content = [Rendition(language="vi", asset=modern_asset), Rendition(language="km", asset=SIREN_ASSET)]
    say_alerts(rig, [siren("al-1", SIREN_ASSET, rig.now, content=content)], '"codec":"mp3"', '"codec":"usac"')
    rig.run(T0 + 5 * MINUTE)
    assert [(sound.item, sound.asset) for sound in rig.heard] == [("al-1", SIREN_ASSET.sha256)]


def plan_of(rig: Rig, items: list[Item], assets: list[Asset], old: str, new: str) -> None:
    document = rig.signer.plan(UNIT, rig.now, items, assets)
    held = Plan.model_validate_json(_payload(document))
    payload = newer(encode(held), old, new)
    rig.say(topics.to_unit(UNIT, In.PLAN), rig.signer.keys[Use.PLAN].sign(Typ.PLAN, payload))


def _payload(document: bytes) -> bytes:
    body = document.split(b".")[1]
    return base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))


def test_an_item_that_would_do_something_new_when_it_loses_sounds_in_its_slot_and_does_not_come_back() -> None:
    rig = rig_with()
    news = item("news", NEWS_ASSET, START, on_preempt=OnPreempt.RESTART)
    better = item("better", SIREN_ASSET, START + MINUTE, level=2)
    plan_of(rig, [news, better], [NEWS_ASSET, SIREN_ASSET], '"restart"', '"fade_and_return"')
    rig.run(T0 + 40 * MINUTE)
    assert rig.heard_as() == [("news", 600, 660, 0), ("better", 660, 680, 0)]
    assert refused(rig) is None


def test_an_item_in_a_codec_that_is_not_known_yet_fails_alone() -> None:
    rig = rig_with()
    modern = b"what a newer encoder made"
    modern_asset = asset_of(modern, 10 * SECOND, codec="mp3")
    rig.hold((modern_asset, modern))
    items = [item("modern", modern_asset, START), item("news", NEWS_ASSET, START + MINUTE)]
    plan_of(rig, items, [modern_asset, NEWS_ASSET], '"codec":"mp3"', '"codec":"usac"')
    rig.run(T0 + 40 * MINUTE)
    assert rig.heard_as() == [("news", 660, 960, 0)]
    [ended] = rig.journal("modern")
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.reason) == (Outcome.FAILED, "does not decode: no decoder for usac")


def test_a_key_for_something_new_does_not_cost_the_others_their_trust() -> None:
    rig = rig_with()
    rig.run(T0 + MINUTE)
    held = Trust.model_validate_json(_payload(rig.retained[topics.TRUST]))
    more = held.model_copy(update={"version": rig.signer.next_version(), "issued_at": rig.now})
    payload = newer(encode(more), '"use":"drill"', '"use":"live"')
    rig.say(topics.TRUST, rig.signer.root.sign(Typ.TRUST, payload))
    assert rig.reported().trust_version == more.version
    rig.plan([item("news", NEWS_ASSET, START)], [NEWS_ASSET])
    rig.run(T0 + 40 * MINUTE)
    assert rig.heard_as() == [("news", 600, 900, 0)]
