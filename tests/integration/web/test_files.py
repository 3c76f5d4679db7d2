"""Audio over HTTP: whole, in parts, resumed, refused; for units and for people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from support.audio import tone
from support.office import House
from support.pages import person

from broadcasts.audio.store import Stored
from controller.api import files
from controller.app import create_app
from controller.db.tables import Asset, Delivery
from controller.services.approving import approve, look_at
from controller.services.composing import submit
from controller.services.ranges import Part, Unsatisfiable, same_bytes, wanted_part
from controller.services.views.broadcast import proof

ETAG = '"abc"'


@dataclass(frozen=True)
class Unit:
    """A unit whose plan names the file."""

    client: TestClient
    auth: tuple[str, str]
    address: str
    whole: bytes
    sha256: str


@pytest.fixture(scope="module")
def unit(house: House, asset: Asset) -> Unit:
    author, approver = house.actor("phatthanh"), house.actor("lanhdao")
    broadcast = submit(house.ctx, author, house.draft(asset.sha256))
    approve(house.ctx, approver, broadcast, look_at(house.ctx, approver, broadcast)[2])
    with house.ctx.db.read() as session:
        delivery: Delivery = proof(session, author, broadcast, None, house.clock.now()).rows[0].delivery
    house.settle_one(broadcast, delivery.cluster_id, plan_version=1)
    assert delivery.unit_id
    whole = house.ctx.audio.path(asset.sha256).read_bytes()
    auth = (delivery.unit_id, house.secret(delivery.unit_id))
    return Unit(TestClient(house.app), auth, f"/u/assets/{asset.sha256}.opus", whole, asset.sha256)


def test_a_download_that_broke_off_goes_on_where_it_was(unit: Unit) -> None:
    first = unit.client.get(unit.address, auth=unit.auth)
    assert (first.status_code, first.content) == (200, unit.whole)
    assert first.headers["accept-ranges"] == "bytes"
    assert first.headers["content-type"] == "audio/ogg"
    held = 1_234
    rest = unit.client.get(
        unit.address, auth=unit.auth, headers={"range": f"bytes={held}-", "if-range": first.headers["etag"]}
    )
    assert rest.status_code == 206
    assert rest.headers["content-range"] == f"bytes {held}-{len(unit.whole) - 1}/{len(unit.whole)}"
    assert int(rest.headers["content-length"]) == len(unit.whole) - held
    assert unit.whole[:held] + rest.content == unit.whole


def test_one_chunk_is_fetched_alone(unit: Unit) -> None:
    answer = unit.client.get(unit.address, auth=unit.auth, headers={"range": "bytes=100-199"})
    assert (answer.status_code, answer.content) == (206, unit.whole[100:200])


def test_other_bytes_behind_the_name_are_sent_whole(unit: Unit) -> None:
    """If-Range names what the unit holds a part of; when that is not what is here, a part would be garbage."""
    answer = unit.client.get(unit.address, auth=unit.auth, headers={"range": "bytes=10-", "if-range": '"other"'})
    assert (answer.status_code, answer.content) == (200, unit.whole)


def test_a_part_beyond_the_end_is_refused_with_the_size(unit: Unit) -> None:
    answer = unit.client.get(unit.address, auth=unit.auth, headers={"range": f"bytes={len(unit.whole)}-"})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{len(unit.whole)}"


def test_what_one_holds_is_not_sent_again(unit: Unit) -> None:
    answer = unit.client.get(unit.address, auth=unit.auth, headers={"if-none-match": f'"{unit.sha256}"'})
    assert (answer.status_code, answer.content) == (304, b"")


def test_asking_for_the_head_sends_no_body(unit: Unit) -> None:
    answer = unit.client.head(unit.address, auth=unit.auth)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(unit.whole)


def test_a_file_too_large_for_memory_is_streamed_in_parts_all_the_same(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.api.files._SMALL", 10)
    monkeypatch.setattr("controller.api.files._shelf", files._Shelf(1))
    monkeypatch.setattr("broadcasts.audio.store._BLOCK", 1_000)
    assert unit.client.get(unit.address, auth=unit.auth).content == unit.whole
    answer = unit.client.get(unit.address, auth=unit.auth, headers={"range": "bytes=500-"})
    assert (answer.status_code, answer.content) == (206, unit.whole[500:])


def test_a_unit_is_sent_to_the_object_store_only_after_it_was_asked_who_it_is(
    house: House, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[timedelta] = []

    def link(_: Stored, good_for: timedelta) -> str:
        asked.append(good_for)
        return "https://store.example/assets/x?X-Amz-Signature=1"

    monkeypatch.setattr(Stored, "link", link)
    assert unit.client.get(unit.address, auth=unit.auth).status_code == 200, "not where nobody set it up"
    client = TestClient(create_app(replace(house.office, files_by_link=True)), follow_redirects=False)
    answer = client.get(unit.address, auth=unit.auth, headers={"range": "bytes=5-"})
    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (307, "https://store.example/assets/x")
    assert answer.headers["cache-control"] == "no-store"
    assert asked == [timedelta(minutes=5)]
    assert client.get(unit.address).status_code == 401
    assert client.get(unit.address, auth=(unit.auth[0], "wrong")).status_code == 401
    assert client.get(f"/u/assets/{'0' * 64}.opus", auth=unit.auth).status_code == 403
    assert client.head(unit.address, auth=unit.auth).status_code == 200
    assert len(asked) == 1


def test_a_web_server_in_front_is_told_the_file_and_who_asks_for_that_without_one_gets_no_sound(
    house: House, unit: Unit
) -> None:
    asks = {"loa-hand-out": "x-accel", "range": "bytes=0-9"}
    answer = unit.client.get(unit.address, auth=unit.auth, headers=asks)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-accel-redirect"] == f"/held/{unit.sha256[:2]}/{unit.sha256}"
    assert answer.headers["content-type"] == "audio/ogg"
    assert (house.ctx.audio.path(unit.sha256).stat().st_mode & 0o777) == 0o644
    other = next(told["unit"] for told in house.seeded.enrolments if told["unit"] != unit.auth[0])
    for auth, address, status in (
        (None, unit.address, 401),
        ((unit.auth[0], "wrong"), unit.address, 401),
        ((other, house.secret(other)), unit.address, 403),
        (unit.auth, "/u/assets/..%2f..%2fkeys%2fplan.jwk", 403),
        (unit.auth, f"/u/assets/{'0' * 64}.opus", 403),
    ):
        refused = unit.client.get(address, auth=auth, headers=asks)
        assert "x-accel-redirect" not in refused.headers, address
        assert refused.status_code == status or (status, refused.status_code) == (403, 404)
    said = unit.client.get(unit.address, auth=unit.auth, headers={"x-accel-redirect": "/held/x"})
    assert (said.content, "x-accel-redirect" in said.headers) == (unit.whole, False)


@pytest.mark.requirement("R-084")
def test_only_the_units_own_secret_opens_and_only_what_its_plan_names(house: House, unit: Unit) -> None:
    other = next(told["unit"] for told in house.seeded.enrolments if told["unit"] != unit.auth[0])
    assert unit.client.get(unit.address).status_code == 401
    assert unit.client.get(unit.address).headers["www-authenticate"].startswith("Basic")
    assert unit.client.get(unit.address, auth=(unit.auth[0], "wrong")).status_code == 401
    assert unit.client.get(unit.address, auth=("nobody", unit.auth[1])).status_code == 401
    assert unit.client.get(unit.address, auth=(other, unit.auth[1])).status_code == 401
    assert unit.client.get(unit.address, auth=(other, house.secret(other))).status_code == 403
    assert unit.client.get(f"/u/assets/{'0' * 64}.opus", auth=unit.auth).status_code == 403
    assert unit.client.get("/u/assets/..%2f..%2floa.db", auth=unit.auth).status_code in (403, 404)
    assert unit.client.get(unit.address, headers={"authorization": "Basic !!!"}).status_code == 401


def test_people_hear_what_is_used_in_their_area_or_what_they_added(house: House, unit: Unit) -> None:
    path = house.folder / "chỉ của tôi.wav"
    path.write_bytes(tone(3.0, hz=700.0))
    unused = house.add_asset(path)
    author, approver = person(house, "phatthanh"), person(house, "lanhdao")
    assert author.client.get(f"/assets/{unused.sha256}/listen").status_code == 200
    assert approver.client.get(f"/assets/{unused.sha256}/listen").status_code == 404
    assert (
        approver.client.get(f"/assets/{unit.sha256}/listen", headers={"range": "bytes=0-9"}).content == unit.whole[:10]
    )
    assert approver.client.get("/assets/..%2f..%2fkeys/listen").status_code == 404


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("bytes=0-", Part(0, 99)),
        ("bytes=10-19", Part(10, 19)),
        ("bytes=90-500", Part(90, 99)),
        ("bytes=-5", Part(95, 99)),
        ("bytes=-500", Part(0, 99)),
        ("BYTES = 3 - 4", Part(3, 4)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-5", None),
        ("bytes=x-y", None),
        ("bytes=1e3-", None),
        ("bytes=" + "9" * 16 + "-", None),
    ],
)
def test_ranges_mean_what_the_standard_says(header: str | None, part: Part | None) -> None:
    """RFC 9110, 14: what is malformed is ignored."""
    assert wanted_part(header, None, ETAG, 100) == part


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_outside_is_unsatisfiable(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        wanted_part(header, None, ETAG, 100)


def test_if_range_and_if_none_match_compare_the_hash() -> None:
    assert wanted_part("bytes=5-", ETAG, ETAG, 100) == Part(5, 99)
    assert wanted_part("bytes=5-", '"old"', ETAG, 100) is None
    assert wanted_part("bytes=5-", f"W/{ETAG}", ETAG, 100) is None
    assert same_bytes('"x", W/"abc"', ETAG)
    assert same_bytes("*", ETAG)
    assert not same_bytes('"x"', ETAG)
    assert not same_bytes(None, ETAG)
