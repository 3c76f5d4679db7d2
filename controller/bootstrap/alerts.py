"""`loa alert`: sound, silence and watch an emergency, or hold a drill, when the pages do not open.

It acts for a person with an account, by the same services and with the same guards as the page; password and code are
asked for here. What it decides stands in the database first, so that it is not lost with the terminal.
"""

from __future__ import annotations

import argparse
import json
import threading
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from sqlalchemy import select

from broadcasts.clock import VIETNAM
from broadcasts.errors import Conflict, LoaError, Refused
from broadcasts.wire.alert import AlertKind
from controller.bootstrap.alert_publishing import needs_us, published, said, tell, until
from controller.bootstrap.people import TERMINAL
from controller.bootstrap.service import opened
from controller.bootstrap.terminal import hidden, somebody
from controller.db.tables import Area, Drill, Emergency
from controller.services import (
    accounts,
    alerting,
    drill_tally,
    drilling,
    emergencies,
    emergency_voice,
    merging,
    texting,
)
from controller.services.alert_calls import Call, Content
from controller.services.context import Context
from controller.services.rights import Actor, Right, Role
from controller.services.targets import Target
from controller.services.views.alerts_now import standing
from controller.settings import Settings
from controller.web.tallying import counted, drilled
from controller.web.words import Words

KINDS = [str(each) for each in AlertKind]


def alert(settings: Settings, given: argparse.Namespace) -> int:
    """Raises what the services and `somebody` raise, Fault("broker_away")."""
    with opened(settings) as ctx:
        match given.act:
            case "sound":
                _sound(settings, ctx, given)
            case "drill":
                _drill(settings, ctx, given)
            case "text":
                _text(ctx, given)
            case "silence":
                _silence(settings, ctx, given)
            case _:
                _status(ctx, given)
    return 0


def _sound(settings: Settings, ctx: Context, given: argparse.Namespace) -> None:
    with somebody(ctx, given.person, Right.ALERT) as actor:
        call = _call(settings, ctx, actor, given)
        with ctx.db.read() as session:
            reach = emergencies.preview(ctx, session, actor, call.target)
        tell(f"{given.kind}: {len(reach.clusters)} clusters, {len(reach.without_unit)} of them without a unit")
        if reach.wide and not call.confirmed:
            typed = hidden(f"A wide area: type the number of clusters, {reach.word}: ")
            call = _call(settings, ctx, actor, given, typed, call.content)
        name = emergencies.sound(ctx, actor, call)
        if not _released(ctx, actor, name):
            tell("cancelled; nothing sounded")
            return
    stay = needs_us(settings)
    with published(settings, ctx) as how:
        tell(how)
        _watch(ctx, name, given.watch, stay=stay)
    _print(ctx, [name], as_json=given.json)


def _call(
    settings: Settings,
    ctx: Context,
    actor: Actor,
    given: argparse.Namespace,
    confirmed: str = "",
    content: Content | None = None,
) -> Call:
    if content is None:
        content = Content()
        if given.text:
            made = emergency_voice.speak(ctx, actor, given.text, settings.data / "audio" / "work")
            content = Content(recordings=((emergency_voice.LANGUAGE, made.sha256),))
    return Call(
        kind=AlertKind(given.kind),
        target=_target(ctx, given),
        content=content,
        reason=given.reason,
        lasts=None if given.minutes is None else timedelta(minutes=given.minutes),
        volume=given.volume,
        confirmed=confirmed or given.confirm,
        origin="cli",
    )


def _released(ctx: Context, actor: Actor, name: str) -> bool:
    """Wait until it may not be cancelled any more; Ctrl-C cancels it."""
    with ctx.db.read() as session:
        at = session.get_one(Emergency, name).release_at
    try:
        while (left := (at - ctx.clock.now()).total_seconds()) > 0:
            tell(f"sounds in {left:.0f} s; Ctrl-C cancels")
            threading.Event().wait(min(1.0, left))
    except KeyboardInterrupt:
        try:
            emergencies.cancel(ctx, actor, name)
            return False
        except Conflict:
            emergencies.silence(ctx, actor, name)
            return True
    emergencies.step(ctx, ctx.clock.now())
    return True


def _drill(settings: Settings, ctx: Context, given: argparse.Namespace) -> None:
    """Silent: a loud one needs an approver, who has the pages."""
    with somebody(ctx, given.person, Right.ALERT) as actor:
        told = drilling.Exercise(AlertKind(given.kind), _target(ctx, given), given.reason)
        if given.minutes is not None:
            told = replace(told, lasts=timedelta(minutes=given.minutes))
        name = drilling.ask(ctx, actor, told)
    tell(f"DRILL {name}: no horn sounds")
    with published(settings, ctx) as how:
        tell(how)
        until(lambda: all(line.found.seconds is not None for line in _drilled(ctx, name)), float(given.watch), 1.0)
    lines = _drilled(ctx, name)
    if given.json:
        rows = [{"cluster": line.cluster, "mark": line.found.mark, "seconds": line.found.seconds} for line in lines]
        print(json.dumps({"id": name, "drill": True, "clusters": rows}, ensure_ascii=False))
        return
    print(f"DRILL {name}  {sum(line.found.seconds is not None for line in lines)} of {len(lines)} did it")
    for line in lines:
        print(f"  {line.cluster:14} {line.found.mark:12} {_seconds(line.found.seconds)}  {line.name}")


def _drilled(ctx: Context, name: str) -> list[drill_tally.Line]:
    with ctx.db.read() as session:
        return drill_tally.tally(session, name, ctx.clock.now())


def _seconds(told: float | None) -> str:
    return f"{told:7.1f} s" if told is not None else " " * 9


def _target(ctx: Context, given: argparse.Namespace) -> Target:
    """Raises Refused("area.unknown")."""
    with ctx.db.read() as session:
        areas = merging.found(session, given.area) if given.area else ()
    return Target(areas=tuple(areas), clusters=tuple(given.cluster))


def _silence(settings: Settings, ctx: Context, given: argparse.Namespace) -> None:
    if not given.all and not given.id:
        raise Refused("alert.which")
    names, count, failures = list[str](), 0, list[LoaError]()
    with somebody(ctx, given.person, Right.ALERT) as actor:
        if given.all:
            names = [one.id for one in standing(ctx, actor) if not one.drill]
        for name in [None] if given.all else given.id:
            try:
                count += emergencies.silence_all(ctx, actor) if name is None else emergencies.silence(ctx, actor, name)
                names += [] if name is None else [name]
            except LoaError as failure:  # one that was mistyped keeps no other sounding
                failures.append(failure)
    tell(f"{count} taken back")
    if not failures or not said(ctx):
        with published(settings, ctx) as how:
            tell(how)
            for name in names:
                _watch(ctx, name, given.watch)
    _print(ctx, names, as_json=given.json)
    if failures:
        raise failures[0]


def _text(ctx: Context, given: argparse.Namespace) -> None:
    """A text alone on its line, for whoever types it into a phone; what it is for is talk."""
    with somebody(ctx, given.person, Right.ALERT) as actor:
        said = texting.texts(ctx, actor, given.id)
        sent = texting.send(ctx, actor, given.id) if given.send else None
    if given.json:
        told = {"texts": [asdict(each) for each in said], "sent": None if sent is None else asdict(sent)}
        print(json.dumps(told, ensure_ascii=False))
        return
    for each in said:
        tell(f"{'sounds' if each.sounds else 'ends it'}: {each.unit or 'every unit of ' + each.scope}")
        print(each.text)
    if not said:
        tell("nothing to send: it waits still, or is over")
    if sent is not None:
        print(f"sent {len(sent.handed_over)}  failed {len(sent.failed)}  without number {len(sent.without_number)}")
        for unit, why in sent.failed.items():
            print(f"  {unit:14} {why}")


def _status(ctx: Context, given: argparse.Namespace) -> None:
    actor = _onlooker(ctx)
    _print(ctx, given.id or [one.id for one in standing(ctx, actor)], as_json=given.json)


def _onlooker(ctx: Context) -> Actor:
    """Whoever sits at the machine may look."""
    with ctx.db.read() as session:
        tops = session.scalars(select(Area.id).where(Area.parent_id.is_(None)).order_by(Area.id)).all()
        if not tops:
            raise Refused("area.unknown", name="-")
        return accounts.stand_in(session, TERMINAL, Role.EMERGENCY, tops[0], ctx.wall.now())


FAREWELL_S = 30.0
"""So long the broker that ends with us stays for poles that have not said yet that they are silent."""


def _watch(ctx: Context, name: str, seconds: int, *, stay: bool = False) -> None:
    """Until every pole that can has answered, and no longer than `seconds`; `stay`: until nothing sounds any more and
    the poles know it, as the broker ends with us. Ctrl-C ends the watching, never the alert."""
    actor = _onlooker(ctx)

    def answered() -> bool:
        with ctx.db.read() as session:
            _, tally = counted(ctx, session, actor, name, Words("en", ctx.clock.now()))
        return tally.waits == 0

    def over() -> bool:
        return all(one.drill for one in standing(ctx, actor))

    try:
        if stay:
            tell("the broker ends with this command: it stays until the emergency is over; Ctrl-C ends it")
            until(over, alerting.MAX_LENGTH.total_seconds(), 1.0)
            until(lambda: said(ctx) and answered(), FAREWELL_S)
        else:
            until(answered, float(seconds), 1.0)
    except KeyboardInterrupt:
        tell("watched no longer; the emergency goes on: `loa alert silence`")


def _print(ctx: Context, names: list[str], *, as_json: bool) -> None:
    actor, words = _onlooker(ctx), Words("en", ctx.clock.now())
    told = []
    for name in names:
        with ctx.db.read() as session:
            drill = session.get(Drill, name) is not None
            told.append((drill, *(drilled if drill else counted)(ctx, session, actor, name, words)))
    if as_json:
        rows = [asdict(call) | {"drill": drill, "tally": asdict(tally)} for drill, call, tally in told]
        print(json.dumps(rows, ensure_ascii=False, default=_local))
        return
    if not told:
        print("nothing sounds")
    for drill, call, tally in told:
        head = f"{'DRILL  ' if drill else ''}{call.id}  {call.kind}  {call.state}"
        print(f"{head}  pressed {_local(call.pressed_at)} by {call.by}: {call.reason}")
        print(f"  seconds count from the release, {_local(call.release_at)}")
        print("  " + "  ".join(f"{key} {n}" for key, n in tally.figures) + f"  of {tally.clusters}")
        for row in tally.rows:
            print(f"  {row.cluster:14} {row.state:12} {_seconds(row.seconds)}  {row.name}  {row.why}".rstrip())


def _local(instant: datetime) -> str:
    return f"{instant.astimezone(VIETNAM):%Y-%m-%d %H:%M:%S}"
