"""What one answer of `/metrics` costs for 80, 1,000 and 10,000 clusters: time, bytes, lines.

    python -m tests.bench scrape --clusters 80,1000,10000 [--database postgresql]

The product's own page (`controller.bootstrap.scraping`) over a fleet in a database (`tests/bench/fleet.py`), as
aggregates, and with every cluster that may be shown one by one. The floor is what the page would cost if its numbers
were free: rendering alone. Half of the deliveries of the day are settled.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import update

from broadcasts.audio.chain import Limits
from broadcasts.audio.store import Store
from broadcasts.clock import SystemClock
from broadcasts.ids import CountingIds
from controller.bootstrap.audio_room import StoredAudio
from controller.bootstrap.keys import FileKeyring
from controller.bootstrap.scraping import Scraper
from controller.db import migrate
from controller.db.engine import Database
from controller.db.tables import Delivery, UnitStatus
from controller.mqtt.link import BrokerAddress, PahoLink
from controller.services.context import Context
from controller.settings import Settings
from monitoring.metrics import FleetMetrics
from tests.bench import fleet
from tests.bench.compile import _address

CLOCK = SystemClock()
PER_COMMUNE, PER_DAY = 20, 5
TOLD = {"volts": 12.25, "temperature_c": 41.5, "signal_dbm": -97, "storage_free_mb": 512}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench scrape", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clusters", default="80,1000,10000")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--database", help="as in `compile`")
    asked = parser.parse_args(arguments)
    told: dict[str, Any] = {}
    print("clusters  mode       ms  render ms     bytes      gzip    lines")
    for clusters in (int(each) for each in asked.clusters.split(",")):
        with tempfile.TemporaryDirectory(prefix="loa-bench-") as folder, _address(asked.database, Path(folder)) as url:
            told[str(clusters)] = _measure(url, Path(folder), clusters, asked.rounds)
    last = told[max(told, key=int)]["off"]
    figures = {"figure": last["ms"], "floor": last["render_ms"], "ratio": round(last["ms"] / last["render_ms"], 2)}
    print(json.dumps({**figures, "clusters": told, "load": round(os.getloadavg()[0], 1)}))
    return 0


def _measure(url: str, folder: Path, clusters: int, rounds: int) -> dict[str, Any]:
    db = Database(url)
    keys = FileKeyring.make_missing(folder / "keys")
    ctx = Context(db, CLOCK, CLOCK, CountingIds(), StoredAudio(Store(folder / "audio"), Limits()), keys, lambda: None)
    found = {}
    try:
        migrate.upgrade(db)
        fleet.fill(db, clusters, PER_COMMUNE, PER_DAY, CLOCK.now() - timedelta(hours=30))
        with db.write() as session:
            session.execute(update(UnitStatus).values(telemetry=TOLD, telemetry_at=CLOCK.now(), last_sign=CLOCK.now()))
            over = Delivery.end < CLOCK.now() - timedelta(hours=6)
            session.execute(update(Delivery).where(over).values(state="played", verdict="heard"))
        for mode in ("off", "on"):
            found[mode] = _page(ctx, replace(Settings(data=folder), metrics_per_cluster=mode), rounds)
            row = found[mode]
            print(
                f"{clusters:8}  {mode:4} {row['ms']:8.1f} {row['render_ms']:10.2f} {row['bytes']:9} {row['gzip']:9}"
                f" {row['lines']:8}",
                flush=True,
            )
    finally:
        db.close()
    return found


def _page(ctx: Context, settings: Settings, rounds: int) -> dict[str, Any]:
    metrics = FleetMetrics(CollectorRegistry())
    link = PahoLink(BrokerAddress("127.0.0.1", 1, "controller", ""), CLOCK, lambda: None)
    scraper = Scraper(ctx, settings, metrics, link, {})
    page = scraper.page()  # the audit log is looked through once an hour, not now
    whole = statistics.median(_lasts(scraper.page) for _ in range(rounds))
    render = statistics.median(_lasts(metrics.render) for _ in range(rounds))
    return {
        "ms": round(whole * 1000, 1),
        "render_ms": round(render * 1000, 2),
        "bytes": len(page),
        "gzip": len(gzip.compress(page, 1)),
        "lines": page.count(b"\n"),
    }


def _lasts(work: Callable[[], object]) -> float:
    began = CLOCK.monotonic()
    work()
    return CLOCK.monotonic() - began
