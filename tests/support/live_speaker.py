"""Somebody speaks live, in virtual time: documents and packets as the contract has them, and when they leave."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from support.signed import SECOND, Signer

from broadcasts.wire import topics
from broadcasts.wire.jws import SigningKey
from broadcasts.wire.live import REPEAT_MS, LiveSession, seal_session
from broadcasts.wire.live_pacing import Pacing
from broadcasts.wire.live_packet import PACKET_MS, LivePacket, pack
from broadcasts.wire.topics import ScopeTopic
from broadcasts.wire.trust import Use

FRAME = b"\xf8" + b"v" * 59
"""20 ms at 24 kbit/s; nobody decodes it here."""
Say = tuple[int, str, bytes]
"""When it leaves (Unix ms), the topic, the payload."""
LOSS_TIMEOUT_MS = 200
"""A lost segment comes after so long; lost again, after twice as long more."""


class Speaker:
    """One session that begins at `begin`. Level 1 is signed with the alert key."""

    def __init__(self, signer: Signer, begin: int, scope: str = "commune", seed: int = 1, **fields: Any) -> None:
        self.key = SigningKey.generate("session")
        self.begin = begin
        name = random.Random(f"{seed} {begin}").randbytes(8).hex()
        given: dict[str, Any] = {
            "session": name, "scope": scope, "level": 3, "target": "all", "key": self.key.public.x,
            "issued_at": begin, "said_at": begin, "not_before": begin, "hard_end": begin + 600 * SECOND,
            "volume": 70, "reason": "Thông báo",
        }  # fmt: skip
        self.session = LiveSession(**{**given, **fields})
        self._signer = signer

    @property
    def topic(self) -> str:
        return topics.to_scope(self.session.scope, ScopeTopic.LIVE)

    @property
    def sound(self) -> str:
        """How a villager's record names it."""
        return f"live:{self.session.session}"

    def document(self, said_at: int, **fields: Any) -> bytes:
        use = Use.ALERT if self.session.level == 1 else Use.PLAN
        return seal_session(self.session.model_copy(update={"said_at": said_at, **fields}), self._signer.keys[use])

    def packet(self, seq: int, play_at: int, key: SigningKey | None = None, frames: int = 5) -> bytes:
        return pack(LivePacket(self.session.session, seq, play_at, (FRAME,) * frames), key or self.key)

    def speech(self, lasts_ms: int, ends: bool = True, speaks_after_ms: int = 0) -> list[Say]:
        """All that leaves the controller, in order: the voice begins `speaks_after_ms` after the begin."""
        said: list[Say] = []
        pacing = Pacing(self.session.buffer_ms)
        first = self.begin + speaks_after_ms
        ticks = sorted({*range(self.begin, first + lasts_ms, REPEAT_MS), *range(first, first + lasts_ms, PACKET_MS)})
        seq = 0
        for now in ticks:
            if (now - self.begin) % REPEAT_MS == 0:
                said.append((now, self.topic, self.document(now)))
            if first <= now and (now - first) % PACKET_MS == 0:
                play_at = pacing.play_at(now)
                assert play_at is not None
                said.append((now, self.topic, self.packet(seq, play_at)))
                seq += 1
        for again in range(3 if ends else 0):
            now = first + lasts_ms + again * REPEAT_MS
            said.append((now, self.topic, self.document(now, ends_at=pacing.ends_at)))
        return said


def arriving(said: Sequence[Say], loss: float, delay: Callable[[], int], chance: random.Random) -> Iterator[Say]:
    """The same at the end of one TCP connection: delay, and loss as retransmission after 200 ms, then twice as long;
    what comes behind what was lost waits for it."""
    lane = 0
    for at, topic, payload in said:
        wait, timeout = delay(), LOSS_TIMEOUT_MS
        while chance.random() < loss:
            wait, timeout = wait + timeout, 2 * timeout
        lane = max(lane, at + wait)
        yield lane, topic, payload
