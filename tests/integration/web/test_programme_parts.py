"""A programme whose parts are recorded and typed in its own form, and heard as a whole before it is handed in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.audio import tone
from support.fresh import fresh_house
from support.office import House
from support.pages import Page, Person, person
from support.uploads import Sender, prepare_all

from controller.api import files
from controller.db.tables import Asset
from controller.services.library import add_recording
from controller.services.rights import Role

house = fresh_house


@pytest.fixture
def author(house: House) -> Person:
    return person(house, "phatthanh")


def upload(house: House, seconds: float, by: str = "phatthanh") -> Asset:
    path = house.folder / f"{seconds}.wav"
    path.write_bytes(tone(seconds))
    return add_recording(house.ctx, house.actor(by), path, path.name)


def pressed(author: Person, page: Page, act: str, **changed: str) -> Page:
    """A button of the form, without script."""
    return author.send(page.form("/broadcasts"), act=act, **changed)


def rows(page: Page) -> list[tuple[str, str]]:
    fields = page.form("/broadcasts").fields
    kinds = [value for name, value in fields if name == "part_kind"]
    return list(zip(kinds, [value for name, value in fields if name == "part_title"], strict=True))


def whole(page: Page) -> list[str]:
    """Addresses of players of the whole programme."""
    return [each.replace("&amp;", "&") for each in re.findall(r'src="(/assets/programme[^"]+)"', page.html)]


def test_a_typed_part_is_spoken_named_by_its_first_words_and_added(house: House, author: Person) -> None:
    page = author.get("/programmes/new")
    page = pressed(
        author, page, "speak", new_text="Mời bà con ra quân vệ sinh đường làng sáng mai.", new_kind="bulletin"
    )
    assert re.search(r'name="asset" id="asset" value="[0-9a-f]{64}"', page.html)

    page = pressed(author, page, "made")

    assert rows(page) == [("bulletin", "Mời bà con ra quân vệ sinh đường")]
    assert re.search(r'name="asset" id="asset" value=""', page.html), "the place for the next one is empty"
    page = pressed(
        author,
        page,
        "speak",
        new_text="Xin cảm ơn bà con đã lắng nghe chương trình.",
        new_kind="outro",
        new_title="Lời chào",
    )
    page = pressed(author, page, "made")
    assert rows(page)[1] == ("outro", "Lời chào")


def test_what_the_studio_sent_becomes_a_part_with_script_and_the_form_is_ready_for_the_next(
    house: House, author: Person
) -> None:
    sender = Sender(author.client, author.token())
    sender.whole(tone(2.0))
    assert prepare_all(house) == 1
    made = str(sender.told()["asset"])

    answer = author.client.post(
        "/programmes/parts",
        data={"form_token": author.token(), "act": "made", "asset": made, "new_kind": "intro", "new_title": "Mở đầu"},
    )

    assert answer.status_code == 200
    assert f'name="part_asset" value="{made}"' in answer.text
    assert (
        'id="recording" hx-swap-oob="innerHTML"><input type="hidden" name="asset" id="asset" value="">' in answer.text
    )
    assert 'id="new_title" name="new_title" value="" maxlength="200" hx-swap-oob="true"' in answer.text
    assert "thành phần 1" in answer.text


def test_nothing_that_was_made_adds_nothing(author: Person) -> None:
    page = pressed(author, author.get("/programmes/new"), "made")

    assert rows(page) == []


def test_the_whole_programme_is_one_player_of_the_computed_length(house: House, author: Person) -> None:
    two, three = upload(house, 2.0), upload(house, 3.0)
    page = author.get("/programmes/new")
    for asset in (two, three):
        page = pressed(author, page, "add", add_known=f"bulletin {asset.sha256} Tin")

    address = whole(page)[0]
    assert address == f"/assets/programme?part={two.sha256}&part={three.sha256}"
    assert 'data-length="6000"' in page.html, "the second part begins at 3 s and lasts 3"
    answer = author.client.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/ogg")
    part = author.client.get(address, headers={"range": "bytes=0-99"})
    assert (part.status_code, part.content) == (206, answer.content[:100])
    assert author.client.get(address).content == answer.content


def test_a_long_programme_is_put_together_once_for_all_its_pieces(
    house: House, author: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = upload(house, 2.0), upload(house, 4.0)
    address = f"/assets/programme?part={one.sha256}&part={two.sha256}"
    real, made = files.whole_sound.joined, list[object]()

    def joined(*told: Any) -> bytes:
        made.append(told)
        return real(*told)

    with monkeypatch.context() as patch:
        patch.setattr(files, "_SMALL", 100)
        patch.setattr(files.whole_sound, "joined", joined)
        for place in (0, 100, 200):
            piece = author.client.get(address, headers={"range": f"bytes={place}-{place + 99}"})
            assert (piece.status_code, len(piece.content)) == (206, 100)
    assert len(made) == 1


def test_who_may_not_hear_a_part_hears_no_programme_with_it(house: House, author: Person) -> None:
    house.add_user("xa-khac", Role.BROADCASTER, "c-31618")
    mine, foreign = upload(house, 2.0), upload(house, 3.0, by="xa-khac")
    address = f"/assets/programme?part={mine.sha256}&part={foreign.sha256}"

    for name in (mine.sha256, foreign.sha256, "0" * 64):
        told = author.client.get(f"/assets/programme?part={mine.sha256}&part={name}")
        assert told.status_code == (200 if name == mine.sha256 else 404)
    assert author.client.get(address).status_code == 404
    assert author.client.get("/assets/programme").status_code == 422
