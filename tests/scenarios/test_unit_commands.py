"""What one unit does when it is told to: CONTRACT.md, section 10."""

from __future__ import annotations

import pytest
from support.rig import UNIT, Rig
from support.signed import DAY, HOUR, MINUTE, SECOND, T0, asset_of, item, opus, siren

from broadcasts.wire import topics
from broadcasts.wire.codec import seal
from broadcasts.wire.journal import MOST_TEXT, CommandResult, Ended
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.status import Command, CommandKind, RefusalReason
from broadcasts.wire.topics import In
from broadcasts.wire.trust import Use
from device_sim.unit import Config

NEWS = opus(5 * MINUTE, "news", filler=20_000)
NEWS_ASSET = asset_of(NEWS, 5 * MINUTE)
START = T0 + 10 * MINUTE


def ready(config: Config | None = None) -> Rig:
    rig = Rig(config=config)
    rig.hold((NEWS_ASSET, NEWS))
    rig.plan([item("news", NEWS_ASSET, START)], [NEWS_ASSET])
    return rig


def tell(rig: Rig, kind: CommandKind, seq: int | None = None, lasts: int = 5 * MINUTE, **args: str) -> bytes:
    """Issued and said now; its number is the time unless told."""
    document = rig.signer.command(UNIT, seq or rig.now, kind, rig.now, lasts, **args)
    say(rig, document)
    return document


def say(rig: Rig, document: bytes) -> None:
    rig.say(topics.to_unit(UNIT, In.COMMAND), document, keep=False)


def results(rig: Rig) -> list[tuple[bool, str]]:
    return [(entry.done, entry.detail) for entry in rig.journal() if isinstance(entry, CommandResult)]


def text(rig: Rig) -> list[str]:
    """What the last result brought along."""
    return [entry.text for entry in rig.journal() if isinstance(entry, CommandResult)][-1].splitlines()


# --- capture


def test_a_capture_tells_what_was_on_the_line_out_and_for_how_long() -> None:
    rig = ready()
    rig.run(START - 4 * SECOND)
    tell(rig, CommandKind.CAPTURE)
    rig.run(rig.now + 9 * SECOND)
    assert results(rig) == [], "it still listens"
    rig.run(rig.now + SECOND)
    assert results(rig) == [(True, "10 s")]
    silence, sound = text(rig)
    assert silence == "0-4000 silence"
    assert sound == f"4000-10000 sound item=news asset={NEWS_ASSET.sha256[:12]} at=0 volume=60 amplifier=1300"


def test_a_capture_in_the_middle_of_a_bulletin_says_where_in_it() -> None:
    rig = ready()
    rig.run(START + MINUTE)
    tell(rig, CommandKind.CAPTURE, seconds="3")
    rig.run(rig.now + 3 * SECOND)
    assert text(rig) == [f"0-3000 sound item=news asset={NEWS_ASSET.sha256[:12]} at=60000 volume=60 amplifier=1300"]


def test_a_capture_at_a_cut_wire_hears_the_decoder_and_no_current() -> None:
    rig = ready()
    rig.pole.cut_wire(rig.now)
    rig.run(START + MINUTE)
    tell(rig, CommandKind.CAPTURE, seconds="2")
    rig.run(rig.now + 2 * SECOND)
    assert text(rig)[0].endswith("amplifier=12")


@pytest.mark.parametrize("seconds", ["0", "31", "-1", "1.5", "ten", "", "٣", "9999"])
def test_a_capture_of_no_sensible_length_is_not_done(seconds: str) -> None:
    rig = ready()
    tell(rig, CommandKind.CAPTURE, seconds=seconds)
    assert results(rig) == [(False, "bad args")]


def test_a_second_capture_does_not_disturb_the_first() -> None:
    rig = ready()
    tell(rig, CommandKind.CAPTURE, 1)
    tell(rig, CommandKind.CAPTURE, 2)
    rig.run(rig.now + 10 * SECOND)
    assert results(rig) == [(False, "busy"), (True, "10 s")]


def test_a_capture_that_lost_its_power_says_so_on_boot_and_is_not_begun_again() -> None:
    rig = ready()
    document = tell(rig, CommandKind.CAPTURE)
    rig.run(rig.now + 2 * SECOND)
    rig.power_off()
    rig.now += MINUTE
    rig.power_on()
    say(rig, document)
    rig.run(rig.now + MINUTE)
    assert results(rig) == [(False, "cut")]


# --- reboot


def test_a_reboot_is_a_new_life_and_once() -> None:
    rig = ready()
    boot = rig.disk.boot_id
    document = tell(rig, CommandKind.REBOOT)
    for _ in range(3):
        say(rig, document)
        rig.run(rig.now + SECOND)
    assert rig.disk.boot_id == boot + 1
    assert [(entry.done, entry.detail) for entry in rig.entries.values() if isinstance(entry, CommandResult)] == [
        (True, "rebooting")
    ]


def test_a_reboot_does_not_silence_a_siren() -> None:
    rig = ready()
    short = opus(30 * SECOND, "siren")
    sound = asset_of(short, 30 * SECOND)
    rig.hold((sound, short))
    rig.alert("commune", [siren("a-1", sound, rig.now)])
    rig.run(rig.now + 10 * SECOND)
    boot = rig.disk.boot_id
    tell(rig, CommandKind.REBOOT)
    assert results(rig) == [(False, "alert")]
    assert rig.disk.boot_id == boot
    rig.run(rig.now + MINUTE)
    assert [(entry.item, entry.outcome) for entry in rig.journal("a-1") if isinstance(entry, Ended)] == [
        ("a-1", "played")
    ]


# --- the log


def test_the_log_is_sent_with_what_happened_and_without_a_secret() -> None:
    rig = ready()
    rig.link_down()
    rig.run(rig.now + MINUTE)
    rig.link_up()
    tell(rig, CommandKind.UPLOAD_LOG)
    lines = text(rig)
    assert results(rig) == [(True, f"{len(lines)} lines")]
    said = "\n".join(lines)
    for word in ("boot ", "link up", "link down", "plan ", "command "):
        assert word in said
    assert rig.enrolled.secret not in said
    assert lines[-1].endswith("upload_log"), "the newest last"


def test_a_log_that_is_too_long_is_cut_at_the_old_end_and_fits_its_entry() -> None:
    rig = ready()
    moment = rig.unit._m if rig.unit is not None else None
    assert rig.unit is not None
    assert moment is not None
    for number in range(500):
        rig.unit.logbook.note(moment, f"{number} " + "x" * 300)
    tell(rig, CommandKind.UPLOAD_LOG)
    said = "\n".join(text(rig))
    assert MOST_TEXT // 2 < len(said) <= MOST_TEXT
    assert " 499 " in said
    assert " 1 " not in said
    assert any(isinstance(entry, CommandResult) for entry in rig.entries.values()), "the batch passed the gate"


# --- what is not obeyed


def test_a_replayed_an_older_an_expired_and_an_early_command_do_nothing() -> None:
    rig = ready()
    boot = rig.disk.boot_id
    done = tell(rig, CommandKind.QUIET_TEST, rig.now)
    unsaid = rig.signer.command(UNIT, rig.now - 1, CommandKind.REBOOT, rig.now)
    expired = rig.signer.command(UNIT, rig.now + 10, CommandKind.REBOOT, rig.now - HOUR)
    early = rig.signer.command(UNIT, rig.now + 11, CommandKind.REBOOT, rig.now + MINUTE)
    for document in (done, unsaid, expired, early, done):
        say(rig, document)
    assert results(rig) == [(True, "line closed")]
    assert rig.disk.boot_id == boot
    assert rig.reported().refused is None, "how repeating works is no refusal"
    rig.run(rig.now + MINUTE)
    say(rig, early)
    assert rig.disk.boot_id == boot + 1, "its time has come"


def test_a_foreign_or_forged_command_does_nothing_and_is_reported() -> None:
    rig = ready()
    boot = rig.disk.boot_id
    neighbour = rig.signer.command("u-2", rig.now, CommandKind.REBOOT, rig.now)
    told = Command(
        unit=UNIT, seq=rig.now, id="k", kind=CommandKind.REBOOT, issued_at=rig.now, expires_at=rig.now + MINUTE
    )
    thief = SigningKey.generate(rig.signer.keys[Use.COMMAND].public.kid)
    for document, reason in (
        (neighbour, RefusalReason.NOT_FOR_ME),
        (seal(told, Typ.COMMAND, thief), RefusalReason.BAD_SIGNATURE),
        (seal(told, Typ.COMMAND, rig.signer.keys[Use.PLAN]), RefusalReason.KEY_NOT_TRUSTED),
        (rig.signer.command(UNIT, rig.now + 2 * DAY, CommandKind.REBOOT, rig.now), RefusalReason.FAR_FUTURE),
    ):
        say(rig, document)
        rig.run(rig.now + 2 * SECOND)
        refused = rig.reported().refused
        assert refused is not None
        assert (refused.document, refused.reason) == ("command", reason)
    assert (results(rig), rig.disk.boot_id) == ([], boot)


def test_without_trusted_time_a_command_waits_until_somebody_can_say_that_it_has_not_expired() -> None:
    rig = ready(Config(battery=False))
    old = rig.signer.command(UNIT, rig.now, CommandKind.REBOOT, rig.now, MINUTE)
    rig.power_off()
    rig.now += DAY
    rig.answers_time = False
    rig.power_on()
    boot = rig.disk.boot_id
    say(rig, old)
    rig.run(rig.now + SECOND)
    assert rig.disk.boot_id == boot, "by its own clock it is still yesterday"
    rig.answers_time = True
    rig.run(rig.now + 5 * MINUTE)
    assert rig.unit is not None
    assert rig.unit.clock.trusted
    assert (results(rig), rig.disk.boot_id) == ([], boot)


def test_a_command_that_came_before_the_time_is_done_when_the_time_comes() -> None:
    rig = Rig(power=False)
    rig.answers_time = False
    rig.power_on()
    tell(rig, CommandKind.QUIET_TEST, lasts=HOUR)
    assert results(rig) == []
    rig.answers_time = True
    rig.run(rig.now + 5 * MINUTE)
    assert results(rig) == [(True, "line closed")]
