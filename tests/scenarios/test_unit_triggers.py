"""An alert in one SMS at one pole: CONTRACT.md section 6c."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.rig import UNIT, Rig
from support.signed import DAY, HOUR, MINUTE, SECOND, T0, Repeat, asset_of, item, opus, policy, siren

from broadcasts.wire import trigger as wire
from broadcasts.wire.alert import AlertKind, Rendition
from broadcasts.wire.jws import SigningKey
from broadcasts.wire.trigger import Op, Trigger
from broadcasts.wire.trust import Use
from device_sim.events import SmsReceived
from device_sim.hardware import Hardware
from device_sim.storage import Shelf, UnitStorage
from device_sim.unit import Config

NEWS = opus(5 * MINUTE, "news")
NEWS_ASSET = asset_of(NEWS, 5 * MINUTE)
STORM = opus(30 * SECOND, "storm")
STORM_ASSET = asset_of(STORM, 30 * SECOND)
KHMER = opus(20 * SECOND, "khmer")
KHMER_ASSET = asset_of(KHMER, 20 * SECOND)
START = T0 + 10 * MINUTE
SET = {
    "emergency_set": [STORM_ASSET.sha256, KHMER_ASSET.sha256],
    "preloaded": {"storm/vi": 0, "storm/km": 1},
}


def ready(config: Config | None = None, link: bool = False, **fields: object) -> Rig:
    """A unit that holds the set, and has lost its link since."""
    rig = Rig(config=config)
    rig.hold((NEWS_ASSET, NEWS), (STORM_ASSET, STORM), (KHMER_ASSET, KHMER))
    rig.plan([item("news", NEWS_ASSET, START)], [NEWS_ASSET, STORM_ASSET, KHMER_ASSET], **{**SET, **fields})
    if not link:
        rig.link_down()
    return rig


def version(rig: Rig) -> int:
    """As a controller counts: never below the Unix ms of issue."""
    rig.signer.version = max(rig.signer.version, rig.now)
    return rig.signer.next_version()


def storm(rig: Rig, name: str = "a-1", **fields: object) -> Trigger:
    given = {
        "op": Op.SOUND, "scope": "commune", "version": version(rig), "issued_at": rig.now, "alert": name,
        "kind": AlertKind.STORM, "languages": ["vi"], "volume": 90, "not_before": rig.now,
        "hard_end": rig.now + HOUR, "max_blind_s": 600,
    }  # fmt: skip
    return Trigger.model_validate({**given, **fields})


def over(rig: Rig, name: str | None = None, scope: str = "commune") -> Trigger:
    op = Op.SILENCE if name is None else Op.END
    return Trigger(op=op, scope=scope, version=version(rig), issued_at=rig.now, alert=name)


def heard(rig: Rig) -> list[tuple[str, int, int]]:
    return [(s.item, (s.from_ms - T0) // 1000, (s.to_ms - T0) // 1000) for s in rig.heard]


def refused(rig: Rig) -> tuple[str, str] | None:
    rig.link_up()
    rig.run(rig.now + 2 * SECOND)
    told = rig.reported().refused
    return None if told is None else (told.document, str(told.reason))


def test_a_text_sounds_the_preloaded_warning_where_there_is_no_link() -> None:
    rig = ready(policy=policy(hours=[]))
    rig.text(storm(rig, languages=["vi", "km"], repeat=Repeat(every_s=120, times=2)))
    rig.run(START - SECOND)
    assert [(s.asset, (s.from_ms - T0) // 1000, s.volume) for s in rig.heard] == [
        (STORM_ASSET.sha256, 0, 90), (KHMER_ASSET.sha256, 30, 90),
        (STORM_ASSET.sha256, 120, 90), (KHMER_ASSET.sha256, 150, 90),
    ]  # fmt: skip
    assert [entry.kind for entry in rig.journal("a-1")] == ["started", "ended"] * 2


def test_the_same_alert_by_sms_and_by_mqtt_sounds_once_whichever_comes_first() -> None:
    for first in ("sms", "mqtt"):
        rig = ready(link=True)
        text = storm(rig)
        rig.signer.version = text.version - 1
        if first == "sms":
            rig.text(text)
            rig.run(T0 + 10 * SECOND)
        rig.alert("commune", [siren("a-1", STORM_ASSET, T0)])
        rig.run(T0 + 20 * SECOND)
        rig.text(text)
        rig.run(START - SECOND)
        assert heard(rig) == [("a-1", 0, 30)]
        assert rig.reported().refused is None


def test_a_text_said_twice_sounds_once_and_after_a_boot_too() -> None:
    rig = ready()
    said = rig.text(storm(rig))
    rig.give(SmsReceived(said))
    rig.run(T0 + MINUTE)
    rig.give(SmsReceived(said))
    rig.power_off()
    rig.power_on()
    rig.give(SmsReceived(said))
    rig.run(START - SECOND)
    assert heard(rig) == [("a-1", 0, 30)]


def test_the_binary_form_says_the_same() -> None:
    rig = ready()
    rig.give(SmsReceived(wire.seal(storm(rig), rig.signer.keys[Use.ALERT])))
    rig.run(START - SECOND)
    assert heard(rig) == [("a-1", 0, 30)]


@pytest.mark.requirement("R-064")
def test_a_newer_document_supersedes_a_text_and_the_text_does_not_come_back() -> None:
    rig = ready(link=True)
    said = rig.text(storm(rig, repeat=Repeat(every_s=60)))
    rig.run(T0 + 10 * SECOND)
    rig.alert("commune", [])
    rig.run(T0 + MINUTE)
    rig.give(SmsReceived(said))
    rig.run(START - SECOND)
    assert heard(rig) == [("a-1", 0, 10)]
    assert refused(rig) == ("trigger", "older")


def test_a_text_above_the_document_stands_beside_it_and_takes_nothing_away() -> None:
    rig = ready(link=True)
    rig.alert("commune", [siren("a-1", STORM_ASSET, rig.now)])
    rig.run(T0 + MINUTE)
    rig.text(storm(rig, "a-2", languages=["km"]))
    rig.run(T0 + 2 * MINUTE)
    assert heard(rig) == [("a-1", 0, 30), ("a-2", 60, 80)]
    assert rig.unit is not None
    assert [each.id for each in rig.disk.documents.alerts["commune"].alerts] == ["a-1"]


@pytest.mark.requirement("R-064")
@pytest.mark.parametrize("how", ["end", "silence", "silence from above"])
def test_silence_by_sms_ends_what_sounds_and_a_replayed_warning_does_not_begin_again(how: str) -> None:
    rig = ready()
    said = rig.text(storm(rig, repeat=Repeat(every_s=60)))
    rig.run(T0 + 10 * SECOND)
    rig.text(over(rig, "a-1" if how == "end" else None, "province" if how.endswith("above") else "commune"))
    rig.run(T0 + MINUTE)
    rig.give(SmsReceived(said))
    rig.power_off()
    rig.power_on()
    rig.give(SmsReceived(said))
    rig.run(START - SECOND)
    assert heard(rig) == [("a-1", 0, 10)]


def test_silence_by_sms_ends_what_came_by_mqtt() -> None:
    rig = ready(link=True)
    rig.alert("commune", [siren("a-1", STORM_ASSET, rig.now), siren("a-2", KHMER_ASSET, rig.now)])
    rig.run(T0 + 5 * SECOND)
    rig.link_down()
    rig.text(over(rig, "a-2"))
    rig.run(T0 + 10 * SECOND)
    rig.text(over(rig))
    rig.run(START - SECOND)
    assert [(s.item, (s.to_ms - T0) // 1000) for s in rig.heard] == [("a-2", 5), ("a-1", 10)]


def test_silence_that_overtakes_its_warning_on_the_way_keeps_it_silent() -> None:
    rig = ready()
    late = storm(rig)
    rig.run(T0 + SECOND)
    rig.text(over(rig, "a-1"))
    rig.text(late)
    rig.run(START - SECOND)
    assert rig.heard == []


@pytest.mark.requirement("R-065")
def test_a_text_ends_at_its_hard_end_and_after_it_is_refused() -> None:
    rig = ready()
    said = rig.text(storm(rig, repeat=Repeat(every_s=60), hard_end=T0 + 70 * SECOND))
    rig.run(T0 + 2 * MINUTE)
    rig.give(SmsReceived(said))
    rig.run(START - SECOND)
    assert heard(rig) == [("a-1", 0, 30), ("a-1", 60, 70)]
    fresh = ready()
    fresh.run(T0 + 5 * MINUTE)
    fresh.text(storm(fresh, issued_at=T0, not_before=T0, hard_end=T0 + MINUTE))
    assert refused(fresh) == ("trigger", "expired")
    assert fresh.heard == []


def test_a_text_for_another_scope_or_another_pole_or_by_another_key_is_refused() -> None:
    for wrong, reason in (
        ({"scope": "elsewhere"}, "not_for_me"),
        ({"unit": "u-2"}, "not_for_me"),
        ({"issued_at": T0 + 2 * DAY, "version": T0 + 2 * DAY, "not_before": T0 + 2 * DAY, "hard_end": T0 + 3 * DAY},
         "far_future"),
    ):  # fmt: skip
        rig = ready()
        rig.text(storm(rig, **wrong))
        rig.run(T0 + MINUTE)
        assert refused(rig) == ("trigger", reason)
        assert rig.heard == []
    for use, reason in ((Use.DRILL, "key_not_trusted"), (Use.PLAN, "key_not_trusted")):
        rig = ready()
        rig.text(storm(rig), rig.signer.keys[use])
        assert refused(rig) == ("trigger", reason)
    rig = ready()
    real = wire.seal(storm(rig), rig.signer.keys[Use.ALERT])
    for broken in (real[:-1] + bytes([real[-1] ^ 1]), real[:20] + bytes([real[20] ^ 1]) + real[21:]):
        rig.give(SmsReceived(broken))
        rig.run(T0 + MINUTE)
        assert rig.heard == []
    assert refused(rig) == ("trigger", "bad_signature")
    rig = ready()
    rig.text(storm(rig, unit=UNIT))
    rig.run(START - SECOND)
    assert heard(rig) == [("a-1", 0, 30)]


def test_what_was_signed_for_one_commune_cannot_be_turned_to_another_by_changing_its_address() -> None:
    rig = ready()
    there = wire.seal(storm(rig, scope="elsewhere"), rig.signer.keys[Use.ALERT])
    here = wire.seal(storm(rig), rig.signer.keys[Use.ALERT])
    rig.give(SmsReceived(there[:3] + here[3:6] + there[6:]))
    assert refused(rig) == ("trigger", "bad_signature")
    assert rig.heard == []


def test_any_other_sms_does_nothing() -> None:
    rig = ready()
    for said in (b"", b" ", b"Khuyen mai 50%", b"LOA1.", b"LOA1.!!!", b"LOA2.aaaa", b"\xff" * 140, b"x" * 5_000):
        rig.give(SmsReceived(said))
    rig.run(START - SECOND)
    assert rig.heard == []


def test_without_trusted_time_a_text_sounds_for_at_most_max_blind_s() -> None:
    rig = ready(Config(battery=False))
    rig.power_off()
    rig.power_on()
    rig.text(storm(rig, repeat=Repeat(every_s=60), max_blind_s=150))
    rig.run(T0 + HOUR)
    assert [(s.from_ms - T0) // 1000 for s in rig.heard] == [0, 60, 120]
    assert rig.heard[-1].to_ms - T0 == 150_000


def test_a_text_raises_the_lower_bound_but_is_no_contact() -> None:
    """Held back by whoever sits in the gateway, it would keep a pole alive that its station has lost."""
    rig = ready(policy=policy(max_autonomy_s=3_600))
    rig.run(T0 + 50 * MINUTE)
    rig.text(storm(rig))
    rig.run(T0 + 61 * MINUTE)
    rig.give()
    assert "autonomy_over" in {getattr(entry, "code", "") for entry in rig.journal()}


def test_a_key_that_is_trusted_later_makes_a_text_right_and_one_that_was_revoked_does_not() -> None:
    rig = ready(link=True)
    newer = SigningKey.generate("alert-2")
    rig.text(storm(rig), newer)
    rig.run(T0 + SECOND)
    assert rig.heard == []
    old, rig.signer.keys[Use.ALERT] = rig.signer.keys[Use.ALERT], newer
    rig.say("loa/v1/trust", rig.signer.trust(rig.now))
    rig.run(T0 + MINUTE)
    assert heard(rig) == [("a-1", 1, 31)]
    rig.text(storm(rig, "a-2"), old)
    rig.run(START - SECOND)
    assert heard(rig) == [("a-1", 1, 31)]


def test_what_the_pole_does_not_hold_beforehand_cannot_sound() -> None:
    rig = ready()
    rig.text(storm(rig, kind=AlertKind.FIRE))
    rig.run(T0 + MINUTE)
    assert rig.heard == []
    rig.text(storm(rig, "a-2", languages=["km", "en"]))
    rig.run(START - SECOND)
    assert [(s.item, s.asset) for s in rig.heard] == [("a-2", KHMER_ASSET.sha256)]


def test_a_flood_of_texts_is_bounded_and_what_gave_way_is_not_taken_again() -> None:
    rig = ready()
    said = [rig.text(storm(rig, f"a-{n}", languages=["vi"], not_before=T0 + 4 * MINUTE)) for n in range(40)]
    held = rig.disk.documents.texted["commune"]
    assert len(held.triggers) == 32
    rig.give(SmsReceived(said[0]))
    assert "a-0" not in {each.alert for each in held.triggers}


def test_a_text_stands_on_the_disk(tmp_path: Path) -> None:
    rig = ready()
    rig.text(storm(rig, not_before=T0 + 4 * MINUTE))
    rig.drill("commune", [])
    UnitStorage(Shelf(tmp_path), UNIT).save(rig.disk, Hardware())
    disk, _ = UnitStorage(Shelf(tmp_path), UNIT).load()
    assert disk.documents.texted == rig.disk.documents.texted
    assert disk.documents.drills == rig.disk.documents.drills


def test_an_alert_of_the_document_is_said_again_by_its_trigger() -> None:
    content = [Rendition(language="km", asset=KHMER_ASSET), Rendition(language="vi", asset=STORM_ASSET)]
    alert = siren(
        "a-1", STORM_ASSET, T0, content=content, repeat=Repeat(every_s=1700, times=40), hard_end=T0 + 7_777_777
    )
    told = wire.of_alert(alert, "commune", T0 + 5)
    assert wire.unseal(wire.seal(told, key := SigningKey.generate("k")), ["commune"], UNIT, [key.public]) == told
    assert (told.alert, told.languages, told.repeat, told.hard_end, told.version) == (
        "a-1", ["vi", "km"], Repeat(every_s=1800, times=15), T0 + 7_770_000, T0 + 5
    )  # fmt: skip


def test_an_alert_that_a_text_silenced_stays_silent_however_many_texts_follow() -> None:
    rig = ready(link=True)
    rig.alert("commune", [siren("a-0", STORM_ASSET, rig.now, repeat=Repeat(every_s=60)),
                          siren("a-1", STORM_ASSET, rig.now + 1, repeat=Repeat(every_s=60))])  # fmt: skip
    rig.run(rig.now + 10 * SECOND)
    rig.link_down()
    rig.text(over(rig, "a-0"))
    rig.text(over(rig, "a-1"))
    for n in range(40):
        rig.run(rig.now + SECOND)
        rig.text(storm(rig, f"x-{n}", hard_end=rig.now + 20 * SECOND))
    rig.run(rig.now + 5 * MINUTE)
    last = max(sound.to_ms for sound in rig.heard if sound.item in ("a-0", "a-1"))
    assert last == T0 + 10 * SECOND
