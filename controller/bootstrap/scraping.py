"""What `/metrics` answers: numbers looked up when Prometheus asks, beside those that were counted as it happened."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from cryptography import x509

from broadcasts.clock import Clock
from broadcasts.errors import Refused
from controller.bootstrap.unit_terms import CERTIFICATE, folder_of
from controller.mqtt.link import PahoLink
from controller.services import measuring
from controller.services.backlog import backlog, database_bytes
from controller.services.cluster_numbers import cluster_numbers
from controller.services.context import Context
from controller.settings import PREFIX, Settings
from monitoring.machine import MachineSnapshot
from monitoring.metrics import FleetMetrics
from monitoring.per_cluster import ClusterNumbers

CHAIN_EVERY_S = 3600.0


def chosen(setting: str) -> tuple[str, ...] | None:
    """The communes whose clusters are shown one by one: none of them for `off`, an empty list (all) for `on`.
    Raises Refused("settings.value")."""
    if setting in ("off", "on"):
        return None if setting == "off" else ()
    codes = tuple(code.strip() for code in setting.split(","))
    if not all(code.isalnum() for code in codes):
        raise Refused("settings.value", name=f"{PREFIX}METRICS_PER_CLUSTER", value=setting)
    return codes


def ends(settings: Settings) -> dict[str, float]:
    """When certificates run out, Unix seconds; of a file with several the first. What cannot be read is not told."""
    found = {}
    for name, path in (
        ("pages", settings.tls_cert),
        ("link", settings.broker_cert),
        ("authority", settings.broker_ca),
        ("units", folder_of(settings) / CERTIFICATE),
    ):
        if path is not None and (end := _end(path)) is not None:
            found[name] = end
    return found


def _end(path: Path) -> float | None:
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return None
    return min(each.not_valid_after_utc for each in chain).timestamp()


class Scraper:
    """One page at a time: two Prometheus at once do not ask the database twice as much."""

    def __init__(
        self,
        ctx: Context,
        settings: Settings,
        metrics: FleetMetrics,
        link: PahoLink,
        threads: Mapping[str, threading.Thread],
    ) -> None:
        """Raises Refused("settings.value") for a choice of clusters that is none."""
        self._ctx, self._settings, self._metrics = ctx, settings, metrics
        self._link, self._threads = link, threads
        self._communes = chosen(settings.metrics_per_cluster)
        self._chain: tuple[float, bool | None] = (0.0, None)
        self._turn = threading.Lock()

    def page(self) -> bytes:
        asked_at = self._wall.now()  # Prometheus compares it with when it asked: a slow database is no wrong clock
        with self._turn:
            return self._page(asked_at)

    def _page(self, asked_at: datetime) -> bytes:
        began = self._wall.monotonic()
        mqtt = self._threads.get("mqtt")
        fleet = measuring.snapshot(
            self._ctx,
            self._settings.data,
            queue=self._link.inbox.qsize(),
            dropped=self._link.dropped,
            thread_alive=mqtt is not None and mqtt.is_alive(),
            connected=self._link.up,
            chain_ok=self._chain_ok(),
        )
        now = self._ctx.clock.now()
        clusters: list[ClusterNumbers] | None = None
        asked = 0
        with self._ctx.db.read() as session:
            waits, size = backlog(session, now), database_bytes(session)
            if self._communes is not None:
                clusters, asked = cluster_numbers(session, now, self._communes)
        flood = self._link.flood
        machine = MachineSnapshot(
            received=dict(flood.taken),
            let_go=dict(flood.dropped),
            units_flooding=flood.flooding,
            connects=self._link.connects,
            published=self._link.published,
            plans_dirty=waits.plans_dirty,
            plans_dirty_s=waits.plans_dirty_s,
            broadcasts_waiting=waits.broadcasts_waiting,
            soon=waits.soon,
            uploads=waits.uploads,
            database_bytes=size,
            database_s=self._wall.monotonic() - began,
            threads=Counter(name.partition("-")[0] for name, each in self._threads.items() if each.is_alive()),
            certificates=ends(self._settings),
            time_s=asked_at.timestamp(),
        )
        self._metrics.show(fleet, machine)
        return self._metrics.render(clusters, asked)

    @property
    def _wall(self) -> Clock:
        return self._ctx.wall

    def _chain_ok(self) -> bool | None:
        """The check takes its time, so it is asked now and then."""
        checked, ok = self._chain
        if ok is None or self._wall.monotonic() - checked > CHAIN_EVERY_S:
            ok = measuring.chain_ok(self._ctx)
            self._chain = (self._wall.monotonic(), ok)
        return ok
