"""A phone's microphone, the service, its broker and real units: what is said is in the journals of the poles."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from playwright.sync_api import expect
from sqlalchemy import select
from support.audio import wav
from support.browser import PHONE, chromium
from support.live import Running, running_fleet
from support.live_voice import voice
from support.office import PASSWORD, give_password
from support.ports import free_port
from support.wait import until

from controller.app import create_app
from controller.bootstrap.service import Service, opened
from controller.db import migrate
from controller.db.engine import Database
from controller.db.tables import Asset, JournalEntry, LiveSession, UnitStatus
from controller.mqtt.broker_users import write_private
from controller.services import live_sessions
from controller.services.accounts import actor_by_name
from controller.services.live_sessions import Wish
from controller.services.rights import Actor, Right
from controller.services.seeding import ALL_DAY, PROVINCE, seed
from controller.settings import Settings
from device_sim.fleetfile import read_fleet

UNITS = 4
RATE = 48_000
PATIENT_S = 120.0
PATIENT_MS = 120_000
pytestmark = pytest.mark.e2e


@dataclass
class Whole:
    service: Service
    base: str
    fleet: Running

    def actor(self, name: str) -> Actor:
        with self.service.ctx.db.read() as session:
            return actor_by_name(session, name, self.service.ctx.wall.now())

    def entries(self, name: str, kind: str) -> list[JournalEntry]:
        with self.service.ctx.db.read() as session:
            wanted = select(JournalEntry).where(JournalEntry.item == name, JournalEntry.kind == kind)
            return list(session.scalars(wanted))

    def row(self, name: str) -> LiveSession:
        with self.service.ctx.db.read() as session:
            return session.get_one(LiveSession, name)

    def approved(self) -> str:
        """Whatever the hour is: a strange one is confirmed."""
        ctx, author = self.service.ctx, self.actor("phatthanh")
        wish = Wish(reason="Nước lên", minutes=10, areas=(PROVINCE[0],), chime="rising")
        with ctx.db.read() as session:
            mark = live_sessions.look_ahead(ctx, session, author.need(Right.COMPOSE), wish).unusual
            areas = tuple(sorted(author.within(Right.COMPOSE)))
        name = live_sessions.ask(
            ctx, author, Wish(reason="Nước lên", minutes=10, areas=areas, chime="rising", unusual=mark)
        )
        live_sessions.decide(ctx, self.actor("lanhdao"), name, yes=True, unusual=mark)
        return name


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Whole]:
    port = free_port()
    settings = Settings(data=tmp_path / "data", broker_port=free_port(), port=port)
    settings.data.mkdir()
    migrate.upgrade(database := Database(settings.database_url))
    database.close()
    with opened(settings) as ctx:
        made = seed(ctx, clusters=UNITS, hours=ALL_DAY)
        assert made is not None
        give_password(ctx, "phatthanh")
        root = ctx.keys.root_public()
    told = {
        "broker": {"host": "127.0.0.1", "port": settings.broker_port},
        "files": settings.unit_files_url,
        "root": {"kid": root.kid, "x": root.x},
        "units": made.enrolments,
    }
    write_private(tmp_path / "fleet.json", json.dumps(told))
    with ExitStack() as undo:
        service = Service(settings)
        service.start()
        undo.callback(service.stop)
        server = uvicorn.Server(
            uvicorn.Config(create_app(service.office()), host="127.0.0.1", port=port, log_level="warning")
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        undo.callback(thread.join, 20)
        undo.callback(setattr, server, "should_exit", True)
        undo.callback(service.office().closing.set)
        fleet = undo.enter_context(running_fleet(read_fleet(tmp_path / "fleet.json"), tmp_path))
        until(lambda: server.started and _ready(service) == UNITS, f"{UNITS} units with a plan", PATIENT_S)
        yield Whole(service, f"http://127.0.0.1:{port}", fleet)


def _ready(service: Service) -> int:
    with service.ctx.db.read() as session:
        rows = session.scalars(select(UnitStatus).where(UnitStatus.connected.is_(True)))
        return sum(row.plan_version is not None for row in rows)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("microphone") / "voice.wav"
    path.write_bytes(wav(voice(8, RATE, -20).astype(np.float64) / 32768, RATE))
    return path


def test_what_is_said_into_a_phone_is_in_the_journal_of_every_pole(whole: Whole, spoken: Path) -> None:
    name = whole.approved()
    with chromium(microphone=spoken) as browser:
        size = {"width": PHONE["width"], "height": PHONE["height"]}
        context = browser.new_context(viewport=size, locale="vi-VN", permissions=["microphone"])  # type: ignore[arg-type]
        page = context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{whole.base}/login?next=/live/{name}")
        page.fill("#name", "phatthanh")
        page.fill("#password", PASSWORD)
        page.get_by_role("button", name="Vào").click()
        page.locator("[data-do=speak]").click()
        expect(page.locator("[data-state-words]")).to_have_text(re.compile("ĐANG PHÁT"), timeout=PATIENT_MS)
        until(lambda: len(whole.entries(name, "started")) == UNITS, "every pole sounds", PATIENT_S)
        expect(page.locator("[data-seconds]")).to_have_text(
            re.compile(r"0:(1[2-9]|[2-5]\d)|[1-9]\d*:\d\d"), timeout=PATIENT_MS
        )
        page.locator("[data-do=stop]").click()
        expect(page.locator("[data-state-words]")).to_have_text(re.compile("Người nói đã dừng"), timeout=PATIENT_MS)
        until(lambda: len(whole.entries(name, "ended")) == UNITS, "every pole is silent again", PATIENT_S)
        page.goto(f"{whole.base}/live/{name}")
        expect(page.locator("#poles .tally")).to_contain_text(re.compile(r"đã (nghe|phát)\s*4"), timeout=PATIENT_MS)
    ended = [entry.entry for entry in whole.entries(name, "ended")]
    assert all(entry["live_heard"]["packets"] >= 40 for entry in ended)
    assert all(entry["live_heard"]["refused"] == 0 for entry in ended)
    assert all(entry["played_ms"] >= 5_000 for entry in ended)
    row = whole.row(name)
    assert (row.state, row.end_why) == ("ended", "hand")
    until(lambda: whole.row(name).asset_sha256 is not None, "the recording", PATIENT_S)
    with whole.service.ctx.db.read() as session:
        assert session.get_one(Asset, whole.row(name).asset_sha256).duration_ms > 2_000
