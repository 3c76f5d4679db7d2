"""Sending a recording in pieces, as a phone does."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from threading import Event

import httpx
from fastapi.testclient import TestClient
from support.office import House
from support.pages import person

from controller.services.preparing import Workshop
from controller.services.rights import Role

PATH = "/api/v1/uploads"
TUS = {"tus-resumable": "1.0.0"}
PIECE = TUS | {"content-type": "application/offset+octet-stream"}


def metadata(**told: str) -> str:
    return ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in told.items())


def checksum(data: bytes, kind: str = "sha256") -> dict[str, str]:
    return {"upload-checksum": f"{kind} {base64.b64encode(hashlib.new(kind, data).digest()).decode()}"}


@dataclass
class Sender:
    """One page of one person. `token`: of the forms of its session."""

    client: TestClient
    token: str
    address: str = ""
    answers: list[httpx.Response] = field(default_factory=list)

    def begin(self, size: int, **told: str) -> httpx.Response:
        headers = self._headers(TUS) | {"upload-length": str(size), "upload-metadata": metadata(**told)}
        answer = self.client.post(PATH, headers=headers)
        self.address = answer.headers.get("location", "")
        return answer

    def send(self, offset: int, data: bytes, **headers: str) -> httpx.Response:
        told = self._headers(PIECE) | {"upload-offset": str(offset)} | headers
        return self.client.patch(self.address, content=data, headers=told)

    def reached(self) -> int:
        answer = self.client.head(self.address, headers=self._headers(TUS))
        assert answer.status_code == 200, answer.status_code
        return int(answer.headers["upload-offset"])

    def drop(self) -> httpx.Response:
        return self.client.delete(self.address, headers=self._headers(TUS))

    def told(self) -> dict[str, object]:
        found: dict[str, object] = self.client.get(self.address).json()
        return found

    def whole(self, data: bytes, **told: str) -> None:
        assert self.begin(len(data), **told).status_code == 201
        assert self.send(0, data).status_code == 204

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        return {"x-form-token": self.token} | more


def workshop(house: House) -> Workshop:
    return Workshop(house.ctx, house.office.shelf, Event())


def prepare_all(house: House) -> int:
    """How many were prepared."""
    done, shop = 0, workshop(house)
    while shop.work_one():
        done += 1
    return done


def another(house: House, name: str, role: Role = Role.BROADCASTER) -> Sender:
    house.add_user(name, role, house.commune)
    somebody = person(house, name)
    return Sender(somebody.client, somebody.token())


def anew(house: House) -> Sender:
    """Logged in once more."""
    somebody = person(house, "phatthanh")
    return Sender(somebody.client, somebody.token())
