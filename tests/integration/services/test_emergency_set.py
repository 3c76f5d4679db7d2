"""The emergency set: what every pole holds beforehand, who says so, and what an alert makes of it."""

from __future__ import annotations

import wave
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from support.audio import recording
from support.services import HERE, THERE, House, raises
from support.sirens import typed

from broadcasts.errors import Refused
from broadcasts.wire.alert import Alert, AlertKind
from controller.db.tables import Asset, AuditEntry, EmergencyRecording, StandingAlert
from controller.services import emergency_set, files, recordings

PROVINCE = "p-94"
UNIT, FAR = f"u-{HERE}-1", f"u-{THERE}-1"
STORM = AlertKind.STORM
LASTS = timedelta(minutes=10)


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording(tmp_path_factory.mktemp("storm") / "storm.wav", seconds=1.0)


@pytest.fixture(scope="module")
def flood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording(tmp_path_factory.mktemp("flood") / "flood.wav", seconds=1.25)


def put(house: House, source: Path, area: str = PROVINCE, kind: str = "storm", language: str = "vi") -> str:
    return emergency_set.put(house.ctx, house.actor("tinh"), area, kind, language, source, source.name).sha256


def sets(house: House) -> dict[str, list[str]]:
    """What the plan of a unit here and of one there names, once the compiler has looked."""
    house.compile()
    return {unit: house.plan(unit).emergency_set for unit in (UNIT, FAR)}


@pytest.mark.requirement("R-144")
def test_every_unit_below_the_area_is_told_to_hold_the_recording_before_anything_happens(
    house: House, storm: Path, flood: Path
) -> None:
    house.compile()
    had = house.stored_plan(UNIT).version
    house.woken.clear()
    everywhere = put(house, storm)
    assert house.woken == [house.now]
    here = put(house, flood, f"c-{HERE}", "flood")
    assert sets(house) == {UNIT: [here, everywhere], FAR: [everywhere]}
    plan = house.plan(UNIT)
    assert plan.version > had
    assert [asset.sha256 for asset in plan.assets] == [here, everywhere], "fetched though no bulletin plays them"
    assert (plan.preloaded, house.plan(FAR).preloaded) == ({"flood/vi": 0, "storm/vi": 1}, {"storm/vi": 0})
    replaced = put(house, flood)
    assert sets(house) == {UNIT: [here], FAR: [replaced]}, "the same recording of both sets is held once"
    emergency_set.remove(house.ctx, house.actor("tinh"), PROVINCE, "storm", "vi")
    assert sets(house) == {UNIT: [here], FAR: []}


def test_a_trigger_speaks_the_words_of_the_commune_where_province_and_commune_have_their_own(
    house: House, storm: Path, flood: Path
) -> None:
    """CONTRACT.md, section 6c: the plan says which file of the set speaks of what in which language."""
    province = put(house, storm)
    commune = put(house, flood, f"c-{HERE}")
    house.compile()
    here, there = house.plan(UNIT), house.plan(FAR)
    assert here.emergency_set[here.preloaded["storm/vi"]] == commune
    assert there.emergency_set[there.preloaded["storm/vi"]] == province


def test_a_recording_for_emergencies_is_mastered_louder_than_a_bulletin(house: House, storm: Path) -> None:
    loud = put(house, storm)
    plain = house.ctx.audio.prepare(storm)
    with house.ctx.db.read() as session:
        asset = session.get_one(Asset, loud)
    assert loud != plain.sha256
    assert asset.loudness_lufs is not None
    assert asset.loudness_lufs == pytest.approx(-14.0, abs=1.0)
    assert asset.loudness_lufs > plain.loudness_lufs + 1.0


def test_a_unit_may_fetch_its_set_at_any_time_and_no_other_set(house: House, storm: Path, flood: Path) -> None:
    everywhere, here = put(house, storm), put(house, flood, f"c-{HERE}", "flood")

    def fetch(unit: str, asset: str) -> bytes:
        return files.asset_for_unit(house.ctx, unit, house.secret(unit), asset).read_bytes()

    assert fetch(UNIT, everywhere)
    assert fetch(FAR, everywhere)
    assert fetch(UNIT, here)
    with raises(Refused, "asset.not_yours"):
        fetch(FAR, here)
    emergency_set.remove(house.ctx, house.actor("tinh"), PROVINCE, "storm", "vi")
    with raises(Refused, "asset.not_yours"):
        fetch(UNIT, everywhere)


def test_an_alert_takes_the_narrowest_recording_of_each_language_that_all_its_units_hold(
    house: House, storm: Path, flood: Path
) -> None:
    everywhere = put(house, storm)
    khmer = put(house, storm, language="km")
    here = put(house, flood, f"c-{HERE}")
    told = {scope: _content(house, scope) for scope in (PROVINCE, f"c-{HERE}", UNIT, f"c-{THERE}", FAR, "c-nowhere")}
    assert told == {
        PROVINCE: [("vi", everywhere), ("km", khmer)],
        f"c-{HERE}": [("vi", here), ("km", khmer)],
        UNIT: [("vi", here), ("km", khmer)],
        f"c-{THERE}": [("vi", everywhere), ("km", khmer)],
        FAR: [("vi", everywhere), ("km", khmer)],
        "c-nowhere": [],
    }
    house.compile()
    for scope, units in ((PROVINCE, (UNIT, FAR)), (f"c-{HERE}", (UNIT,))):
        word = typed(house.ctx, house.on_duty, scope)
        name = emergency_set.sound(house.ctx, house.on_duty, scope, STORM, "Bão số 9", LASTS, confirmed=word)
        with house.ctx.db.read() as session:
            alert = Alert.model_validate(session.get_one(StandingAlert, (name, scope)).entry, strict=False)
        names = {part.asset.sha256 for part in alert.content}
        assert all(names <= set(house.plan(unit).emergency_set) for unit in units)
    with raises(Refused, "emergency.none"):
        emergency_set.sound(house.ctx, house.on_duty, PROVINCE, AlertKind.TSUNAMI, "x", LASTS)


def _content(house: House, scope: str) -> list[tuple[str, str]]:
    with house.ctx.db.read() as session:
        return emergency_set.content_for(session, scope, STORM)


def test_only_the_province_keeps_sets_and_only_below_it_and_every_change_is_in_the_log(
    house: House, storm: Path
) -> None:
    for name in ("author", "boss"):
        with raises(Refused, "no_right"):
            emergency_set.put(house.ctx, house.actor(name), f"c-{HERE}", "storm", "vi", storm, "")
        with raises(Refused, "no_right"):
            emergency_set.remove(house.ctx, house.actor(name), f"c-{HERE}", "storm", "vi")
        with house.ctx.db.read() as session, raises(Refused, "no_right"):
            emergency_set.entries(session, house.actor(name))
    for area, kind, language in (("p-1", "storm", "vi"), (PROVINCE, "bad_mood", "vi"), (PROVINCE, "storm", "../vi")):
        with raises(Refused, "choice.unknown"):
            put(house, storm, area, kind, language)
    with raises(Refused, "choice.unknown"):
        emergency_set.remove(house.ctx, house.actor("tinh"), PROVINCE, "storm", "vi")
    first, second = put(house, storm), put(house, storm)
    emergency_set.remove(house.ctx, house.actor("tinh"), PROVINCE, "storm", "vi")
    with house.ctx.db.read() as session:
        every = session.scalars(
            select(AuditEntry).where(AuditEntry.act.like("emergency_set.%")).order_by(AuditEntry.id)
        ).all()
        refused = [line.detail["rule"] for line in every if line.act.endswith(".refused")]
        said = [line for line in every if not line.act.endswith(".refused")]
        assert session.scalars(select(EmergencyRecording)).all() == []
    assert refused == ["no_right"] * 4 + ["choice.unknown"] * 4
    assert [(line.act, line.actor, line.about, line.detail["before"]) for line in said] == [
        ("emergency_set.put", "tinh", PROVINCE, None),
        ("emergency_set.put", "tinh", PROVINCE, first),
        ("emergency_set.remove", "tinh", PROVINCE, second),
    ]


def test_a_set_has_an_end_and_a_recording_too(
    house: House, storm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emergency_set, "MOST", 2)
    put(house, storm)
    put(house, storm, kind="flood")
    with raises(Refused, "emergency.full"):
        put(house, storm, kind="fire")
    put(house, storm, kind="flood")  # in the place of what is there
    monkeypatch.setattr(emergency_set, "LONGEST", timedelta(seconds=1))
    long = tmp_path / "long.wav"
    with wave.open(str(long), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((8000 * np.sin(np.arange(48_000) / 5)).astype("<i2").tobytes())
    with raises(Refused, "emergency.long"):
        put(house, long, kind="flood")


def test_nothing_that_a_set_names_can_be_thrown_away(house: House, storm: Path) -> None:
    name = put(house, storm)
    with pytest.raises(IntegrityError), house.ctx.db.write() as session:
        session.execute(delete(Asset).where(Asset.sha256 == name))
    assert house.ctx.audio.path(name).is_file()


def test_who_lives_below_the_area_may_listen_to_its_set(house: House, storm: Path) -> None:
    name = put(house, storm, f"c-{HERE}")
    for listener in ("tinh", "author", "boss"):
        assert recordings.heard_by(house.ctx, house.actor(listener), name).is_file()
    with raises(Refused, "asset.unknown"):
        recordings.heard_by(house.ctx, house.actor("neighbour"), name)


def test_a_full_set_of_the_longest_recordings_leaves_room_for_bulletins_in_the_plan(house: House) -> None:
    length = int(emergency_set.LONGEST.total_seconds() * 1000)
    size = length * 24_000 // 8 // 1000
    with house.ctx.db.write() as session:
        like = session.get_one(Asset, house.bulletin.sha256)
        for area in (PROVINCE, f"c-{HERE}"):
            for number in range(emergency_set.MOST):
                name = f"{hash((area, number)) & (2**255 - 1):064x}"
                chunks = ["A" * 22] * -(-size // like.chunk_size)
                asset = Asset(
                    sha256=name, size=size, codec="opus", duration_ms=length, chunk_size=like.chunk_size,
                    chunks=chunks, created_at=house.now,
                )  # fmt: skip
                session.add(asset)
                session.flush()
                session.add(
                    EmergencyRecording(
                        area_id=area, kind=f"k{number}", language="vi", asset_sha256=name, set_at=house.now, set_by="x"
                    )
                )
    house.on_air(repeat="daily", until_day=(house.now + timedelta(days=30)).date())
    house.compile()
    plan = house.plan(UNIT)
    assert len(plan.emergency_set) == 2 * emergency_set.MOST
    assert len(plan.items) == 7, "a week of it"
