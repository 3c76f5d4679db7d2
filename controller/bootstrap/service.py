"""The real process: every adapter chosen, every thread started, and all of it stopped in order. Nothing else starts
threads."""

from __future__ import annotations

import contextlib
import logging
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from sqlalchemy import select

from broadcasts.audio.confine import missing
from broadcasts.clock import Clock, SandboxClock, SystemClock
from broadcasts.domain import tiles
from broadcasts.errors import Fault
from broadcasts.ids import RandomIds
from broadcasts.wire import topics
from controller.bootstrap import alone, cap, doors, later_keys, live, notices
from controller.bootstrap.audio_room import CORES, audio_room
from controller.bootstrap.keys import FileKeyring
from controller.bootstrap.rules import account_rules, command_rules, emergency_rules
from controller.bootstrap.sandbox import Sandbox
from controller.bootstrap.scraping import Scraper
from controller.bootstrap.sms import HttpGateway
from controller.bootstrap.taking_in import parts, take
from controller.bootstrap.unit_terms import unit_terms
from controller.bootstrap.voices import voices
from controller.db import migrate
from controller.db.engine import Database
from controller.db.tables import Area
from controller.mqtt import tls
from controller.mqtt.broker_users import CONTROLLER, BrokerUser, Role, new_secret, secret_hash, write_private
from controller.mqtt.canary import Canary
from controller.mqtt.embedded import EmbeddedBroker
from controller.mqtt.inbound import Inbound, Received
from controller.mqtt.link import BrokerAddress, PahoLink
from controller.services import (
    collecting,
    commanding,
    compiling,
    emergencies,
    enrolling,
    files,
    hearing,
    live_keeping,
    noticing,
    preparing,
    quarantine,
    reconciling,
    sampling,
    settling,
    trusting,
    uploads,
)
from controller.services.context import Context
from controller.services.health_watching import Watch
from controller.services.heard import Bad
from controller.services.history_keeping import Keeper
from controller.services.notices import Sender
from controller.services.office import Office
from controller.services.ports import NoMeasures
from controller.services.preparing import Workshop
from controller.services.recoding import Encoder
from controller.services.uploads import Shelf
from controller.settings import Settings
from controller.ticker import Ticker
from monitoring.metrics import FleetMetrics, Step

_LOG = logging.getLogger("loa")
SWEEP_EVERY = timedelta(hours=1)


class Wake:
    """Handed to the services before the ticker exists."""

    def __init__(self) -> None:
        self.call: Callable[..., None] = lambda *_: None

    def __call__(self) -> None:
        self.call()

    def publisher(self) -> None:
        self.call("reconcile")

    def ears(self) -> None:
        self.call("hear")


def open_context(
    settings: Settings,
    wake: Callable[[], None],
    metrics: FleetMetrics | None = None,
    wake_publisher: Callable[[], None] | None = None,
    wake_ears: Callable[[], None] | None = None,
) -> Context:
    """The use cases' context on real files. Raises Fault("database.behind") when migrations are missing."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    wall = SystemClock()
    clock: Clock = SandboxClock(settings.sandbox_clock) if settings.sandbox_clock else wall
    db = Database(settings.database_url)
    try:
        at, head = migrate.current(db), migrate.head()
        if at != head:
            raise Fault("database.behind", at=at or "-", head=head)
    except Fault:
        db.close()
        raise
    audio = audio_room(settings)
    with db.read() as session:
        begun = session.scalar(select(Area.id).limit(1)) is not None
    folder = settings.data / "keys"
    keys = later_keys.complete(folder, db, clock.now()) if begun else FileKeyring.make_missing(folder)
    people = account_rules(settings)
    standing = timedelta(days=settings.standing_approval_days)
    keep = timedelta(days=settings.audit_keep_days)
    measures = metrics or NoMeasures()
    ctx = Context(db, clock, wall, RandomIds(), audio, keys, wake, measures, people, standing, keep, wake_publisher)
    return replace(
        ctx,
        emergencies=emergency_rules(settings),
        commands=command_rules(settings),
        notices=notices.rules(settings),
        voices=voices(settings, wall),
        inside_relays=settings.sandbox is not None,
        cap_inside=settings.cap_inside == "on",
        wake_ears=wake_ears,
        clips_per_mille=settings.clips_per_mille,
        ear_keep=timedelta(days=settings.ear_keep_days),
        history_keep=timedelta(days=settings.history_days),
        live=live.rules(settings),
        units=unit_terms(settings, wall.now()),
        sms=None if settings.sms is None else HttpGateway.read(settings.sms, wall),
    )


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Context]:
    """For one command: closed again at its end."""
    ctx = open_context(settings, lambda: None)
    with contextlib.closing(ctx.db):
        yield ctx


def external_broker(settings: Settings, now: datetime) -> BrokerAddress:
    """Raises Refused for certificates that cannot be used (`controller.mqtt.tls`)."""
    parts = urlsplit(settings.broker)
    made: ssl.SSLContext | None = None
    if parts.scheme == "mqtts":
        made = tls.context(settings.broker_ca, settings.broker_cert, settings.broker_key, settings.broker_user, now)
    secret = "" if settings.broker_cert else settings.broker_secret
    return BrokerAddress(parts.hostname or "", parts.port or 1883, settings.broker_user, secret, made)


class Service:
    """One controller. `start` returns when everything runs; `stop` when everything has ended."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._wake = Wake()
        self.metrics = FleetMetrics(CollectorRegistry())
        self._lock = alone.only_one(settings.data)
        self.ctx = open_context(settings, self._wake, self.metrics, self._wake.publisher, self._wake.ears)
        self._closing = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self.broker: EmbeddedBroker | None = None
        address = self._broker_address()
        self.link = PahoLink(address, self.ctx.clock, self._link_up)
        self._inbound = Inbound(self.ctx, self.link, gathers=True)
        self._canary = Canary(self.ctx, self.link)
        self._scraper = Scraper(self.ctx, settings, self.metrics, self.link, self._threads)
        self._clearing = doors.clearing(self.ctx, settings, self.link, self.broker, address)
        self._room = live.room_of(self.ctx, settings, self.link, self.metrics)
        grace = timedelta(days=settings.files_grace_days)
        self._tiles = tiles.read(settings.map_tiles, settings.map_attribution)
        self._ticker = Ticker(
            self.ctx.clock,
            {
                "compile": lambda now: compiling.step(self.ctx, now),
                "reconcile": lambda now: reconciling.step(self.ctx, self.link, now),
                "command": lambda now: commanding.step(self.ctx, self.link, now),
                "emergency": lambda now: emergencies.step(self.ctx, now),
                "notice": noticing.Notice(self.ctx).step,
                "settle": lambda now: settling.step(self.ctx, now),
                "watch": Watch(self.ctx, lambda: self.link.up).step,
                "history": Keeper(self.ctx, lambda: self.link.up).step,
                "notices": Sender(self.ctx, notices.channels(settings, self.ctx.wall)).step,
                "recode": Encoder(self.ctx).step,
                "collect": lambda now: collecting.step(self.ctx, now, grace),
                "hear": hearing.Listener(self.ctx).step,
                "sample": lambda now: sampling.step(self.ctx, now),
                "canary": self._canary.step,
                "broker": self._keep_broker,
                "sweep": self._sweep,
                "clear": self._clearing.step,
            }
            | live.steps(self.ctx, self._room)
            | cap.steps(self.ctx),
            self._ran,
            hurried=("compile", "reconcile", "command", "emergency"),
            patient=("watch", "sample", "collect", "sweep"),
        )
        self._wake.call = self._ticker.wake
        self._shelf = Shelf(settings.data / "audio" / "unfinished", settings.max_upload_mb * 1_000_000)
        self._workshop = Workshop(self.ctx, self._shelf, self._closing)

    def start(self) -> None:
        """Raises Fault when the broker cannot start or a port is taken."""
        if walls := missing():
            _LOG.warning("this kernel has no %s: whoever takes over a decoder reaches more", " and no ".join(walls))
        self.ctx.audio.store.clear_work()  # what a kill left behind
        if self.broker is not None:
            self.broker.start()
        trusting.ensure_trust(self.ctx, self.ctx.clock.now())
        self._spawn("mqtt", self.link.run)
        self._spawn("ingest", self._ingest)
        preparing.take_up(self.ctx)
        live_keeping.take_up(self.ctx)
        self._spawn("live", lambda: self._room.run(self._closing))
        for core in range(CORES):
            self._spawn(f"prepare-{core}", self._workshop.run)
        self._spawn("prepare-urgent", self._workshop.run_urgent)
        self._ticker.start()

    def stop(self) -> None:
        self._closing.set()
        self._workshop.wake()
        if "live" in self._threads:
            self._threads["live"].join(10)  # says that every voice is over, while there is a link
        self._ticker.stop()
        self.link.close()
        for name in ("ingest", "mqtt"):
            if name in self._threads:
                self._threads[name].join(10)
        if self.broker is not None:
            self.broker.stop()
        self.ctx.db.close()
        self._lock.close()

    def office(self) -> Office:
        """What pages and API are given."""
        sandbox = None
        if self.settings.sandbox is not None and isinstance(self.ctx.clock, SandboxClock):
            sandbox = Sandbox(self.settings.sandbox, self.ctx, self.ctx.clock, self.link, self.broker)
        return Office(
            ctx=self.ctx,
            link_up=lambda: self.link.up,
            metrics=self._scraper.page,
            unit_asset=lambda unit, secret, sha256: files.asset_for_unit(self.ctx, unit, secret, sha256),
            upload_folder=self.settings.data / "audio" / "work",
            files_by_link=self.settings.s3_links == "on",
            sandbox=sandbox,
            secure_cookies=self.settings.tls_cert is not None,
            max_upload_bytes=self.settings.max_upload_mb * 1_000_000,
            metrics_token=self.settings.metrics_token,
            cap_out=self.settings.cap_out,
            cap_token=self.settings.cap_token,
            cap_sender=self.settings.cap_sender,
            tiles=self._tiles,
            closing=self._closing,
            came=self._workshop.wake,
            room=self._room,
        )

    def _sweep(self, now: datetime) -> datetime:
        uploads.sweep(self.ctx, self._shelf)
        return now + SWEEP_EVERY

    def _keep_broker(self, now: datetime) -> datetime:
        """A broker that died starts again; what it had retained is still on its disk."""
        if self.broker is not None and not self.broker.alive and not self._closing.is_set():
            _LOG.warning("the embedded broker died and is started again")
            self.broker.start()
        return now + timedelta(seconds=2)

    def _broker_address(self) -> BrokerAddress:
        if self.settings.broker != "embedded":
            return external_broker(self.settings, self.ctx.wall.now())
        secret = _own_broker_secret(self.settings.data / "keys" / "broker.secret")
        self.broker = EmbeddedBroker(
            self.settings.data / "broker",
            lambda: self._broker_users(secret),
            self.ctx.wall,
            self._spawn,
            port=self.settings.broker_port,
        )
        host, port = self.broker.address
        return BrokerAddress(host, port, CONTROLLER, secret)

    def _broker_users(self, own_secret: str) -> list[BrokerUser]:
        with self.ctx.db.read() as session:
            units = enrolling.credentials(session)
        ours = BrokerUser(CONTROLLER, secret_hash(own_secret), Role.CONTROLLER)
        return [ours, *(BrokerUser(name, hashed) for name, hashed in units)]

    def _spawn(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads[name] = thread
        thread.start()

    def _link_up(self) -> None:
        self._canary.connected(self.ctx.clock.now())
        self._clearing.again()
        self._wake()

    def _ingest(self) -> None:
        """The one consumer of what units say."""
        while not self._closing.is_set():
            self.link.flood.release()
            self._note(self.link.flood.news())
            batch = take(self.link.inbox, self.ctx.wall, self._publishing)
            for received in [one for one in batch if one.topic == topics.CANARY]:
                self._canary.heard(received.payload)
            rest = [one for one in batch if one.topic not in (topics.CANARY, topics.TRUST)]
            for part in parts(rest, self._publishing):
                while not self._consume(part) and not self._closing.wait(1.0):
                    pass
            self._acknowledge(quiet=not batch)

    def _acknowledge(self, *, quiet: bool) -> None:
        try:
            self._inbound.settle(quiet=quiet)
        except Exception:  # noqa: BLE001 - the reconciler tells them
            _LOG.exception("journals are safe, and their units could not be told")

    def _note(self, floods: Sequence[Bad]) -> None:
        for flood in floods:
            _LOG.warning("too many messages of one unit: %s", ascii(flood.detail))
            self.metrics.violation(flood.reason)
        try:
            quarantine.note(self.ctx, floods)
        except Exception:  # noqa: BLE001 - the consumer must outlive a full disk; this was only for a look
            _LOG.exception("could not keep who floods")

    def _publishing(self) -> bool:
        return self._ticker.at_work("compile", "reconcile")

    def _consume(self, batch: Sequence[Received]) -> bool:
        began = self.ctx.clock.monotonic()
        try:
            tally, bad = self._inbound.consume(batch)
        except Exception:  # noqa: BLE001 - the consumer must outlive a full disk; the batch is kept and tried again
            _LOG.exception("could not take in %d messages", len(batch))
            self.metrics.step_failed(Step.INGEST)
            return False
        for reason in [*(one.reason for one in bad), *tally.put_aside]:
            self.metrics.violation(reason)
        seconds = self.ctx.clock.monotonic() - began
        self.metrics.ingested(
            seconds, entries=tally.entries, verdicts=tally.verdicts, illegal_moves=tally.illegal_moves
        )
        self.metrics.step_ran(Step.INGEST, self.ctx.wall.now(), seconds)
        return True

    def _ran(self, name: str, seconds: float, well: bool) -> None:
        if name not in {str(step) for step in Step}:
            return
        if well:
            self.metrics.step_ran(Step(name), self.ctx.wall.now(), seconds)
        else:
            self.metrics.step_failed(Step(name))


def _own_broker_secret(path: Path) -> str:
    if not path.exists():
        write_private(path, new_secret())
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as failure:
        raise Fault("keys.missing", path=str(path)) from failure
