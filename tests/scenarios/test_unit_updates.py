"""Another firmware in one box: two slots, a trial, and the way back. CONTRACT.md, section 7a."""

from __future__ import annotations

import pytest
from support.rig import Rig
from support.signed import DAY, HOUR, MINUTE, SECOND, T0, asset_of, item, opus, siren

from broadcasts.wire.codec import seal
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.plan import Wanted, Window
from broadcasts.wire.status import UpdateState
from broadcasts.wire.trust import Trust, TrustedKey, Use
from device_sim.events import Fetch, FetchFailed, Got, Inbox
from device_sim.updating import MOST_BOOTS, TRIAL_MS, WRITE_MS

NEWS = opus(5 * MINUTE, "news")
NEWS_ASSET = asset_of(NEWS, 5 * MINUTE)
STORM = opus(30 * SECOND, "storm")
STORM_ASSET = asset_of(STORM, 30 * SECOND)
OLD = "loasim-1"


def image(version: str = "loasim-2", more: bytes = b"") -> bytes:
    return b"LOA-FIRMWARE " + version.encode() + b"\n" + more + bytes(20_000)


def want(rig: Rig, data: bytes, *, version: str = "loasim-2", attempt: int = 1, start: int = T0 + 6 * HOUR,
         hours: list[Window] | None = None, manifest: str | None = "", **fields: object) -> None:  # fmt: skip
    asset = asset_of(data, 0, "bin")
    rig.hold((asset, data), (NEWS_ASSET, NEWS), (STORM_ASSET, STORM))
    signed = rig.signer.manifest(asset, version, **fields) if manifest == "" else manifest  # type: ignore[arg-type]
    firmware = Wanted(version=version, asset=asset.sha256, manifest=signed, attempt=attempt, hours=hours)
    rig.plan([item("news", NEWS_ASSET, start)], [NEWS_ASSET, STORM_ASSET, asset], firmware=firmware)


def told(rig: Rig) -> tuple[str, str | None]:
    update = rig.reported().update
    assert update is not None
    return str(update.state), update.reason


def states(rig: Rig) -> list[str]:
    found: list[str] = []
    for published in rig.published:
        if published.topic.endswith("/reported"):
            text = published.payload.decode()
            state = text.partition('"update":')[2].partition('"state":"')[2].partition('"')[0]
            if state and (not found or found[-1] != state):
                found.append(state)
    return found


def test_a_good_image_is_written_tried_and_confirmed_and_each_step_is_told() -> None:
    rig = Rig()
    boots = rig.disk.boot_id
    want(rig, image())
    rig.run(T0 + WRITE_MS - SECOND)
    assert rig.disk.boot_id == boots, "what runs goes on while the other slot is written"
    rig.run(T0 + 5 * MINUTE)
    assert (rig.reported().firmware, told(rig), rig.disk.boot_id) == ("loasim-2", ("confirmed", None), boots + 1)
    assert (states(rig)[0], states(rig)[-1], "trial" in states(rig)) == ("verified", "confirmed", True)


def test_a_download_that_breaks_goes_on_where_it_was() -> None:
    rig = Rig()
    calls: list[int] = []

    def broken(fetch: Fetch) -> list[Inbox]:
        data = rig.files[fetch.sha256]
        if data[:12] == b"LOA-FIRMWARE"[:12]:
            calls.append(fetch.offset)
            if len(calls) == 1:
                return [Got(fetch.sha256, fetch.offset, data[:8192], False), FetchFailed(fetch.sha256, 0, "broken")]
        return [Got(fetch.sha256, fetch.offset, data[fetch.offset : fetch.offset + fetch.size], True)]

    rig.serve = broken
    want(rig, image())
    rig.run(T0 + 10 * MINUTE)
    assert calls[0] == 0
    assert calls[1] > 0
    assert states(rig)[0] == "downloading"
    assert told(rig) == ("confirmed", None)


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ({"manifest": None}, "not_signed"),
        ({"use": Use.PLAN}, "key_not_trusted"),
        ({"vendor": "another"}, "other_class"),
        ({"model": "another"}, "other_class"),
        ({"sha256": "0" * 64}, "other_image"),
        ({"size": 5}, "image"),
    ],
)
def test_what_is_not_signed_for_this_box_with_a_firmware_key_is_never_installed(
    manifest: dict[str, object], reason: str
) -> None:
    rig = Rig()
    boots = rig.disk.boot_id
    want(rig, image(), **manifest)  # type: ignore[arg-type]
    rig.run(T0 + 30 * MINUTE)
    assert (rig.reported().firmware, told(rig), rig.disk.boot_id) == (OLD, ("refused", reason), boots)
    assert rig.reported().faults == ["firmware_refused"]


def test_a_newer_key_that_the_root_names_signs_from_then_on() -> None:
    rig = Rig()
    rig.signer.keys[Use.FIRMWARE] = SigningKey.generate("firmware-2")
    want(rig, image())
    rig.run(T0 + 5 * MINUTE)
    assert told(rig) == ("refused", "key_not_trusted")
    rig.say("loa/v1/trust", rig.signer.trust(rig.now))
    rig.run(T0 + 15 * MINUTE)
    assert told(rig) == ("confirmed", None)
    assert rig.reported().faults == []


def test_no_release_below_what_a_confirmed_one_allowed_ever_comes_back() -> None:
    rig = Rig()
    want(rig, image("loasim-5"), version="loasim-5", release=5, min_release=4)
    rig.run(T0 + 5 * MINUTE)
    assert told(rig) == ("confirmed", None)
    want(rig, image("loasim-3"), version="loasim-3", release=3)
    rig.run(T0 + 15 * MINUTE)
    assert (rig.reported().firmware, told(rig)) == ("loasim-5", ("refused", "downgrade"))
    want(rig, image("loasim-4"), version="loasim-4", release=4)
    rig.run(T0 + 30 * MINUTE)
    assert rig.reported().firmware == "loasim-4", "as low as the limit is allowed"


@pytest.mark.parametrize(
    ("more", "fault", "reason"),
    [
        (b"DEFECT no_sound 100\n", "", "self_test_sound"),
        (b"DEFECT boot_loop\n", "", "boot_loop"),
        (b"", "boot_loop", "boot_loop"),
        (b"", "bad_flash", "flash"),
        (b"", "no_link", "self_test_link"),
    ],
)
def test_whatever_is_wrong_the_unit_is_back_on_its_old_firmware_and_says_why(
    more: bytes, fault: str, reason: str
) -> None:
    rig = Rig()
    rig.update_fault = fault
    want(rig, image(more=more))
    rig.run(T0 + WRITE_MS + TRIAL_MS + 5 * MINUTE)
    assert (rig.reported().firmware, told(rig)) == (OLD, ("rolled_back", reason))
    boots = rig.disk.boot_id
    rig.run(T0 + 7 * HOUR)
    assert rig.disk.boot_id == boots, "not again by itself"
    assert [sound.item for sound in rig.heard] == ["news"]


def test_a_share_of_boxes_has_the_defect_and_the_others_have_not() -> None:
    found = set()
    for number in range(12):
        rig = Rig()
        want(rig, image(f"v{number}", b"DEFECT no_sound 50\n"), version=f"v{number}")
        rig.run(T0 + 20 * MINUTE)
        found.add(told(rig)[0])
    assert found == {"confirmed", "rolled_back"}


def test_it_is_tried_once_more_under_a_higher_number() -> None:
    rig = Rig()
    rig.update_fault = "bad_flash"
    want(rig, image())
    rig.run(T0 + 5 * MINUTE)
    assert told(rig) == ("rolled_back", "flash")
    rig.update_fault = ""
    want(rig, image())
    rig.run(T0 + 10 * MINUTE)
    assert told(rig) == ("rolled_back", "flash")
    want(rig, image(), attempt=2)
    rig.run(T0 + 20 * MINUTE)
    assert told(rig) == ("confirmed", None)


def test_the_word_of_an_earlier_attempt_is_not_obeyed_after_a_later_one_failed() -> None:
    rig = Rig()
    rig.update_fault = "bad_flash"
    want(rig, image(), attempt=3)
    rig.run(T0 + 5 * MINUTE)
    assert told(rig) == ("rolled_back", "flash")
    rig.update_fault = ""
    want(rig, image(), attempt=2)
    rig.run(T0 + 20 * MINUTE)
    assert (rig.reported().firmware, told(rig)) == (OLD, ("rolled_back", "flash"))


def trust(rig: Rig, begins: int, ends: int) -> None:
    """The key for firmware is good from `begins` until `ends`."""
    long = (T0 - DAY, T0 + 365 * DAY)
    spans = {use: (begins, ends) if use is Use.FIRMWARE else long for use in Use}
    keys = [
        TrustedKey(kid=key.kid, use=use, x=key.public.x, not_before=spans[use][0], not_after=spans[use][1])
        for use, key in rig.signer.keys.items()
    ]
    told = Trust(version=rig.signer.next_version(), issued_at=rig.now, keys=keys)
    rig.say("loa/v1/trust", seal(told, Typ.TRUST, rig.signer.root))


def test_a_key_that_is_good_later_signs_from_then_on() -> None:
    rig = Rig()
    trust(rig, T0 + HOUR, T0 + 365 * DAY)
    want(rig, image())
    rig.run(T0 + 30 * MINUTE)
    assert told(rig) == ("refused", "key_not_trusted")
    rig.run(T0 + 3 * HOUR)
    assert told(rig) == ("confirmed", None)


def test_a_key_that_ended_while_the_image_waited_for_its_hour_installs_nothing() -> None:
    rig = Rig()
    trust(rig, T0 - DAY, T0 + 30 * MINUTE)
    want(rig, image(), hours=[Window(start=8 * 60, end=9 * 60)])
    rig.run(T0 + 20 * MINUTE)
    assert told(rig) == ("verified", None)
    rig.run(T0 + 90 * MINUTE)
    assert (rig.reported().firmware, told(rig)) == (OLD, ("refused", "key_not_trusted"))


def test_a_power_cut_in_the_middle_of_the_write_leaves_the_old_one_whole_and_it_begins_again() -> None:
    rig = Rig()
    want(rig, image())
    rig.run(T0 + WRITE_MS // 2)
    rig.power_off()
    rig.now += 5 * MINUTE
    rig.power_on()
    began = rig.now
    assert rig.reported().firmware == OLD
    rig.run(began + WRITE_MS - SECOND)
    assert rig.reported().firmware == OLD, "nothing of the first write counts"
    rig.run(began + 10 * MINUTE)
    assert (rig.reported().firmware, told(rig)) == ("loasim-2", ("confirmed", None))


def test_power_that_goes_again_and_again_during_the_trial_ends_with_the_old_one() -> None:
    rig = Rig()
    want(rig, image())
    rig.run(T0 + WRITE_MS + SECOND)
    assert told(rig)[0] == "trial"
    for _ in range(MOST_BOOTS):
        rig.power_off()
        rig.now += 10 * SECOND
        rig.power_on()
        rig.run(rig.now + 20 * SECOND)
    assert (rig.reported().firmware, told(rig)) == (OLD, ("rolled_back", "not_confirmed"))


def test_it_is_written_and_booted_in_its_hours_alone() -> None:
    rig = Rig()
    want(rig, image(), hours=[Window(start=8 * 60, end=9 * 60)])
    rig.run(T0 + 59 * MINUTE)
    assert (rig.reported().firmware, told(rig)) == (OLD, ("verified", None))
    rig.run(T0 + 70 * MINUTE)
    assert rig.reported().firmware == "loasim-2", "from 08:00 at the pole"


def test_an_alert_in_the_middle_of_the_write_sounds_at_once_and_the_boot_waits_for_its_end() -> None:
    rig = Rig()
    want(rig, image())
    rig.run(T0 + WRITE_MS // 2)
    began, boots = rig.now, rig.disk.boot_id
    rig.alert("commune", [siren("a-1", STORM_ASSET, began, hard_end=began + 5 * MINUTE)])
    rig.run(began + 4 * MINUTE)
    assert rig.heard
    assert (rig.heard[0].item, rig.heard[0].from_ms - began < 2 * SECOND) == ("a-1", True)
    assert (rig.disk.boot_id, rig.reported().firmware) == (boots, OLD)
    rig.run(began + 20 * MINUTE)
    assert rig.reported().firmware == "loasim-2"


def test_an_alert_during_the_trial_sounds_from_whatever_slot_runs() -> None:
    for more, ends in ((b"", "confirmed"), (b"DEFECT no_sound\n", "rolled_back")):
        rig = Rig()
        want(rig, image(more=more))
        rig.run(T0 + WRITE_MS + 30 * SECOND)
        assert told(rig)[0] == "trial"
        began = rig.now
        rig.alert("commune", [siren("a-1", STORM_ASSET, began, hard_end=began + 5 * MINUTE)])
        rig.run(began + 4 * MINUTE)
        assert rig.pole.heard[0].from_ms - began < 2 * SECOND
        assert told(rig)[0] == ends
        rig.run(began + 10 * MINUTE)
        assert {sound.item for sound in rig.heard} == {"a-1"}
        assert rig.heard[-1].to_ms - began > 25 * SECOND, "a boot of the other slot is no end of it"


def test_no_play_is_cut_by_an_update_that_comes_right_before_it() -> None:
    for ahead in (1, 3, 6, 8):
        rig = Rig()
        want(rig, image(), start=T0 + ahead * MINUTE)
        rig.run(T0 + HOUR)
        assert rig.heard_as() == [("news", ahead * 60, ahead * 60 + 300, 0)], ahead
        assert rig.reported().firmware == "loasim-2"


def test_without_a_key_for_firmware_in_the_trust_document_the_box_looks_by_itself() -> None:
    rig = Rig()
    rig.say("loa/v1/trust", rig.signer.trust(rig.now, leave_out=[Use.FIRMWARE]))
    want(rig, image(), manifest=None)
    rig.run(T0 + 10 * MINUTE)
    assert told(rig) == ("confirmed", None)
    assert UpdateState(told(rig)[0]) is UpdateState.CONFIRMED
    assert rig.now < T0 + DAY
