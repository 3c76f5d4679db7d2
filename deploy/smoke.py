"""`make smoke`: the main job, headless, with real parts: one bulletin from a recording to 80 poles, and its proof.

Own ports, own data, stations whose regulation allows 24 hours, the recording that Loa makes itself, a real broker, real
sockets. One cluster loses its link before the start and gets it back afterwards: it plays from its cache, and its
proof arrives late. The last line is the result; exit 1 unless every cluster was heard.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyotp

from broadcasts.audio.sample import write_sample
from broadcasts.clock import VIETNAM
from controller.mqtt.broker_users import CONTROLLER, new_secret, write_mosquitto_passwords, write_private
from deploy.broker_certificates import provide
from deploy.local_ca import CLIENTS
from device_sim.control import ask

BIN = Path(sys.executable).parent
ACL = Path(__file__).parent / "mosquitto" / "acl"
TEXT = "Đây là bản tin phát thử của đài truyền thanh xã."
LEAD_S = 22
"""From the hand-in to the start; a machine that is busy with other things needs more to have every unit ready."""
PASSWORD = "Only-for-this-1-smoke-test"  # noqa: S105 - of accounts that live as long as this run


def main() -> int:
    parser = argparse.ArgumentParser(description="One bulletin to every pole, proven.")
    parser.add_argument("--units", type=int, default=80)
    parser.add_argument("--broker", choices=["embedded", "mosquitto"], default="embedded")
    parser.add_argument("--certificates", action="store_true", help="mosquitto over TLS, a certificate for everybody")
    parser.add_argument("--lead", type=int, default=LEAD_S, help="seconds from the hand-in to the start")
    parser.add_argument("--keep", type=Path, help="keep data and logs in this folder")
    asked = parser.parse_args()
    if asked.certificates and asked.broker != "mosquitto":
        parser.error("--certificates needs --broker mosquitto")
    began = time.monotonic()
    with ExitStack() as undo:
        folder = asked.keep or Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="loa-smoke-")))
        folder.mkdir(parents=True, exist_ok=True)
        try:
            rows = Smoke(
                folder, asked.units, asked.broker, undo, certificates=asked.certificates, lead_s=asked.lead
            ).run()
        except (SmokeFailed, httpx.HTTPError) as failure:
            print(f"smoke: FAILED: {failure}", file=sys.stderr)
            _show_logs(folder)
            return 1
    print(summary(rows, asked.units, time.monotonic() - began))
    return 0 if all(row["verdict"] == "heard" for row in rows) and len(rows) == asked.units else 1


def summary(rows: list[dict[str, Any]], units: int, seconds: float) -> str:
    late = sorted(abs(row["late_ms"]) for row in rows if row["late_ms"] is not None)
    p95 = late[max(0, -(-len(late) * 95 // 100) - 1)] if late else -1
    played = sum(row["state"] == "played" for row in rows)
    heard = sum(row["verdict"] == "heard" for row in rows)
    unknown = sum(row["verdict"] in (None, "unknown") for row in rows) + units - len(rows)
    return (
        f"smoke: played {played}/{units} heard {heard}/{units} unknown {unknown} "
        f"late_ms_p95 {p95} seconds {seconds:.1f}"
    )


class SmokeFailed(Exception):
    """A step did not come to its end."""


class Smoke:
    SIMPLE = 2
    """Units that decode MP3 alone."""

    def __init__(
        self,
        folder: Path,
        units: int,
        broker: str,
        undo: ExitStack,
        *,
        certificates: bool = False,
        lead_s: int = LEAD_S,
    ) -> None:
        self._folder, self._units, self._broker, self._undo = folder, units, broker, undo
        self._lead_s = lead_s
        self._tls = folder / "tls" if certificates else None
        self._port, self._mqtt = free_port(), free_port()
        self._url = f"http://127.0.0.1:{self._port}"
        self._socket = folder / "fleet.sock"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LOA_")},
            "LOA_DATA": str(folder / "data"),
            "LOA_PORT": str(self._port),
            "LOA_BROKER_PORT": str(self._mqtt),
        }
        if self._tls is not None:
            provide(self._tls, ["127.0.0.1"], [], datetime.now(UTC))
            own = self._tls / CLIENTS / CONTROLLER
            self._environment |= {
                "LOA_BROKER": f"mqtts://127.0.0.1:{self._mqtt}",
                "LOA_BROKER_CA": str(self._tls / "authority.crt"),
                "LOA_BROKER_CERT": f"{own}.crt",
                "LOA_BROKER_KEY": f"{own}.key",
            }
        elif broker == "mosquitto":
            self._secret = new_secret()
            write_private(folder / "broker.secret", self._secret)
            self._environment |= {
                "LOA_BROKER": f"mqtt://127.0.0.1:{self._mqtt}",
                "LOA_BROKER_SECRET_FILE": str(folder / "broker.secret"),
            }

    def run(self) -> list[dict[str, Any]]:
        accounts = self._prepare()
        if self._broker == "mosquitto":
            self._start_mosquitto()
        serve = self._start("serve", [str(BIN / "loa"), "serve"])
        until(lambda: self._answers(serve), "the controller answers", 120)
        sim = [str(BIN / "loasim"), "run", "--fleet", str(self._fleet), "--control", str(self._socket)]
        if self._tls is not None:
            sim += ["--ca", str(self._tls / "authority.crt"), "--certificates", str(self._tls / CLIENTS)]
        self._start("loasim", [*sim, "--state", str(self._folder / "sim")])
        with self._person(accounts, "phatthanh") as author, self._person(accounts, "lanhdao") as approver:
            until(lambda: self._online(approver) == self._units, f"{self._units} units are connected", 120)
            say(f"{self._units} units connected")
            asset = self._record(author)
            name, start = self._hand_in(author, asset)
            seen = answer(approver.get(f"/api/v1/broadcasts/{name}"))["seen"]
            answer(approver.post(f"/api/v1/broadcasts/{name}/approve", json={"seen": seen}))
            say(f"approved; starts at {start:%H:%M:%S}")
            return self._watch(approver, name, start)

    def _prepare(self) -> dict[str, str]:
        self._call("migrate")
        simple = str(min(self.SIMPLE, self._units))
        told = self._call("seed", "--all-day", "--json", "--clusters", str(self._units), "--mp3-only", simple)
        made = json.loads(told)
        self._fleet = Path(made["fleet"])
        return dict(made["passwords"])

    def _call(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(BIN / "loa"), *arguments], env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SmokeFailed(f"loa {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def _start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        log = self._undo.enter_context((self._folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        self._undo.callback(end, process)
        return process

    def _start_mosquitto(self) -> None:
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if program is None:
            raise SmokeFailed("no mosquitto here: apt-get install mosquitto")
        config = self._folder / "mosquitto.conf"
        members = json.loads(self._fleet.read_text(encoding="utf-8"))["units"]
        lines = self._strict(members) if self._tls is not None else self._with_passwords(members)
        if os.geteuid() == 0:
            lines.insert(0, "user root")  # else it drops rights and cannot read a private folder
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._start("mosquitto", [program, "-c", str(config)])
        until(lambda: listens(self._mqtt), "mosquitto listens", 60)

    def _with_passwords(self, members: list[dict[str, str]]) -> list[str]:
        passwords = self._folder / "passwords"
        known = [(CONTROLLER, self._secret), *((each["unit"], each["secret"]) for each in members)]
        write_mosquitto_passwords(passwords, known)
        return [
            "per_listener_settings true",
            f"listener {self._mqtt} 127.0.0.1",
            "allow_anonymous false",
            f"password_file {passwords}",
            f"acl_file {ACL}",
            "use_username_as_clientid true",
            "max_inflight_messages 1000",
            "max_queued_messages 100000",
            "set_tcp_nodelay true",
        ]

    def _strict(self, members: list[dict[str, str]]) -> list[str]:
        """The production settings; only folders and the port are others."""
        assert self._tls is not None
        provide(self._tls, ["127.0.0.1"], [each["unit"] for each in members], datetime.now(UTC))
        shutil.copy(ACL, self._tls / "acl")
        text = (ACL.parent / "mosquitto.conf").read_text(encoding="utf-8")
        text = text.replace("/etc/mosquitto/loa/", f"{self._tls}/").replace("/var/lib/mosquitto/", f"{self._folder}/")
        return text.replace("listener 8883", f"listener {self._mqtt} 127.0.0.1").splitlines()

    def _answers(self, serve: subprocess.Popen[bytes]) -> bool:
        if serve.poll() is not None:
            raise SmokeFailed("loa serve ended")
        try:
            return httpx.get(f"{self._url}/healthz").status_code == 200
        except httpx.HTTPError:
            return False

    @contextmanager
    def _person(self, accounts: dict[str, str], name: str) -> Iterator[httpx.Client]:
        """Somebody who changed the one-time password and, where the role asks for it, has an authenticator app."""
        with httpx.Client(base_url=self._url, timeout=60) as client:
            answer(client.post("/api/v1/password", auth=(name, accounts[name]), json={"new": PASSWORD}))
            told = answer(client.post("/api/v1/sessions", json={"name": name, "password": PASSWORD}))
            client.headers["authorization"] = f"Bearer {told['token']}"
            if told["owes"] == "factor":
                secret = answer(client.post("/api/v1/second-factor"))["secret"]
                answer(client.post("/api/v1/second-factor/confirm", json={"code": pyotp.TOTP(secret).now()}))
            yield client

    def _online(self, person: httpx.Client) -> int:
        return sum(line["presence"] == "online" for line in answer(person.get("/api/v1/clusters")))

    def _record(self, author: httpx.Client) -> str:
        path = write_sample(self._folder / "sample.wav", text=TEXT)
        told = answer(author.post("/api/v1/recordings?name=sample.wav", content=path.read_bytes()))
        say(f"recording of {told['duration_ms'] / 1000:.1f} s, {told['size']} bytes, {told['loudness_lufs']:.1f} LUFS")
        return str(told["sha256"])

    def _hand_in(self, author: httpx.Client, asset: str) -> tuple[str, datetime]:
        clusters = [line["id"] for line in answer(author.get("/api/v1/clusters"))]
        start = (datetime.now(UTC) + timedelta(seconds=self._lead_s)).replace(microsecond=0)
        local = start.astimezone(VIETNAM)
        draft = {
            "title": "Bản tin phát thử",
            "asset": asset,
            "clusters": clusters,
            "first_day": f"{local:%Y-%m-%d}",
            "at": f"{local:%H:%M:%S}",
            "push_now": True,
        }
        seen = answer(author.post("/api/v1/broadcasts/preview", json=draft))
        if seen["problems"] or len(seen["clusters"]) != self._units:
            raise SmokeFailed(f"the preview says {seen['problems']} for {len(seen['clusters'])} clusters")
        return str(answer(author.post("/api/v1/broadcasts", json=draft))["id"]), start

    def _watch(self, person: httpx.Client, name: str, start: datetime) -> list[dict[str, Any]]:
        def rows() -> list[dict[str, Any]]:
            return list(answer(person.get(f"/api/v1/broadcasts/{name}/deliveries")))

        until(lambda: all(row["state"] == "ready" for row in rows()), "every unit is ready", self._lead_s - 4)
        cut = rows()[0]
        ask(self._socket, {"do": "fault", "units": [cut["unit"]], "kind": "offline"})
        say(f"{self._units} ready; {cut['cluster']} is cut off now")
        end_at = datetime.fromisoformat(cut["end"])
        others = [row["id"] for row in rows()[1:]]
        wait = (end_at - datetime.now(UTC)).total_seconds() + 60

        def settled() -> set[str]:
            return {row["id"] for row in rows() if row["verdict"]}

        until(lambda: settled().issuperset(others), "every connected cluster is settled", wait)
        if cut["id"] in settled():
            raise SmokeFailed("the cluster that is cut off has a verdict before its proof came")
        ask(self._socket, {"do": "fault", "units": [cut["unit"]], "kind": "online"})
        say(f"all others are settled; {cut['cluster']} is back")
        until(lambda: cut["id"] in settled(), "the late proof has come", 120)
        return rows()


def answer(response: httpx.Response) -> Any:
    if response.status_code >= 400:
        raise SmokeFailed(f"{response.request.method} {response.request.url.path}: {response.text[:300]}")
    return response.json()


def until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Raises SmokeFailed when `what` does not become true in time."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise SmokeFailed(f"not within {seconds:.0f} s: {what}")
        pause.wait(0.5)


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def say(line: str) -> None:
    print(f"smoke: {line}", file=sys.stderr, flush=True)


def _show_logs(folder: Path) -> None:
    for log in sorted(folder.glob("*.log")):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        print(f"--- {log.name}", *lines, sep="\n", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
