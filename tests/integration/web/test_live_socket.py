from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import WebSocketTestSession
from starlette.websockets import WebSocketDisconnect
from support.live_voice import Ears, voice
from support.office import PROVINCE, House, open_house
from support.pages import Person, person

from broadcasts.wire.trust import Use
from controller.db.tables import LiveSession
from controller.services import live_keeping, live_sessions, live_titles
from controller.services.live_room import MOST_BYTES, LiveRoom
from controller.services.live_sessions import Wish
from controller.services.rights import Role
from controller.web import live_socket

HOME = {"origin": "http://localhost"}
SOON_S = 20.0


@dataclass
class Air:
    """A house on air, with the thread that bootstrap starts for real."""

    house: House
    room: LiveRoom
    ears: Ears
    author: Person

    def approved(self, **changed: Any) -> str:
        ctx = self.house.ctx
        wish = Wish(**{"reason": "Họp dân", "minutes": 10, "areas": (self.house.commune,), "chime": ""} | changed)
        name = live_sessions.ask(ctx, self.house.actor("phatthanh"), wish)
        live_sessions.decide(ctx, self.house.actor("lanhdao"), name, yes=True)
        return name

    @contextmanager
    def open(
        self, name: str, who: Person | None = None, headers: dict[str, str] = HOME
    ) -> Iterator[WebSocketTestSession]:
        client = (who or self.author).client
        # The test client cancels what has not yet heard that it left.
        with (
            suppress(CancelledError),
            client.websocket_connect(f"ws://localhost/live/{name}/voice", headers=headers) as s,
        ):
            yield s

    def hello(self, socket: WebSocketTestSession, who: Person | None = None, **changed: Any) -> None:
        socket.send_text(json.dumps({"token": (who or self.author).token(), "rate": 16_000} | changed))

    def wait(self, so: Callable[[], bool]) -> None:
        """Time passes in steps of a tenth of a second until it is so."""
        pause = threading.Event()
        for _ in range(int(SOON_S / 0.02)):
            if so():
                return
            pause.wait(0.02)
        raise AssertionError("it never came so")

    def state(self, name: str) -> str:
        live_keeping.step(self.house.ctx, self.room, self.house.clock.now())
        with self.house.ctx.db.read() as session:
            return session.get_one(LiveSession, name).state


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = open_house(tmp_path_factory.mktemp("house"))
    house.add_user("nguoi-khac", Role.BROADCASTER, house.commune)
    house.add_user("khancap", Role.EMERGENCY, PROVINCE[0])
    yield house
    house.ctx.db.close()


@pytest.fixture
def air(home: House, tmp_path: Path) -> Iterator[Air]:
    ears = Ears(home.ctx.keys.signer(Use.PLAN), home.ctx.keys.signer(Use.ALERT))
    room = LiveRoom(home.clock, ears.send)
    home.app.state.office = replace(home.office, room=room)
    closing = threading.Event()
    thread = threading.Thread(target=room.run, args=(closing,), daemon=True)
    thread.start()
    yield Air(home, room, ears, person(home, "phatthanh"))
    closing.set()
    thread.join(SOON_S)
    live_keeping.step(home.ctx, room, home.clock.now())
    assert home.app.state.voices == 0, "every socket is given back"


def refusal(socket: WebSocketTestSession) -> dict[str, Any]:
    """The last word before the door closes."""
    told: dict[str, Any] = {}
    while True:
        try:
            told = json.loads(socket.receive_text())
        except WebSocketDisconnect:
            return told


def test_a_microphone_is_heard_by_every_pole_of_the_commune(air: Air) -> None:
    name = air.approved()
    with air.open(name) as socket:
        air.hello(socket)
        told = json.loads(socket.receive_text())
        assert told["state"] in ("chime", "on_air")
        assert 590 <= told["left"] <= 600
        sound = voice(1, 16_000)
        for at in range(0, sound.size, 640):
            socket.send_bytes(sound[at : at + 640].tobytes())
        air.wait(lambda: len(air.ears.packets) >= 5)
        assert air.state(name) == "on_air"
        live_sessions.stop(air.house.ctx, air.house.actor("lanhdao"), name, air.room)
        last = refusal(socket)
    assert (last["state"], last["why"]) == ("ended", "stopped")
    assert "cắt" in last["words"]
    assert air.state(name) == "ended"


@pytest.mark.parametrize(
    "origin", [{}, {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://localhost:81"}]
)
def test_a_page_of_another_site_opens_no_microphone(air: Air, origin: dict[str, str]) -> None:
    with pytest.raises(WebSocketDisconnect), air.open(air.approved(), headers=origin):
        pass
    assert not air.room.on_air


def test_who_is_not_logged_in_opens_none_either(air: Air) -> None:
    with pytest.raises(WebSocketDisconnect) as refused, air.open(air.approved(), Person(air.house)):
        pass
    assert refused.value.code == live_socket.LOGIN


@pytest.mark.parametrize(
    "hello",
    [
        {"token": ""},
        {"token": "x" * 43},
        {"token": None},
        {"token": ["a"]},
    ],
)
def test_without_the_token_of_our_page_nothing_begins(air: Air, hello: dict[str, Any]) -> None:
    with air.open(air.approved()) as socket:
        air.hello(socket, **hello)
        assert refusal(socket)["why"] == "form.foreign"
    assert not air.room.on_air


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 900, "null", '{"token": "' + "x" * 2_000 + '"}'])
def test_what_is_no_greeting_is_shown_the_door(air: Air, text: str) -> None:
    with air.open(air.approved()) as socket:
        socket.send_text(text)
        assert refusal(socket)["why"] == "live.hello"


@pytest.mark.parametrize("rate", [0, -1, 8_000, 192_000, "16000", 16_000.0, True, None])
def test_a_microphone_of_a_strange_rate_begins_nothing(air: Air, rate: Any) -> None:
    with air.open(air.approved()) as socket:
        air.hello(socket, rate=rate)
        assert refusal(socket)["why"] == "live.rate"
    assert not air.room.on_air


def test_sound_before_the_greeting_is_none(air: Air) -> None:
    with air.open(air.approved()) as socket:
        socket.send_bytes(b"\0" * 640)
        assert refusal(socket)["why"] == "live.hello"


def test_who_never_says_anything_is_not_waited_for(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_socket, "HELLO_S", 0.05)
    with air.open(air.approved()) as socket:
        assert refusal(socket)["why"] == "live.hello"


def test_a_socket_that_brings_no_sound_is_closed(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_socket, "SILENT_S", 0.1)
    with air.open(air.approved()) as socket:
        air.hello(socket)
        assert refusal(socket)["why"] == "live.silent_socket"


@pytest.mark.parametrize("sound", [b"\0" * 641, b"\0" * 20, b"\0" * (MOST_BYTES + 2)])
def test_a_message_of_no_length_of_ours_closes_the_door(air: Air, sound: bytes) -> None:
    with air.open(air.approved()) as socket:
        air.hello(socket)
        socket.send_bytes(sound)
        assert refusal(socket)["why"] == "live.message"


def test_a_text_in_between_closes_the_door(air: Air) -> None:
    with air.open(air.approved()) as socket:
        air.hello(socket)
        socket.send_text("hello again")
        assert refusal(socket)["why"] == "live.message"


def test_a_flood_is_cut_off_and_ends_the_voice(air: Air) -> None:
    name = air.approved()
    with air.open(name) as socket:
        air.hello(socket)
        piece = voice(0.1, 16_000).tobytes()
        for _ in range(40):
            socket.send_bytes(piece)
        assert refusal(socket)["why"] in ("live.flood", "flood")
    air.wait(lambda: air.state(name) == "ended")
    with air.house.ctx.db.read() as session:
        assert session.get_one(LiveSession, name).end_why == "flood"


def test_nobody_speaks_into_the_session_of_another(air: Air) -> None:
    other = person(air.house, "nguoi-khac")
    name = air.approved()
    with air.open(name, other) as socket:
        air.hello(socket, other)
        assert refusal(socket)["why"] == "not_yours"
    with air.open(name) as mine:
        air.hello(mine)
        mine.receive_text()
        with air.open(name, other) as socket:
            air.hello(socket, other)
            assert refusal(socket)["why"] == "not_yours"
        assert air.room.on_air == (name,)


def test_an_unapproved_or_unknown_voice_is_refused_with_the_reason(air: Air) -> None:
    wish = Wish(reason="Họp dân", minutes=10, areas=(air.house.commune,))
    name = live_sessions.ask(air.house.ctx, air.house.actor("phatthanh"), wish)
    with air.open(name) as socket:
        air.hello(socket)
        assert refusal(socket)["why"] == "live.not_approved"
    with air.open("live-0000000000000000") as socket:
        air.hello(socket)
        assert refusal(socket)["why"] == "not_yours"


def test_a_dropped_socket_comes_back_into_the_same_voice_and_one_that_does_not_ends_it(air: Air) -> None:
    name = air.approved()
    with air.open(name) as socket:
        air.hello(socket)
        socket.receive_text()
        socket.send_bytes(voice(0.2, 16_000).tobytes())
        air.wait(lambda: bool(air.ears.packets))
    assert air.room.on_air == (name,)
    air.house.clock.advance(3)
    with air.open(name) as socket:
        air.hello(socket, rate=48_000)
        assert json.loads(socket.receive_text())["state"] == "on_air"
        before = len(air.ears.packets)
        socket.send_bytes(voice(0.2, 48_000).tobytes())
        air.wait(lambda: len(air.ears.packets) > before)
    air.house.clock.advance(9)
    air.wait(lambda: air.state(name) == "ended")
    with air.house.ctx.db.read() as session:
        assert session.get_one(LiveSession, name).end_why == "lost"


def test_who_logs_out_is_off_the_socket(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_socket, "TOUCH_EVERY_S", -1.0)
    name = air.approved()
    with air.open(name) as socket:
        air.hello(socket)
        socket.receive_text()
        page = air.author.get("/more")
        air.author.send(page.form("/logout"))
        socket.send_bytes(voice(0.1, 16_000).tobytes())
        assert refusal(socket)["why"] == "login.first"
    air.wait(lambda: air.state(name) == "ended")
    with air.house.ctx.db.read() as session:
        assert session.get_one(LiveSession, name).end_why == "rules", "nobody waits for another microphone of his"


def test_a_database_that_is_away_cuts_nobody_off(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    name = air.approved()
    looked = threading.Event()

    def away(*_: Any, **__: Any) -> Any:
        looked.set()
        raise OperationalError("SELECT", None, Exception("away"))

    with air.open(name) as socket:
        air.hello(socket)
        socket.receive_text()
        monkeypatch.setattr(live_socket, "TOUCH_EVERY_S", -1.0)
        monkeypatch.setattr(live_titles, "who", away)
        air.wait(looked.is_set)
        socket.send_bytes(voice(0.1, 16_000).tobytes())
        assert [json.loads(socket.receive_text())["state"] for _ in range(3)][-1] in ("chime", "on_air")
    assert air.room.on_air == (name,)
    live_sessions.stop(air.house.ctx, air.house.actor("phatthanh"), name, air.room)


def test_a_server_without_a_room_lets_nobody_in(air: Air) -> None:
    air.house.app.state.office = replace(air.house.office, room=None)
    with pytest.raises(WebSocketDisconnect), air.open("live-0000000000000000"):
        pass


def test_more_sockets_than_there_is_room_for_are_turned_away(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_socket, "MOST_SOCKETS", 0)
    with pytest.raises(WebSocketDisconnect) as refused, air.open(air.approved()):
        pass
    assert refused.value.code == live_socket.NO


@pytest.mark.requirement("R-112", "R-113")
@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.BROADCASTER, Role.EMERGENCY)])
def test_no_other_role_speaks_whatever_it_may_else(air: Air, role: Role) -> None:
    if role != Role.APPROVER:
        air.house.add_user(f"vai-{role}", role, air.house.commune)
    somebody = person(air.house, "lanhdao" if role is Role.APPROVER else f"vai-{role}")
    with air.open(air.approved(), somebody) as socket:
        air.hello(socket, somebody)
        assert refusal(socket)["why"] in ("not_yours", "no_right")
    assert not air.room.on_air
