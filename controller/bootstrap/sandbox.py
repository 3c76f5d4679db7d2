"""A demo's way to break things: the simulated fleet by its socket, our own broker and ourselves by hand."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from broadcasts.clock import VIETNAM, SandboxClock, from_unix_ms
from broadcasts.domain.model import Field, Priority
from broadcasts.errors import Fault, Refused
from broadcasts.wire import codec, topics
from broadcasts.wire.alert import AlertKind
from broadcasts.wire.jws import Typ
from broadcasts.wire.plan import MAX_AHEAD_MS, Plan
from broadcasts.wire.topics import In
from broadcasts.wire.trust import Use
from controller.db.tables import Asset, Assignment, Bulletin, Rendition, UnitPlan
from controller.mqtt.embedded import EmbeddedBroker
from controller.services import accounts, alerting, approving, composing, emergency_set
from controller.services.alert_guards import Exempt
from controller.services.composing import Draft
from controller.services.context import Context
from controller.services.library import FIRMWARE
from controller.services.ports import Link
from controller.services.rights import Actor, Role
from controller.services.seeding import ACCOUNTS, PROVINCE

ANSWER_S = 5.0
ALERT_LASTS = timedelta(minutes=2)
SOON = timedelta(seconds=20)
AFTER_A_DEATH = timedelta(seconds=40)
"""Time to start again, also on a busy machine, and to tell the poles before the bulletin begins."""
_RELAYED = "relay:"
"""The simulator's word for the sound of another station."""
AUTHOR, APPROVER = ACCOUNTS[0][0], ACCOUNTS[1][0]


_FAULTS: dict[str, list[dict[str, Any]]] = {
    "cut_link": [{"kind": "offline"}],
    "restore_link": [{"kind": "online"}],
    "reboot": [{"kind": "reboot"}],
    "cut_wire": [{"kind": "wire_cut"}],
    "mend_wire": [{"kind": "wire_repair"}],
    "loosen_wire": [{"kind": "wire_loose"}],
    "swap_file": [{"kind": "files_swapped"}],
    "right_file": [{"kind": "files_right"}],
    "loud_neighbour": [{"kind": "neighbour_loud"}],
    "quiet_neighbour": [{"kind": "neighbour_quiet"}],
    "break_ear": [{"kind": "ear_broken"}],
    "mend_ear": [{"kind": "ear_repair"}],
    "forget_connection": [{"kind": "nat_timeout"}],
    "stick_amplifier": [{"kind": "amplifier_stuck"}],
    "free_amplifier": [{"kind": "amplifier_free"}],
    "heat_cabinet": [{"kind": "cabinet_hot", "celsius": 80.0}],
    "cool_cabinet": [{"kind": "cabinet_cool"}],
    "silence_source": [{"kind": "source_silent"}],
    "restore_source": [{"kind": "source_back"}],
    "clock_off_linked": [{"kind": "clock_off", "seconds": 40.0}],
    "clock_off_alone": [{"kind": "offline"}, {"kind": "clock_off", "seconds": 40.0}],
    "corrupt_asset": [{"kind": "corrupt_next_fetch"}],
    "forge_plan": [{"kind": "forge"}],
    "replay_plan": [{"kind": "replay_old"}],
    "double_messages": [{"kind": "duplicate_messages", "on": True}],
    "single_messages": [{"kind": "duplicate_messages", "on": False}],
}
"""The page's acts in the words of the simulator's socket (`loasim describe`)."""


class Sandbox:
    """Implements `services.sandbox.SandboxControl`."""

    def __init__(
        self, fleet: Path, ctx: Context, clock: SandboxClock, link: Link, broker: EmbeddedBroker | None
    ) -> None:
        self._fleet = fleet
        self._ctx = ctx
        self._clock = clock
        self._link = link
        self._broker = broker

    def poles(self) -> list[dict[str, Any]]:
        answer = self._ask({"do": "poles", "sounds": 5})
        with self._ctx.db.read() as session:
            rows = session.execute(
                select(Rendition.asset_sha256, Bulletin.title).join(Bulletin, Rendition.bulletin_id == Bulletin.id)
            )
            titles: dict[str, str] = {row[0]: row[1] for row in rows}
        return [_pole(pole, titles) for pole in answer["poles"]]

    def act(self, name: str, **args: str) -> dict[str, Any]:
        match name:
            case "restart_broker" if self._broker is not None:
                self._broker.restart()
            case "wipe_broker" if self._broker is not None:
                self._broker.wipe()
            case "kill_controller":
                self._broadcast(Priority.ORDINARY, ahead=AFTER_A_DEATH, quietly=True)
                os.kill(os.getpid(), signal.SIGKILL)
            case "priority":
                self._broadcast(Priority.PRIORITY, args.get("unit", ""))
            case "alert":
                self._alert()
            case "silence":
                alerting.silence(self._ctx, self._on_duty(), PROVINCE[0])
            case "older_plan":
                self._mislead(args.get("unit", ""), lambda plan: 1)
            case "far_future_plan":
                self._mislead(args.get("unit", ""), lambda plan: plan.version + 2 * MAX_AHEAD_MS)
            case _ if name in _FAULTS:
                for fault in _FAULTS[name]:
                    self._ask({"do": "fault", "units": args.get("unit") or "all", **fault})
            case _:
                raise Refused("sandbox.unknown_act", act=name)
        return {"done": name}

    def _mislead(self, unit: str, version: Callable[[Plan], int]) -> None:
        """A document that is truly ours but has no business now: a thief of yesterday's bytes, or of our clock."""
        with self._ctx.db.read() as session:
            stored = session.get(UnitPlan, unit)
        if stored is None:
            raise Refused("plan.none", name=unit)
        signer = self._ctx.keys.signer(Use.PLAN)
        own = signer.public
        plan = codec.unseal(Plan, stored.document, Typ.PLAN, lambda kid: own if kid == own.kid else None)
        wrong = codec.seal(plan.model_copy(update={"version": version(plan), "items": []}), Typ.PLAN, signer)
        self._link.publish(topics.to_unit(unit, In.PLAN), wrong, qos=1, retain=False)

    def move_clock(self, to: datetime) -> None:
        try:
            self._clock.move_to(to)
        except ValueError:
            raise Refused("sandbox.backward") from None
        self._ctx.wake()

    def _broadcast(self, priority: Priority, unit: str = "", *, ahead: timedelta = SOON, quietly: bool = False) -> None:
        """A bulletin by the sample accounts, approved by the other one, starting very soon: at one pole or at all.
        `quietly` approves without a word to the compiler, so that what comes next finds it decided and not sent."""
        ctx = replace(self._ctx, wake=lambda: None) if quietly else self._ctx
        start = (ctx.clock.now() + ahead).astimezone(VIETNAM).replace(microsecond=0)
        with ctx.db.read() as session:
            author = accounts.actor_by_name(session, AUTHOR, ctx.wall.now())
            approver = accounts.actor_by_name(session, APPROVER, ctx.wall.now())
            cluster = session.scalar(
                select(Assignment.cluster_id).where(Assignment.unit_id == unit, Assignment.until.is_(None))
            )
        draft = Draft(
            title=f"{priority.name.lower()} {start:%H:%M:%S}",
            field=Field.GENERAL,
            language="vi",
            asset=self._newest_recording(),
            areas=() if cluster else (PROVINCE[0],),
            clusters=(cluster,) if cluster else (),
            first_day=start.date(),
            at=start.time(),
            priority=priority,
            push_now=True,
        )
        name = composing.submit(ctx, author, draft)
        _, _, seen = approving.look_at(ctx, approver, name)
        approving.approve(ctx, approver, name, seen)

    def _newest_recording(self) -> str:
        with self._ctx.db.read() as session:
            recordings = select(Asset.sha256).where(Asset.codec != FIRMWARE)
            asset = session.scalar(recordings.order_by(Asset.created_at.desc()).limit(1))
        if asset is None:
            raise Refused("sandbox.no_recording")
        return asset

    def _alert(self) -> None:
        """From the set that the poles hold beforehand; without one, whatever was recorded last."""
        with self._ctx.db.read() as session:
            content = emergency_set.content_for(session, PROVINCE[0], AlertKind.STORM)
        content = content or [("vi", self._newest_recording())]
        on_duty, storm = self._on_duty(), AlertKind.STORM
        demo = Exempt.SANDBOX
        alerting.sound(self._ctx, on_duty, PROVINCE[0], storm, content, "Sandbox", ALERT_LASTS, volume=90, exempt=demo)

    def _on_duty(self) -> Actor:
        """No sample account may sound an emergency."""
        with self._ctx.db.read() as session:
            return accounts.stand_in(session, "sandbox", Role.EMERGENCY, PROVINCE[0], self._ctx.wall.now())

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX) as door:
                door.settimeout(ANSWER_S)
                door.connect(str(self._fleet))
                door.sendall(json.dumps(request).encode() + b"\n")
                answer = json.loads(door.makefile("rb").readline())
        except (OSError, ValueError) as failure:
            raise Fault("sandbox.silent", detail=str(failure)) from failure
        if not answer.get("ok"):
            raise Refused("sandbox.refused", detail=str(answer.get("words", "")))
        return dict(answer)


def _pole(told: dict[str, Any], titles: dict[str, str]) -> dict[str, Any]:
    """The simulator's words in the page's: aware instants, titles instead of hashes."""
    heard = [_sound(sound, titles) for sound in reversed(told.get("heard", []))]
    hearing = told.get("hearing")
    return {
        "cluster": told["cluster"],
        "unit": told["unit"],
        "online": told["online"],
        "sounding": (_title(hearing["asset"], titles) or hearing["asset"][:8]) if hearing else None,
        "volume": hearing["volume"] if hearing else 0,
        "faults": told["faults"],
        "heard": ([_sound(hearing, titles) | {"to": None}] if hearing else []) + heard,
    }


def _title(sound: str, titles: dict[str, str]) -> str | None:
    """Of a bulletin; of another station its name in the plan."""
    return sound.removeprefix(_RELAYED) if sound.startswith(_RELAYED) else titles.get(sound)


def _sound(sound: dict[str, Any], titles: dict[str, str]) -> dict[str, Any]:
    return {
        "asset": sound["asset"],
        "title": _title(sound["asset"], titles),
        "from": from_unix_ms(sound["from_ms"]),
        "to": from_unix_ms(sound["to_ms"]),
        "volume": sound["volume"],
    }
