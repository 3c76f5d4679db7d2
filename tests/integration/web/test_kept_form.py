"""A form that is sent after its session ended, by a browser without script: log in again, and it is there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from support.office import PASSWORD, House
from support.pages import Page, Person, person

from controller.db.tables import Asset, Broadcast, Kept, LoginSession
from controller.services.composing import submit
from controller.services.rights import Role

TYPED = {
    "title": "Mất nước khu vực ấp Phước Hòa",
    "text": "Sáng mai\nmất nước đến trưa.",
    "when": "daily",
    "day": "2031-05-02",
    "time": "17:30",
    "until": "2031-05-09",
    "priority": "2",
    "volume": "64",
}


@pytest.fixture
def author(house: House) -> Person:
    return person(house, "phatthanh")


def end_sessions(house: House) -> None:
    with house.ctx.db.write() as session:
        session.execute(update(LoginSession).values(ended_at=house.ctx.wall.now()))


def kept(house: House) -> int:
    with house.ctx.db.read() as session:
        return session.scalar(select(func.count()).select_from(Kept).where(Kept.name.startswith("form:"))) or 0


def log_in_again(author: Person, page: Page, name: str = "phatthanh") -> Page:
    return author.send(page.form("/login"), name=name, password=PASSWORD)


def broadcasts(house: House) -> int:
    with house.ctx.db.read() as session:
        return session.scalar(select(func.count()).select_from(Broadcast)) or 0


def values(page: Page) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for name, value in page.form("/broadcasts").fields:
        told.setdefault(name, []).append(value)
    return told


def test_what_was_typed_comes_back_after_the_log_in_and_only_once(house: House, author: Person, asset: Asset) -> None:
    form = author.get("/broadcasts/new").form("/broadcasts")
    end_sessions(house)
    there = author.send(form, act="submit", areas=[house.commune], asset=asset.sha256, **TYPED)
    back = log_in_again(author, there)
    told = values(back)
    assert {name: told[name] for name in TYPED} == {name: [value] for name, value in TYPED.items()}
    assert (told["areas"], told["asset"]) == ([house.commune], [asset.sha256])
    assert "chưa gửi đi" in back.text
    assert (broadcasts(house), kept(house)) == (0, 0)
    assert values(author.get("/broadcasts/new"))["title"] == [""]
    tomorrow = (house.clock.now() + timedelta(days=1)).date().isoformat()
    done = author.send(back.form("/broadcasts"), act="submit", day=tomorrow, until="")
    assert (done.status, broadcasts(house)) == (200, 1)


def test_an_edit_comes_back_on_its_own_page(house: House, author: Person, asset: Asset) -> None:
    broadcast = submit(house.ctx, house.actor("phatthanh"), house.draft(asset.sha256))
    form = author.get(f"/broadcasts/{broadcast}/edit").form("/broadcasts")
    end_sessions(house)
    back = log_in_again(author, author.send(form, act="submit", title="Bản tin khác"))
    told = values(back)
    assert (told["title"], told["editing"], told["revision"]) == (["Bản tin khác"], [broadcast], ["1"])


def test_a_chosen_file_is_read_over_and_the_words_beside_it_stay(house: House, author: Person) -> None:
    form = author.get("/broadcasts/new").form("/broadcasts")
    end_sessions(house)
    files = {"recording": ("ban-tin.wav", b"x" * 300_000, "audio/wav")}
    back = log_in_again(author, author.send(form, files=files, act="submit", **TYPED))
    assert values(back)["title"] == [TYPED["title"]]
    assert list(house.office.upload_folder.rglob("upload-*")) == []


def test_another_person_at_the_same_browser_does_not_see_it(house: House, author: Person) -> None:
    house.add_user("nguoikhac", Role.BROADCASTER, house.commune)
    form = author.get("/broadcasts/new").form("/broadcasts")
    end_sessions(house)
    there = author.send(form, act="submit", **TYPED)
    log_in_again(author, there, "nguoikhac")
    assert values(author.get("/broadcasts/new"))["title"] == [""]
    assert kept(house) == 1


def test_nothing_is_kept_of_a_stranger_or_of_a_form_that_is_not_of_that_session(house: House, author: Person) -> None:
    form = author.get("/broadcasts/new").form("/broadcasts")
    end_sessions(house)
    author.send(form, act="submit", form_token="of-another-site", **TYPED)
    stranger = Person(house)
    stranger.send(form, act="submit", **TYPED)
    stranger.client.cookies.set(house.office.session_cookie, "never-was-one")
    stranger.send(form, act="submit", **TYPED)
    author.send(form, act="submit", **{**TYPED, "text": "x" * 70_000})
    assert kept(house) == 0


def test_what_was_kept_for_a_day_is_over(house: House, author: Person) -> None:
    form = author.get("/broadcasts/new").form("/broadcasts")
    end_sessions(house)
    there = author.send(form, act="submit", **TYPED)
    with house.ctx.db.write() as session:
        [row] = session.scalars(select(Kept).where(Kept.name.startswith("form:")))
        row.value = {**row.value, "at": row.value["at"] - 86_400_001}
    assert values(log_in_again(author, there))["title"] == [""]
