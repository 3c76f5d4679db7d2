"""What each command of `loa` does, put together from the services."""

from __future__ import annotations

import argparse
import gc
import json
import platform
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from sqlalchemy import select

from broadcasts.audio.sample import EMERGENCY_TEXT, write_sample
from broadcasts.clock import VIETNAM, SystemClock, from_unix_ms, unix_ms
from broadcasts.errors import Fault, LoaError, Refused
from broadcasts.wire import jws
from broadcasts.wire.alert import AlertKind
from broadcasts.wire.plan import Plan
from broadcasts.wire.trust import Use
from controller.app import create_app
from controller.bootstrap import alone, storage, voices
from controller.bootstrap.broker_check import look_at_broker
from controller.bootstrap.keys import FileKeyring
from controller.bootstrap.service import Service, opened
from controller.db import migrate
from controller.db.engine import Database
from controller.db.tables import Assignment, Broadcast, Bulletin, Cluster, Delivery, UnitPlan, UnitStatus
from controller.mqtt.broker_users import write_private
from controller.mqtt.embedded import find_binary
from controller.services import accounts, emergency_set
from controller.services.context import HORIZON, Context
from controller.services.seeding import ACCOUNTS, ALL_DAY, PROVINCE, seed
from controller.services.views.dry_run import lines
from controller.settings import Settings
from controller.web.ahead_words import fate_told, spans_told
from controller.web.desk import DIST
from controller.web.words import Words

PACKAGES = ("broadcasts", "controller", "device_sim", "monitoring")


SWITCH_S = 0.0005
"""How long a thread computes while another one waits for its turn. Whoever sends gives up its turn with each packet:
Python's 5 ms until it comes back would be paid for each of a thousand plans."""


WS_BYTES = 32_768
"""Of one message of a live voice; it is a quarter of a second at the most."""


def serve(settings: Settings, _: argparse.Namespace) -> int:
    service = Service(settings)
    alone.check_port(settings.host, settings.port)
    service.start()
    config = uvicorn.Config(
        create_app(service.office()),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        server_header=False,
        timeout_graceful_shutdown=5,
        ws="websockets-sansio",
        ws_max_size=WS_BYTES,
        ws_max_queue=16,
        ws_ping_interval=5,
        ws_ping_timeout=10,
        ws_per_message_deflate=False,
    )
    server = uvicorn.Server(config)
    # The first signal lets live streams end, so that the server's own waiting is short.
    closing = service.office().closing
    threading.Thread(target=_until_ready, args=(server, settings), name="ready", daemon=True).start()

    def close(*_: object) -> None:
        closing.set()
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, close)
    as_server()
    try:
        server.run()
    finally:
        service.stop()
    return 0


def as_server() -> None:
    """How Python runs where it serves a fleet."""
    _spare_the_collector()
    sys.setswitchinterval(SWITCH_S)


def _spare_the_collector() -> None:
    """What was loaded stays for good. Going through all of it again for every 700 new objects took a quarter of the
    time from an approval to the last pole; what a step leaves behind is counted references anyway."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _until_ready(server: uvicorn.Server, settings: Settings) -> None:
    pause = threading.Event()
    while not server.started and not server.should_exit:
        pause.wait(0.05)
    if server.started:
        scheme = "https" if settings.tls_cert else "http"
        print(f"loa: ready at {scheme}://{settings.host}:{settings.port}/", file=sys.stderr, flush=True)


def migrate_database(settings: Settings, given: argparse.Namespace) -> int:
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    db = Database(settings.database_url)
    with closing(db):
        before = migrate.current(db)
        migrate.move(db, given.to)
        print(f"{before or 'empty'} -> {migrate.current(db) or 'empty'}")
    return 0


def seed_database(settings: Settings, given: argparse.Namespace) -> int:
    with opened(settings) as ctx:
        return _seed(ctx, settings, given)


def _seed(ctx: Context, settings: Settings, given: argparse.Namespace) -> int:
    hours = ALL_DAY if given.all_day else None
    made = seed(ctx, clusters=given.clusters, hours=hours, password_only=given.password_only, mp3_only=given.mp3_only)
    if made is None:
        print("loa: the database is not empty, nothing was changed", file=sys.stderr)
        return 0
    _preload(ctx, settings.data)
    fleet = Path(given.fleet) if given.fleet else settings.data / "fleet.json"
    root = ctx.keys.root_public()
    broker = urlsplit(settings.broker) if settings.broker != "embedded" else None
    content = {
        "broker": {
            "host": broker.hostname if broker else "127.0.0.1",
            "port": broker.port if broker else settings.broker_port,
        },
        "files": settings.unit_files_url,
        "root": {"kid": root.kid, "x": root.x},
        "units": made.enrolments,
    }
    write_private(fleet, json.dumps(content, indent=1))
    if given.json:
        print(json.dumps({"fleet": str(fleet), "passwords": made.passwords}))
    else:
        print(f"{len(made.enrolments)} clusters, their units in {fleet}")
        for name, password in made.passwords.items():
            print(f"{name:12} {password}")
    return 0


def _preload(ctx: Context, folder: Path) -> None:
    """The sample recording for emergencies, for every pole to hold."""
    with ctx.db.read() as session:
        actor = accounts.actor_by_name(session, ACCOUNTS[-1][0], ctx.wall.now())
    with tempfile.TemporaryDirectory(prefix="sample-", dir=folder) as work:
        path = write_sample(Path(work) / "emergency.wav", text=EMERGENCY_TEXT)
        for kind in (AlertKind.STORM, AlertKind.OTHER):
            emergency_set.put(ctx, actor, PROVINCE[0], kind, "vi", path, path.name)


def plan(settings: Settings, given: argparse.Namespace) -> int:
    """The bytes that the unit holds, or is about to, in words."""
    with opened(settings) as ctx:
        return _plan(ctx, given)


def _plan(ctx: Context, given: argparse.Namespace) -> int:
    with ctx.db.read() as session:
        cluster = session.get(Cluster, given.cluster)
        unit = session.scalar(
            select(Assignment.unit_id).where(Assignment.cluster_id == given.cluster, Assignment.until.is_(None))
        )
        if cluster is None or unit is None:
            raise Refused("cluster.unknown", name=given.cluster)
        stored, status = session.get(UnitPlan, unit), session.get(UnitStatus, unit)
        if stored is None:
            raise Refused("plan.none", name=given.cluster)
        key = ctx.keys.signer(Use.PLAN).public
        document = jws.verify(stored.document, jws.Typ.PLAN, lambda kid: key if kid == key.kid else None)
        wire = Plan.model_validate_json(document)
        titles = _titles(session, [item.id for item in wire.items])
        now = from_unix_ms(wire.issued_at)
        ahead = lines(session, [cluster], now, now + HORIZON)
    if given.json:
        print(json.dumps(json.loads(document), indent=1))
        return 0
    applied = status.plan_version if status else None
    print(f"{cluster.name} ({cluster.id}), unit {unit}")
    said = "applied" if applied == wire.version else f"the unit has {applied or 'none'}"
    print(f"plan {wire.version}, {said}")
    print(f"until {_local(wire.horizon_end)}; hours {_hours(wire)}")
    words = Words("en", now)
    fates = {(line.broadcast, unix_ms(line.start)): line for line in ahead}
    for item in wire.items:
        title, why = titles.get(item.id, ("?", "broadcast ?"))
        line = fates.pop((why.split()[1], item.start), None)
        fate = f"  {fate_told(words, line)} {spans_told(words, line)}" if line else ""
        if item.relay is not None:
            title += f" ({words.t('relay.of', source=(line.relayed if line else '') or item.relay.source)})"
        print(f"{_local(item.start)}  level {item.level}  volume {item.volume:3}  {title}  [{item.id}] {why}{fate}")
    warnings = [line for line in fates.values() if line.goes_on]
    for name in dict.fromkeys(line.broadcast for line in warnings):
        first, *more = [line for line in warnings if line.broadcast == name]
        at, count = _local(unix_ms(first.start)), 1 + len(more)
        print(f"{at}  not in this plan  {first.title}  and {count} times in all, on until it is cancelled")
    for line in (line for line in fates.values() if not line.goes_on):
        print(f"{_local(unix_ms(line.start))}  not in this plan  {line.title}  {fate_told(words, line)}")
    return 0


def _titles(session: Any, names: list[str]) -> dict[str, tuple[str, str]]:
    rows = session.execute(
        select(Delivery.id, Bulletin.title, Broadcast.id, Delivery.revision)
        .join(Broadcast, Delivery.broadcast_id == Broadcast.id)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .where(Delivery.id.in_(names))
    )
    return {row[0]: (row[1], f"broadcast {row[2]} revision {row[3]}") for row in rows}


def _local(ms: int) -> str:
    return f"{from_unix_ms(ms).astimezone(VIETNAM):%Y-%m-%d %H:%M:%S}"


def _hours(wire: Plan) -> str:
    return ", ".join(
        f"{w.start // 60:02}:{w.start % 60:02}-{w.end // 60:02}:{w.end % 60:02}" for w in wire.policy.hours
    )


def check(settings: Settings, given: argparse.Namespace) -> int:
    """Each line: what, whether it is well, and what was found. Exit 1 when something is not."""
    found = [_look(name, looker) for name, looker in _lookers(settings)]
    if settings.broker != "embedded":
        found += [(line.name, line.well, line.found) for line in look_at_broker(settings, insist=given.insist)]
    if given.json:
        print(json.dumps([{"name": name, "well": well, "found": what} for name, well, what in found]))
    else:
        for name, well, what in found:
            print(f"{'ok  ' if well else 'FAIL'} {name:14} {what}")
    return 0 if all(well for _, well, _ in found) else 1


def _look(name: str, looker: Any) -> tuple[str, bool, str]:
    try:
        return (name, True, str(looker()))
    except (LoaError, OSError, ValueError, metadata.PackageNotFoundError) as failure:
        return (name, False, str(failure))


def _voices(settings: Settings) -> str:
    """Raises ValueError with what keeps a voice from being offered."""
    if wrong := voices.wrong(settings):
        raise ValueError("; ".join(wrong))
    return ", ".join(each.id for each in voices.voices(settings, SystemClock()).all())


def _lookers(settings: Settings) -> list[tuple[str, Any]]:
    return [
        ("python", platform.python_version),
        *((name, lambda name=name: metadata.version(name)) for name in ("loa", "paho-mqtt", "fastapi", "av")),
        ("packages", _ours),
        ("database", lambda: _database(settings)),
        ("keys", lambda: _keys(settings)),
        *([("broker", lambda: find_binary(None))] if settings.broker == "embedded" else []),
        ("disk", lambda: f"{shutil.disk_usage(settings.data).free // 1_000_000} MB free"),
        ("store", lambda: storage.look(settings)),
        ("pages", _assets),
        ("voices", lambda: _voices(settings)),
    ]


def _ours() -> str:
    """Another distribution with one of our very common import names would take our place without a word."""
    owners = metadata.packages_distributions()
    for name in PACKAGES:
        strangers = set(owners.get(name, ["loa"])) - {"loa"}
        if strangers:
            raise Fault("packages.foreign", name=name, owner=", ".join(sorted(strangers)))
    return ", ".join(PACKAGES)


def _keys(settings: Settings) -> str:
    folder = settings.data / "keys"
    if not folder.exists():
        return "none yet: the first start makes them"
    later = FileKeyring(folder).lacking()  # whether it was lost or never there, the start finds out
    found = FileKeyring.complete(folder, later).root_public().kid
    return (
        found if not later else f"{found}; none yet for {', '.join(later)}: the next start makes it, or says it is lost"
    )


def _database(settings: Settings) -> str:
    with closing(Database(settings.database_url)) as db:
        at, head = migrate.current(db), migrate.head()
    if at != head:
        raise Fault("database.behind", at=at or "-", head=head)
    return f"revision {at}"


def _assets() -> str:
    if not (DIST / "app.css").is_file():
        raise Fault("assets.missing")
    return "built"
