"""How long the pages of a large fleet take: overview, map, list of clusters, first page.

    python -m tests.bench pages --clusters 80,1000,10000 [--database postgresql]

The real application, asked as a browser asks, by a technician of the whole province; one pole in ten is away, one in
twenty has a fault. The floor is the page of the guide, which asks the database for nothing but who it is.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update
from starlette.testclient import TestClient

from broadcasts.audio.chain import Limits
from broadcasts.audio.store import Store
from broadcasts.clock import SystemClock
from broadcasts.ids import CountingIds
from controller.app import create_app
from controller.bootstrap.audio_room import StoredAudio
from controller.bootstrap.keys import FileKeyring
from controller.db import migrate
from controller.db.engine import Database
from controller.db.tables import Cluster, ClusterDay, Delivery, FaultCase, RoleGrant, UnitStatus, User
from controller.services import accounts, files
from controller.services.account_rules import AccountRules
from controller.services.context import Context
from controller.services.history_keeping import local_day
from controller.services.office import Office
from controller.services.rights import Role
from tests.bench import fleet
from tests.bench.compile import _address

CLOCK = SystemClock()
PER_COMMUNE, PER_DAY, PAST = 20, 5, 7
PAGES = (
    *("/guide/emergency", "/", "/fleet", "/fleet/c-00000", "/fleet/map", "/fleet/map?state=away"),
    *("/clusters", "/clusters?show=not_converged", "/fleet/trends", "/map", "/faults"),
)
FLOOR = PAGES[0]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench pages", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clusters", default="80,1000,10000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", help="as in `compile`")
    asked = parser.parse_args(arguments)
    told: dict[str, Any] = {}
    print("clusters        ms     bytes  page")
    for clusters in (int(each) for each in asked.clusters.split(",")):
        with tempfile.TemporaryDirectory(prefix="loa-bench-") as folder, _address(asked.database, Path(folder)) as url:
            told[str(clusters)] = _measure(url, Path(folder), clusters, asked.rounds)
    last = told[max(told, key=int)]
    slowest = max((each for each in last if each != FLOOR), key=lambda each: float(last[each]["ms"]))
    figure, floor = last[slowest]["ms"], last[FLOOR]["ms"]
    figures = {"slowest": slowest, "figure": figure, "floor": floor, "ratio": round(figure / floor, 2)}
    print(json.dumps({**figures, "clusters": told, "load": round(os.getloadavg()[0], 1)}))
    return 0


def _measure(url: str, folder: Path, clusters: int, rounds: int) -> dict[str, Any]:
    db = Database(url)
    rules = AccountRules(second_factor=False, idle=timedelta(days=1), administrator_idle=timedelta(days=1))
    keys, audio = FileKeyring.make_missing(folder / "keys"), StoredAudio(Store(folder / "audio"), Limits())
    ctx = replace(Context(db, CLOCK, CLOCK, CountingIds(), audio, keys, lambda: None), people=rules)
    try:
        migrate.upgrade(db)
        fleet.fill(db, clusters, PER_COMMUNE, PER_DAY, CLOCK.now() - timedelta(hours=30))
        _live(db)
        office = Office(
            ctx=ctx, link_up=lambda: True, metrics=lambda: b"",
            unit_asset=lambda unit, secret, sha256: files.asset_for_unit(ctx, unit, secret, sha256),
            upload_folder=folder / "uploads",
        )  # fmt: skip
        with TestClient(create_app(office), cookies={office.session_cookie: _entered(ctx)}) as client:
            return {page: _page(client, page, clusters, rounds) for page in PAGES}
    finally:
        db.close()


def _live(db: Database) -> None:
    """Places, what units said, faults, a week of the past, verdicts of what is over."""
    now = CLOCK.now()
    with db.write() as session:
        session.execute(
            update(UnitStatus).values(telemetry={"power": "mains"}, telemetry_at=now, last_sign=now, presence_at=now)
        )
        over = Delivery.end < now - timedelta(hours=6)
        session.execute(update(Delivery).where(over).values(state="played", verdict="heard"))
        names = list(session.scalars(select(Cluster.id).order_by(Cluster.id)))
        units = list(session.scalars(select(UnitStatus.unit_id).order_by(UnitStatus.unit_id)))
        places = [
            {"id": name, "longitude": 105.5 + n % 100 / 80, "latitude": 9.2 + n // 100 / 90}
            for n, name in enumerate(names)
        ]
        session.execute(update(Cluster), places)
        session.execute(update(UnitStatus).where(UnitStatus.unit_id.in_(units[::10])).values(connected=False))
        faults = [
            {"id": f"f-{n}", "code": "line_open", "cluster_id": name, "area_id": f"c-{name.split('-')[1]}",
             "since": now, "raised_at": now}
            for n, name in enumerate(names[::20])
        ]  # fmt: skip
        session.execute(insert(FaultCase), faults)
        day = {"link": "1" * 96, "power": "m" * 96, "link_known": 192, "link_there": 190, "due": 5, "sounded": 5}
        for back in range(PAST):
            rows = [day | {"cluster_id": name, "day": local_day(now) - timedelta(days=back)} for name in names]
            session.execute(insert(ClusterDay), rows)


def _entered(ctx: Context) -> str:
    now = ctx.wall.now()
    with ctx.db.write() as session:
        user = session.get_one(User, fleet.AUTHOR)
        user.must_change, user.password_at = False, now
        session.add(
            RoleGrant(user_id=user.id, role=Role.TECHNICIAN, area_id=fleet.PROVINCE, since=now, granted_by="bench")
        )
        session.flush()
        return accounts.open_session(ctx, session, user, "bench", now)


def _page(client: TestClient, page: str, clusters: int, rounds: int) -> dict[str, Any]:
    def ask() -> tuple[float, int]:
        began = CLOCK.monotonic()
        answer = client.get(page, follow_redirects=False)
        lasted = CLOCK.monotonic() - began
        if answer.status_code != 200:
            raise SystemExit(f"{page}: {answer.status_code} {answer.headers.get('location', '')} {answer.text[-300:]}")
        return lasted, len(answer.content)

    ask()  # templates are read once
    took = [ask() for _ in range(rounds)]
    found = {"ms": round(statistics.median(each for each, _ in took) * 1000, 1), "bytes": took[-1][1]}
    print(f"{clusters:8} {found['ms']:9.1f} {found['bytes']:9}  {page}", flush=True)
    return found
