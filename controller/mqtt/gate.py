"""The gate of the embedded broker: nats-server asks us about each connection, and we say who may come in.

Why not a list of users in its config file: there a client id is free. Whoever holds one unit's credential could
connect under another unit's client id and cut that unit off, again and again, just when an alert goes out; and under
the controller's id could throw away the controller's queue. NATS has no setting that ties the two. Its authorization
callout (ADR-26) hands us user name, secret *and* MQTT client id before any session is touched.

Two more gifts: nothing secret is written to disk (both keys are made anew for each run and the config holds their
public halves), and adding a unit needs no reload. That matters, because a reload of nats-server deletes every
retained message whose author is not in the config file's list of users.

Nobody but this gate gets in by the NATS protocol.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from broadcasts.clock import Clock
from broadcasts.errors import Fault
from broadcasts.ids import NAME
from controller.mqtt.broker_users import BrokerUser, new_secret, secret_hash
from controller.mqtt.nats_keys import Kind, Nkey, claims_of

ACCOUNT = "LOA"
_ASKED = "$SYS.REQ.USER.AUTH"
_UNREAD = "_LOA.unread"
"""Where the broker may answer a request of ours: it ignores those that want no answer."""
_TALK_S = 5.0


class Gate:
    """Answers on one connection to the broker. `users` is asked at the start and at each `revise`."""

    def __init__(self, users: Callable[[], Iterable[BrokerUser]], clock: Clock) -> None:
        self._read_users = users
        self._clock = clock
        self._issuer, self._seat = Nkey(Kind.ACCOUNT), Nkey(Kind.USER)
        self._lock = threading.Lock()
        self._users = {user.name: user for user in users()}
        self._lent: dict[str, BrokerUser] = {}
        self._inside: dict[str, tuple[int, BrokerUser]] = {}
        self._socket: socket.socket | None = None
        self._server_id = ""

    def authorization(self) -> str:
        """The part of the broker's config that hands the decision to this gate; public keys only."""
        return f"""accounts {{
  {ACCOUNT} {{ jetstream: enabled }}
  GATE {{
    users: [ {{ nkey: {self._seat.public}
      permissions: {{ subscribe: ["{_ASKED}"], publish: ["$SYS.REQ.SERVER.*.KICK"], allow_responses: true }} }} ]
  }}
}}
system_account: GATE
authorization {{
  timeout: 10
  auth_callout {{ issuer: {self._issuer.public}, account: GATE, auth_users: [ {self._seat.public} ] }}
}}
"""

    def open(self, host: str, port: int) -> None:
        """Take the seat. Raises OSError while nothing listens, Fault("broker_gate") when the broker says no."""
        link = socket.create_connection((host, port), timeout=_TALK_S)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = _Lines(link)
        hello = self._lines.line()
        if not hello.startswith(b"INFO "):
            raise Fault("broker_gate", detail="not a NATS server")
        info = json.loads(hello[5:])
        self._server_id = info["server_id"]
        connect = {
            "nkey": self._seat.public,
            "sig": self._seat.sign(info["nonce"].encode()),
            "verbose": False,
            "pedantic": False,
            "name": "loa gate",
            "lang": "python",
            "version": "1",
            "protocol": 1,
        }
        link.sendall(f"CONNECT {json.dumps(connect)}\r\nSUB {_ASKED} 1\r\nPING\r\n".encode())
        answer = self._lines.line()
        if answer != b"PONG":
            raise Fault("broker_gate", detail=answer.decode(errors="replace")[:200])
        link.settimeout(None)
        self._socket = link

    def serve(self) -> None:
        """Answer until the broker closes the connection."""
        for reply, payload in self._lines.messages(self._send):
            # What we do not understand stays unanswered, which the broker takes for a no.
            with contextlib.suppress(LookupError, TypeError, ValueError, Fault):
                self._publish(reply, self._answer(payload).encode())

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def revise(self) -> None:
        """Read the users again; whoever is no longer known by the same secret and role is cut off at once."""
        users = {user.name: user for user in self._read_users()}
        with self._lock:
            self._users = users
            gone = [(name, cid) for name, (cid, user) in self._inside.items() if users.get(name) != user]
            for name, _ in gone:
                del self._inside[name]
        for _, cid in gone:
            kick = f"$SYS.REQ.SERVER.{self._server_id}.KICK {_UNREAD}"
            self._publish(kick, json.dumps({"cid": cid}).encode())

    def knows(self, name: str) -> bool:
        with self._lock:
            return name in self._users

    def lend(self, name: str) -> str:
        """A new secret with which a name comes in that `users` does not have, until it is taken back."""
        secret = new_secret()
        with self._lock:
            self._lent[name] = BrokerUser(name, secret_hash(secret))
        return secret

    def take_back(self, name: str) -> None:
        with self._lock:
            self._lent.pop(name, None)

    def _answer(self, request: bytes) -> str:
        asked = claims_of(request)["nats"]
        visitor, offered = asked["client_info"], asked["connect_opts"]
        with self._lock:
            name = offered.get("user", "")
            user = self._lent.get(name) or self._users.get(name)
            refusal = _refusal(user, visitor, offered)
            if user is not None and not refusal:
                self._inside[user.name] = (visitor["id"], user)
        response: dict[str, Any] = {"type": "authorization_response", "version": 2}
        if user is None or refusal:
            response["error"] = refusal
        else:
            response["jwt"] = self._pass(user, asked["user_nkey"])
        return self._issuer.token(
            {"sub": asked["user_nkey"], "aud": self._server_id, "iat": self._now_s(), "nats": response}
        )

    def _pass(self, user: BrokerUser, holder: str) -> str:
        rights = {
            "type": "user",
            "version": 2,
            "pub": {"allow": _subjects(user.may_write())},
            "sub": {"allow": _subjects(user.may_read())},
            "subs": -1,
            "data": -1,
            "payload": -1,
            "allowed_connection_types": ["MQTT"],
        }
        return self._issuer.token(
            {"sub": holder, "aud": ACCOUNT, "name": user.name, "iat": self._now_s(), "nats": rights}
        )

    def _now_s(self) -> int:
        return int(self._clock.now().timestamp())

    def _publish(self, subject: str, payload: bytes) -> None:
        self._send(f"PUB {subject} {len(payload)}\r\n".encode() + payload + b"\r\n")

    def _send(self, raw: bytes) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.sendall(raw)


def _refusal(user: BrokerUser | None, visitor: dict[str, Any], offered: dict[str, Any]) -> str:
    if visitor.get("type") != "mqtt":
        return "MQTT only"
    if user is None or not NAME.match(user.name) or not user.has(offered.get("pass", "")):
        return "unknown user or wrong secret"
    if visitor.get("mqtt_id") != user.name:
        return "client id is not the user name"
    return ""


def _subjects(filters: Iterable[str]) -> list[str]:
    """MQTT filters as NATS subjects. A final `#` also covers its parent, which in NATS is a subject of its own:
    without it the whole subscription is refused. Names hold no dots (`ids.NAME`), so no two topics collide."""
    found: list[str] = []
    for pattern in filters:
        subject = pattern.replace("/", ".").replace("+", "*")
        found += [subject[:-2], subject[:-1] + ">"] if subject.endswith(".#") else [subject]
    return found


class _Lines:
    """The NATS text protocol, as much as one subscriber sees of it."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._file = link.makefile("rb")

    def line(self) -> bytes:
        """Without its end; raises OSError at the end of the stream."""
        raw = self._file.readline()
        if not raw:
            raise ConnectionError("the broker closed the connection")
        return raw.rstrip(b"\r\n")

    def messages(self, send: Callable[[bytes], None]) -> Iterator[tuple[str, bytes]]:
        """(reply subject or "", payload) of each message, until the stream ends. Pings are answered."""
        while True:
            try:
                line = self.line()
                if line == b"PING":
                    send(b"PONG\r\n")
                elif line.startswith(b"MSG "):
                    words = line.decode().split(" ")
                    payload = self._file.read(int(words[-1]) + 2)[:-2]
                    yield (words[3] if len(words) == 5 else ""), payload
            except (OSError, ValueError):
                return
