"""The channels that notices of faults leave by: e-mail, a signed webhook, and whatever is installed as a messenger."""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import ssl
from collections.abc import Callable
from datetime import datetime, time
from email.message import EmailMessage
from importlib.metadata import entry_points
from urllib.parse import urlsplit

from broadcasts.clock import VIETNAM, Clock
from broadcasts.domain import outside
from broadcasts.errors import Fault, Refused
from broadcasts.outgoing import Client, Failed
from controller.services.notice_rules import NoticeRules
from controller.services.notices import Channel, Message, Told
from controller.settings import Settings
from controller.web.words import Words

GROUP = "loa.messenger"
SECONDS = 20.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def rules(settings: Settings) -> NoticeRules:
    """Raises Refused("settings.value")."""
    names = [name for name, value in (("mail", settings.mail_to), ("webhook", settings.webhook_url)) if value]
    if settings.messenger:
        names.append("messenger")
    return NoticeRules(tuple(names), night=_night(settings.notice_night))


def _night(told: str) -> tuple[time, time] | None:
    if told == "off":
        return None
    begins, dash, ends = told.partition("-")
    try:
        if not dash:
            raise ValueError(told)
        return time.fromisoformat(begins), time.fromisoformat(ends)
    except ValueError:
        raise Refused("settings.value", name="LOA_NOTICE_NIGHT", value=told) from None


def channels(settings: Settings, clock: Clock) -> dict[str, Channel]:
    """By the names of `rules`. Raises Refused("settings.value", "settings.missing")."""
    found: dict[str, Channel] = {}
    if settings.mail_to:
        found["mail"] = Mail(settings, clock)
    if settings.webhook_url:
        found["webhook"] = Webhook(settings, clock)
    if settings.messenger:
        known = {point.name: point for point in entry_points(group=GROUP)}
        if settings.messenger not in known:
            raise Refused("settings.value", name="LOA_MESSENGER", value=settings.messenger)
        make: Callable[[], Channel] = known[settings.messenger].load()
        found["messenger"] = make()
    return found


def line(words: Words, told: Told) -> str:
    """One fault in one line: event, place, what, since when, what to bring."""
    place = f"{told.place} ({words.t('trouble.clusters', n=told.clusters)})" if told.clusters > 1 else told.place
    parts = [words.t(f"notice.{told.event}"), place, words.maybe("trouble", told.code), words.when(told.since)]
    if told.bring and told.event != "resolved":
        parts.append(f"{words.t('trouble.bring')} {', '.join(words.t(f'bring.{what}') for what in told.bring)}")
    return " · ".join(parts)


class Mail:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Raises Refused: without TLS only to this machine, and a secret never without it."""
        parts = urlsplit(settings.mail_server)
        local = parts.hostname in LOOPBACK
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise Refused("settings.value", name="LOA_MAIL_SERVER", value=settings.mail_server)
        if not settings.mail_from:
            raise Refused("settings.missing", name="LOA_MAIL_FROM")
        self._host, self._local, self._whole_tls = parts.hostname, local, parts.scheme == "smtps"
        self._port = parts.port or (465 if self._whole_tls else 25 if local else 587)
        self._from, self._to = settings.mail_from, [one.strip() for one in settings.mail_to.split(",") if one.strip()]
        self._user, self._secret, self._clock = settings.mail_user, settings.mail_secret, clock

    def send(self, message: Message) -> None:
        words = Words("vi", self._clock.now())
        mail = EmailMessage()
        first = line(words, message.faults[0])
        mail["Subject"] = first if len(message.faults) == 1 else f"{first} (+{len(message.faults) - 1})"
        mail["From"], mail["To"] = self._from, ", ".join(self._to)
        mail["Message-ID"] = f"<{message.id}@{self._from.rpartition('@')[2] or 'loa'}>"
        mail["Date"] = message.at.astimezone(VIETNAM)
        mail.set_content("\n".join(line(words, told) for told in message.faults) + "\n")
        try:
            with self._open() as server:
                server.send_message(mail)
        except smtplib.SMTPException as error:
            raise Fault("notice.failed", detail=type(error).__name__) from error

    def _open(self) -> smtplib.SMTP:
        tls = ssl.create_default_context()
        if self._whole_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=SECONDS, context=tls)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=SECONDS)
        try:
            if not (self._whole_tls or self._local):
                server.starttls(context=tls)
            if self._user:
                server.login(self._user, self._secret)
        except BaseException:
            server.close()
            raise
        return server


class Webhook:
    """POST of JSON; `loa-signature` is HMAC-SHA256 over instant, a full stop and the body, in hexadecimal."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Raises Refused: no HTTPS (but to this machine), no key, a name in it, or an address inside a network where
        the operator did not say that it may be one."""
        url, key = settings.webhook_url, settings.webhook_key
        if settings.webhook_inside not in ("off", "on"):
            raise Refused("settings.value", name="LOA_WEBHOOK_INSIDE", value=settings.webhook_inside)
        parts = urlsplit(url)
        local = parts.hostname in LOOPBACK
        inside = local or settings.webhook_inside == "on"
        if not (parts.scheme == "https" or (parts.scheme == "http" and local)) or "@" in parts.netloc:
            raise Refused("settings.value", name="LOA_WEBHOOK_URL", value=parts.hostname or "")
        outside.check_url(url, inside=inside)
        self._may = None if inside else outside.is_outside
        if not key:
            raise Refused("settings.missing", name="LOA_WEBHOOK_KEY_FILE")
        self._url, self._key, self._clock, self._host = url, key.encode(), clock, parts.netloc

    def send(self, message: Message) -> None:
        told = {"id": message.id, "faults": [_plain(one) for one in message.faults]}
        body = json.dumps(told, ensure_ascii=False, sort_keys=True).encode()
        at = str(int(self._clock.now().timestamp()))
        headers = {
            "content-type": "application/json", "host": self._host, "loa-id": message.id, "loa-at": at,
            "loa-signature": hmac.new(self._key, at.encode() + b"." + body, hashlib.sha256).hexdigest(),
        }  # fmt: skip
        sent = [(name.encode(), each.encode()) for name, each in headers.items()]
        sent.append((b"content-length", str(len(body)).encode()))
        try:
            with Client(self._clock, ssl.create_default_context(), may=self._may) as client:
                client.within(SECONDS)
                with client.stream("POST", self._url, sent, body) as answer:
                    status = answer.status
        except Failed as failure:
            raise Fault("notice.failed", detail=failure.kind) from None
        if not 200 <= status < 300:
            raise Fault("notice.failed", detail=f"HTTP {status}")


def _plain(told: Told) -> dict[str, object]:
    since: datetime = told.since
    return {**vars(told), "since": since.isoformat(), "bring": list(told.bring)}
