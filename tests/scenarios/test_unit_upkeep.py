"""Firmware and settings of one unit: CONTRACT.md section 7a."""

from __future__ import annotations

from support.rig import Rig
from support.signed import HOUR, MINUTE, SECOND, T0, asset_of, item, opus, siren

from broadcasts.wire.journal import FaultEntry
from broadcasts.wire.plan import Asset, Wanted
from device_sim.events import Connect

NEWS = opus(5 * MINUTE, "news")
NEWS_ASSET = asset_of(NEWS, 5 * MINUTE)
STORM = opus(30 * SECOND, "storm")
STORM_ASSET = asset_of(STORM, 30 * SECOND)
IMAGE = b"LOA-FIRMWARE loasim-2\n" + bytes(10_000)
IMAGE_ASSET = asset_of(IMAGE, 0, "bin")
START = T0 + 10 * MINUTE


def ready() -> Rig:
    rig = Rig()
    rig.hold((NEWS_ASSET, NEWS), (STORM_ASSET, STORM), (IMAGE_ASSET, IMAGE))
    return rig


def want(rig: Rig, image: Asset = IMAGE_ASSET, version: str = "loasim-2", start: int = START) -> None:
    firmware = Wanted(version=version, asset=image.sha256, manifest=rig.signer.manifest(image, version))
    rig.plan([item("news", NEWS_ASSET, start)], [NEWS_ASSET, STORM_ASSET, image], firmware=firmware)


def test_firmware_is_fetched_last_installed_in_a_quiet_moment_and_reported() -> None:
    rig = ready()
    assert rig.reported().firmware == "loasim-1"
    boots = rig.disk.boot_id
    want(rig, start=T0 + HOUR)
    assert [fetch.sha256 for fetch in rig.fetched][-1] == IMAGE_ASSET.sha256
    rig.run(T0 + 3 * MINUTE)
    assert (rig.reported().firmware, rig.disk.boot_id) == ("loasim-2", boots + 1)
    rig.run(T0 + 2 * HOUR)
    assert rig.disk.boot_id == boots + 1, "once"
    assert [sound.item for sound in rig.heard] == ["news"]


def test_nothing_is_installed_while_something_sounds_or_is_about_to() -> None:
    rig = ready()
    rig.run(START - 4 * MINUTE)
    boots = rig.disk.boot_id
    want(rig)
    rig.run(START + 5 * MINUTE - SECOND)
    assert (rig.disk.boot_id, rig.disk.firmware) == (boots, "")
    rig.alert("commune", [siren("a-1", STORM_ASSET, rig.now, hard_end=rig.now + 20 * MINUTE)])
    rig.run(START + 15 * MINUTE)
    assert rig.disk.firmware == "", "an alert concerns it"
    rig.run(START + 40 * MINUTE)
    assert (rig.disk.boot_id, rig.reported().firmware) == (boots + 1, "loasim-2")
    assert [sound.item for sound in rig.heard][:2] == ["news", "a-1"]


def test_an_image_that_is_not_what_it_should_be_is_said_and_never_installed() -> None:
    rig = ready()
    foreign = b"FRIDGE-OS 9\n" + bytes(500)
    asset = asset_of(foreign, 0, "bin")
    rig.hold((asset, foreign))
    boots = rig.disk.boot_id
    want(rig, asset, start=T0 + HOUR)
    rig.run(T0 + 10 * MINUTE)
    assert (rig.disk.boot_id, rig.reported().firmware) == (boots, "loasim-1")
    assert rig.reported().faults == ["firmware_refused"]
    want(rig, start=T0 + HOUR)
    rig.run(T0 + 20 * MINUTE)
    assert (rig.reported().firmware, rig.reported().faults) == ("loasim-2", [])
    told = [entry.raised for entry in rig.journal() if isinstance(entry, FaultEntry)]
    assert told == [True, False]


def test_settings_that_it_understands_are_taken_and_all_are_reported() -> None:
    rig = ready()
    values = {"keep_alive_s": "120", "said_by_a_newer": "x"}
    rig.plan([], [], configuration=Wanted(version="s-1", values=values))
    rig.run(T0 + 10 * SECOND)
    assert rig.reported().configuration == "s-1"
    assert rig.unit is not None
    assert rig.unit.upkeep.keep_alive_s(240) == 120
    rig.plan([], [], configuration=Wanted(version="s-2", values={"keep_alive_s": "99999"}))
    rig.run(T0 + 20 * SECOND)
    assert rig.unit.upkeep.keep_alive_s(240) == 240, "more than the contract allows"
    rig.plan([], [], configuration=Wanted(version="s-1", values=values))
    rig.run(T0 + 30 * SECOND)
    rig.unit._out = []
    rig.unit._connect()
    [connect] = [out for out in rig.unit._out if isinstance(out, Connect)]
    assert connect.keep_alive_s == 120
