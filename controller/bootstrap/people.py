"""`loa user`, `loa exception` and `loa audit`: for whoever sits at the machine itself, who is no account and is written
down as "terminal"."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.errors import Fault, Refused
from controller.bootstrap.service import opened
from controller.db.tables import Area, User
from controller.services import accounts, audit, audit_archive, factor_resets, own_exceptions, people
from controller.services.context import Context
from controller.services.rights import Role, grants_of
from controller.settings import Settings
from controller.web.days import begin_of, end_of, last_day_of

TERMINAL = "terminal"


def user(settings: Settings, given: argparse.Namespace) -> int:
    """Raises Refused: "user.unknown", "user.taken", "area.unknown", and those of `services.people` and
    `services.factor_resets`."""
    with opened(settings) as ctx:
        _do(ctx, given)
    return 0


def _do(ctx: Context, given: argparse.Namespace) -> None:
    match given.act:
        case "add":
            first = accounts.FirstPassword.make()
            with ctx.db.write() as session:
                _known(session, given.area)
                accounts.create_user(
                    ctx, session, first, given.name, given.full_name, Role(given.role), given.area, TERMINAL
                )
            print(first.word)
        case "reset":
            print(accounts.reset_password(ctx, given.name, TERMINAL))
        case "list":
            _list(ctx, as_json=given.json)
        case act:
            now = ctx.wall.now()
            with ctx.db.write() as session:
                found = _named(session, given.name)
                if act == "grant":
                    _known(session, given.area)
                    people.add_grant(session, found, Role(given.role), given.area, now, None, TERMINAL, now)
                elif act == "forget-factor":
                    factor_resets.alone(ctx, session, found, given.reason, TERMINAL)
                elif act == "unlock":
                    people.unlock_now(session, found, given.reason, TERMINAL, now)
                else:
                    people.disable_now(session, found, given.reason, TERMINAL, now)


def _known(session: Session, area: str) -> None:
    if session.get(Area, area) is None:
        raise Refused("area.unknown", name=area)


def _named(session: Session, name: str) -> User:
    found = session.scalar(select(User).where(User.name == name))
    if found is None:
        raise Refused("user.unknown", name=name)
    return found


def _list(ctx: Context, *, as_json: bool) -> None:
    with ctx.db.read() as session:
        found = [
            {"name": row.name, "role": grant.role, "area": grant.area, "full_name": row.full_name}
            for row in session.scalars(select(User).order_by(User.name))
            for grant in grants_of(session, row.id, ctx.wall.now())
        ]
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for row in found:
        print(f"{row['name']:16} {row['role']:14} {row['area']:12} {row['full_name']}")


def exception(settings: Settings, given: argparse.Namespace) -> int:
    """Raises as `own_exceptions.give_now` and `take_back_now`."""
    with opened(settings) as ctx:
        match given.act:
            case "list":
                _exceptions(ctx, as_json=given.json)
            case "grant":
                until = end_of(given.until.isoformat(), "until")
                assert until is not None
                with ctx.db.write() as session:
                    told = (given.station, given.number, given.reason, until)
                    print(own_exceptions.give_now(ctx, session, *told, TERMINAL))
            case _:
                with ctx.db.write() as session:
                    own_exceptions.take_back_now(ctx, session, given.exception, TERMINAL)
    return 0


def _exceptions(ctx: Context, *, as_json: bool) -> None:
    with ctx.db.read() as session:
        found = own_exceptions.lines(ctx, session)
    if as_json:
        print(json.dumps([_told(line) for line in found], ensure_ascii=False))
        return
    for line in found:
        row, day = line.exception, last_day_of(line.exception.until)
        print(f"{row.id:14} {line.state:6} {day:%Y-%m-%d} {row.station_id:10} {row.number:16} {row.reason}")


def _told(line: own_exceptions.Line) -> dict[str, Any]:
    row = line.exception
    return {
        "id": row.id,
        "station": row.station_id,
        "number": row.number,
        "reason": row.reason,
        "granted_by": row.granted_by,
        "granted_at": row.granted_at.astimezone(VIETNAM).isoformat(),
        "until": row.until.astimezone(VIETNAM).isoformat(),
        "state": line.state,
        "used": line.used,
    }


def audit_log(settings: Settings, given: argparse.Namespace) -> int:
    """Raises Fault: "audit.broken", "audit.differs", "audit.unproven", "audit.file", and as `audit_archive.archive`."""
    with opened(settings) as ctx:
        if given.act == "archive":
            before = begin_of(given.before.isoformat(), "before")
            assert before is not None
            made = audit_archive.archive(ctx, before, given.to, TERMINAL)
            print(f"{made.lines} lines, through line {made.through}, are in {given.to} and no more in the database")
            print(f"sha256 {made.sha256}")
            print("Keep file and sha256 elsewhere too; `loa audit verify --against` reads it.", file=sys.stderr)
            return 0
        with ctx.db.read() as session:
            if given.act == "export":
                for line in audit.exported(session):
                    print(line)
                return 0
            checked = audit.check(session)
            if checked.broken is not None:
                raise Fault("audit.broken", line=checked.broken)
            if given.against:
                _hold_against(session, Path(given.against))
        print(f"{checked.lines} lines, each follows from the one before; the last is {checked.last or '-'}")
        if (mark := checked.archived) is not None:
            print(f"they go on from line {mark.through_id}, archived on {mark.at:%Y-%m-%d}, sha256 {mark.file_sha256}")
        print("Keep the last line's hash, or an export, where nobody who can write here can write.", file=sys.stderr)
        return 0


def _hold_against(session: Session, path: Path) -> None:
    try:
        with path.open(encoding="utf-8") as file:
            line = audit.differs(session, file)
    except (OSError, ValueError, KeyError, TypeError) as failure:
        raise Fault("audit.file", path=str(path), detail=str(failure)) from None
    if line is not None:
        raise Fault("audit.differs", line=line, path=str(path))
