"""`loa check` at an external broker: can we get there, are we let in, and are our rights those of the contract?

It comes in the controller's own name, because the rights hang on it, so beside a controller it runs only when told to:
the broker cuts that one off. The controller's session is left as it was: what units said meanwhile is not acknowledged
here and waits for the controller. Brokers refuse without a word (Mosquitto grants every subscription and drops what
may not be delivered), so a right is what arrives: everything is said to ourselves, in the branches of two names that
no unit has. What every unit would hear (trust, alerts) is not tried.
"""

from __future__ import annotations

import secrets
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from broadcasts.clock import Clock
from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out
from controller.mqtt.broker_users import CHECK
from controller.mqtt.link import BrokerAddress
from controller.mqtt.socket_tuning import TunedClient

CONNECT_S = 10.0
ANSWER_S = 5.0
_REFUSED = 128


@dataclass(frozen=True)
class Line:
    """What was looked at, whether it is well, and what was found, in English for the terminal."""

    name: str
    well: bool
    found: str


def reach(broker: BrokerAddress) -> list[Line]:
    """The way there, and TLS. Nobody notices."""
    place = f"{broker.host}:{broker.port}"
    try:
        line = socket.create_connection((broker.host, broker.port), CONNECT_S)
    except OSError as failure:
        return [Line("broker-reach", False, f"nobody answers at {place}: {failure.strerror or failure}")]
    with line:
        told = [Line("broker-reach", True, place)]
        if broker.tls is None:
            return [*told, Line("broker-tls", True, "none, on this machine only")]
        try:
            with broker.tls.wrap_socket(line, server_hostname=broker.host) as safe:
                until = (safe.getpeercert() or {}).get("notAfter", "?")
                return [*told, Line("broker-tls", True, f"{safe.version()}, its certificate holds until {until}")]
        except OSError as failure:
            return [*told, Line("broker-tls", False, _why(failure))]


def rights(broker: BrokerAddress, stranger: ssl.SSLContext | None, clock: Clock) -> list[Line]:
    """Log-in and rights; only while no controller runs. `stranger` is TLS without our certificate."""
    # Without a secret it is the certificate that names us.
    shown = "certificate" if not broker.secret else "secret"
    visit = _Visit(broker, clock)
    if (why := visit.enter()) is not None:
        visit.leave()
        return [Line("broker-login", False, f"as {broker.user} with our {shown}: {why}")]
    told = [Line("broker-login", True, f"as {broker.user} with our {shown}")]
    told += _try_rights(visit, broker.user)
    told.append(_try_other_client_id(visit, broker, clock))
    visit.leave()
    if not visit.found_session:
        _Visit(broker, clock, clean=True).come_and_go()  # there was no session before: none is left
    nobody = BrokerAddress(broker.host, broker.port, "", "", stranger)
    outside = _Visit(nobody, clock, client_id=f"{CHECK}-{secrets.token_hex(4)}", clean=True)
    closed = outside.enter() is not None
    outside.leave()
    told.append(
        Line("broker-nobody", closed, "is not let in" if closed else "is let in without a name: allow_anonymous false?")
    )
    return told


def _try_rights(visit: _Visit, user: str) -> list[Line]:
    granted = visit.subscribe([(each, 1) for each in (*topics.CONTROLLER_FILTERS, *topics.CONTROLLER_LOOKBACK)])
    forbidden = {
        f"speak for a unit ({topics.from_unit(CHECK, Out.REPORTED)})": topics.from_unit(CHECK, Out.REPORTED),
        f"read what a unit is told ({topics.to_unit(CHECK, In.COMMAND)})": topics.to_unit(CHECK, In.COMMAND),
    }
    visit.subscribe([(topics.to_unit(CHECK, In.COMMAND), 0)])
    # By the units' own rights a client called like us may speak in the branch of that name.
    needed = {
        f"write and read back plans ({topics.to_unit('+', In.PLAN)})": topics.to_unit(CHECK, In.PLAN),
        f"write and read the canary ({topics.CANARY})": topics.CANARY,
        f"hear units ({topics.CONTROLLER_FILTERS[0]})": topics.from_unit(user, Out.TELEMETRY),
    }
    for topic in (*forbidden.values(), *needed.values()):  # in this order: what is heard last says that all is through
        visit.say(topic)
    visit.wait(lambda: visit.heard.issuperset(needed.values()) or visit.lost)
    if visit.lost:
        return [Line("broker-may", False, "the connection ended meanwhile: does a controller run with this name?")]
    visit.unsubscribe([*topics.CONTROLLER_LOOKBACK, topics.to_unit(CHECK, In.COMMAND)])
    lacking = [what for what, topic in needed.items() if topic not in visit.heard]
    if not granted:
        lacking.append("subscribe to what it lives by")
    may = "hears units, writes plans, keeps its canary"
    beyond = [what for what, topic in forbidden.items() if topic in visit.heard]
    may_not = "neither speaks for units nor reads what they are told"
    return [
        Line("broker-may", not lacking, f"may not {'; may not '.join(lacking)}: see acl_file" if lacking else may),
        Line("broker-may-not", not beyond, f"may {'; may '.join(beyond)}: is acl_file set?" if beyond else may_not),
    ]


def _try_other_client_id(visit: _Visit, broker: BrokerAddress, clock: Clock) -> Line:
    """Whoever may choose a client id takes over, or cuts off, anybody's session."""
    double = _Visit(broker, clock, client_id=f"{CHECK}-{secrets.token_hex(4)}")
    bound = double.enter() is not None
    if not bound:
        visit.wait(lambda: visit.lost, ANSWER_S / 2)
        bound = visit.lost
    double.leave()
    if not bound:
        _Visit(broker, clock, client_id=double.client_id, clean=True).come_and_go()
    what = (
        "is the name" if bound else "can be any: who has a name could cut off another; use_username_as_clientid true?"
    )
    return Line("broker-client", bound, f"the client id {what}")


class _Visit:
    """One connection, moved by hand."""

    def __init__(self, broker: BrokerAddress, clock: Clock, *, client_id: str = "", clean: bool = False) -> None:
        self.client_id = client_id or broker.user
        self.found_session = False
        self.heard: set[str] = set()
        """Topics on which our own words came back."""
        self.lost = False
        self._broker, self._clock = broker, clock
        self._word = f"loa check {secrets.token_hex(8)}".encode()
        self._answer: ReasonCode | None = None
        self._granted: dict[int, bool] = {}
        self._client = client = TunedClient(
            CallbackAPIVersion.VERSION2,
            client_id=self.client_id,
            clean_session=clean,
            protocol=mqtt.MQTTv311,
            manual_ack=True,
        )
        if broker.secret:
            client.username_pw_set(broker.user, broker.secret)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        client.on_connect, client.on_subscribe, client.on_message = self._connected, self._subscribed, self._arrived

    def enter(self) -> str | None:
        """None when we are in, else why not."""
        try:
            self._client.connect(self._broker.host, self._broker.port, keepalive=60)
        except OSError as failure:
            self.lost = True
            return _why(failure)
        self.wait(lambda: self._answer is not None or self.lost)
        if self._answer is None:
            certificate = self._broker.tls is not None and not self._broker.secret
            hint = "it does not take our certificate" if certificate else "does it want TLS, or a certificate?"
            return f"the broker closed the connection; {hint}" if self.lost else "the broker says nothing"
        return f"the broker refuses: {self._answer}" if self._answer.is_failure else None

    def leave(self) -> None:
        """Politely; for good."""
        self._client.disconnect()
        self.wait(lambda: self.lost, 1.0)
        self._client.close()

    def come_and_go(self) -> None:
        self.enter()
        self.leave()

    def subscribe(self, wanted: list[tuple[str, int]]) -> bool:
        """Whether all of it was granted, as far as the broker says."""
        _, number = self._client.subscribe(wanted)
        self.wait(lambda: number in self._granted or self.lost)
        return self._granted.get(number or 0, False)

    def unsubscribe(self, filters: list[str]) -> None:
        self._client.unsubscribe(filters)

    def say(self, topic: str) -> None:
        """At most once and not kept, so that nothing of it waits for anybody."""
        self._client.publish(topic, self._word, 0, retain=False)

    def wait(self, condition: Callable[[], bool], seconds: float = ANSWER_S) -> None:
        deadline = self._clock.monotonic() + seconds
        while not condition() and not self.lost and self._clock.monotonic() < deadline:
            self.lost = self._client.loop(0.1) != MQTTErrorCode.MQTT_ERR_SUCCESS

    def _connected(self, _: Any, __: Any, flags: mqtt.ConnectFlags, reason: ReasonCode, ___: Any) -> None:
        self._answer, self.found_session = reason, flags.session_present

    def _subscribed(self, _: Any, __: Any, number: int, reasons: list[ReasonCode], ___: Any) -> None:
        self._granted[number] = all(reason.value < _REFUSED for reason in reasons)

    def _arrived(self, client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        ours = message.payload == self._word
        if ours:
            self.heard.add(message.topic)
        if ours or not topics.matches(topics.CONTROLLER_FILTERS[0], message.topic):
            client.ack(message.mid, message.qos)  # else it waits for the controller


def _why(failure: OSError) -> str:
    if isinstance(failure, ssl.SSLCertVerificationError):
        return f"its certificate is not one we trust under this name: {failure.verify_message} (LOA_BROKER_CA)"
    if isinstance(failure, ssl.SSLError):
        if "ALERT" in (failure.reason or ""):
            return f"it does not take our certificate: {failure.reason}"
        return f"it does not speak TLS here: {failure.reason or failure}"
    if isinstance(failure, ConnectionResetError):
        return "it does not speak TLS here: it cut the connection"
    return failure.strerror or str(failure)
