"""Commands that take their time or leave something behind, at one unit: CONTRACT.md, section 10."""

from __future__ import annotations

import json

import pytest
from support.rig import UNIT, Rig
from support.signed import HOUR, MINUTE, SECOND, T0, asset_of, item, opus, siren

from broadcasts.wire import topics
from broadcasts.wire.journal import CommandAccepted, CommandResult, Ended, Started
from broadcasts.wire.jws import Typ
from broadcasts.wire.status import CommandKind
from broadcasts.wire.topics import In
from broadcasts.wire.trust import Use

NEWS = opus(5 * MINUTE, "news", filler=20_000)
NEWS_ASSET = asset_of(NEWS, 5 * MINUTE)
HORN = opus(30 * SECOND, "siren")
HORN_ASSET = asset_of(HORN, 30 * SECOND)
START = T0 + 10 * MINUTE


def ready() -> Rig:
    rig = Rig()
    rig.hold((NEWS_ASSET, NEWS), (HORN_ASSET, HORN))
    rig.plan([item("news", NEWS_ASSET, START)], [NEWS_ASSET])
    return rig


def tell(rig: Rig, kind: CommandKind, lasts: int = 5 * MINUTE, **args: str) -> None:
    document = rig.signer.command(UNIT, rig.now, kind, rig.now, lasts, **args)
    rig.say(topics.to_unit(UNIT, In.COMMAND), document, keep=False)


def results(rig: Rig) -> list[tuple[bool, str]]:
    return [(entry.done, entry.detail) for entry in rig.entries.values() if isinstance(entry, CommandResult)]


def accepted(rig: Rig) -> int:
    return sum(isinstance(entry, CommandAccepted) for entry in rig.entries.values())


def sounded(rig: Rig, name: str) -> tuple[str, int, str]:
    [ended] = [entry for entry in rig.journal(name) if isinstance(entry, Ended)]
    return ended.outcome, ended.volume, ended.amplifier


# --- reboot


def test_a_reboot_waits_until_what_sounds_has_ended() -> None:
    rig = ready()
    rig.run(START + MINUTE)
    boot = rig.disk.boot_id
    tell(rig, CommandKind.REBOOT, 10 * MINUTE)
    assert (results(rig), accepted(rig)) == ([], 1)
    rig.run(START + 4 * MINUTE)
    assert rig.disk.boot_id == boot
    rig.run(START + 6 * MINUTE)
    assert rig.disk.boot_id == boot + 1
    assert results(rig) == [(True, "rebooting")]
    assert sounded(rig, "news")[0] == "played"


def test_a_reboot_that_waited_too_long_does_not_happen() -> None:
    rig = ready()
    rig.run(START + MINUTE)
    boot = rig.disk.boot_id
    tell(rig, CommandKind.REBOOT, MINUTE)
    rig.run(START + 10 * MINUTE)
    assert (results(rig), rig.disk.boot_id) == ([(False, "playing")], boot)


def test_a_reboot_that_waits_does_not_cut_an_emergency_that_came_meanwhile() -> None:
    rig = ready()
    rig.run(START + MINUTE)
    boot = rig.disk.boot_id
    tell(rig, CommandKind.REBOOT, 3 * MINUTE)
    rig.alert("commune", [siren("a-1", HORN_ASSET, rig.now)])
    rig.run(rig.now + 5 * MINUTE)
    assert (results(rig), rig.disk.boot_id) == ([(False, "playing")], boot)


def test_power_that_goes_while_a_reboot_waits_is_the_reboot() -> None:
    rig = ready()
    rig.run(START + MINUTE)
    tell(rig, CommandKind.REBOOT, 10 * MINUTE)
    rig.power_off()
    rig.now += 10 * SECOND
    rig.power_on()
    boot = rig.disk.boot_id
    rig.run(START + 8 * MINUTE)
    assert (results(rig), rig.disk.boot_id) == ([(True, "rebooting")], boot)


# --- amplifier


def test_an_amplifier_that_was_switched_off_sounds_an_emergency() -> None:
    rig = ready()
    tell(rig, CommandKind.AMPLIFIER, power="off")
    assert results(rig) == [(True, "off")]
    assert rig.unit is not None
    assert not rig.unit.player.horn.amplifier_on
    rig.alert("commune", [siren("a-1", HORN_ASSET, rig.now)])
    rig.run(rig.now + MINUTE)
    assert sounded(rig, "a-1") == ("played", 90, "sound")
    assert rig.unit.player.horn.amplifier_on, "and it stays on"


def test_an_amplifier_that_was_switched_off_sounds_what_is_planned() -> None:
    rig = ready()
    tell(rig, CommandKind.AMPLIFIER, power="off")
    rig.run(START + 6 * MINUTE)
    assert sounded(rig, "news") == ("played", 60, "sound")


def test_an_amplifier_is_not_switched_off_while_anything_sounds_or_an_alert_stands() -> None:
    rig = ready()
    rig.run(START + MINUTE)
    tell(rig, CommandKind.AMPLIFIER, power="off")
    rig.alert("commune", [siren("a-1", HORN_ASSET, rig.now)])
    rig.run(rig.now + SECOND)
    tell(rig, CommandKind.AMPLIFIER, power="off")
    assert results(rig) == [(False, "playing"), (False, "alert")]


@pytest.mark.parametrize("power", ["", "ON", "0", "toggle"])
def test_an_amplifier_is_on_or_off_and_nothing_else(power: str) -> None:
    rig = ready()
    tell(rig, CommandKind.AMPLIFIER, power=power)
    assert results(rig) == [(False, "bad args")]


# --- volume


def test_a_volume_holds_for_its_minutes_over_a_boot_and_then_the_plan_does() -> None:
    rig = ready()
    tell(rig, CommandKind.VOLUME, percent="30", minutes="12")
    rig.power_off()
    rig.now += 10 * SECOND
    rig.power_on()
    rig.run(START + MINUTE)
    assert [entry.volume for entry in rig.journal("news") if isinstance(entry, Started)] == [30]
    rig.run(START + 6 * MINUTE)
    assert sounded(rig, "news")[:2] == ("played", 60), "the minutes were over before its end"


def test_a_volume_makes_nothing_louder_than_the_plan() -> None:
    rig = ready()
    tell(rig, CommandKind.VOLUME, percent="100", minutes="60")
    rig.run(START + 6 * MINUTE)
    assert sounded(rig, "news")[1] == 60


def test_a_volume_does_not_touch_an_emergency() -> None:
    rig = ready()
    tell(rig, CommandKind.VOLUME, percent="20", minutes="60")
    rig.alert("commune", [siren("a-1", HORN_ASSET, rig.now)])
    rig.run(rig.now + MINUTE)
    assert sounded(rig, "a-1")[1] == 90


@pytest.mark.parametrize("percent", ["0", "19", "101", "NaN", "inf", "-20", "4e1", "", "٥٠", "1000"])
def test_no_volume_makes_a_horn_mute_and_what_is_no_number_changes_nothing(percent: str) -> None:
    rig = ready()
    tell(rig, CommandKind.VOLUME, percent=percent)
    assert results(rig) == [(False, "bad args")]
    rig.run(START + 6 * MINUTE)
    assert sounded(rig, "news")[1] == 60


# --- files


def damage(rig: Rig, sha256: str) -> None:
    rig.disk.cache.files[sha256] = b"x" + rig.disk.cache.files[sha256][1:]


def test_a_damaged_file_is_found_fetched_again_and_told() -> None:
    rig = ready()
    rig.run(rig.now + MINUTE)
    damage(rig, NEWS_ASSET.sha256)
    before = len(rig.fetched)
    tell(rig, CommandKind.REFETCH)
    rig.run(rig.now + MINUTE)
    assert (accepted(rig), results(rig)) == (1, [(True, "1 files")])
    assert len(rig.fetched) == before + 1
    assert rig.disk.cache.files[NEWS_ASSET.sha256] == NEWS


def test_files_that_are_right_are_not_paid_for_twice() -> None:
    rig = ready()
    rig.run(rig.now + MINUTE)
    before = len(rig.fetched)
    tell(rig, CommandKind.REFETCH, asset=NEWS_ASSET.sha256)
    assert (results(rig), len(rig.fetched)) == ([(True, "0 files")], before)


@pytest.mark.parametrize(("asset", "word"), [("0" * 64, "not wanted"), ("../etc/passwd", "bad args"), ("", "bad args")])
def test_a_file_that_nobody_wants_is_not_fetched(asset: str, word: str) -> None:
    rig = ready()
    tell(rig, CommandKind.REFETCH, asset=asset)
    assert results(rig) == [(False, word)]


def test_a_file_that_does_not_come_in_time_is_told_as_that() -> None:
    rig = ready()
    rig.run(rig.now + MINUTE)
    damage(rig, NEWS_ASSET.sha256)
    rig.serve = lambda fetch: ()
    tell(rig, CommandKind.REFETCH, 3 * MINUTE)
    rig.run(rig.now + 4 * MINUTE)
    assert results(rig) == [(False, "not fetched")]


# --- a newer controller


def test_a_kind_of_a_newer_controller_is_answered_and_spoils_nothing() -> None:
    rig = ready()
    newer = {
        "v": 1, "unit": UNIT, "seq": rig.now, "id": "c-9", "kind": "defrost", "args": {"minutes": "NaN"},
        "issued_at": rig.now, "expires_at": rig.now + HOUR,
    }  # fmt: skip
    payload = json.dumps(newer).encode()
    rig.say(topics.to_unit(UNIT, In.COMMAND), rig.signer.keys[Use.COMMAND].sign(Typ.COMMAND, payload), keep=False)
    assert results(rig) == [(False, "not supported")]
    rig.run(rig.now + SECOND)
    tell(rig, CommandKind.QUIET_TEST)
    assert results(rig)[1:] == [(True, "line closed")]
