"""What units say, as it is handed on: how many messages at once, and when."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence

from broadcasts.clock import Clock
from broadcasts.wire import topics
from controller.mqtt.inbound import Received

BATCH = 500
GATHER_S, LOOK_S = 0.1, 0.02
HELD_S, MOST_HELD, BESIDE = 3.0, 5_000, 100
"""While plans are made and published, what units say waits, but no longer, and not more of it: villagers wait for the
plans, and for each report nobody. What is taken in meanwhile is so little at a time: a writer locks the others out."""
_PAUSE = threading.Event()
"""Nobody ends it early."""
_TIME_ASK = f"/out/{topics.Out.TIME_ASK}"


def take(inbox: queue.Queue[Received], clock: Clock, publishing: Callable[[], bool]) -> list[Received]:
    """A batch; waits half a second for the first message, and a moment for its company: a transaction costs the same
    for one message and for a hundred. While `publishing`, up to `HELD_S`. Who asks for the time is not kept waiting."""
    batch: list[Received] = []
    with contextlib.suppress(queue.Empty):
        batch.append(inbox.get(timeout=0.5))
    began, asked = clock.monotonic(), False
    while batch and len(batch) < (MOST_HELD if publishing() else BATCH):
        asked = asked or batch[-1].topic.endswith(_TIME_ASK)
        left = 0.0 if asked else began + (HELD_S if publishing() else GATHER_S) - clock.monotonic()
        try:
            batch.append(inbox.get_nowait())
        except queue.Empty:
            if left <= 0:
                break
            # Not at the inbox: who is woken for each message takes the processor from those who make plans.
            _PAUSE.wait(min(left, LOOK_S))
    return batch


def parts(batch: Sequence[Received], publishing: Callable[[], bool]) -> Iterator[Sequence[Received]]:
    """What is taken in together: first those who ask for the time, then the rest by hundreds, and by fewer while
    `publishing`."""
    asking = [one for one in batch if one.topic.endswith(_TIME_ASK)]
    if asking:
        yield asking
    rest = [one for one in batch if not one.topic.endswith(_TIME_ASK)]
    start = 0
    while start < len(rest):
        size = BESIDE if publishing() else BATCH
        yield rest[start : start + size]
        start += size
