"""A gateway for short messages over HTTP, as a file describes it: every operator and every modem has another one.

url = "https://sms.example.vn/send"
[headers]
authorization = "Bearer …"
[body]                       # sent as JSON; `form = true` above sends it as a form
to = "{number}"
text = "{text}"
[numbers]
u-0042 = "+84912345678"
"""

from __future__ import annotations

import json
import re
import ssl
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from broadcasts.clock import Clock
from broadcasts.errors import Fault, Refused
from broadcasts.outgoing import Client, Failed

NUMBER = re.compile(r"\+[1-9][0-9]{6,14}\Z")
SECONDS = 10.0
"""For one message in all."""
MOST_ANSWER = 65_536
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class HttpGateway:
    def __init__(
        self, clock: Clock, url: str, headers: Mapping[str, str], body: Mapping[str, str], form: bool, **more: Any
    ) -> None:
        """`numbers` by unit. Raises ValueError: no HTTPS (but to this machine), a secret in the address, what is no
        text where one belongs, no number or text in the body, or a number that is none."""
        parts = urlsplit(url)
        if not url.isascii() or not parts.hostname or parts.username is not None:
            raise ValueError("url: a host, and no account in it: that goes into a header")
        for name, told in (("headers", headers), ("body", body)):
            if not isinstance(told, dict) or not all(isinstance(each, str) for each in told.values()):
                raise ValueError(f"{name}: texts only")
        if not all(each.isascii() and each.isprintable() for one in headers.items() for each in one):
            raise ValueError("headers: one line of ASCII each")
        if not isinstance(form, bool):
            raise ValueError("form: true or false")
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError("url: https only, but to this machine")
        if not all(any(mark in each for each in body.values()) for mark in ("{number}", "{text}")):
            raise ValueError("body: {number} and {text} have to stand in it")
        numbers = dict(more.pop("numbers", {}))
        if more or not all(isinstance(each, str) and NUMBER.match(each) for each in numbers.values()):
            raise ValueError("numbers: +84912345678" if not more else f"unknown: {', '.join(more)}")
        self.numbers: Mapping[str, str] = numbers
        self._clock, self._url, self._form, self._body = clock, url, form, dict(body)
        self._tls = ssl.create_default_context()
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        self._headers = {"content-type": kind, "host": parts.netloc, **{k.lower(): v for k, v in headers.items()}}

    @classmethod
    def read(cls, path: Path, clock: Clock) -> HttpGateway:
        """Raises Refused("settings.sms"): it cannot be read, others may read it (there is a secret in it), or it says
        what no gateway has."""
        try:
            if path.stat().st_mode & 0o077:
                raise ValueError("chmod 600")
            told = tomllib.loads(path.read_text(encoding="utf-8"))
            plain = {"headers": {}, "form": False, **told}
            return cls(clock, **plain)
        except (OSError, ValueError, TypeError) as failure:
            raise Refused("settings.sms", path=str(path), detail=str(failure)[:200]) from None

    def send(self, number: str, text: str) -> None:
        """One request, no redirect, 10 s in all. Raises Fault("sms.gateway")."""
        said = {name: each.replace("{number}", number).replace("{text}", text) for name, each in self._body.items()}
        content = urlencode(said).encode() if self._form else json.dumps(said).encode()
        headers = [(name.encode(), each.encode()) for name, each in self._headers.items()]
        headers.append((b"content-length", str(len(content)).encode()))
        try:
            with Client(self._clock, self._tls) as client:
                client.within(SECONDS)
                with client.stream("POST", self._url, headers, content) as answer:
                    size = 0
                    for part in answer.iter_stream():
                        size += len(part)
                        if size > MOST_ANSWER:
                            break
                    status = answer.status
        except Failed as failure:
            raise Fault("sms.gateway", number=number, detail=failure.kind) from None
        if not 200 <= status < 300:
            raise Fault("sms.gateway", number=number, detail=f"HTTP {status}")
