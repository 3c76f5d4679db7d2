"""A demo's way to break things: the simulated fleet by its socket, our own broker and ourselves by hand."""

from __future__ import annotations

import json
import os
import signal
import socket
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from broadcasts.clock import SandboxClock, from_unix_ms
from broadcasts.errors import Fault, LoaError, Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import Asset, Bulletin, Rendition
from controller.mqtt.embedded import EmbeddedBroker
from controller.services import alerting
from controller.services.context import Context
from controller.services.seeding import PROVINCE

ANSWER_S = 5.0
ALERT_LASTS = timedelta(minutes=2)


class Sandbox:
    """Implements `services.sandbox.SandboxControl`."""

    def __init__(self, fleet: Path, ctx: Context, clock: SandboxClock, broker: EmbeddedBroker | None) -> None:
        self._fleet = fleet
        self._ctx = ctx
        self._clock = clock
        self._broker = broker

    def poles(self) -> list[dict[str, Any]]:
        answer = self._ask({"do": "poles"})
        with self._ctx.db.read() as session:
            titles: dict[str, str] = {
                row[0]: row[1]
                for row in session.execute(
                    select(Rendition.asset_sha256, Bulletin.title).join(Bulletin, Rendition.bulletin_id == Bulletin.id)
                )
            }
        return [_pole(pole, titles) for pole in answer["poles"]]

    def act(self, name: str, **args: str) -> dict[str, Any]:
        match name:
            case "restart_broker" if self._broker is not None:
                self._broker.restart()
            case "wipe_broker" if self._broker is not None:
                self._broker.wipe()
            case "kill_controller":
                os.kill(os.getpid(), signal.SIGKILL)
            case "alert":
                self._alert()
            case "silence":
                alerting.silence(self._ctx, "sandbox", PROVINCE[0])
            case _:
                return self._ask({"do": "fault", "name": name, **args})
        return {"done": name}

    def move_clock(self, to: datetime) -> None:
        try:
            self._clock.move_to(to)
        except ValueError:
            raise Refused("sandbox.backward") from None
        self._ctx.wake()

    def _alert(self) -> None:
        with self._ctx.db.read() as session:
            asset = session.scalar(select(Asset.sha256).order_by(Asset.created_at.desc()).limit(1))
        if asset is None:
            raise Refused("sandbox.no_recording")
        alerting.sound(
            self._ctx, "sandbox", PROVINCE[0], AlertKind.STORM, [("vi", asset)], "Sandbox", ALERT_LASTS, volume=90
        )

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX) as door:
                door.settimeout(ANSWER_S)
                door.connect(str(self._fleet))
                door.sendall(json.dumps(request).encode() + b"\n")
                answer = json.loads(door.makefile("rb").readline())
        except (OSError, ValueError) as failure:
            raise Fault("sandbox.silent", detail=str(failure)) from failure
        if "error" in answer:
            raise _refusal(answer["error"])
        return dict(answer)


def _refusal(error: Any) -> LoaError:
    fields = dict(error) if isinstance(error, dict) else {"key": "sandbox.refused", "detail": str(error)}
    return Refused(str(fields.pop("key", "sandbox.refused")), **fields)


def _pole(told: dict[str, Any], titles: dict[str, str]) -> dict[str, Any]:
    """The simulator's words in the page's: aware instants, titles instead of hashes."""
    heard = [
        {
            **sound,
            "title": titles.get(sound["asset"]),
            "from": from_unix_ms(sound["from_ms"]),
            "to": from_unix_ms(sound["to_ms"]) if sound.get("to_ms") else None,
        }
        for sound in told.get("heard", [])
    ]
    return {**told, "heard": heard}
