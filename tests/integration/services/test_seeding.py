"""The sample province, and what it tells once."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select
from support.services import ENGINES, NOON, House, Workshop

from broadcasts.clock import ManualClock
from broadcasts.domain.relay import check_address
from broadcasts.ids import NAME
from broadcasts.wire.jws import SigningKey
from controller.db import migrate
from controller.db.engine import Database
from controller.db.tables import Area, Assignment, Cluster, RelaySource, Station, Unit, User
from controller.services import accounts
from controller.services.seeding import communes, seed
from device_sim.fleetfile import codecs_of
from device_sim.unit import Enrolled


@pytest.mark.parametrize("engine", ENGINES)
def test_eighty_clusters_stand_five_each_in_sixteen_communes(workshop: Workshop, engine: str, tmp_path: Path) -> None:
    with workshop.empty(engine, tmp_path) as url:  # type: ignore[arg-type]
        db = Database(url)
        migrate.upgrade(db)
        ctx = workshop.context(db, ManualClock(NOON), lambda: None)
        seeded = seed(ctx)
        assert seeded is not None
        assert seed(ctx) is None
        with db.read() as session:
            clusters = session.scalars(select(Cluster)).all()
            units = {unit.id: unit for unit in session.scalars(select(Unit))}
            served = session.execute(select(Assignment.cluster_id, Assignment.unit_id)).all()
            stations = session.scalars(select(Station)).all()
            kinds = Counter(session.scalars(select(Area.kind)))
            people = session.scalars(select(User)).all()
            assert session.scalar(select(func.count()).select_from(Assignment)) == 80
        assert (len(clusters), len(units), kinds) == (80, 80, {"province": 1, "commune": 16})
        assert set(Counter(cluster.station_id for cluster in clusters).values()) == {5}
        assert all(station.illustrative and station.hours == [[300, 1260]] for station in stations)
        assert {cluster.horns * cluster.horn_watts for cluster in clusters} == {60}
        assert len({(cluster.latitude, cluster.longitude) for cluster in clusters}) == 80
        assert len({cluster for cluster, _ in served}) == len({unit for _, unit in served}) == 80
        assert all(NAME.fullmatch(name) for name in [*units, *(station.scope for station in stations)])
        _told_once(seeded.enrolments, units)
        assert sorted(person.name for person in people) == sorted(seeded.passwords)
        for name, password in seeded.passwords.items():
            token = accounts.log_in(ctx, name, password)
            actor = accounts.who(ctx, token)
            assert actor is not None
            assert actor.must_change
        db.close()


def _told_once(enrolments: list[dict[str, str]], units: dict[str, Unit]) -> None:
    """Secrets and keys are told to the simulator, and only their hash and public half are kept."""
    for told in enrolments:
        unit = units[told["unit"]]
        assert unit.secret_hashes == {"sha256": hashlib.sha256(told["secret"].encode()).hexdigest()}
        assert SigningKey.from_jwk(told["key_jwk"]).public.x == unit.key_x
    assert len({told["secret"] for told in enrolments}) == len({unit.key_x for unit in units.values()}) == 80


def test_a_unit_that_is_seeded_with_a_password_only_has_no_key_anywhere(workshop: Workshop, tmp_path: Path) -> None:
    with workshop.empty("sqlite", tmp_path) as url:
        db = Database(url)
        migrate.upgrade(db)
        seeded = seed(workshop.context(db, ManualClock(NOON), lambda: None), clusters=3, password_only=1)
        assert seeded is not None
        with db.read() as session:
            units = {unit.id: unit for unit in session.scalars(select(Unit))}
        first, *others = seeded.enrolments
        assert (units[first["unit"]].password_only, units[first["unit"]].key_x) == (True, "")
        assert Enrolled.read(first).key is None
        assert all(not units[each["unit"]].password_only and Enrolled.read(each).key for each in others)
        db.close()


def test_the_last_units_of_a_fleet_decode_nothing_but_mp3(workshop: Workshop, tmp_path: Path) -> None:
    with workshop.empty("sqlite", tmp_path) as url:
        db = Database(url)
        migrate.upgrade(db)
        seeded = seed(workshop.context(db, ManualClock(NOON), lambda: None), clusters=5, mp3_only=2)
        assert seeded is not None
        assert [codecs_of(each) for each in seeded.enrolments] == 3 * [("opus", "mp3")] + 2 * [("mp3",)]
        db.close()
    with pytest.raises(ValueError, match="not among opus, mp3"):
        codecs_of({"codecs": ["flac"]})


def test_the_communes_are_those_of_the_plan_in_its_order() -> None:
    chosen = list(communes())
    assert Counter(place.district for place in chosen) == {
        "Huyện Cù Lao Dung": 8,
        "Thị xã Vĩnh Châu": 4,
        "Huyện Trần Đề": 4,
    }
    assert [place.district for place in chosen[:8]] == ["Huyện Cù Lao Dung"] * 8
    for district in ("Thị xã Vĩnh Châu", "Huyện Trần Đề"):
        codes = [place.code for place in chosen if place.district == district]
        assert codes == sorted(codes)
        everyone = [place.code for place in communes(108) if place.district == district]
        assert codes == sorted(everyone)[:4]
    assert len({place.code for place in communes(108)}) == 108


def test_the_demo_shows_two_stations_that_say_that_they_are_examples(house: House) -> None:
    with house.ctx.db.read() as session:
        sources = session.scalars(select(RelaySource)).all()
    assert len(sources) == 2
    assert all(source.illustrative and "ví dụ" in source.name for source in sources)
    for source in sources:
        check_address(source.url, source.frequency_khz)
