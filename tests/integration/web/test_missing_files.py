"""Files that are lost, on the page of whoever runs the server, with what falls silent for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import inspect, select
from support.audio import tone
from support.fresh import fresh_house
from support.office import House
from support.pages import Person, person

from controller.db.tables import Asset, Assignment, Delivery, Encoding, UnitStatus
from controller.services import collecting, sounds
from controller.services.approving import approve, look_at
from controller.services.composing import submit
from controller.services.rights import Role
from controller.services.views.missing import missing

house = fresh_house


@pytest.fixture
def province(house: House) -> Person:
    return person(house, "tinh")


@pytest.fixture
def asset(house: House) -> Asset:
    path = house.folder / "tone.wav"
    path.write_bytes(tone(2.0))
    return house.add_asset(path)


def on_air(house: House, asset: Asset) -> str:
    name = submit(house.ctx, house.actor("phatthanh"), house.draft(asset.sha256, title="Lịch tiêm chủng"))
    boss = house.actor("lanhdao")
    approve(house.ctx, boss, name, look_at(house.ctx, boss, name)[2])
    return name


def held_by(house: House, cluster: str, asset: Asset) -> None:
    with house.ctx.db.write() as session:
        unit = session.scalars(select(Assignment.unit_id).where(Assignment.cluster_id == cluster)).one()
        status = session.get(UnitStatus, unit) or UnitStatus(unit_id=unit, seen_plan_version=0)
        status.held = [asset.sha256]
        session.add(status)


def test_before_the_first_look_the_page_says_so_and_afterwards_that_all_is_there(
    house: House, province: Person, asset: Asset
) -> None:
    assert "chưa kiểm tra" in province.get("/files").text
    collecting.collect(house.ctx)
    assert "Mọi tệp đều có đủ và đúng" in province.get("/files").text


def test_a_lost_file_is_told_with_the_broadcast_and_the_poles_that_do_not_hold_it(
    house: House, province: Person, asset: Asset
) -> None:
    broadcast = on_air(house, asset)
    sounds.keep(house.ctx, house.actor("phatthanh"), "chime", "Nhạc hiệu xã", asset.sha256)
    with house.ctx.db.read() as session:
        clusters = list(session.scalars(select(Delivery.cluster_id).where(Delivery.broadcast_id == broadcast)))
    held_by(house, clusters[0], asset)
    house.ctx.audio.path(asset.sha256).unlink()
    collecting.collect(house.ctx)

    page = province.get("/files")

    assert asset.sha256[:16] in page.html
    assert f"/broadcasts/{broadcast}" in page.html
    assert f"{len(clusters) - 1} cụm chưa có tệp" in page.text
    assert "Nhạc hiệu xã" in page.text
    for cluster in clusters:
        held_by(house, cluster, asset)
    assert "Mọi cụm đã có tệp" in province.get("/files").text


def test_a_lost_original_silences_nothing_and_a_file_that_nobody_uses_is_said_to_be_one(
    house: House, province: Person, asset: Asset
) -> None:
    house.ctx.audio.original(asset.original_sha256).unlink()
    collecting.collect(house.ctx)
    assert "không cắt lại được" in province.get("/files").text

    house.ctx.audio.path(asset.sha256).unlink()
    collecting.collect(house.ctx)
    assert "Không có lịch phát nào sắp tới" in province.get("/files").text


def test_of_a_lost_encoding_those_poles_are_told_that_would_be_given_it(
    house: House, province: Person, asset: Asset
) -> None:
    broadcast, strong = on_air(house, asset), replace(house.actor("tinh"), strong=True)
    with house.ctx.db.write() as session:
        clusters = list(session.scalars(select(Delivery.cluster_id).where(Delivery.broadcast_id == broadcast)))
        first = session.get_one(Asset, asset.sha256)
        columns = {each.key: getattr(first, each.key) for each in inspect(Asset).column_attrs}
        session.add(Asset(**columns | {"sha256": "e" * 64, "codec": "mp3"}))
        session.flush()
        session.add(
            Encoding(asset_sha256=asset.sha256, codec="mp3", encoded_sha256="e" * 64, made_at=house.ctx.clock.now())
        )
        for cluster in clusters[:2]:
            unit = session.scalars(select(Assignment.unit_id).where(Assignment.cluster_id == cluster)).one()
            status = session.get(UnitStatus, unit) or UnitStatus(unit_id=unit, seen_plan_version=0)
            status.codecs = ["mp3"] if cluster == clusters[0] else ["opus"]
            session.add(status)
        found = collecting.Found(0, missing=["e" * 64])
        (gone,) = missing(session, strong, found, house.ctx.clock.now()).gone
    assert [(one.broadcast, one.without) for one in gone.broadcasts] == [(broadcast, 1)]


def test_who_keeps_one_commune_is_told_nothing_of_another(house: House, asset: Asset) -> None:
    on_air(house, asset)
    sounds.keep(house.ctx, house.actor("phatthanh"), "chime", "Nhạc hiệu xã", asset.sha256)
    house.add_user("xa-khac", Role.PROVINCE, "c-31618")
    with house.ctx.db.read() as session:
        other = replace(house.actor("xa-khac"), strong=True)
        found = collecting.Found(0, missing=[asset.sha256])
        (gone,) = missing(session, other, found, house.ctx.clock.now()).gone
    assert [*gone.broadcasts, *gone.sounds, *gone.sets] == []


def test_what_waits_for_approval_or_lies_beyond_the_plans_is_told_before_it_is_needed(
    house: House, province: Person, asset: Asset
) -> None:
    author, boss = house.actor("phatthanh"), house.actor("lanhdao")
    waits = submit(house.ctx, author, house.draft(asset.sha256, title="Còn chờ duyệt"))
    day = house.draft(asset.sha256).first_day
    assert day is not None
    far = submit(house.ctx, author, house.draft(asset.sha256, title="Tháng sau", first_day=day + timedelta(days=40)))
    approve(house.ctx, boss, far, look_at(house.ctx, boss, far)[2])
    with house.ctx.db.read() as session:
        assert session.scalars(select(Delivery.id)).all() == []
    house.ctx.audio.path(asset.sha256).unlink()
    collecting.collect(house.ctx)
    found = collecting.last_found(house.ctx)
    assert found is not None
    with house.ctx.db.read() as session:
        [gone] = missing(session, house.actor("tinh"), found, house.clock.now()).gone
        assert [(one.broadcast, one.waiting, one.clusters, one.without) for one in gone.broadcasts] == [
            (waits, True, 5, 5),
            (far, False, 5, 5),
        ]
        assert (
            missing(session, house.actor("tinh"), found, house.clock.now() + timedelta(days=60)).gone[0].broadcasts
            == []
        )
    page = province.get("/files")
    assert "(chờ duyệt)" in page.text
    assert "Tháng sau" in page.text


def test_a_series_that_is_planned_already_is_told_once(house: House, province: Person, asset: Asset) -> None:
    author, boss = house.actor("phatthanh"), house.actor("lanhdao")
    series = submit(house.ctx, author, house.draft(asset.sha256, title="Hằng ngày", repeat="daily"))
    approve(house.ctx, boss, series, look_at(house.ctx, boss, series)[2])
    house.ctx.audio.path(asset.sha256).unlink()
    collecting.collect(house.ctx)
    found = collecting.last_found(house.ctx)
    assert found is not None
    with house.ctx.db.read() as session:
        [gone] = missing(session, house.actor("tinh"), found, house.clock.now()).gone
        assert [one.broadcast for one in gone.broadcasts] == [series]
