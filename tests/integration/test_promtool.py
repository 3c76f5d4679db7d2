"""Rules and configuration before the real promtool, and once before the real Prometheus with a real page of ours."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import socket
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from monitoring.check import FOLDER
from monitoring.metrics import CONTENT_TYPE, FleetMetrics
from monitoring.snapshot import FleetSnapshot

TOKEN = "a-token-for-this-test"
RULES = ("recording.yml", "alerts.yml")
NEVER, ALWAYS = "vector(0) > 1", "vector(1)"


def program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is missing: apt-get install prometheus"
    return found


def promtool(*words: str, folder: Path, page: bytes | None = None) -> tuple[int, str]:
    told = subprocess.run(
        [program("promtool"), *words], cwd=folder, input=page, capture_output=True, check=False, timeout=120
    )
    return told.returncode, (told.stdout + told.stderr).decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped folder with a token where the configuration wants it."""
    copy = tmp_path / "prometheus"
    shutil.copytree(FOLDER / "prometheus", copy)
    (copy / "secrets").mkdir(mode=0o700)
    token = copy / "secrets" / "metrics-token"
    token.touch(mode=0o600)
    token.write_text(TOKEN, encoding="utf-8")
    return copy


@pytest.fixture
def metrics() -> FleetMetrics:
    metrics = FleetMetrics(CollectorRegistry())
    metrics.show(FleetSnapshot(units={"online": 78, "offline": 2}, audit_chain_ok=True, storage_free_ratio=0.5))
    metrics.request("/clusters/{cluster}", "GET", 200, 0.02)
    metrics.violation('odd "reason" \\ with\nbreaks')
    return metrics


def rule_tests(folder: Path) -> list[str]:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("tests/*.yml"))
    assert names
    return names


def test_promtool_accepts_configuration_and_rules(folder: Path) -> None:
    code, said = promtool("check", "config", "prometheus.yml", folder=folder)
    assert code == 0, said
    assert said.count("rules found") == len(RULES)


def test_promtool_wants_the_token_in_a_file_of_its_own(folder: Path) -> None:
    (folder / "secrets" / "metrics-token").unlink()
    code, said = promtool("check", "config", "prometheus.yml", folder=folder)
    assert code != 0
    assert "metrics-token" in said


def test_promtool_finds_nothing_to_mend_in_our_page(folder: Path, metrics: FleetMetrics) -> None:
    code, said = promtool("check", "metrics", folder=folder, page=metrics.render())
    assert (code, said) == (0, "")


def test_every_alert_fires_and_is_quiet_when_it_should(folder: Path) -> None:
    code, said = promtool("test", "rules", *rule_tests(folder), folder=folder)
    assert code == 0, said


@pytest.mark.parametrize("instead", [NEVER, ALWAYS], ids=["never fires", "always fires"])
def test_no_alert_could_be_broken_unseen(folder: Path, instead: str) -> None:
    path = folder / "rules" / "alerts.yml"
    text = path.read_text(encoding="utf-8")
    alerts = re.findall(r"- alert: (\w+)", text)
    broken, count = re.subn(r"(        expr: >-\n)(?:          .*\n)+", rf"\1          {instead}\n", text)
    assert count == len(alerts) > 20
    path.write_text(broken, encoding="utf-8")
    code, said = promtool("test", "rules", *rule_tests(folder), folder=folder)
    assert code != 0
    assert set(alerts) - set(re.findall(r"alertname: (\w+)", said)) == set()


@contextmanager
def page_of(metrics: FleetMetrics) -> Iterator[int]:
    """A page that asks for the token, as the controller's does; its port."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.path == "/metrics" and self.headers.get("Authorization") == f"Bearer {TOKEN}"
            body = metrics.render() if allowed else b""
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def prometheus(folder: Path, port: int) -> Iterator[str]:
    """Prometheus on the shipped configuration, hurried, with our page for its target; its address."""
    path = folder / "prometheus.yml"
    text = path.read_text(encoding="utf-8")
    hurried = text.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("15s", "1s")
    hurried = re.sub(r"alerting:\n(?: .*\n)+", "", hurried)
    assert hurried.count("1s") == 2
    path.write_text(hurried, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            [
                program("prometheus"),
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                f"--web.listen-address={address}",
            ],
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            yield f"http://{address}"
        finally:
            running.terminate()
            running.wait(30)


def asked(address: str, path: str, **words: str) -> Any:
    """The data of an answer; an AssertionError, so that one asks again, while nobody answers."""
    query = urllib.parse.urlencode(words)
    try:
        with urllib.request.urlopen(f"{address}/api/v1/{path}?{query}", timeout=5) as answer:
            return json.load(answer)["data"]
    except (urllib.error.URLError, ConnectionError) as failure:
        raise AssertionError(str(failure)) from failure


def test_prometheus_reads_our_page_with_the_token_and_raises_the_alarm(
    folder: Path, metrics: FleetMetrics, eventually: Callable[..., Any]
) -> None:
    metrics.show(FleetSnapshot(units={"online": 78, "offline": 2}, audit_chain_ok=False))
    with page_of(metrics) as port, prometheus(folder, port) as address:

        def value(expression: str) -> list[str]:
            return [row["value"][1] for row in asked(address, "query", query=expression)["result"]]

        def firing() -> set[str]:
            alerts = asked(address, "alerts")["alerts"]
            return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

        try:
            eventually(lambda: value('up{job="loa"}') == ["1"], within=120, why="the page is read")
            eventually(lambda: value("loa:units_missing:ratio") == ["0.025"], within=120, why="the ratio is recorded")
            eventually(lambda: "LoaAuditChainBroken" in firing(), within=120, why="the alarm is raised")
            groups = asked(address, "rules")["groups"]
        except AssertionError as failure:
            raise AssertionError((folder / "log").read_text(encoding="utf-8")[-3000:]) from failure
    assert [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"] == []
