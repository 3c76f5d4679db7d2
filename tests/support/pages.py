"""Reading pages as a person does, and filling in their forms."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx
import pyotp
from fastapi.testclient import TestClient
from support.office import PASSWORD, House

_VOID = {"input", "br", "meta", "link", "img", "path", "hr"}


@dataclass
class Form:
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """`text`: all that is shown. `forms`: with the values that a browser would send. `links`: every href."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.status = answer.status_code
        self.html = answer.text
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._pieces: list[str] = []
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        self._area: tuple[str, list[str]] | None = None
        self._hidden = 0
        self.feed(answer.text)
        self.text = re.sub(r"\s+", " ", " ".join(self._pieces))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag in ("script", "style"):
            self._hidden += 1
        if tag == "a":
            self.links.append(told.get("href", ""))
        if tag == "form":
            self.forms.append(Form(told.get("action", ""), told.get("method", "get")))
        if not self.forms:
            return
        fields = self.forms[-1].fields
        if tag == "input" and told.get("name"):
            ticked = told.get("type") not in ("checkbox", "radio") or "checked" in told
            if ticked and told.get("type") != "file":
                fields.append((told["name"], told.get("value", "")))
        elif tag == "select":
            self._select = (told["name"], [])
        elif tag == "option" and self._select:
            self._select[1].append((told.get("value", ""), "selected" in told))
        elif tag == "textarea" and told.get("name"):
            self._area = (told["name"], [])

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._hidden -= 1
        if tag == "select" and self._select:
            name, options = self._select
            chosen = [value for value, on in options if on] or [value for value, _ in options[:1]]
            self.forms[-1].fields += [(name, value) for value in chosen]
            self._select = None
        elif tag == "textarea" and self._area:
            self.forms[-1].fields.append((self._area[0], "".join(self._area[1])))
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area:
            self._area[1].append(data)
        elif not self._hidden:
            self._pieces.append(data)

    def form(self, action: str) -> Form:
        return next(form for form in self.forms if form.action == action)


class Person:
    """A browser without script, with its own cookies."""

    def __init__(self, house: House, scheme: str = "http") -> None:
        self.house = house
        self.client = TestClient(house.app, base_url=f"{scheme}://localhost", follow_redirects=True)

    def log_in(self, name: str, password: str = PASSWORD) -> Page:
        page = self.get("/login")
        return self.send(page.form("/login"), name=name, password=password)

    def get(self, path: str, **headers: str) -> Page:
        return Page(self.client.get(path, headers=headers))

    def send(self, form: Form, files: Any = None, **changed: Any) -> Page:
        """The form as it stands, with some fields changed; a list gives a field several values, none removes it."""
        fields = [(name, value) for name, value in form.fields if name not in changed]
        for name, value in changed.items():
            fields += [
                (name, one) for one in (value if isinstance(value, list | tuple) else [value]) if one is not None
            ]
        told: dict[str, list[str]] = {}
        for name, value in fields:
            told.setdefault(name, []).append(value)
        return Page(self.client.post(form.action, data=told, files=files))

    def token(self) -> str:
        found = re.search(r'data-token="([^"]+)"', self.client.get("/more").text)
        assert found, "nobody is logged in"
        return found.group(1)


def person(house: House, name: str) -> Person:
    """Logged in, and with an authenticator app where the role asks for one."""
    found = Person(house)
    page = found.log_in(name)
    if any(form.action == "/second-factor" for form in page.forms):
        secret = re.search(r"<code[^>]*>([A-Z2-7]{32})</code>", page.html)
        assert secret, page.text
        code = pyotp.TOTP(secret.group(1)).at(house.clock.now())
        page = found.send(page.form("/second-factor"), code=code)
    assert page.status == 200, page.text
    return found
