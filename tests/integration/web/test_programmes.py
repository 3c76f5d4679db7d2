"""The builder of programmes, the chime before a bulletin, and the sounds that are kept for both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from support.audio import tone
from support.office import House, open_house
from support.pages import Form, Page, Person, person

from broadcasts.clock import VIETNAM
from broadcasts.domain.programme import Part, PartKind
from controller.db.tables import Asset, Broadcast, KeptSound, RelaySource, Station
from controller.services import audit, sounds
from controller.services.approving import draft_of, look_at
from controller.services.library import add_recording
from controller.services.rights import Role


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, list[Asset]]:
    found = open_house(tmp_path_factory.mktemp("model"))
    assets = []
    for seconds in (2.0, 3.0, 4.0):
        path = found.folder / f"{seconds}.wav"
        path.write_bytes(tone(seconds))
        assets.append(found.add_asset(path))
    found.add_user("cua-xa", Role.BROADCASTER, found.commune)
    found.ctx.db.close()
    return found, assets


@pytest.fixture
def house(tmp_path: Path, model: tuple[House, list[Asset]]) -> Iterator[House]:
    found = open_house(tmp_path / "house", sandbox=True, like=model[0])
    yield found
    found.ctx.db.close()


@pytest.fixture
def assets(model: tuple[House, list[Asset]]) -> list[Asset]:
    return model[1]


@pytest.fixture
def author(house: House) -> Person:
    return person(house, "phatthanh")


def keep(house: House, kind: str, name: str, asset: Asset) -> str:
    return sounds.keep(house.ctx, house.actor("phatthanh"), kind, name, asset.sha256)


def upload(house: House, by: str, seconds: float) -> Asset:
    path = house.folder / f"{by}.wav"
    path.write_bytes(tone(seconds))
    return add_recording(house.ctx, house.actor(by), path, path.name)


def tomorrow(house: House) -> str:
    return (house.clock.now() + timedelta(days=1)).astimezone(VIETNAM).date().isoformat()


def builder(page: Page) -> Form:
    return page.form("/broadcasts")


def pressed(author: Person, page: Page, act: str, **changed: Any) -> Page:
    """A button of the form, without script: the whole page comes back."""
    return author.send(builder(page), act=act, **changed)


def added(author: Person, page: Page, known: str) -> Page:
    return pressed(author, page, "add", add_known=known)


def rows(page: Page) -> list[tuple[str, str]]:
    """(kind, title) of the parts, in order."""
    fields = builder(page).fields
    kinds = [value for name, value in fields if name == "part_kind"]
    return list(zip(kinds, [value for name, value in fields if name == "part_title"], strict=True))


def keys(page: Page) -> list[str]:
    return [value for name, value in builder(page).fields if name == "part_key"]


def three_parts(house: House, author: Person, assets: list[Asset]) -> Page:
    """Chime of 2 s, bulletin of 3 s, closing of 4 s, tomorrow at 17:00."""
    keep(house, "chime", "Nhạc hiệu xã", assets[0])
    keep(house, "outro", "Lời chào cuối", assets[2])
    page = author.get("/programmes/new")
    page = added(author, page, f"chime {assets[0].sha256} Nhạc hiệu xã")
    page = added(author, page, f"bulletin {assets[1].sha256} Lịch tiêm chủng")
    return pressed(
        author,
        page,
        "add",
        add_known=f"outro {assets[2].sha256} Lời chào cuối",
        title="Chương trình chiều",
        when="once",
        day=tomorrow(house),
        time="17:00",
        areas=house.commune,
    )


def only_broadcast(house: House) -> Broadcast:
    with house.ctx.db.read() as session:
        return session.scalars(select(Broadcast)).one()


def parts_of(house: House, broadcast: str) -> tuple[Part, ...]:
    with house.ctx.db.read() as session:
        return draft_of(session, session.get_one(Broadcast, broadcast)).parts


@pytest.mark.requirement("R-044")
def test_a_programme_is_put_together_without_script_and_says_when_each_part_begins(
    house: House, author: Person, assets: list[Asset]
) -> None:
    page = three_parts(house, author, assets)
    assert rows(page) == [("chime", "Nhạc hiệu xã"), ("bulletin", "Lịch tiêm chủng"), ("outro", "Lời chào cuối")]
    shown = re.findall(r'part-head"><span class="pill" id="at-\w+">([^<]+)<', page.html)
    assert shown == ["17:00:00", "17:00:03", "17:00:07"]
    assert "17:00:11" in page.text  # the computed end
    page = pressed(author, page, "submit")
    broadcast = only_broadcast(house)
    assert [part.kind for part in parts_of(house, broadcast.id)] == ["chime", "bulletin", "outro"]
    assert broadcast.status == "submitted"


def test_parts_move_up_and_down_and_go_and_their_names_go_with_them(
    house: House, author: Person, assets: list[Asset]
) -> None:
    page = three_parts(house, author, assets)
    chime, bulletin, outro = keys(page)
    page = pressed(author, page, f"up:{outro}")
    assert keys(page) == [chime, outro, bulletin]
    assert "Phần đó bây giờ là phần 2." in page.text
    page = pressed(author, page, f"up:{chime}")
    assert keys(page) == [chime, outro, bulletin], "the first cannot go further up"
    page = pressed(author, page, f"down:{chime}")
    assert keys(page) == [outro, chime, bulletin]
    page = pressed(author, page, f"drop:{outro}")
    assert rows(page) == [("chime", "Nhạc hiệu xã"), ("bulletin", "Lịch tiêm chủng")]


def test_a_script_gets_only_the_list_of_parts(house: House, author: Person, assets: list[Asset]) -> None:
    page = three_parts(house, author, assets)
    last = keys(page)[-1]
    form = builder(page)
    told = [(name, value) for name, value in form.fields if name != "act"] + [("act", f"up:{last}")]
    fields: dict[str, list[str]] = {}
    for name, value in told:
        fields.setdefault(name, []).append(value)
    answer = author.client.post("/programmes/parts", data=fields, headers={"hx-request": "true"})
    assert answer.status_code == 200
    assert "<form" not in answer.text
    assert re.findall(r'name="part_key" value="(\w+)"', answer.text)[1] == last
    assert f'id="up-{last}"' in answer.text  # the focus of a keyboard follows the part


def test_a_look_ahead_moves_nothing_whatever_button_was_pressed_last(
    house: House, author: Person, assets: list[Asset]
) -> None:
    page = three_parts(house, author, assets)
    fields: dict[str, list[str]] = {"act": [f"up:{keys(page)[2]}"]}
    for name, value in builder(page).fields:
        fields.setdefault(name, []).append(value)
    answer = author.client.post("/broadcasts/preview", data=fields, headers={"hx-request": "true"})
    listed = answer.text.split('<ol class="programme">')[1].split("</ol>")[0]
    assert re.findall(r"/assets/([0-9a-f]{64})/listen", listed) == [each.sha256 for each in assets]
    assert re.findall(r'id="at-(\w+)"', answer.text) == keys(page)


def test_what_is_wrong_with_a_part_is_said_at_that_part(house: House, author: Person, assets: list[Asset]) -> None:
    page = three_parts(house, author, assets)
    titles = [value for name, value in builder(page).fields if name == "part_title"]
    page = pressed(author, page, "submit", part_title=[titles[0], "x" * 201, titles[2]])
    assert page.status == 422
    items = re.split(r'<li class="part', page.html)[1:]
    assert ["part-wrong" in f"part{item[:20]}" for item in items] == [False, True, False]
    assert "Tên của phần 2 quá dài" in items[1]
    assert only_none(house)


def only_none(house: House) -> bool:
    with house.ctx.db.read() as session:
        return session.scalars(select(Broadcast)).first() is None


def test_a_new_recording_becomes_a_part(house: House, author: Person) -> None:
    page = author.get("/programmes/new")
    files = {"new_recording": ("tin.wav", tone(2.0), "audio/wav")}
    page = author.send(builder(page), files=files, act="upload", new_kind="bulletin", new_title="Tin mới")
    assert rows(page) == [("bulletin", "Tin mới")]
    page = author.send(builder(page), files={"new_recording": ("x.wav", b"no audio", "audio/wav")}, act="upload")
    assert page.status == 415
    assert rows(page) == [("bulletin", "Tin mới")], "nothing that was there is lost"


def test_the_length_stands_beside_what_the_regulation_allows_a_session(
    house: House, author: Person, assets: list[Asset]
) -> None:
    with house.ctx.db.write() as session:
        for station in session.scalars(select(Station)):
            station.rules = {"session": 30}
    page = three_parts(house, author, assets)
    assert "cho phép mỗi buổi 30 phút" in page.text
    assert '<meter min="0" max="1800" value="11"' in page.html


def test_a_programme_is_approved_as_one_with_its_parts_to_hear(
    house: House, author: Person, assets: list[Asset]
) -> None:
    pressed(author, three_parts(house, author, assets), "submit")
    broadcast = only_broadcast(house)
    approver = person(house, "lanhdao")
    page = approver.get(f"/approvals/{broadcast.id}")
    listed = page.html.split('<ol class="programme">')[1].split("</ol>")[0]
    assert re.findall(r'src="/assets/([0-9a-f]{64})/listen"', listed) == [each.sha256 for each in assets]
    assert re.findall(r'class="pill">([^<]+)<', listed) == ["17:00:00", "17:00:03", "17:00:07"]
    assert approver.client.get(f"/assets/{assets[0].sha256}/listen").status_code == 200
    form = next(form for form in page.forms if form.action == f"/approvals/{broadcast.id}")
    assert approver.send(form, decision="approve").status == 200
    shown = author.get(f"/broadcasts/{broadcast.id}")
    assert "Chương trình có 3 phần" in shown.text
    assert shown.html.count('class="piece"') == 3
    week = author.get("/schedule")
    assert week.html.count("Chương trình chiều") == 1, "one line for the whole"


def test_an_edit_opens_the_builder_again_and_a_copy_is_a_new_programme(
    house: House, author: Person, assets: list[Asset]
) -> None:
    pressed(author, three_parts(house, author, assets), "submit")
    broadcast = only_broadcast(house)
    page = author.get(f"/broadcasts/{broadcast.id}/edit")
    assert [kind for kind, _ in rows(page)] == ["chime", "bulletin", "outro"]
    page = pressed(author, page, f"drop:{keys(page)[2]}")
    assert pressed(author, page, "submit", part_title=["", "Lịch tiêm chủng"]).status == 200
    assert len(parts_of(house, broadcast.id)) == 2
    assert only_broadcast(house).revision == 2
    page = author.get(f"/broadcasts/new?copy={broadcast.id}")
    assert ("editing", "") in builder(page).fields
    assert len(rows(page)) == 2
    pressed(author, page, "submit", day=tomorrow(house), time="18:00")
    with house.ctx.db.read() as session:
        assert session.scalars(select(Broadcast.at_time).order_by(Broadcast.at_time)).all()[1].hour == 18


def test_a_bulletin_begins_with_the_chime_of_its_station_unless_its_author_says_otherwise(
    house: House, assets: list[Asset]
) -> None:
    keep(house, "chime", "Nhạc hiệu tỉnh", assets[0])  # of the province, for its communes
    author = person(house, "cua-xa")
    page = author.get("/sounds")
    form = page.form("/sounds/chime")
    assert author.send(form, asset=assets[0].sha256).status == 200
    page = author.get("/broadcasts/new")
    form = page.form("/broadcasts")
    assert ("chime", assets[0].sha256) in form.fields
    with house.ctx.db.write() as session:  # the same file, added by another person
        audit.record(session, house.clock.now(), "cua-xa", "recording.add", assets[1].sha256)
    told = {"asset": assets[1].sha256, "title": "Họp dân", "when": "once", "day": tomorrow(house), "time": "17:00"}
    seen = author.send(form, act="preview", **told)
    listed = seen.html.split('<ol class="programme">')[1].split("</ol>")[0]
    assert re.findall(r"/assets/([0-9a-f]{64})/listen", listed) == [assets[0].sha256, assets[1].sha256]
    author.send(form, act="submit", **told)
    broadcast = only_broadcast(house)
    assert parts_of(house, broadcast.id) == (
        Part(PartKind.CHIME, "", assets[0].sha256),
        Part(PartKind.BULLETIN, "", assets[1].sha256),
    )
    hashed = look_at(house.ctx, house.actor("lanhdao"), broadcast.id)[2]
    edit = author.get(f"/broadcasts/{broadcast.id}/edit").form("/broadcasts")
    assert ("chime", assets[0].sha256) in edit.fields, "the plain form, with its chime"
    author.send(edit, act="submit", chime="")
    assert parts_of(house, broadcast.id) == ()
    assert look_at(house.ctx, house.actor("lanhdao"), broadcast.id)[2] != hashed, (
        "the chime is part of what is approved"
    )


def test_the_built_in_chime_is_kept_by_one_button_and_heard(house: House, author: Person) -> None:
    page = author.get("/sounds")
    page = author.send(page.form("/sounds"), act="own")
    assert page.status == 200
    assert "Nhạc hiệu có sẵn" in page.text
    with house.ctx.db.read() as session:
        sound = session.scalars(select(KeptSound)).one()
    assert sound.kind == "chime"
    assert author.client.get(f"/assets/{sound.asset_sha256}/listen").status_code == 200
    again = author.send(page.form("/sounds"), act="own")
    assert again.status == 409
    assert "Đã có bản ghi tên" in again.text
    assert author.send(again.form(f"/sounds/{sound.id}/drop")).status == 200
    with house.ctx.db.read() as session:
        assert session.scalars(select(KeptSound)).first() is None


@pytest.mark.requirement("R-024")
def test_a_relay_becomes_a_part_with_what_sounds_where_it_is_silent(
    house: House, author: Person, assets: list[Asset]
) -> None:
    with house.ctx.db.read() as session:
        source = session.scalars(select(RelaySource).order_by(RelaySource.id)).first()
    assert source is not None
    page = three_parts(house, author, assets)
    page = pressed(author, page, "relay", add_known=f"bulletin {assets[1].sha256} Thời sự")
    assert rows(page)[-1] == ("relay", "Thời sự")
    page = pressed(author, page, f"up:{keys(page)[3]}")
    items = re.split(r'<li class="part', page.html)[1:]
    assert ["Hãy chọn đài được tiếp âm" in item.split("</li>")[0] for item in items] == [False, False, True, False]
    shown = pressed(author, page, "preview", relay_source=source.id, relay_minutes="15")
    begins = re.findall(r'part-head"><span class="pill" id="at-\w+">([^<]+)<', shown.html)
    assert begins == ["17:00:00", "17:00:03", "17:00:07", "17:15:08"]
    assert source.name in shown.text
    assert "Thêm tiếp âm" not in shown.text, "there is one already"
    assert pressed(author, shown, "submit").status == 200
    broadcast = only_broadcast(house)
    assert (broadcast.relay_source_id, broadcast.relay_minutes) == (source.id, 15)
    edit = author.get(f"/broadcasts/{broadcast.id}/edit")
    assert [kind for kind, _ in rows(edit)] == ["chime", "bulletin", "relay", "outro"]
    assert ("relay_source", source.id) in builder(edit).fields


def test_programs_keep_sounds_and_choose_a_chime_too(house: House, assets: list[Asset]) -> None:
    author = person(house, "cua-xa")
    headers = {"x-form-token": author.token()}
    told = {"kind": "intro", "name": "Lời chào", "asset": assets[2].sha256}
    away = author.client.post("/api/v1/sounds", json=told, headers=headers)
    assert away.status_code == 404, "somebody else's recording, which is used nowhere"
    assert author.client.get(f"/assets/{assets[2].sha256}/listen").status_code == 404
    upload(house, "cua-xa", 4.0)
    made = author.client.post("/api/v1/sounds", json=told, headers=headers)
    assert made.status_code == 201
    assert made.json() == {**told, "id": made.json()["id"], "duration_ms": assets[2].duration_ms, "mine": True}
    keep(house, "chime", "Nhạc hiệu tỉnh", assets[0])
    found = author.client.get("/api/v1/sounds").json()
    assert [(each["kind"], each["mine"]) for each in found] == [("chime", False), ("intro", True)]
    station = f"/api/v1/stations/{house.commune.replace('c-', 's-')}/chime"
    assert author.client.post(station, json={"asset": assets[0].sha256}, headers=headers).status_code == 204
    refused = author.client.post(station, json={"asset": assets[2].sha256}, headers=headers)
    assert refused.status_code == 422, "an opening is no chime"
    assert author.client.post(f"/api/v1/sounds/{found[0]['id']}/drop", headers=headers).status_code == 404
    assert author.client.post(f"/api/v1/sounds/{found[1]['id']}/drop", headers=headers).status_code == 204


def test_a_page_shows_nothing_of_a_recording_that_the_person_may_not_hear(
    house: House, author: Person, assets: list[Asset]
) -> None:
    with house.ctx.db.write() as session:
        like = session.get_one(Asset, assets[0].sha256)
        told = {each.name: getattr(like, each.name) for each in Asset.__table__.columns}
        session.add(Asset(**{**told, "sha256": "e" * 64, "duration_ms": 754_000}))
    page = three_parts(house, author, assets)
    foreign = author.send(builder(page), act="look", part_asset=[assets[1].sha256, "e" * 64, assets[2].sha256])
    known, gone = f"/assets/{assets[1].sha256}/listen", f"/assets/{'e' * 64}/listen"
    assert known in foreign.html
    assert gone not in foreign.html
    assert "12 phút 34" not in foreign.text
    alone = author.send(author.get("/broadcasts/new").form("/broadcasts"), act="look", asset="e" * 64, title="Tin")
    assert gone not in alone.html
    assert "12 phút 34" not in alone.text
