"""The registry of stations that may be relayed: who keeps it, and what a changed address does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from support.relays import STREAM, TUNER, a_relay, a_source, approve, on_air
from support.services import HERE, THERE, House, raises

from broadcasts.domain.relay import Relay
from broadcasts.domain.verdict import Verdict
from broadcasts.errors import Conflict, Refused
from controller.db.tables import AuditEntry, Broadcast, RelaySource, Revision
from controller.services import accounts, relay_sources, relaying
from controller.services.rights import Actor, Role

UNIT = f"u-{HERE}-1"
OTHER_URL = "https://phat.example.vn/vov2"


def administrator(house: House, area: str) -> Actor:
    with house.ctx.db.read() as session:
        return accounts.stand_in(session, "quantri", Role.ADMINISTRATOR, area, house.ctx.wall.now())


def row(house: House, source: str) -> RelaySource:
    with house.ctx.db.read() as session:
        return session.get_one(RelaySource, source)


def acts(house: House, about: str) -> list[str]:
    with house.ctx.db.read() as session:
        return list(session.scalars(select(AuditEntry.act).where(AuditEntry.about == about).order_by(AuditEntry.id)))


def addresses(house: House) -> set[str | None]:
    house.compile()
    return {item.relay.url for item in house.plan(UNIT).items if item.relay is not None}


def test_the_province_keeps_the_list_and_every_act_is_in_the_log(house: House) -> None:
    tinh = house.actor("tinh")
    source = a_source(house)
    relay_sources.change(house.ctx, tinh, source, replace(STREAM, name="Đài khác"), 1)
    relay_sources.retire(house.ctx, tinh, source)
    assert acts(house, source) == ["relay_source.add", "relay_source.change", "relay_source.retire"]
    found = row(house, source)
    assert (found.name, found.revision, found.changed_by, found.retired_at) == ("Đài khác", 3, "tinh", house.now)


def test_who_writes_bulletins_or_approves_them_keeps_no_list(house: House) -> None:
    for name in ("author", "boss"):
        with raises(Refused, "no_right"):
            a_source(house, by=name)
    weak = replace(house.actor("tinh"), strong=False)
    with raises(Refused, "second_factor.needed"):
        relay_sources.add(house.ctx, weak, STREAM)


def test_an_administrator_of_a_commune_adds_what_only_that_commune_relays(house: House) -> None:
    here = administrator(house, f"c-{HERE}")
    for area in ("", f"c-{THERE}"):
        with raises(Refused, "not_yours"):
            relay_sources.add(house.ctx, here, replace(STREAM, area=area))
    source = relay_sources.add(house.ctx, here, replace(STREAM, area=f"c-{HERE}"))
    assert house.submit(**a_relay(house, source))
    with raises(Refused, "relay.elsewhere"):
        house.submit(by="neighbour", areas=(f"c-{THERE}",), **a_relay(house, source))
    with house.ctx.db.read() as session:
        assert source in {one.id for one in relaying.usable(session, house.actor("author"))}
        assert source not in {one.id for one in relaying.usable(session, house.actor("neighbour"))}
        assert source not in {
            one.source.id for one in relay_sources.entries(session, house.actor("neighbour"), house.now)
        }


def test_an_address_inside_the_network_is_believed_in_a_demo_only(house: House) -> None:
    inside = replace(STREAM, url="http://127.0.0.1:9000/a")
    with raises(Refused, "relay.inside"):
        relay_sources.add(house.ctx, house.actor("tinh"), inside)
    demo = replace(house.ctx, inside_relays=True)
    assert relay_sources.add(demo, house.actor("tinh"), inside)


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"name": " "}, "relay.name"),
        ({"name": "x" * 121}, "relay.name"),
        ({"name": "a\x00b"}, "relay.name"),
        ({"kind": "moon"}, "choice.unknown"),
        ({"url": ""}, "relay.address"),
        ({"frequency_khz": 100_000}, "relay.address"),
        ({"url": "", "frequency_khz": 1}, "relay.frequency"),
        ({"url": "ftp://phat.example.vn/"}, "relay.url"),
        ({"area": "nowhere"}, "not_yours"),
    ],
)
def test_what_is_no_station_is_refused_and_nothing_is_saved(house: House, changed: dict[str, object], key: str) -> None:
    with raises(Refused, key):
        a_source(house, **changed)
    with house.ctx.db.read() as session:
        assert [
            one
            for one in relay_sources.entries(session, house.actor("tinh"), house.now)
            if one.source.name == STREAM.name
        ] == []


def test_of_two_people_who_change_it_at_once_the_second_is_told(house: House) -> None:
    source, tinh = a_source(house), house.actor("tinh")
    relay_sources.change(house.ctx, tinh, source, replace(STREAM, name="Một"), 1)
    with raises(Conflict, "relay.changed"):
        relay_sources.change(house.ctx, tinh, source, replace(STREAM, name="Hai"), 1)
    with raises(Conflict, "relay.there"):
        a_source(house, name="Một")
    assert row(house, source).name == "Một"


@pytest.mark.requirement("R-029")
def test_a_changed_address_leaves_the_air_until_somebody_approves_it(house: House) -> None:
    source = a_source(house)
    broadcast = on_air(house, **a_relay(house, source))
    assert addresses(house) == {STREAM.url}
    assert relay_sources.change(house.ctx, house.actor("tinh"), source, replace(STREAM, url=OTHER_URL), 1) == 1
    assert addresses(house) == set()
    with house.ctx.db.read() as session:
        again = session.get_one(Broadcast, broadcast)
        handed_in = session.get_one(Revision, (broadcast, 2))
    assert (again.status, again.revision) == ("submitted", 2)
    assert handed_in.facts["relay"]["url"] == OTHER_URL
    assert handed_in.by_id == house.actor("tinh").id
    approve(house, broadcast, house.now + timedelta(days=1))
    assert addresses(house) == {OTHER_URL}


def test_a_narrower_area_takes_the_station_from_whom_it_is_not_for_any_more(house: House) -> None:
    tinh, source = house.actor("tinh"), a_source(house)
    here = on_air(house, **a_relay(house, source))
    tomorrow = house.now + timedelta(days=1)
    there = house.submit(by="neighbour", areas=(f"c-{THERE}",), **a_relay(house, source))
    approve(house, there, tomorrow, by="stranger")
    house.compile()
    assert addresses(house) == {STREAM.url}
    assert relay_sources.change(house.ctx, tinh, source, replace(STREAM, area="p-94"), 1) == 0, (
        "all of it lies in there"
    )
    assert relay_sources.change(house.ctx, tinh, source, replace(STREAM, area=f"c-{THERE}"), 2) == 1
    with house.ctx.db.read() as session:
        told = [(session.get_one(Broadcast, each).status) for each in (here, there)]
    assert told == ["submitted", "approved"]
    assert addresses(house) == set()
    with raises(Refused, "relay.elsewhere"):
        approve(house, here, tomorrow)
    assert relay_sources.change(house.ctx, tinh, source, replace(STREAM, area="p-94"), 3) == 0, (
        "a wider one asks nobody"
    )
    approve(house, here, tomorrow)
    assert addresses(house) == {STREAM.url}


def test_what_is_over_is_neither_asked_again_nor_taken_back(house: House) -> None:
    source = a_source(house)
    broadcast = on_air(house, **a_relay(house, source))
    house.clock.advance(3 * 86_400)
    tinh = house.actor("tinh")
    with house.ctx.db.read() as session:
        assert {each.used for each in relay_sources.entries(session, tinh, house.now)} == {0}
    assert relay_sources.change(house.ctx, tinh, source, replace(STREAM, url=OTHER_URL), 1) == 0
    assert relay_sources.retire(house.ctx, tinh, source) == 0
    with house.ctx.db.read() as session:
        found = session.get_one(Broadcast, broadcast)
    assert (found.status, found.revision) == ("approved", 1)


def test_another_name_asks_nobody_again(house: House) -> None:
    source = a_source(house)
    broadcast = on_air(house, **a_relay(house, source))
    assert relay_sources.change(house.ctx, house.actor("tinh"), source, replace(STREAM, name="Tên mới"), 1) == 0
    assert addresses(house) == {STREAM.url}
    assert {one.relayed for one in house.deliveries(broadcast)} == {STREAM.name}


def test_a_plan_says_the_address_that_was_approved_whoever_wrote_another(house: House) -> None:
    """As if something had gone round the services."""
    source = a_source(house)
    on_air(house, **a_relay(house, source))
    with house.ctx.db.write() as session:
        session.get_one(RelaySource, source).url = OTHER_URL
    assert addresses(house) == {STREAM.url}


def test_what_is_taken_out_leaves_the_air_and_comes_into_no_form(house: House) -> None:
    source = a_source(house)
    broadcast = on_air(house, **a_relay(house, source))
    assert relay_sources.retire(house.ctx, house.actor("tinh"), source) == 1
    found = house.deliveries(broadcast)
    assert {(one.verdict, one.reason) for one in found} == {(Verdict.NOT_PLAYED, relay_sources.RETIRED)}
    assert addresses(house) == set()
    with raises(Refused, "relay.source"):
        house.submit(origin="relay", relay=Relay(source, 15, 20))
    with raises(Conflict, "relay.changed"):
        relay_sources.retire(house.ctx, house.actor("tinh"), source)
    assert a_source(house) != source  # the name is free again


def test_a_tuner_is_told_its_frequency(house: House) -> None:
    source = relay_sources.add(house.ctx, house.actor("tinh"), TUNER)
    on_air(house, **a_relay(house, source))
    house.compile()
    relay = house.plan(UNIT).items[0].relay
    assert relay is not None
    assert (relay.url, relay.frequency_khz, relay.source) == (None, 100_000, source)
