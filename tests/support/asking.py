"""One request of any route, with what it wants to be told: for tests that go through all of them."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient
from support.office import PASSWORD

SELF = "c-31615"
"""The commune whose broadcast, cluster and people are asked for."""
FORM = 422
"""The form came through and was found wanting: whoever sees this has passed the door."""


def ask(client: TestClient, method: str, path: str, told: dict[str, str], token: str | None) -> tuple[int, str]:
    address = path.format(**told)
    if path.startswith("/u/"):
        address = f"/u/assets/{told['sha256']}.opus"
    headers = {} if token is None else {"x-form-token": token}
    send: dict[str, Any] = {}
    if method in ("POST", "PUT"):
        if path.startswith("/api/") and "recordings" not in path:
            send["json"] = body(path, told)
        elif path.startswith("/api/"):
            send["content"] = b"no audio at all"
        else:
            send["data"] = {"act": "submit", "language": "xx"} if path != "/recordings/sample" else {}
    if path.endswith("/live"):
        with client.stream(method, address, headers=headers, follow_redirects=False) as answer:
            return answer.status_code, answer.headers.get("location", "")
    answer = client.request(method, address, headers=headers, follow_redirects=False, **send)
    return answer.status_code, answer.headers.get("location", "")


def body(path: str, told: dict[str, str]) -> dict[str, Any]:
    if path.endswith("password"):
        return {"new": PASSWORD}
    if "/people" in path:
        return people_body(path)
    if path.endswith("sessions"):
        return {"name": "nobody", "password": "x"}
    if "second-factor" in path:
        return {"code": "0"}
    if path.endswith(("approve", "reject")):
        return {"seen": "0" * 64} | ({"reason": ""} if path.endswith("reject") else {})
    if path.endswith("priority-clashes"):
        return {"station": "", "first": "", "second": "", "reason": ""}
    if path.endswith(("withdraw", "delegations", "own-exceptions", "confirm")) and "factor" not in path:
        return {}
    if path.endswith("/moves") or "planned-works" in path or "/rounds" in path:
        return {}
    if path.endswith("release"):
        return {"seen": "never-was"}
    if path.endswith(("hardware", "place", "swap", "take-down", "/clusters")):
        return {}
    if path.endswith(("hearing", "description")) or "/groups" in path or "/areas" in path or "/feedback" in path:
        return {}
    if "/regulation" in path:
        return {"number": "", "hours": []} | ({} if path.endswith("preview") else {"revision": 0})
    if (
        "/sounds" in path
        or path.endswith("chime")
        or "/speech" in path
        or "/pronunciations" in path
        or "/phrases" in path
    ):
        return {}
    if path.endswith(("commands", "/orders")):
        return {"kind": "reboot"}
    if path.endswith("leave-out"):
        return {"start": "2026-03-04T10:00:00Z"}
    if "/relay-sources" in path:
        return {}
    if "/campaigns" in path:
        return campaign_body(path, told)
    if path.endswith("schedule/copy"):
        return {"first": "2026-03-04", "days": 3, "to": "2026-03-18"}
    if path.endswith(("reschedule", "{broadcast_id}/preview")):
        told_draft = {"title": "", "asset": told["sha256"], "first_day": "2026-03-04", "at": "17:00"}
        return told_draft | {"revision": 1, "extent": "this", "start": "2026-03-04T10:00:00Z"}
    draft = {"title": "", "asset": told["sha256"], "first_day": "2026-03-04", "at": "17:00"}
    return draft | ({"revision": 1} if path.endswith("{broadcast_id}") else {})


def people_body(path: str) -> dict[str, Any]:
    if path.endswith("people"):
        return {"name": "X!", "full_name": "x", "role": "auditor", "area": SELF}
    if path.endswith("grants"):
        return {"role": "auditor", "area": "nowhere"}
    return {"reason": ""} if "acts" in path else {}


def campaign_body(path: str, told: dict[str, str]) -> dict[str, Any]:
    if path.endswith("end"):
        return {"how": "cancel", "why": ""}
    if path.endswith("forms"):
        return {}
    return {"template": "democracy", "title": "", "asset": told["sha256"], "first": "2026-03-04T10:00:00Z"}
