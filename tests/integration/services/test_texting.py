"""What is to be texted of an alert, to whom, and by a real gateway over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from sqlalchemy import select
from support.services import HERE, House, raises
from support.sirens import typed

from broadcasts.clock import SystemClock, unix_ms
from broadcasts.errors import Fault, Refused
from broadcasts.wire import trigger
from broadcasts.wire.alert import AlertKind
from broadcasts.wire.trigger import Op, Trigger
from broadcasts.wire.trust import Use
from controller.bootstrap.sms import HttpGateway
from controller.db.tables import AuditEntry, EmergencyReach, ScopeDocument
from controller.services import alerting, texting

SCOPE = f"c-{HERE}"
HOUR = timedelta(hours=1)


def sound(house: House, units: list[str] | None = None) -> str:
    content = [("vi", house.bulletin.sha256), ("km", house.other.sha256)]
    word = typed(house.ctx, house.on_duty, SCOPE, units)
    return alerting.sound(
        house.ctx, house.on_duty, SCOPE, AlertKind.FLOOD, content, "Nước lên", HOUR, units=units, confirmed=word
    )


def units_of(house: House, alert: str) -> list[str]:
    with house.ctx.db.read() as session:
        found = session.scalars(select(EmergencyReach.unit_id).where(EmergencyReach.emergency_id == alert))
        return sorted(unit for unit in found if unit is not None)


def read(house: House, text: str, unit: str = "nobody", scope: str = SCOPE) -> Trigger:
    return trigger.unseal(text.encode(), [scope], unit, [house.keys.signer(Use.ALERT).public])


def version(house: House) -> int:
    with house.ctx.db.read() as session:
        return session.get_one(ScopeDocument, SCOPE).version


def test_the_text_of_an_alert_is_at_the_version_of_its_document(house: House) -> None:
    alert = sound(house)
    (text,) = texting.texts(house.ctx, house.on_duty, alert)
    assert (text.scope, text.unit, text.sounds, len(text.text) <= 160) == (SCOPE, None, True, True)
    told = read(house, text.text)
    assert (told.op, told.alert, told.kind, told.languages) == (Op.SOUND, alert, AlertKind.FLOOD, ["vi", "km"])
    assert (told.version, told.hard_end) == (version(house), unix_ms(house.now + HOUR))


def test_an_alert_for_some_poles_has_a_text_for_each_and_none_for_the_others(house: House) -> None:
    everyone = units_of(house, sound(house))
    few = everyone[:2] if len(everyone) > 2 else everyone[:1]
    texts = texting.texts(house.ctx, house.on_duty, sound(house, few))
    assert [text.unit for text in texts] == few
    for text in texts:
        assert text.unit is not None
        assert read(house, text.text, text.unit).unit == text.unit
        with pytest.raises(Exception, match="not_for_me"):
            read(house, text.text, "u-other")


@pytest.mark.requirement("R-064")
def test_what_was_silenced_has_a_text_that_ends_it_and_the_last_silence_of_all_one_that_voids(house: House) -> None:
    alert = sound(house)
    before = version(house)
    house.clock.advance(5)
    alerting.silence(house.ctx, house.on_duty, SCOPE, alert)
    (text,) = texting.texts(house.ctx, house.on_duty, alert)
    told = read(house, text.text)
    assert (text.sounds, told.op, told.alert) == (False, Op.END, alert)
    assert told.version == version(house) > before
    assert texting.silence_text(house.ctx, house.on_duty, SCOPE) is None
    house.clock.advance(5)
    alerting.silence(house.ctx, house.on_duty, SCOPE)
    void = texting.silence_text(house.ctx, house.on_duty, SCOPE)
    assert void is not None
    told = read(house, void.text)
    assert (told.op, told.issued_at, told.version) == (Op.SILENCE, unix_ms(house.now), version(house))


def test_what_is_over_has_no_text(house: House) -> None:
    alert = sound(house)
    house.clock.advance(HOUR.total_seconds() + 1)
    assert texting.texts(house.ctx, house.on_duty, alert) == []


def test_only_who_may_sound_may_ask_for_the_text(house: House) -> None:
    alert = sound(house)
    for ask in (texting.texts, texting.send):
        with raises(Refused, "no_right" if ask is texting.texts else "sms.off"):
            ask(house.ctx, house.actor("phatthanh"), alert)
    with raises(Refused, "not_yours"):
        texting.texts(house.ctx, house.on_duty, "a-unknown")


# --- a gateway


class Operator:
    """A real server: what arrived, and what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.answers: dict[str, int] = {}
        operator = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                if self.headers["content-type"] == "application/json":
                    told = json.loads(body)
                else:
                    told = {name: each[0] for name, each in parse_qs(body).items()}
                operator.got.append(({k.lower(): v for k, v in self.headers.items()}, told))
                status = operator.answers.get(told["to"], 200)
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "http://127.0.0.1:1/elsewhere")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/send"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def operator() -> Iterator[Operator]:
    made = Operator()
    yield made
    made.close()


def described(folder: Path, url: str, numbers: dict[str, str], more: str = "") -> Path:
    path = folder / "sms.toml"
    listed = "".join(f'"{unit}" = "{number}"\n' for unit, number in numbers.items())
    path.write_text(
        f'url = "{url}"\n{more}\n[headers]\nAuthorization = "Bearer secret"\n'
        f'[body]\nto = "{{number}}"\ntext = "{{text}}"\n[numbers]\n{listed}'
    )
    path.chmod(0o600)
    return path


def test_a_gateway_hands_each_pole_its_text_and_says_whom_it_could_not_reach(
    house: House, operator: Operator, tmp_path: Path
) -> None:
    alert = sound(house)
    first, second, *others = units_of(house, alert)
    numbers = {first: "+84912000001", second: "+84912000002"}
    operator.answers["+84912000002"] = 503
    ctx = replace(house.ctx, sms=HttpGateway.read(described(tmp_path, operator.url, numbers), SystemClock()))
    sent = texting.send(ctx, house.on_duty, alert)
    assert (sent.handed_over, sent.failed, sent.without_number) == ([first], {second: "HTTP 503"}, others)
    headers, told = operator.got[0]
    assert headers["authorization"] == "Bearer secret"
    assert told["to"] == "+84912000001"
    assert read(house, told["text"]).alert == alert
    with ctx.db.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.act == "alert.text")).one()
    assert entry.detail == {"sent": 1, "failed": 1, "without_number": len(others)}


def test_a_gateway_may_want_a_form_and_is_never_followed_elsewhere(operator: Operator, tmp_path: Path) -> None:
    gateway = HttpGateway.read(described(tmp_path, operator.url, {}, "form = true"), SystemClock())
    gateway.send("+84912000001", "LOA1.a-b_c")
    assert operator.got[0][1] == {"to": "+84912000001", "text": "LOA1.a-b_c"}
    operator.answers["+84912000001"] = 302
    with pytest.raises(Fault, match=r"sms.gateway.*HTTP 302"):
        gateway.send("+84912000001", "LOA1.a")


def test_a_gateway_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"sms.gateway.*ConnectError"):
        HttpGateway.read(described(tmp_path, "http://127.0.0.1:1/send", {}), SystemClock()).send(
            "+84912000001", "LOA1.a"
        )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("http://127.0.0.1:1", "http://sms.example"), "https"),
        (("{text}", "text"), "{text}"),
        (("+84912000001", "0912000001"), "+84912345678"),
        (("form = true", "colour = 1"), "colour"),
        (("[body]", "[body"), ""),
        (('"Bearer secret"', "5"), "headers"),
        (('"Bearer secret"', '"Bearer\\nsecret"'), "headers"),
        (('to = "{number}"', 'to = "{number}"\nretries = 3'), "body"),
        (("form = true", 'form = "no"'), "form"),
        (("http://127.0.0.1:1", "https://me:word@sms.example"), "url"),
        (("http://127.0.0.1:1", "https://"), "url"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_at_the_start(tmp_path: Path, change: tuple[str, str], why: str) -> None:
    path = described(tmp_path, "http://127.0.0.1:1/send", {"u-1": "+84912000001"}, "form = true")
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(Refused) as refused:
        HttpGateway.read(path, SystemClock())
    assert refused.value.key == "settings.sms"
    assert why in str(refused.value.fields["detail"])


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = described(tmp_path, "http://127.0.0.1:1/send", {})
    path.chmod(0o644)
    with pytest.raises(Refused, match=r"settings.sms.*chmod 600"):
        HttpGateway.read(path, SystemClock())
