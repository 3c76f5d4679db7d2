from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from support.live_voice import Ears, voice
from support.office import AT_EASE, PROVINCE, House, open_house
from support.pages import Page, Person, person

from broadcasts.wire.trust import Use
from controller.db.tables import Assignment, Cluster, JournalEntry, LiveSession, Station, Unit, UnitStatus
from controller.services import live_keeping, live_sessions
from controller.services.live_room import LiveRoom
from controller.services.rights import Role
from controller.services.stations import units_of
from controller.services.views import voices
from controller.services.views.voices import STATES
from controller.web.catalogue import knows


@pytest.fixture
def room(home: House) -> Iterator[LiveRoom]:
    made = LiveRoom(home.clock, Ears(home.ctx.keys.signer(Use.PLAN), home.ctx.keys.signer(Use.ALERT)).send)
    home.app.state.office = replace(home.office, room=made)
    yield made
    for name in made.on_air:
        live_sessions.stop(home.ctx, home.actor("khancap"), name, made)
    made.turn()
    live_keeping.step(home.ctx, made, home.clock.now())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = open_house(tmp_path_factory.mktemp("house"), rules=replace(AT_EASE, second_factor=True))
    house.add_user("khancap", Role.EMERGENCY, PROVINCE[0])
    yield house
    house.ctx.db.close()


@pytest.fixture(scope="module")
def people(home: House) -> dict[str, Person]:
    return {name: person(home, name) for name in ("phatthanh", "lanhdao", "khancap")}


def asked(home: House, people: dict[str, Person], reason: str = "Họp dân bàn việc đê") -> str:
    """By the form; the address of the session's page."""
    page = people["phatthanh"].get("/live/new")
    form = page.form("/live/new")
    told = people["phatthanh"].send(form, reason=reason, areas=home.commune, act="send")
    assert told.status == 200, told.text
    assert "Đã gửi duyệt" in told.text
    with home.ctx.db.read() as session:
        row = session.scalars(select(LiveSession).where(LiveSession.reason == reason)).one()
    return f"/live/{row.id}"


def test_a_voice_is_asked_for_approved_spoken_and_proven_pole_by_pole(
    home: House, people: dict[str, Person], room: LiveRoom
) -> None:
    address = asked(home, people)
    assert "chờ duyệt" in people["lanhdao"].get("/live").text
    assert "1 lượt phát trực tiếp chờ bạn" in people["lanhdao"].get("/").text
    assert "lượt phát trực tiếp chờ bạn" not in people["phatthanh"].get("/").text
    author = people["phatthanh"].get(address)
    assert not [form for form in author.forms if form.action.endswith("decide")], "nobody approves his own"
    assert "data-live" not in author.html
    said = people["lanhdao"].send(people["lanhdao"].get(address).form(f"{address}/decide"), decision="approve")
    assert "Đã duyệt" in said.text
    assert f'data-live="{address}/voice"' in people["phatthanh"].get(address).html
    assert "data-live=" not in people["lanhdao"].get(address).html, "only who asked speaks"
    name = address.removeprefix("/live/")
    live_sessions.begin(home.ctx, home.actor("phatthanh"), name, room)
    mouth = room.attach(name, home.actor("phatthanh").id, 16_000)
    room.turn()
    home.clock.advance(3)  # the chime
    for _ in range(20):
        home.clock.advance(0.1)
        room.give(mouth, voice(0.1, 16_000).tobytes())
        room.turn()
    _tell(home, name)
    page = people["lanhdao"].get(address)
    assert "đang phát" in page.text
    for state in ("đã nghe", "đã phát", "loa không lên tiếng", "mất mạng", "chưa báo"):
        assert state in page.text, state
    assert "Cụm đầu tiên lên tiếng sau" in page.text
    rows = people["lanhdao"].get(f"{address}/rows")
    assert rows.status == 200
    assert "hx-trigger" in rows.html
    stopped = people["lanhdao"].send(page.form(f"{address}/stop"))
    assert "Đã dừng" in stopped.text
    room.turn()
    live_keeping.step(home.ctx, room, home.clock.now())
    live_keeping.keep(home.ctx, home.clock.now())
    page = people["lanhdao"].get(address)
    assert "Người khác đã cắt" in page.text
    assert "/listen" in page.html
    assert "hx-trigger" not in people["lanhdao"].get(f"{address}/rows").html, "what is over is not looked at again"
    refresh = {who: people[who].client.get(f"{address}/rows").headers.get("hx-refresh") for who in people}
    assert refresh == {"phatthanh": None, "lanhdao": "true", "khancap": "true"}, "the speaker's page says so itself"
    home.clock.advance(60)
    _swap(home, name)
    with home.ctx.db.read() as session:
        proof = voices.full(session, home.actor("lanhdao"), name, home.clock.now())
    assert proof.counts["sounding"] == 0, "nobody says after the end that it sounds"
    assert [proof.counts[state] for state in ("heard", "played", "silent")] == [1, 1, 1], "told by the unit of then"


def _swap(home: House, name: str) -> None:
    """Every pole gets another unit."""
    with home.ctx.db.write() as session:
        for cluster, unit in units_of(session, session.get_one(LiveSession, name).clusters).items():
            old = session.scalars(select(Assignment).where(Assignment.unit_id == unit)).one()
            old.until = home.clock.now()
            new = Unit(
                id=f"new-{unit}", vendor="x", key_x="", password_only=True, secret_hashes=[], enrolled_at=old.until
            )
            session.add(new)
            session.flush()
            session.add(Assignment(unit_id=new.id, cluster_id=cluster, since=old.until))


def _tell(home: House, name: str) -> None:
    """Five units, each with another fate."""
    now = home.clock.now()
    with home.ctx.db.write() as session:
        row = session.get_one(LiveSession, name)
        units = [unit for _, unit in sorted(units_of(session, row.clusters).items())]
        for number, unit in enumerate(units[:4]):
            entries = [("started", {})]
            if number < 3:
                amplifier = ("sound", "none", "silent")[number]
                entries.append(("ended", {"played_ms": 2_000, "amplifier": amplifier, "live_heard": {"lost_ms": 200}}))
            for seq, (kind, more) in enumerate(entries, 1):
                at = now + timedelta(milliseconds=seq)
                session.add(
                    JournalEntry(
                        unit_id=unit, journal_id="j", seq=seq, kind=kind, item=name, at=at, received_at=at, boot_id=1,
                        signed=True, entry={"kind": kind, "item": name, **more},
                    )
                )  # fmt: skip
        status = session.get(UnitStatus, units[4])
        if status is None:
            status = UnitStatus(unit_id=units[4])
            session.add(status)
        status.connected = True
        if (gone := session.get(UnitStatus, units[-1])) is not None and units[-1] != units[4]:
            gone.connected = False
        row.clusters = sorted({*row.clusters, *[each.id for each in home.clusters()][:6]})


def test_a_no_wants_its_reason_and_ends_it(home: House, people: dict[str, Person], room: LiveRoom) -> None:
    address = asked(home, people, "Việc không cần")
    form = people["lanhdao"].get(address).form(f"{address}/decide")
    assert people["lanhdao"].send(form, decision="reject").status == 422
    said = people["lanhdao"].send(form, decision="reject", note="Phát bản tin thường là đủ")
    assert "Phát bản tin thường là đủ" in said.text
    assert "data-live" not in people["phatthanh"].get(address).html


def test_what_was_typed_stays_in_the_form_that_is_refused(home: House, people: dict[str, Person]) -> None:
    page = people["phatthanh"].get("/live/new")
    form = page.form("/live/new")
    first, last = {"when": "at", "day": "0001-01-01"}, {"when": "at", "day": "9999-12-31", "minutes": "9999"}
    ends_of_time = ({"clock": "00:00"} | first, {"clock": "23:59"} | last)
    for changed in (
        {"minutes": "99"},
        {"minutes": "x"},
        {"when": "at", "clock": "25:00"},
        {"reason": " "},
        *ends_of_time,
    ):
        told = people["phatthanh"].send(
            form, **{"reason": "Nói chuyện", "areas": home.commune, "act": "send"} | changed
        )
        assert told.status == 422, changed
        assert 'value="Nói chuyện"' in told.html or changed == {"reason": " "}
    looked = people["phatthanh"].send(form, reason="Nói", areas=home.commune, act="look")
    assert looked.status == 200
    assert "Sẽ nghe ở 5 cụm" in looked.text


def test_a_voice_goes_where_a_tag_or_a_drawn_shape_says(home: House, people: dict[str, Person]) -> None:
    with home.ctx.db.write() as session:
        tagged, drawn, *_ = session.scalars(select(Cluster).where(Cluster.longitude.is_not(None)).order_by(Cluster.id))
        tagged.tags = ["chợ"]
        x, y = drawn.longitude or 0.0, drawn.latitude or 0.0
        meant = [tagged.id, drawn.id]
    ring = [[x - 1e-4, y - 1e-4], [x + 1e-4, y - 1e-4], [x + 1e-4, y + 1e-4], [x - 1e-4, y - 1e-4]]
    told = {"reason": "Họp chợ", "areas": None, "tags": "chợ,", "minutes": "5"}
    form = people["phatthanh"].get("/live/new").form("/live/new")
    for shape in ("{", '{"type": "Point"}', "[" * 5_000):
        wrong = people["phatthanh"].send(form, **told, shape=shape, act="send")
        assert wrong.status == 422
        assert ("tags", "chợ,") in wrong.form("/live/new").fields
        assert dict(wrong.form("/live/new").fields)["shape"] == shape
    ring[2:3] = [[x + 1e-4, y + 1e-4], [x - 1e-4, y + 1e-4]]
    shape = json.dumps({"type": "Polygon", "coordinates": [ring]})
    seen = people["phatthanh"].send(form, **told, shape=shape, act="look")
    assert "2 cụm" in seen.text, seen.text
    people["phatthanh"].send(seen.form("/live/new"), act="send")
    with home.ctx.db.read() as session:
        row = session.scalars(select(LiveSession).where(LiveSession.reason == "Họp chợ")).one()
    assert row.clusters == meant
    urgent = people["khancap"].get("/live/emergency")
    assert 'hx-get="/emergency/map"' in urgent.html, "who writes no bulletins gets the map of emergencies"


def test_a_strange_hour_is_said_and_ticked(home: House, people: dict[str, Person]) -> None:
    with home.ctx.db.write() as session:
        for station in session.scalars(select(Station)):
            station.hours = [[0, 1440]]
    form = people["phatthanh"].get("/live/new").form("/live/new")
    day = (home.clock.now() + timedelta(days=1)).date().isoformat()
    told = {"reason": "Giờ lạ", "areas": home.commune, "when": "at", "day": day, "clock": "03:15", "act": "send"}
    first = people["phatthanh"].send(form, **told)
    assert first.status == 422
    mark = first.html.partition('name="unusual" value="')[2].partition('"')[0]
    assert mark.startswith("03:15:00;")
    assert "Đã gửi duyệt" in people["phatthanh"].send(form, **told, unusual=mark).text


def test_an_emergency_asks_for_a_code_and_for_the_number_of_poles_and_waits_for_a_second_word(
    home: House, people: dict[str, Person], room: LiveRoom
) -> None:
    officer = people["khancap"]
    form = officer.get("/live/emergency").form("/live/emergency")
    told = {"reason": "Vỡ đê ở ấp 3", "kind": "flood", "areas": PROVINCE[0], "act": "send", "chime": ""}
    first = officer.send(form, **told)
    assert first.status == 422
    assert 'name="typed"' in first.html
    home.clock.advance(home.ctx.people.fresh_code.total_seconds() + 60)
    asks = officer.send(form, **told, typed="10")
    assert [each.action for each in asks.forms if each.action == "/live/emergency"], "the form waits for a fresh code"
    with home.ctx.db.read() as session:
        assert session.scalars(select(LiveSession).where(LiveSession.priority == 1)).first() is None
    actor = home.actor("khancap")
    wish = live_sessions.Wish(
        reason="Vỡ đê ở ấp 3", minutes=5, priority=1, kind="flood", areas=(PROVINCE[0],), typed="10", chime=""
    )
    name = live_sessions.declare(home.ctx, actor, wish)
    live_sessions.begin(home.ctx, actor, name, room)
    room.turn()
    page = people["lanhdao"].get(f"/live/{name}")
    assert "Chờ người thứ hai xác nhận" in page.text
    assert "Chờ người thứ hai xác nhận" in people["lanhdao"].get("/live").text
    said = people["lanhdao"].send(page.form(f"/live/{name}/confirm"), decision="approve")
    assert "Chờ người thứ hai xác nhận" not in said.text


def test_every_state_of_a_pole_has_its_word() -> None:
    assert all(knows(f"voice.pole.{state}") for state in STATES)


def test_looking_at_the_list_counts_as_a_person_at_work(home: House, people: dict[str, Person]) -> None:
    page: Page = people["phatthanh"].get("/live")
    assert page.status == 200
    assert "Xin phát trực tiếp" in page.text
    assert "Nói khẩn cấp" not in page.text


def test_a_program_lists_a_voice_reads_its_poles_and_how_it_ended(
    home: House, people: dict[str, Person], room: LiveRoom
) -> None:
    name = asked(home, people, "Hỏi bằng phần mềm").rsplit("/", 1)[1]
    client = people["lanhdao"].client
    (line,) = [each for each in client.get("/api/v1/live").json() if each["id"] == name]
    assert (line["state"], line["reason"], line["may_stop"]) == ("asked", "Hỏi bằng phần mềm", True)
    one = client.get(f"/api/v1/live/{name}").json()
    assert len(one["poles"]) == line["clusters"] > 0
    live_sessions.stop(home.ctx, home.actor("phatthanh"), name, room)
    again = client.get(f"/api/v1/live/{name}").json()
    assert (again["state"], again["end_why"], again["ended_by"]) == ("ended", "hand", "phatthanh")
    assert client.post(f"/api/v1/live/{name}/stop").status_code == 403, "without the form's token"


def test_a_program_cuts_a_voice_off_that_is_on_air_and_withdraws_one_that_was_not_begun(
    home: House, people: dict[str, Person], room: LiveRoom
) -> None:
    client, told = people["lanhdao"].client, {"x-form-token": people["lanhdao"].token()}
    waits = asked(home, people, "Chưa bắt đầu").rsplit("/", 1)[1]
    done = client.post(f"/api/v1/live/{waits}/stop", headers=told)
    assert (done.status_code, done.content) == (204, b"")
    name = asked(home, people, "Đang nói dở").rsplit("/", 1)[1]
    live_sessions.decide(home.ctx, replace(home.actor("lanhdao"), strong=True), name, yes=True)
    live_sessions.begin(home.ctx, home.actor("phatthanh"), name, room)
    room.turn()
    done = client.post(f"/api/v1/live/{name}/stop", headers=told)
    assert (done.status_code, done.content) == (204, b"")
    for _ in range(3):
        home.clock.advance(1)
        room.turn()
        live_keeping.step(home.ctx, room, home.clock.now())
    shown = [client.get(f"/api/v1/live/{each}").json() for each in (waits, name)]
    assert [(each["state"], each["end_why"], each["ended_by"]) for each in shown] == [
        ("ended", "hand", "lanhdao"),
        ("ended", "stopped", "lanhdao"),
    ]
    again = client.post(f"/api/v1/live/{name}/stop", headers=told)
    assert again.status_code == 409
    assert "live.over" in again.text
