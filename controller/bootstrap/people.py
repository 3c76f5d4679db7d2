"""`loa user` and `loa audit`: for whoever sits at the machine itself, who is no account and is written down as
"terminal"."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Fault, Refused
from controller.bootstrap.service import opened
from controller.db.tables import Area, User
from controller.services import accounts, audit, people
from controller.services.context import Context
from controller.services.rights import Role, grants_of
from controller.settings import Settings

TERMINAL = "terminal"


def user(settings: Settings, given: argparse.Namespace) -> int:
    """Raises Refused: "user.unknown", "user.taken", "area.unknown", and those of `services.people`."""
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


def audit_log(settings: Settings, given: argparse.Namespace) -> int:
    """Raises Fault: "audit.broken", "audit.differs", "audit.file"."""
    with opened(settings) as ctx:
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
