"""`loa`: the controller's command line. Results on stdout, talk on stderr; 0 well, 1 refused, 2 wrong usage."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from broadcasts.errors import LoaError
from controller import settings as settings_module
from controller import settings_told
from controller.bootstrap import alerts, areas, commands, people, storage, units
from controller.services.rights import Role
from controller.services.unit_revoking import RevokeKind
from controller.settings import Settings
from controller.web.catalogue import say

ROLE_NAMES = [str(role) for role in Role]
Command = Callable[[Settings, argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        settings = settings_module.from_environment(os.environ)
        logging.basicConfig(
            level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
        )
        logging.getLogger("alembic").setLevel(logging.WARNING)
        logging.getLogger("httpx").setLevel(logging.WARNING)
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        command: Command = given.command
        return command(settings, given)
    except LoaError as failure:
        print(f"loa: {sentence(failure)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def sentence(failure: LoaError) -> str:
    """In English, for the terminal."""
    key = f"errors.{failure.key}"
    said = say("en", key, **failure.fields)
    return str(failure) if said == key else said


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="loa", description="Runs the loudspeaker clusters of commune radio stations.")
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def verb(name: str, about: str, command: Command) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=about, description=about)
        one.set_defaults(command=command)
        return one

    verb("serve", "Run the controller: pages, API, broker link, compiler.", commands.serve)
    migrate = verb("migrate", "Bring the database to this version's shape.", commands.migrate_database)
    migrate.add_argument("--to", default="head", help="a revision; `base` empties the database")
    seed = verb("seed", "Fill an empty database with the sample province.", commands.seed_database)
    seed.add_argument("--clusters", type=int, default=80)
    seed.add_argument("--all-day", action="store_true", help="stations whose regulation allows 24 hours (for tests)")
    seed.add_argument("--password-only", type=int, default=0, metavar="N", help="N units without a key of their own")
    seed.add_argument("--mp3-only", type=int, default=0, metavar="N", help="N units that decode nothing but MP3")
    seed.add_argument("--fleet", help="where the simulator's file goes (default: DATA/fleet.json)")
    seed.add_argument("--json", action="store_true")
    _alert(verb("alert", "Sound, silence and watch an emergency when the pages do not open.", alerts.alert))
    _user(verb("user", "Accounts: list, add, give roles, unlock, disable, reset a password.", people.user))
    _unit(verb("unit", "Units: who waits to be let in; let in by code, list, revoke.", units.unit))
    _area(verb("area", "Administrative units: list them by date, merge communes, undo a merger.", areas.area))
    _exception(verb("exception", "One-person stations that approve their own: grant, end, list.", people.exception))
    _audit(verb("audit", "The audit log: export it, verify its chain, archive what is old.", people.audit_log))
    plan = verb("plan", "What a cluster will play, and why.", commands.plan)
    plan.add_argument("cluster")
    plan.add_argument("--json", action="store_true")
    check = verb("check", "Look whether everything that Loa needs is here.", commands.check)
    check.add_argument("--json", action="store_true")
    about = "log in at the broker even while the controller runs, which loses its connection for a moment"
    check.add_argument("--insist", action="store_true", help=about)
    collect = verb("gc", "Remove recordings that nothing names any more; also done once a day.", storage.collect)
    collect.add_argument("--dry-run", action="store_true", help="say what would go and why, and change nothing")
    collect.add_argument("--json", action="store_true")
    _store(verb("store", "Where recordings are kept: copy them from the disk to S3 or back.", storage.move))
    config = verb("config", "Show the settings in force, secrets hidden.", _config)
    config.add_argument("--example", action="store_true", help="every setting with its default, as a file")
    config.add_argument("--json", action="store_true")
    return parser


def _user(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    listing = acts.add_parser("list", help="all accounts")
    listing.add_argument("--json", action="store_true")
    adding = acts.add_parser("add", help="a new account; prints its one-time password")
    adding.add_argument("name")
    adding.add_argument("--full-name", required=True)
    adding.add_argument("--role", required=True, choices=ROLE_NAMES)
    adding.add_argument("--area", required=True, help="id of the area, for example c-31673")
    reset = acts.add_parser("reset", help="a new one-time password; unlocks the account, ends its sessions")
    reset.add_argument("name")
    granting = acts.add_parser("grant", help="one more role in an area")
    granting.add_argument("name")
    granting.add_argument("--role", required=True, choices=ROLE_NAMES)
    granting.add_argument("--area", required=True)
    alone = "for a lost telephone, where no two administrators are there to do it on their pages"
    for name, about in (
        ("unlock", "let somebody in again who was locked out"),
        ("disable", "out at once"),
        ("forget-factor", alone),
    ):
        one = acts.add_parser(name, help=about)
        one.add_argument("name")
        one.add_argument("--reason", required=True, help="goes into the audit log")


def _alert(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    sounding = acts.add_parser("sound", help="at once, for whoever is named; asks for password and code")
    drilling = acts.add_parser("drill", help="an exercise: no horn sounds, and it is never taken for the real thing")
    silencing = acts.add_parser("silence", help="take back one, or all of one's area; a cluster that is away as well")
    looking = acts.add_parser("status", help="what sounds, and where; who asks needs no password")
    for one in (sounding, drilling):
        _who(one)
        one.add_argument("--kind", required=True, choices=alerts.KINDS)
        one.add_argument(
            "--area", action="append", default=[], metavar="AREA", help="id or official code; again for more"
        )
        one.add_argument(
            "--cluster", action="append", default=[], metavar="ID", help="a single cluster; again for more"
        )
        one.add_argument("--minutes", type=int, help="until it ends by itself (default: as the kind's template)")
        one.add_argument("--reason", required=True, help="goes into the log and to every unit")
    sounding.add_argument("--text", help="read aloud in place of the recordings that the poles hold")
    sounding.add_argument("--volume", type=int, metavar="PERCENT")
    sounding.add_argument("--confirm", default="", metavar="N", help="of a wide area: the number of its clusters")
    texting = acts.add_parser("text", help="what to send by SMS; of what is silenced, what ends it")
    _who(texting)
    texting.add_argument("id", help="which; `loa alert status` says them")
    texting.add_argument("--send", action="store_true", help="by the gateway (LOA_SMS), to every unit with a number")
    _who(silencing)
    silencing.add_argument("id", nargs="*", help="which; `loa alert status` says them")
    silencing.add_argument("--all", action="store_true", help="everything in this person's area")
    looking.add_argument("id", nargs="*", help="which (default: all that sound)")
    for one in (sounding, drilling, silencing):
        one.add_argument("--watch", type=int, default=30, metavar="S", help="wait so long for the poles' answers (30)")
    for one in (sounding, drilling, silencing, texting, looking):
        one.add_argument("--json", action="store_true")


def _who(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--as", dest="person", required=True, metavar="NAME", help="the account that answers for it")


def _exception(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    listing = acts.add_parser("list", help="all that were ever granted, the newest first")
    listing.add_argument("--json", action="store_true")
    granting = acts.add_parser("grant", help="authors of a station may approve what is their own; prints its id")
    granting.add_argument("station", help="id of the station, for example s-31673")
    granting.add_argument("--number", required=True, help="of the paper that grants it")
    granting.add_argument("--reason", required=True)
    granting.add_argument("--until", required=True, metavar="DATE", type=_date, help="the last day")
    ending = acts.add_parser("end", help="at once")
    ending.add_argument("exception", help="its id")


def _unit(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    listing = acts.add_parser("list", help="those that wait, with their codes, and all others")
    listing.add_argument("--json", action="store_true")
    enrolling = acts.add_parser("enrol", help="let one in; prints its id")
    enrolling.add_argument("code", help="as the unit shows it, or the text of its QR code")
    enrolling.add_argument("--name", default="", metavar="ID", help="of the unit (default: from its serial number)")
    revoking = acts.add_parser("revoke", help="at once and for good")
    revoking.add_argument("unit", metavar="ID")
    revoking.add_argument("--kind", required=True, choices=list(RevokeKind))
    revoking.add_argument("--reason", required=True, help="goes into the audit log")


def _area(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    listing = acts.add_parser("list", help="those that stand, with id, code and clusters")
    listing.add_argument("--find", default="", metavar="WORDS", help="by name or code, of today or of before")
    listing.add_argument("--on", type=_date, metavar="DATE", help="as they stand on that day (default: today)")
    listing.add_argument("--all", action="store_true", help="also those that are no more, with what they became")
    listing.add_argument("--json", action="store_true")
    merging = acts.add_parser("merge", help="communes become one from a day on; logs and clusters stay where they are")
    merging.add_argument("old", nargs="+", metavar="OLD", help="id (c-31673) or official code (31673) of each")
    merging.add_argument("--into", required=True, metavar="NAME", help="name of the new unit")
    merging.add_argument("--code", required=True, help="official code of the new unit; it may be that of an old one")
    merging.add_argument("--on", required=True, type=_date, metavar="DATE", help="its first day, as 2025-07-01")
    merging.add_argument("--by", required=True, metavar="DECISION", help="number and date of the decision, for the log")
    merging.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    undoing = acts.add_parser("unmerge", help="a merger that was a mistake: the units of before stand again")
    undoing.add_argument("area", metavar="AREA", help="id or official code of the unit that came of it")
    undoing.add_argument("--by", required=True, metavar="DECISION", help="who said so, or what was wrong, for the log")
    undoing.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    ending = acts.add_parser("end-districts", help="from a day on there are no districts; communes lie in the province")
    ending.add_argument("--on", required=True, type=_date, metavar="DATE", help="the first day without, as 2025-07-01")
    ending.add_argument("--by", required=True, metavar="DECISION", help="number and date of the decision, for the log")
    ending.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")


def _store(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    copying = acts.add_parser("copy", help="all of them, each read back; can be broken off and begun again")
    copying.add_argument("--to", required=True, choices=("s3", "disk"))


def _date(told: str) -> date:
    try:
        return date.fromisoformat(told)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{told} is no date like 2025-07-01") from None


def _audit(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    acts.add_parser("export", help="every line as JSON, the oldest first, to stdout")
    verify = acts.add_parser("verify", help="whether each line follows from the one before; exit 1 and the line if not")
    verify.add_argument(
        "--against", metavar="FILE", help="an earlier export or an archive: is all of it there or archived, unchanged?"
    )
    archive = acts.add_parser("archive", help="move what was kept for its term into a file; the rest stays provable")
    archive.add_argument("--before", required=True, metavar="DATE", type=_date, help="lines of the days before")
    archive.add_argument("--to", required=True, metavar="FILE", type=Path, help="a new file")


def _config(settings: Settings, given: argparse.Namespace) -> int:
    if given.example:
        print(settings_told.example(), end="")
        return 0
    shown: dict[str, Any] = settings_told.shown(settings)
    if given.json:
        print(json.dumps(shown, indent=2))
        return 0
    sources = settings_told.sources()
    for name, value in shown.items():
        print(f"{name}={value}" + (f"  # {sources[name]}" if name in sources else ""))
    return 0
