"""Mouth to horn: a voice at the service to every pole, through a network that delays and loses.

    python -m tests.bench live --units 80,1000 --loss 0,1,5 --broker embedded|mosquitto|both

Real processes: the broker, a proxy that delays each way by 50 to 150 ms and loses (tests/support/delaying_proxy.py),
and the poles, each on a connection of its own through the proxy. This process speaks: samples as a microphone gives
them, 20 ms at a time, through the service's own chain, encoder, pacing and signing (`live_air.Air`), out by the
service's own link. A figure is the time from the first sample of a tenth of a second to its sounding at the pole, of
the slowest pole; a browser's capture comes on top. The last line is JSON: a figure for each broker, size and loss.
Where poles heard nothing at all the command says so and ends with 1, and where none did the figure is null.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from broadcasts.clock import SystemClock, unix_ms
from broadcasts.wire import topics
from broadcasts.wire.codec import decode
from broadcasts.wire.jws import SigningKey
from broadcasts.wire.live import BUFFER_MS
from broadcasts.wire.live_packet import PACKET_MS, is_packet
from broadcasts.wire.status import TimeAsk
from broadcasts.wire.topics import MANNERS, In, Out, ScopeTopic
from broadcasts.wire.trust import Use
from controller.mqtt.link import BrokerAddress, PahoLink
from controller.services.live_air import Air, Share, Told
from tests.bench import sizes
from tests.bench.brokers import bare_broker
from tests.bench.processor import spent
from tests.bench.sizes import PATIENCE_S, Kind

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.delaying_proxy import delaying_proxy
from support.live_voice import voice
from support.signed import Signer, policy

RATE, BLOCK_MS = 48_000, 20
SCOPE = "commune"
HEADER = (
    "broker     units  loss  mouth to horn: p50   worst  gaps: poles  ms/min  late %  least margin  in step ms   load"
)


@dataclass(frozen=True)
class Figures:
    broker: Kind
    units: int
    loss: float
    p50_s: float | None
    worst_s: float | None
    """None: not one tenth of a second was heard, so there is nothing to measure."""
    deaf: int
    """Poles that heard nothing."""
    gaps: int
    """Poles that heard a gap, concealed or not."""
    gap_ms_min: float
    """Mean of all poles, for a minute."""
    late: float
    """Share of packets."""
    margin_ms: int
    """What the last packet that came had left."""
    spread_ms: int
    """How far the poles that are furthest apart are from each other."""
    load: float
    processor: dict[str, float] = field(default_factory=dict)
    """Processor seconds while somebody spoke, by process: a machine that has no more of them is what was measured."""

    def line(self) -> str:
        if self.worst_s is None or self.p50_s is None:
            return f"{self.broker:9} {self.units:6} {self.loss:4.0%}   nothing was heard at any of {self.units} poles"
        return (
            f"{self.broker:9} {self.units:6} {self.loss:4.0%} {self.p50_s:19.3f} {self.worst_s:7.3f} {self.gaps:12} "
            f"{self.gap_ms_min:7.1f} {self.late:7.3%} {self.margin_ms:13} {self.spread_ms:11} {self.load:6.1f}"
        )

    def told(self) -> dict[str, Any]:
        return {
            "figure": None if self.worst_s is None else round(self.worst_s, 3),
            "p50": None if self.p50_s is None else round(self.p50_s, 3),
            "poles_with_gaps": self.gaps,
            "gap_ms_a_minute": round(self.gap_ms_min, 1),
            "late_share": round(self.late, 5),
            "least_margin_ms": self.margin_ms,
            "deaf": self.deaf,
            "in_step_ms": self.spread_ms,
            "processor_s": self.processor,
        }


def main(arguments: Sequence[str]) -> int:
    parser = sizes.parser("live", __doc__, "80,1000")
    parser.add_argument("--loss", default="0,1,5", help="in percent, one or several, 0,1,5 by default")
    parser.add_argument("--seconds", type=int, default=30, help="how long somebody speaks, 30 by default")
    parser.add_argument("--buffer", type=int, default=BUFFER_MS, help=f"ms, {BUFFER_MS} by default")
    asked = parser.parse_args(arguments)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    deaf: list[str] = []
    print(HEADER, flush=True)
    for broker, units in sizes.each_size(asked):
        for loss in (float(each) for each in asked.loss.split(",")):
            with sizes.folder(None, "live") as folder:
                figures = measure(folder, units, broker, loss / 100, asked.seconds, asked.buffer)
            print(figures.line(), flush=True)
            found.setdefault(broker, {}).setdefault(str(units), {})[f"{loss:g}"] = figures.told()
            if figures.deaf:
                deaf.append(f"{broker}, {units} poles, {loss:g} %: {figures.deaf} heard nothing")
    for each in deaf:
        print(each, file=sys.stderr, flush=True)
    print(json.dumps({"buffer_ms": asked.buffer, "aim_s": 2.1, **found}))
    return int(bool(deaf))


def measure(folder: Path, units: int, broker: Kind, loss: float, seconds: int, buffer_ms: int) -> Figures:
    signer = Signer(unix_ms(SystemClock().now()))
    fleet = _fleet(folder, units, signer)
    with ExitStack() as undo:
        address = bare_broker(folder, units, broker, undo, fleet)
        studio = undo.enter_context(_studio(address, signer))
        studio.furnish([f"u-{n}" for n in range(units)])
        proxy = undo.enter_context(delaying_proxy(address.port))
        poles = undo.enter_context(_poles(fleet, proxy.port))
        while poles.poll_line() != "ready":
            studio.answer(0.02)
        proxy.lose(loss)
        processes = {"voice": os.getpid(), "poles": poles.pid, "proxy": proxy.pid}
        before = spent(processes)
        spoken = studio.speak(folder, seconds, buffer_ms)
        after = spent(processes)
        processor = {name: round(after[name] - before[name], 2) for name in processes}
        load = os.getloadavg()[0]
        proxy.lose(0.0)
        told = json.loads(poles.ask())
    return replace(_figures(broker, units, loss, spoken, told, load), processor=processor)


def _fleet(folder: Path, units: int, signer: Signer) -> Path:
    root = signer.root.public
    members = []
    for n in range(units):
        name = f"u-{n}"
        key = SigningKey.generate(name).to_jwk()
        members.append({"unit": name, "cluster": f"c-{n}", "secret": f"s-{random.getrandbits(64):x}", "key_jwk": key})
    told = {
        "broker": {"host": "127.0.0.1", "port": 1883},
        "files": "http://127.0.0.1:1/",
        "root": {"kid": root.kid, "x": root.x},
        "units": members,
    }
    path = folder / "fleet.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    path.chmod(0o600)
    return path


@dataclass
class _Spoken:
    begins: int
    """Unix ms of the first sample."""
    packets: dict[int, int]
    """`play_at` by number."""
    not_before: int

    def mouth(self, offset_ms: int) -> float | None:
        """When somebody said what is to be heard so long after `not_before`; none: nobody said that."""
        wanted = self.not_before + offset_ms
        for seq, play_at in self.packets.items():
            if play_at <= wanted < play_at + PACKET_MS:
                return self.begins + PACKET_MS * seq + wanted - play_at
        return None


class _Studio:
    """What the service does in a live session, without its database."""

    def __init__(self, link: PahoLink, signer: Signer) -> None:
        self._link, self._signer, self._clock = link, signer, SystemClock()

    def now(self) -> int:
        return unix_ms(self._clock.now())

    def furnish(self, units: Sequence[str]) -> None:
        now = self.now()
        self._link.publish(topics.TRUST, self._signer.trust(now), qos=1, retain=True)
        rules = policy(scopes=[SCOPE])
        plans = [(topics.to_unit(unit, In.PLAN), self._signer.plan(unit, now, [], [], policy=rules)) for unit in units]
        assert self._link.publish_all(plans, qos=1, retain=True) == len(plans)
        self._link.flush()

    def answer(self, wait_s: float) -> None:
        """What time it is, to whoever asks, for so long."""
        until = self._clock.monotonic() + wait_s
        while (left := until - self._clock.monotonic()) > 0:
            try:
                heard = self._link.inbox.get(timeout=left)
            except Exception:  # noqa: BLE001 - queue.Empty: nobody asked
                return
            address = topics.parse(heard.topic)
            if address.kind is Out.TIME_ASK:
                nonce = decode(TimeAsk, heard.payload).nonce
                said = self._signer.time(address.about, nonce, self.now())
                self._link.publish(topics.to_unit(address.about, In.TIME), said, qos=1, retain=False)

    def speak(self, folder: Path, seconds: int, buffer_ms: int) -> _Spoken:
        now = self.now()
        told = Told(
            id="bench", session=f"{random.getrandbits(64):016x}", level=3, shares=(Share(SCOPE, "all", 70),),
            issued_at=now, not_before=now, hard_end=now + 1_800_000, buffer_ms=buffer_ms, reason="bench", chime="",
            signer=self._signer.keys[Use.PLAN], key=SigningKey.generate("session"), recording=folder / "bench.wav",
        )  # fmt: skip
        spoken = _Spoken(0, {}, now)
        manner = MANNERS[ScopeTopic.LIVE]

        def send(topic: str, payload: bytes) -> bool:
            if is_packet(payload):
                spoken.packets[int.from_bytes(payload[12:16], "big")] = int.from_bytes(payload[16:24], "big")
            return self._link.publish(topic, payload, qos=manner.qos, retain=manner.retain)

        air = Air(told, send)
        air.listen(RATE)
        samples, block = voice(seconds, RATE), RATE * BLOCK_MS // 1000
        air.tick(now)
        for _ in range(100):  # whoever may be off asks for the time
            self.answer(BLOCK_MS / 1000)
            air.tick(self.now())
        spoken.begins = self.now()
        for n in range(len(samples) // block):
            due = spoken.begins + (n + 1) * BLOCK_MS
            self.answer(max(0, due - self.now()) / 1000)
            while self.now() < due:
                self.answer((due - self.now()) / 1000)
            air.speak(samples[n * block : (n + 1) * block], self.now())
            air.tick(self.now())
        air.close(self.now())
        while not air.over:
            self.answer(0.1)
            air.tick(self.now())
        self.answer(buffer_ms / 1000 + 2.0)
        return spoken


@contextmanager
def _studio(address: BrokerAddress, signer: Signer) -> Iterator[_Studio]:
    up = threading.Event()
    link = PahoLink(address, SystemClock(), up.set, look_back_s=0.0)
    thread = threading.Thread(target=link.run, name="bench-mqtt", daemon=True)
    thread.start()
    if not up.wait(20):
        raise TimeoutError("no link to the broker")
    try:
        yield _Studio(link, signer)
    finally:
        link.close()
        thread.join(10)


class _Poles:
    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child, self.pid = child, child.pid
        self._lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        self._came = threading.Event()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._lines.append(line.strip())
            self._came.set()

    def poll_line(self) -> str:
        if self._child.poll() is not None:
            raise RuntimeError("the poles have gone")
        return self._lines[-1] if self._lines else ""

    def ask(self) -> str:
        self._came.clear()
        assert self._child.stdin is not None
        self._child.stdin.write("\n")
        self._child.stdin.flush()
        if not self._came.wait(PATIENCE_S):
            raise TimeoutError("the poles do not answer")
        return self._lines[-1]


@contextmanager
def _poles(fleet: Path, port: int) -> Iterator[_Poles]:
    command = [sys.executable, "-m", "tests.bench.live_poles", str(fleet), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield _Poles(child)
        finally:
            child.terminate()


def _figures(broker: Kind, units: int, loss: float, spoken: _Spoken, told: dict[str, Any], load: float) -> Figures:
    lags = []
    for spans in told["heard"].values():
        for begin, _, offset in spans:
            if (said := spoken.mouth(offset)) is not None:
                lags.append((begin - said) / 1000)
    lags.sort()
    heard = [each for entries in told["told"].values() for each in entries]
    gaps = [sum(each["concealed_ms"] + each["lost_ms"] for each in entries) for entries in told["told"].values()]
    minutes = max(1, len(spoken.packets)) * PACKET_MS / 60_000
    return Figures(
        broker=broker,
        units=units,
        loss=loss,
        p50_s=lags[len(lags) // 2] if lags else None,
        worst_s=lags[-1] if lags else None,
        deaf=sum(not spans for spans in told["heard"].values()),
        gaps=sum(each > 0 for each in gaps),
        gap_ms_min=sum(gaps) / units / minutes,
        late=sum(each["late"] for each in heard) / max(1, units * len(spoken.packets)),
        margin_ms=told["margin_ms"],
        spread_ms=round(1000 * (lags[-1] - lags[0])) if lags else 0,
        load=load,
    )
