"""Firmware and settings that units should come to have: who says so, which plan carries it, who may fetch it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, update
from support.services import HERE, THERE, House, raises

from broadcasts.errors import Refused
from broadcasts.wire.firmware import open_manifest
from broadcasts.wire.trust import Use
from controller.db.tables import AuditEntry, Unit, UnitPlan, WantedState
from controller.services import files, wanting

UNIT, NEAR, FAR = f"u-{HERE}-1", f"u-{HERE}-2", f"u-{THERE}-1"
PROVINCE = "area:p-94"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.bin"
    path.write_bytes(b"LOA-FIRMWARE 2.0\n" + bytes(200_000))
    return path


def put(house: House, target: str, version: str, image: Path, model: str = "loasim") -> str:
    return wanting.put_firmware(house.ctx, house.actor("tinh"), target, model, version, image).sha256


def spread(house: House, area: str, version: str, image: Path) -> str:
    """As something that goes by waves says it: no person does at one go."""
    name = put(house, f"unit:{FAR}", version, image)
    with house.ctx.db.write() as session:
        session.execute(update(WantedState).where(WantedState.target == f"unit:{FAR}").values(target=area))
        session.execute(update(UnitPlan).values(dirty_since=house.ctx.clock.now()))
    return name


def firmware(house: House) -> dict[str, str | None]:
    house.compile()
    found = {unit: house.plan(unit).firmware for unit in (UNIT, NEAR, FAR)}
    return {unit: wanted.version if wanted is not None else None for unit, wanted in found.items()}


def test_the_narrowest_word_about_a_model_is_in_the_plan_of_each_unit(
    house: House, image: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(b"LOA-FIRMWARE 2.1\n")
    with house.ctx.db.write() as session:
        session.get_one(Unit, NEAR).vendor = "another"
    assert firmware(house) == {UNIT: None, NEAR: None, FAR: None}
    everywhere = spread(house, PROVINCE, "2.0", image)
    assert firmware(house) == {UNIT: "2.0", NEAR: None, FAR: "2.0"}, "another maker's box is left alone"
    put(house, f"unit:{UNIT}", "2.1", other)
    assert firmware(house) == {UNIT: "2.1", NEAR: None, FAR: "2.0"}
    plan = house.plan(FAR)
    assert plan.firmware is not None
    [asset] = plan.assets
    assert (asset.sha256, asset.codec, asset.size) == (everywhere, "bin", image.stat().st_size)
    assert plan.firmware.asset == everywhere


def test_only_the_units_that_should_install_an_image_may_fetch_it(house: House, image: Path) -> None:
    name = spread(house, f"area:c-{HERE}", "2.0", image)
    assert files.asset_for_unit(house.ctx, UNIT, house.secret(UNIT), name).read_bytes() == image.read_bytes()
    with raises(Refused, "asset.not_yours"):
        files.asset_for_unit(house.ctx, FAR, house.secret(FAR), name)


def test_settings_have_a_version_of_their_own_and_taking_them_back_leaves_nothing(house: House) -> None:
    tinh = house.actor("tinh")
    wanting.put_settings(house.ctx, tinh, PROVINCE, "loasim", {"keep_alive_s": "120", "b": "2"})
    house.compile()
    first = house.plan(UNIT).configuration
    assert first is not None
    assert first.values == {"keep_alive_s": "120", "b": "2"}
    wanting.put_settings(house.ctx, tinh, f"unit:{FAR}", "loasim", {"b": "2", "keep_alive_s": "120"})
    house.compile()
    assert house.plan(FAR).configuration == first, "the same settings are the same version"
    wanting.put_settings(house.ctx, tinh, PROVINCE, "loasim", None)
    house.compile()
    assert (house.plan(UNIT).configuration, house.plan(FAR).configuration) == (None, first)


def test_who_may_not_and_what_does_not_exist_change_nothing(
    house: House, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("author", "boss"):
        with raises(Refused, "no_right"):
            wanting.put_firmware(house.ctx, house.actor(name), PROVINCE, "loasim", "2.0", image)
        with raises(Refused, "no_right"):
            wanting.put_settings(house.ctx, house.actor(name), PROVINCE, "loasim", {})
    for target, model, version in (
        ("area:p-1", "loasim", "2"), ("p-94", "loasim", "2"), ("unit:u-nobody", "loasim", "2"),
        (PROVINCE, "nobody's", "2"), (f"unit:{UNIT}", "loasim", "../2"),
    ):  # fmt: skip
        with raises(Refused, "choice.unknown"):
            put(house, target, version, image, model)
    with raises(Refused, "choice.unknown"):
        wanting.put_settings(house.ctx, house.actor("tinh"), PROVINCE, "loasim", {"A b": "1"})
    monkeypatch.setattr(wanting, "MOST_MB", 0.1)
    with raises(Refused, "firmware.large"):
        put(house, f"unit:{UNIT}", "2.0", image)
    assert firmware(house) == {UNIT: None, NEAR: None, FAR: None}
    monkeypatch.undo()
    put(house, f"unit:{UNIT}", "2.0", image)
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "wanted.firmware")).one()
    assert (line.actor, line.about, line.detail["version"], line.detail["before"]) == ("tinh", UNIT, "2.0", None)


def test_what_is_said_of_settings_makes_no_image_newer_than_it_is(house: House, image: Path) -> None:
    put(house, f"unit:{UNIT}", "2.0", image)
    house.compile()
    before = house.plan(UNIT).firmware
    house.clock.advance(3600)
    wanting.put_settings(house.ctx, house.actor("tinh"), f"unit:{UNIT}", "loasim", {"b": "2"})
    house.compile()
    assert house.plan(UNIT).configuration is not None
    assert house.plan(UNIT).firmware == before


@pytest.mark.parametrize("area", [PROVINCE, f"area:c-{HERE}"])
def test_nobody_sends_firmware_to_all_poles_of_an_area_at_one_go(house: House, image: Path, area: str) -> None:
    with raises(Refused, "firmware.single"):
        put(house, area, "2.0", image)
    assert firmware(house) == {UNIT: None, NEAR: None, FAR: None}


def test_an_image_travels_with_a_manifest_that_the_key_of_firmware_signed_and_no_other(
    house: House, image: Path
) -> None:
    name = put(house, f"unit:{UNIT}", "2.0", image)
    house.compile()
    wanted = house.plan(UNIT).firmware
    assert wanted is not None
    assert wanted.manifest is not None
    key = house.ctx.keys.signer(Use.FIRMWARE).public
    manifest = open_manifest(wanted.manifest, lambda kid: key if kid == key.kid else None)
    assert (manifest.vendor, manifest.version, manifest.sha256) == ("loasim", "2.0", name)
    assert manifest.size == image.stat().st_size
    assert key.kid != house.ctx.keys.signer(Use.PLAN).public.kid
    house.compile()
    assert house.plan(UNIT).firmware == wanted
