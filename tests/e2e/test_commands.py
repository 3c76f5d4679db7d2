"""From a technician's order to the unit's answer: real processes, a real broker, simulated units on real sockets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.demo import demo, free_port, until_ready

PASSWORD = "Mot-cau-de-nho-2026"
ORDERS: tuple[dict[str, Any], ...] = (
    {"kind": "quiet_test"},
    {"kind": "capture", "args": {"seconds": "2"}},
    {"kind": "upload_log"},
    {"kind": "reboot", "sure": True},
)
Eventually = Callable[..., object]

pytestmark = pytest.mark.e2e


@pytest.mark.requirement("R-079")
def test_a_unit_does_what_a_technician_asks_and_says_so_signed(tmp_path: Path, eventually: Eventually) -> None:
    with demo(tmp_path / "data", free_port(), "--units", "10") as running:
        until_ready(running)
        address = f"http://127.0.0.1:{running.port}/api/v1"
        first = ("kythuat", running.passwords()["kythuat"])
        assert httpx.post(f"{address}/password", auth=first, json={"new": PASSWORD}, timeout=120).status_code == 200
        with httpx.Client(base_url=address, auth=("kythuat", PASSWORD), timeout=120) as client:
            lines = order(client, eventually)
    assert {kind: line["detail"] for kind, line in lines.items() if kind != "upload_log"} == {
        "quiet_test": "line closed",
        "capture": "2 s",
        "reboot": "rebooting",
    }
    assert all(line["signed"] for line in lines.values())
    assert lines["capture"]["text"] == "0-2000 silence"
    assert "link up" in lines["upload_log"]["text"]


def order(client: httpx.Client, eventually: Eventually) -> dict[str, dict[str, Any]]:
    """Everything at one pole; by kind, once all is answered."""
    cluster = client.get("/clusters").json()[0]["id"]
    for each in ORDERS:
        asked = client.post(f"/clusters/{cluster}/commands", json=each)
        assert asked.status_code == 201, asked.text

    def told() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.get(f"/clusters/{cluster}/commands").json()
        return found

    eventually(lambda: {line["state"] for line in told()} == {"done"}, within=240, why="all four are answered")
    return {line["kind"]: line for line in told()}
