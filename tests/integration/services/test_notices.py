"""Notices of faults by a real SMTP server and a real HTTP server: nothing lost, nothing twice, quiet at night."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from support.fresh import fresh_house
from support.mail import certified, post_office
from support.office import House

from broadcasts.clock import VIETNAM
from broadcasts.errors import Fault, Refused
from controller.bootstrap import notices
from controller.db.tables import Assignment, FaultCase, Notice, UnitFault, UnitStatus
from controller.services.context import Context
from controller.services.health_watching import Watch
from controller.services.notice_rules import NoticeRules
from controller.services.notices import Message, Sender, Told
from controller.settings import Settings


class Box:
    """A channel by hand."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.fails = False

    def send(self, message: Message) -> None:
        self.got.append(message)
        if self.fails:
            raise Fault("notice.failed", detail="no")


house = fresh_house


@pytest.fixture
def ctx(house: House) -> Context:
    return replace(house.ctx, notices=NoticeRules(("box",)))


def step(house: House, minutes: int, *steps: Any) -> None:
    for _ in range(minutes):
        house.clock.advance(60)
        for each in steps:
            each.step(house.clock.now())


def ail(house: House, code: str, number: int = 0, gone: bool = False) -> None:
    now = house.clock.now()
    with house.ctx.db.write() as session:
        unit = session.scalars(select(Assignment.unit_id).order_by(Assignment.cluster_id)).all()[number]
        if session.get(UnitStatus, unit) is None:
            session.add(UnitStatus(unit_id=unit, connected=True, presence_at=now, last_sign=now))
        if gone:
            session.scalars(select(UnitFault).where(UnitFault.unit_id == unit)).one().cleared_at = now
        else:
            session.add(UnitFault(unit_id=unit, code=code, raised_at=now))


def test_what_is_urgent_is_told_soon_and_once_and_its_end_too(house: House, ctx: Context) -> None:
    box = Box()
    watch, sender = Watch(ctx, lambda: True), Sender(ctx, {"box": box})
    ail(house, "autonomy_over")
    step(house, 6, watch, sender)
    [message] = box.got
    assert [(one.code, one.event, one.urgency) for one in message.faults] == [("autonomy_over", "raised", "now")]
    ail(house, "autonomy_over", gone=True)
    step(house, 50, watch, sender)
    assert [one.event for message in box.got for one in message.faults] == ["raised", "resolved"]


def test_what_fails_is_tried_again_under_the_same_id_also_by_another_process(house: House, ctx: Context) -> None:
    box = Box()
    box.fails = True
    watch = Watch(ctx, lambda: True)
    ail(house, "autonomy_over")
    step(house, 6, watch, Sender(ctx, {"box": box}))
    assert len(box.got) >= 2
    box.fails = False
    step(house, 20, watch, Sender(ctx, {"box": box}))
    assert len({message.id for message in box.got}) == 1
    count = len(box.got)
    step(house, 3, Sender(ctx, {"box": box}))
    assert len(box.got) == count
    with ctx.db.read() as session:
        assert [row.outcome for row in session.scalars(select(Notice))] == ["sent"]


def test_who_dies_between_sending_and_noting_says_the_same_again(house: House, ctx: Context) -> None:
    class Dies(Box):
        def send(self, message: Message) -> None:
            super().send(message)
            raise KeyboardInterrupt

    dying, box = Dies(), Box()
    watch = Watch(ctx, lambda: True)
    ail(house, "autonomy_over")
    with pytest.raises(KeyboardInterrupt):
        step(house, 10, watch, Sender(ctx, {"box": dying}))
    step(house, 2, Sender(ctx, {"box": box}))
    assert [message.id for message in box.got] == [dying.got[0].id]


def test_what_can_wait_comes_together_and_not_at_night(house: House, ctx: Context) -> None:
    box = Box()
    watch, sender = Watch(ctx, lambda: True), Sender(ctx, {"box": box})
    house.clock.set(house.clock.now() + timedelta(hours=11))  # 23:00
    for number in range(3):
        ail(house, "cabinet_hot", number)
        step(house, 1, watch, sender)
    step(house, 60, watch, sender)
    assert box.got == []
    house.clock.set(house.clock.now() + timedelta(hours=6))
    step(house, 1, sender)
    assert [len(message.faults) for message in box.got] == [3]


def test_good_news_lets_people_sleep_too(house: House, ctx: Context) -> None:
    box = Box()
    watch, sender = Watch(ctx, lambda: True), Sender(ctx, {"box": box})
    house.clock.set(house.clock.now() + timedelta(hours=11))  # 23:00
    ail(house, "autonomy_over")
    step(house, 6, watch, sender)
    ail(house, "autonomy_over", gone=True)
    step(house, 20, watch, sender)
    assert [one.event for message in box.got for one in message.faults] == ["raised"], "urgent: told at night"
    with ctx.db.read() as session:
        [over] = session.scalars(select(Notice).where(Notice.event == "resolved"))
    assert over.due_at.astimezone(VIETNAM).time() == time(6, 0)
    house.clock.set(over.due_at)
    step(house, 1, sender)
    assert [one.event for message in box.got for one in message.faults] == ["raised", "resolved"]


def test_what_is_over_before_anybody_was_told_is_not_told(house: House, ctx: Context) -> None:
    box = Box()
    watch, sender = Watch(ctx, lambda: True), Sender(ctx, {"box": box})
    ail(house, "asset_corrupt")
    step(house, 13, watch)
    ail(house, "asset_corrupt", gone=True)
    step(house, 40, watch)
    step(house, 1, sender)
    assert box.got == []
    with ctx.db.read() as session:
        assert {row.outcome for row in session.scalars(select(Notice))} == {"void"}
        assert session.scalars(select(FaultCase)).one().gone_at is not None


class Post(socketserver.StreamRequestHandler):
    """Enough of RFC 5321 for one message."""

    mails: list[str]

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(part)
                self.mails.append(b"".join(lines).decode())
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_e_mail_arrives_at_a_server(house: House, ctx: Context) -> None:
    mails: list[str] = []
    handler = type("Own", (Post,), {"mails": mails})
    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)) as port:
        settings = Settings(
            mail_server=f"smtp://127.0.0.1:{port}", mail_from="loa@example.vn", mail_to="a@example.vn, b@example.vn"
        )
        assert notices.rules(settings).channels == ("mail",)
        sender = Sender(ctx, {"box": notices.channels(settings, house.ctx.wall)["mail"]})
        ail(house, "autonomy_over")
        step(house, 6, Watch(ctx, lambda: True), sender)
    [mail] = mails
    assert "To: a@example.vn, b@example.vn" in mail
    assert "Message-ID: <n-" in mail


def test_a_webhook_is_signed_and_a_refusal_is_tried_again(house: House, ctx: Context) -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(503 if len(got) == 1 else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)) as port:
        settings = Settings(webhook_url=f"http://127.0.0.1:{port}/x", webhook_key="mot-khoa")
        sender = Sender(ctx, {"box": notices.channels(settings, house.ctx.wall)["webhook"]})
        ail(house, "autonomy_over")
        step(house, 9, Watch(ctx, lambda: True), sender)
    assert len(got) == 2
    headers, body = got[1]
    signed = hmac.new(b"mot-khoa", headers["loa-at"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["loa-signature"] == signed
    told = json.loads(body)
    assert told["id"] == headers["loa-id"] == got[0][0]["loa-id"]
    assert told["faults"][0]["code"] == "autonomy_over"


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook_url": "http://example.vn/x", "webhook_key": "k"},
        {"webhook_url": "https://example.vn/x"},
        {"webhook_url": "https://[fd00::7]/x", "webhook_key": "k"},
        {"webhook_url": "https://localhost.lan/x", "webhook_key": "k"},
        {"webhook_url": "https://a:b@example.vn/x", "webhook_key": "k"},
        {"mail_to": "a@example.vn"},
        {"mail_to": "a@example.vn", "mail_from": "b@example.vn", "mail_server": "ftp://x"},
        {"messenger": "never-was"},
        {"webhook_url": "https://example.vn/x", "webhook_key": "k", "webhook_inside": "yes"},
        {"webhook_url": "http://[fd00::7]/x", "webhook_key": "k", "webhook_inside": "on"},
    ],
)
def test_a_channel_that_cannot_be_is_refused_at_the_start(house: House, wrong: dict[str, str]) -> None:
    with pytest.raises(Refused):
        notices.channels(Settings(**wrong), house.ctx.wall)  # type: ignore[arg-type]


def test_a_name_that_leads_inside_is_not_posted_to(house: House, ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: inside)
    settings = Settings(webhook_url="https://example.vn/x", webhook_key="k")
    channel = notices.channels(settings, house.ctx.wall)["webhook"]
    with pytest.raises(Fault) as refused:
        channel.send(Message("n-1", house.clock.now(), []))
    assert refused.value.fields["detail"] == "inside"


def test_a_webhook_inside_our_own_network_is_for_the_operator_to_allow(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.0.0.2 stands for an address of the house: no name of this machine, and not of the open Internet."""
    got: list[bytes] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.2", 0), Hook)
    server.socket = certified(tmp_path, monkeypatch).wrap_socket(server.socket, server_side=True)
    message = Message("n-1", house.clock.now(), [])
    with serving(server) as port:
        asked = Settings(webhook_url=f"https://127.0.0.2:{port}/x", webhook_key="k")
        with pytest.raises(Refused, match=r"relay\.inside"):
            notices.channels(asked, house.ctx.wall)
        allowed = replace(asked, webhook_inside="on")
        notices.channels(allowed, house.ctx.wall)["webhook"].send(message)
    assert [json.loads(body)["id"] for body in got] == ["n-1"]


def test_a_messenger_that_breaks_stops_no_other_channel_and_its_words_are_not_kept(house: House, ctx: Context) -> None:
    class Breaks(Box):
        def send(self, message: Message) -> None:
            raise ValueError("https://example.vn/token-1234")

    box = Box()
    both = replace(ctx, notices=NoticeRules(("bad", "box")))
    ail(house, "autonomy_over")
    step(house, 6, Watch(both, lambda: True), Sender(both, {"bad": Breaks(), "box": box}))
    assert len(box.got) == 1
    with ctx.db.read() as session:
        [row] = session.scalars(select(Notice).where(Notice.channel == "bad"))
    assert (row.failure, row.tries > 0, row.done_at) == ("ValueError", True, None)


def test_a_night_that_is_none_is_refused() -> None:
    with pytest.raises(Refused):
        notices.rules(Settings(notice_night="never"))
    assert notices.rules(Settings(notice_night="off")).night is None


def letter(house: House) -> Message:
    told = Told("f-1", "raised", "autonomy_over", "Cụm 1", 1, house.clock.now(), "now", ())
    return Message("n-1", house.clock.now(), [told])


def by_mail(port: int) -> Settings:
    return Settings(
        mail_server=f"smtp://127.0.0.2:{port}", mail_user="loa", mail_secret="mot-mat-khau",
        mail_from="loa@example.vn", mail_to="a@example.vn",
    )  # fmt: skip


def test_to_another_machine_e_mail_and_secret_go_by_tls_only(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with post_office(certified(tmp_path, monkeypatch), {"loa": "mot-mat-khau"}) as office:
        notices.channels(by_mail(office.port), house.ctx.wall)["mail"].send(letter(house))
        wrong = replace(by_mail(office.port), mail_secret="sai")
        with pytest.raises(Fault, match=r"notice\.failed"):
            notices.channels(wrong, house.ctx.wall)["mail"].send(letter(house))
    assert [(mail.tls, mail.user) for mail in office.mails] == [(True, "loa")]
    assert "Cụm 1" in office.mails[0].subject


def test_a_server_without_tls_or_of_somebody_else_gets_neither_letter_nor_secret(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with post_office(None, {"loa": "mot-mat-khau"}) as plain, pytest.raises(Fault, match=r"notice\.failed"):
        notices.channels(by_mail(plain.port), house.ctx.wall)["mail"].send(letter(house))
    strange = certified(tmp_path, monkeypatch)
    monkeypatch.delenv("SSL_CERT_FILE")
    with post_office(strange, {"loa": "mot-mat-khau"}) as other, pytest.raises(ssl.SSLCertVerificationError):
        notices.channels(by_mail(other.port), house.ctx.wall)["mail"].send(letter(house))
    assert (plain.mails, plain.asked, other.mails, other.asked) == ([], [], [], [])
