"""What a cluster is and hears: who may say it, what it changes at once, what the log keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from support.services import HERE, House, raises

from broadcasts.errors import Refused
from controller.db.tables import AuditEntry, Cluster, Station
from controller.services import accounts
from controller.services.describing import Description, describe, described, planned_until
from controller.services.rights import Role

POLE = f"cl-{HERE}-1"
AS_SEEDED = Description(("vi",), (), "Ấp mẫu 1", "ordinary")


@pytest.fixture
def technician(house: House) -> str:
    with house.ctx.db.write() as session:
        first = accounts.FirstPassword.make()
        accounts.create_user(house.ctx, session, first, "fitter", "x", Role.TECHNICIAN, f"c-{HERE}", "test")
    return "fitter"


def kept(house: House) -> Description:
    with house.ctx.db.read() as session:
        return described(session.get_one(Cluster, POLE))


def test_a_technician_describes_all_of_a_cluster_and_the_log_says_what_changed(house: House, technician: str) -> None:
    assert kept(house) == AS_SEEDED
    told = Description(("km", "vi"), (" chợ ", "bến", "chợ", ""), " Ấp Chợ ", "school")
    describe(house.ctx, house.actor(technician), POLE, told)
    assert kept(house) == Description(("km", "vi"), ("bến", "chợ"), "Ấp Chợ", "school")
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "cluster.describe")).one()
    assert (line.actor, line.about, line.area) == (technician, POLE, f"c-{HERE}")
    assert line.detail["changed"]["languages"] == [["vi"], ["km", "vi"]]
    assert line.detail["changed"]["hamlet"] == ["Ấp mẫu 1", "Ấp Chợ"]
    describe(house.ctx, house.actor(technician), POLE, kept(house))
    with house.ctx.db.read() as session:
        acts = session.scalars(select(AuditEntry.act).where(AuditEntry.act == "cluster.describe")).all()
    assert len(acts) == 1, "nothing was changed the second time"


def test_who_writes_bulletins_says_what_is_heard_and_leaves_the_place_to_others(house: House) -> None:
    author = house.actor("author")
    describe(house.ctx, author, POLE, replace(AS_SEEDED, languages=("km",), tags=("chợ",)))
    assert kept(house).languages == ("km",)
    for changed in ({"hamlet": "Ấp khác"}, {"site": "school"}):
        with raises(Refused, "no_right"):
            describe(house.ctx, author, POLE, replace(kept(house), **changed))
    with raises(Refused, "no_right"):
        describe(house.ctx, house.actor("boss"), POLE, AS_SEEDED)
    with raises(Refused, "cluster.unknown"):
        describe(house.ctx, house.actor("neighbour"), POLE, AS_SEEDED)


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"languages": ()}, "cluster.languages"),
        ({"languages": ("vi", "vi")}, "cluster.languages"),
        ({"languages": ("Khmer",)}, "choice.unknown"),
        ({"tags": ("a,b",)}, "cluster.tags"),
        ({"tags": tuple(f"t{number}" for number in range(21))}, "cluster.tags"),
        ({"hamlet": "x" * 121}, "cluster.hamlet"),
        ({"hamlet": "a\x00b"}, "cluster.hamlet"),
        ({"site": "market"}, "regulation.site"),
    ],
)
def test_what_cannot_be_said_of_a_cluster_is_refused_and_nothing_is_kept(
    house: House, technician: str, changed: dict[str, object], key: str
) -> None:
    with raises(Refused, key):
        describe(house.ctx, house.actor(technician), POLE, replace(AS_SEEDED, **changed))  # type: ignore[arg-type]
    assert kept(house) == AS_SEEDED


@pytest.mark.requirement("R-107")
def test_a_pole_that_turns_out_to_stand_at_a_school_is_quieter_at_once(house: House, technician: str) -> None:
    with house.ctx.db.write() as session:
        station = session.get_one(Station, f"s-{HERE}")
        station.rules = {**station.rules, "special": [[0, 1440, 25]]}
    broadcast = house.on_air(volume=60)
    house.compile()
    before = {each.cluster_id: each.volume for each in house.deliveries(broadcast)}
    describe(house.ctx, house.actor(technician), POLE, replace(AS_SEEDED, site="school"))
    house.compile()
    after = {each.cluster_id: each.volume for each in house.deliveries(broadcast)}
    assert after == before | {POLE: 25}
    assert house.plan(f"u-{HERE}-1").items[0].volume == 25
    describe(house.ctx, house.actor(technician), POLE, AS_SEEDED)
    assert {each.cluster_id: each.volume for each in house.deliveries(broadcast)} == before


def test_what_is_laid_out_already_keeps_the_old_order_of_languages_and_the_page_can_say_until_when(
    house: House, technician: str
) -> None:
    with house.ctx.db.read() as session:
        assert planned_until(session, POLE, house.now) is None
    broadcast = house.on_air(repeat="daily")
    house.compile()
    describe(house.ctx, house.actor(technician), POLE, replace(AS_SEEDED, languages=("km", "vi")))
    last = max(each.start for each in house.deliveries(broadcast))
    with house.ctx.db.read() as session:
        assert planned_until(session, POLE, house.now) == last
        assert planned_until(session, POLE, last + timedelta(seconds=1)) is None
