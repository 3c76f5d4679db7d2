"""A TCP proxy that behaves as a mobile network: delay on both ways, and loss as TCP shows it, in a process of its own.

What one `recv` brings is a segment. A segment that is lost comes 200 ms later, lost again 400 ms after that, and so on;
what follows it waits for it, since a stream keeps its order. Orders come line by line on stdin: `loss 0.01`.
"""

from __future__ import annotations

import heapq
import os
import random
import selectors
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from broadcasts.clock import Clock, SystemClock

TIMEOUT_S = 0.2
JITTER_S = 0.02
_CHUNK = 65_536


@dataclass(eq=False)
class _Way:
    """One direction of one connection."""

    source: socket.socket
    sink: socket.socket
    delay_s: float
    free_at: float = 0.0
    """Nothing arrives before what was sent before it."""
    due: deque[tuple[float, bytes]] = field(default_factory=deque)
    """When, and what; nothing: the end."""


class DelayingProxy:
    def __init__(self, to: tuple[str, int], least_s: float, most_s: float, seed: int, clock: Clock) -> None:
        """Each connection has a way of its own between `least_s` and `most_s` long, with some jitter."""
        self._to, self._least, self._most, self._clock = to, least_s, most_s, clock
        self._chance = random.Random(seed)
        self.loss = 0.0
        self._selector = selectors.DefaultSelector()
        self._door = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._door.setblocking(False)
        self._selector.register(self._door, selectors.EVENT_READ)
        self._heap: list[tuple[float, int, _Way]] = []
        self._count = 0

    @property
    def port(self) -> int:
        return int(self._door.getsockname()[1])

    def serve(self, orders: int) -> None:
        """Until the descriptor `orders` ends."""
        self._selector.register(orders, selectors.EVENT_READ)
        while True:
            wait = max(0.0, self._heap[0][0] - self._clock.monotonic()) if self._heap else None
            for key, _ in self._selector.select(wait):
                if key.fileobj is self._door:
                    self._enter()
                elif key.fd == orders:
                    line = os.read(orders, 1000)
                    if not line:
                        return
                    self.loss = float(line.split()[-1])
                else:
                    self._read(key.data)
            self._release()

    def _enter(self) -> None:
        client, _ = self._door.accept()
        broker = socket.create_connection(self._to)
        delay = self._chance.uniform(self._least, self._most)
        for source, sink in ((client, broker), (broker, client)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(source, selectors.EVENT_READ, _Way(source, sink, delay))

    def _read(self, way: _Way) -> None:
        try:
            data = way.source.recv(_CHUNK)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(way.source)
        arrives = self._clock.monotonic() + way.delay_s + self._chance.uniform(0, JITTER_S)
        timeout = TIMEOUT_S
        while self._chance.random() < self.loss:
            arrives += timeout
            timeout *= 2
        way.free_at = max(way.free_at, arrives)
        if not way.due:
            self._wait(way, way.free_at)
        way.due.append((way.free_at, data))

    def _wait(self, way: _Way, at: float) -> None:
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, way))

    def _release(self) -> None:
        now = self._clock.monotonic()
        while self._heap and self._heap[0][0] <= now:
            way = heapq.heappop(self._heap)[2]
            while way.due and way.due[0][0] <= now:
                data = way.due.popleft()[1]
                try:
                    if data:
                        way.sink.sendall(data)
                    else:
                        way.sink.shutdown(socket.SHUT_WR)
                except OSError:
                    way.due.clear()  # the other end has gone
            if way.due:
                self._wait(way, way.due[0][0])


@dataclass
class Running:
    port: int
    _child: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        return self._child.pid

    def lose(self, share: float) -> None:
        """From now on, so many of a segment's journeys fail."""
        assert self._child.stdin is not None
        self._child.stdin.write(f"loss {share}\n")
        self._child.stdin.flush()


@contextmanager
def delaying_proxy(port: int, least_s: float = 0.05, most_s: float = 0.15, seed: int = 1) -> Iterator[Running]:
    """In front of `port` on this machine."""
    command = [sys.executable, "-m", "tests.support.delaying_proxy", str(port), str(least_s), str(most_s), str(seed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        try:
            yield Running(int(child.stdout.readline()), child)
        finally:
            child.stdin.close()
            child.wait(10)


def main(port: str, least_s: str, most_s: str, seed: str) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    proxy = DelayingProxy(("127.0.0.1", int(port)), float(least_s), float(most_s), int(seed), SystemClock())
    print(proxy.port, flush=True)
    proxy.serve(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
