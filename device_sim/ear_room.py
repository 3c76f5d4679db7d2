"""The ears of a live fleet, in a thread of their own: a minute of sound is work, and messages must not wait for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from device_sim.ears import Asked, Ears
from device_sim.events import Overheard


class EarRoom:
    """`ready` is called from the thread whenever an answer is there."""

    def __init__(self, ready: Callable[[], None]) -> None:
        self._ears, self._ready = Ears(), ready
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ear")
        self._told: SimpleQueue[tuple[str, Overheard]] = SimpleQueue()

    def ask(self, asked: Asked) -> None:
        self._pool.submit(self._run, asked)

    def take(self) -> list[tuple[str, Overheard]]:
        """(unit, answer), in order."""
        taken: list[tuple[str, Overheard]] = []
        while not self._told.empty():
            taken.append(self._told.get())
        return taken

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, asked: Asked) -> None:
        self._told.put((asked.unit, self._ears.hear(asked)))
        self._ready()
