"""deploy/compose.yaml brought up under a name of its own, on ports of its own, and people who talk to it."""

from __future__ import annotations

import os
import resource
import secrets
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import httpx
import pyotp
import pytest
from support.brokers import free_port
from support.engine import ROOT, docker

from broadcasts.clock import VIETNAM, SystemClock

PASSWORD = "Mot-cau-de-nho-2026"
WITHOUT_GRAFANA = ("controller", "files", "prometheus", "alertmanager")
"""Debian has no Grafana: its files are held by tests of their own."""
PORTS = ("PUBLISH", "PUBLISH_MQTT", "PUBLISH_MQTT_CERTIFICATES", "PUBLISH_FILES", "PUBLISH_443")


class Composed:
    def __init__(self, image: str, folder: Path) -> None:
        program = Path(sys.executable).parent / "docker-compose"
        if not program.exists():
            pytest.fail("no docker-compose beside this Python: make setup", pytrace=False)
        self.folder = folder
        self.name = f"loa-{secrets.token_hex(3)}"
        self.port = {name: free_port() for name in (*PORTS, "PROMETHEUS_PORT", "ALERTMANAGER_PORT")}
        own = {name: f"127.0.0.1:{port}" if name in PORTS else str(port) for name, port in self.port.items()}
        # What this machine lets a container have; the default is for a machine with thousands of poles.
        files = str(min(200_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        self.environment = {**os.environ, **own, "LOA_IMAGE": image, "MOSQUITTO_NOFILE": files}
        self._command = [str(program), "-p", self.name, "-f", str(ROOT / "deploy" / "compose.yaml")]

    def __call__(self, *arguments: str, check: bool = True, stdin: IO[bytes] | None = None) -> str:
        told = subprocess.run(
            [*self._command, "--progress=quiet", *arguments],
            env=self.environment,
            stdin=stdin or subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if check and told.returncode:
            raise AssertionError(f"{arguments}: {told.stdout[-800:]}{told.stderr[-800:]}\n{self.logs()}")
        return told.stdout.strip()

    def logs(self) -> str:
        command = [*self._command, "logs", "--no-color", "--tail", "15"]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False).stdout[-6000:]

    def up(self, *services: str) -> None:
        self("--profile", "simulator", "up", "-d", "--wait", "--wait-timeout", "180", *services)

    def container(self, service: str) -> str:
        return f"{self.name}-{service}-1"

    def health(self, service: str) -> str:
        return docker("inspect", "-f", "{{.State.Health.Status}}", self.container(service))

    def trust(self) -> ssl.SSLContext:
        text = self("exec", "-T", "controller", "cat", "/var/lib/loa/data/tls/authority.crt")
        return ssl.create_default_context(cadata=text)

    @contextmanager
    def person(self, name: str, one_time: str) -> Iterator[httpx.Client]:
        """Somebody who changed the one-time password and, where the role asks for it, has an authenticator app."""
        address = f"https://127.0.0.1:{self.port['PUBLISH']}"
        with httpx.Client(base_url=address, timeout=30, verify=self.trust()) as client:
            answer(client.post("/api/v1/password", auth=(name, one_time), json={"new": PASSWORD}))
            told = answer(client.post("/api/v1/sessions", json={"name": name, "password": PASSWORD}))
            client.headers["authorization"] = f"Bearer {told['token']}"
            if told["owes"] == "factor":
                secret = answer(client.post("/api/v1/second-factor"))["secret"]
                answer(client.post("/api/v1/second-factor/confirm", json={"code": pyotp.TOTP(secret).now()}))
            yield client


@contextmanager
def composed(image: str, folder: Path) -> Iterator[Composed]:
    stack = Composed(image, folder)
    try:
        yield stack
    finally:
        stack("--profile", "simulator", "down", "-v", "--timeout", "5", check=False)


def answer(response: httpx.Response) -> Any:
    assert response.status_code < 400, f"{response.request.url.path}: {response.status_code} {response.text[:300]}"
    return response.json()


def hand_in(author: httpx.Client, approver: httpx.Client, recording: bytes, lead: timedelta) -> tuple[str, str]:
    """A bulletin for every cluster, approved: its id, and that of its sound."""
    asset = answer(author.post("/api/v1/recordings?name=sample.wav", content=recording))["sha256"]
    clusters = [line["id"] for line in answer(author.get("/api/v1/clusters"))]
    local = (SystemClock().now().astimezone(UTC) + lead).replace(microsecond=0).astimezone(VIETNAM)
    draft = {
        "title": "Bản tin phát thử",
        "asset": asset,
        "clusters": clusters,
        "first_day": f"{local:%Y-%m-%d}",
        "at": f"{local:%H:%M:%S}",
        "push_now": True,
    }
    name = str(answer(author.post("/api/v1/broadcasts", json=draft))["id"])
    seen = answer(approver.get(f"/api/v1/broadcasts/{name}"))["seen"]
    answer(approver.post(f"/api/v1/broadcasts/{name}/approve", json={"seen": seen}))
    return name, str(asset)


def rows(person: httpx.Client, broadcast: str) -> list[dict[str, Any]]:
    """Its deliveries; none while the controller is away."""
    try:
        return list(answer(person.get(f"/api/v1/broadcasts/{broadcast}/deliveries")))
    except httpx.HTTPError:
        return []


def begins(told: list[dict[str, Any]]) -> datetime:
    return min(datetime.fromisoformat(row["start"]) for row in told)
