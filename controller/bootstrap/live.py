"""Live voices of the real process: the room that everybody speaks in, and the steps that look after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from controller.bootstrap.audio_room import chains
from controller.services import live_keeping
from controller.services.context import Context
from controller.services.live_room import LiveRoom
from controller.services.live_rules import LiveRules
from controller.services.ports import Link
from controller.settings import Settings
from monitoring.metrics import FleetMetrics


def rules(settings: Settings) -> LiveRules:
    return LiveRules(
        buffer_ms=settings.live_buffer_ms,
        longest=timedelta(minutes=settings.live_minutes),
        silence_s=settings.live_silence_s,
    )


def room_of(ctx: Context, settings: Settings, link: Link, metrics: FleetMetrics) -> LiveRoom:
    """Nothing of it is queued: what does not leave now is worth nothing later."""

    def send(topic: str, payload: bytes) -> bool:
        return link.publish(topic, payload, qos=0, retain=False)

    return LiveRoom(ctx.clock, send, chains(settings), counted=metrics.talked)


def steps(ctx: Context, room: LiveRoom) -> dict[str, Callable[[datetime], datetime]]:
    return {
        "live": lambda now: live_keeping.step(ctx, room, now),
        "live-keep": lambda now: live_keeping.keep(ctx, now),
    }
