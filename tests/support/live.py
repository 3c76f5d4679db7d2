"""A live fleet on real sockets, with a controller by hand on the other side of the broker."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.parties import OverSockets
from support.signed import Signer
from support.wait import until

from broadcasts.clock import Clock, SystemClock, unix_ms
from broadcasts.wire import topics
from broadcasts.wire.codec import decode, unseal
from broadcasts.wire.journal import AnyEntry, JournalBatch
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.status import Presence, Reported, TimeAsk
from broadcasts.wire.topics import In, Out
from controller.mqtt.broker_users import CONTROLLER
from device_sim.control import Control, ask
from device_sim.fate import Fate
from device_sim.fleetfile import FleetFile, read_fleet
from device_sim.live import Fleet


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A unit that was cut off in the middle of an answer is what these tests are about."""


class FileServer:
    """GET with Range and Basic authentication, as CONTRACT.md section 7 has it. `asked` notes (unit, range, status)."""

    def __init__(self, secrets: dict[str, str]) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, int]] = []
        self.knows_ranges = True
        self.sends_to = ""
        """Where every unit that may have a file is sent for it; empty: it is had here."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, body, unit = outer.answer(self.path, dict(self.headers.items()), secrets)
                outer.asked.append((unit, self.headers.get("Range", ""), status))
                if outer.sends_to and status in (200, 206):
                    status, body = 307, b""
                self.send_response(status)
                if status == 307:
                    self.send_header("Location", outer.sends_to)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):  # the unit broke off
                    self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the library
                pass

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}/u"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, path: str, headers: dict[str, str], secrets: dict[str, str]) -> tuple[int, bytes, str]:
        unit, _, secret = (
            base64.b64decode(headers.get("Authorization", "").removeprefix("Basic ")).decode().partition(":")
        )
        if not secret or secrets.get(unit) != secret:
            return 401, b"", unit
        data = self.files.get(path.removeprefix("/u/"))
        if data is None:
            return 404, b"", unit
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("Range", ""))
        if wanted is None or not self.knows_ranges:
            return 200, data, unit
        return 206, data[int(wanted[1]) : int(wanted[2]) + 1], unit

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Hand:
    """The controller by hand: keys, signed words, and answers to whatever units ask, given while `pump` runs."""

    def __init__(self, broker: OverSockets, units: Sequence[str], clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.units = tuple(units)
        self.signer = Signer(self.now())
        self.keys = {unit: SigningKey.generate(unit) for unit in units}
        self.reported: dict[str, Reported] = {}
        self.presence: dict[str, Presence] = {}
        self.entries: dict[tuple[str, str, int], AnyEntry] = {}
        self.repeated = 0
        """Entries that arrived again."""
        self._party = broker.enter(CONTROLLER)
        for each in topics.CONTROLLER_FILTERS:
            self._party.subscribe(each, 1)
        self.say(topics.TRUST, self.signer.trust(self.now()), retain=True)

    def now(self) -> int:
        return unix_ms(self.clock.now())

    def say(self, topic: str, payload: bytes, retain: bool) -> None:
        self._party.publish(topic, payload, 1, retain)

    def plan(self, unit: str, items: Sequence[Any], assets: Sequence[Any], **fields: Any) -> None:
        document = self.signer.plan(unit, self.now(), items, assets, **fields)
        self.say(topics.to_unit(unit, In.PLAN), document, retain=True)

    def pump(self) -> None:
        arrived, self._party.inbox[:] = list(self._party.inbox), []
        for packet in arrived:
            address = topics.parse(packet.topic)
            match address.kind:
                case Out.REPORTED:
                    self.reported[address.about] = decode(Reported, packet.payload)
                case Out.PRESENCE:
                    self.presence[address.about] = decode(Presence, packet.payload)
                case Out.TIME_ASK:
                    nonce = decode(TimeAsk, packet.payload).nonce
                    answer = self.signer.time(address.about, nonce, self.now())
                    self.say(topics.to_unit(address.about, In.TIME), answer, retain=False)
                case Out.JOURNAL:
                    self._journal(address.about, packet.payload)

    def _journal(self, unit: str, document: bytes) -> None:
        batch = unseal(JournalBatch, document, Typ.JOURNAL, lambda kid: self.keys[unit].public if kid == unit else None)
        for entry in batch.entries:
            name = (unit, batch.journal_id, entry.seq)
            self.repeated += name in self.entries
            self.entries[name] = entry
        ack = self.signer.ack(unit, batch.journal_id, max(entry.seq for entry in batch.entries))
        self.say(topics.to_unit(unit, In.JOURNAL_ACK), ack, retain=True)

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        def look() -> bool:
            self.pump()
            return condition()

        until(look, what, seconds)

    def kinds(self, unit: str, item: str) -> list[str]:
        """What the unit's journal says about an item, in order: `started`, `ended played sound`, …"""
        told = []
        for (whose, _, _), entry in sorted(self.entries.items(), key=lambda pair: pair[0][2]):
            if whose == unit and getattr(entry, "item", None) == item:
                more = [getattr(entry, name) for name in ("outcome", "amplifier", "why") if hasattr(entry, name)]
                told.append(" ".join([entry.kind, *more]))
        return told

    def goodbye(self) -> None:
        self._party.goodbye()


def write_fleet(path: Path, hand: Hand, broker: OverSockets, files: str, **broker_fields: Any) -> FleetFile:
    root = hand.signer.root.public
    told = {
        "broker": {"host": broker.address[0], "port": broker.address[1], **broker_fields},
        "files": files,
        "root": {"kid": root.kid, "x": root.x},
        "units": [
            {
                "unit": unit,
                "cluster": f"c-{unit}",
                "secret": broker.secrets[unit],
                "key_jwk": hand.keys[unit].to_jwk(),
                "root_kid": root.kid,
                "root_x": root.x,
            }
            for unit in hand.units
        ],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(told), encoding="utf-8")
    return read_fleet(path)


class Running:
    """A fleet in its thread, and its control socket."""

    def __init__(self, fleet: Fleet, socket: Path) -> None:
        self.fleet, self.socket = fleet, socket

    def ask(self, **request: Any) -> dict[str, Any]:
        return ask(self.socket, request)

    def poles(self) -> dict[str, dict[str, Any]]:
        return {pole["unit"]: pole for pole in self.ask(do="poles")["poles"]}

    def fault(self, kind: str, *units: str, **more: Any) -> dict[str, Any]:
        told = self.ask(do="fault", kind=kind, units=list(units), **more)
        assert told["ok"], told
        return told


@contextlib.contextmanager
def running_fleet(
    file: FleetFile,
    folder: Path,
    state: Path | None = None,
    ca: Path | None = None,
    clock: Clock | None = None,
    streams: bool = False,
) -> Iterator[Running]:
    fleet = Fleet(file, clock or SystemClock(), ca=ca, state=state, streams=streams, inside=streams)
    socket = folder / "sim.sock"
    control = Control(socket, fleet.wake)
    stop, died = threading.Event(), []

    def work() -> None:
        try:
            fleet.run(stop, lambda: control.answer_waiting(Fate(fleet).answer))
        except BaseException as failure:
            died.append(failure)
            raise

    thread = threading.Thread(target=work, name="fleet")
    thread.start()
    try:
        yield Running(fleet, socket)
    finally:
        stop.set()
        fleet.wake()
        thread.join(60)
        control.close()
        fleet.close()
    assert not died
    assert not thread.is_alive()
