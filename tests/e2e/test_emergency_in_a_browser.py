"""16:55, storm: an officer with a phone, a real browser, a real broker, poles on real sockets."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select
from support.browser import PHONE, chromium, served, shoot
from support.live import Running, running_fleet
from support.office import PASSWORD, give_password
from support.ports import free_port

from controller import settings as settings_module
from controller.app import create_app
from controller.bootstrap import commands
from controller.bootstrap.service import Service, opened
from controller.db.tables import User
from controller.services import accounts
from controller.services.rights import Role
from device_sim.fleetfile import read_fleet

pytestmark = pytest.mark.e2e
Eventually = Callable[..., object]
CLUSTERS, COMMUNE = 6, "c-31615"
APP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@dataclass
class Storm:
    base: str
    fleet: Running
    page: Page

    def playing(self) -> int:
        return sum(bool(pole["playing"]) for pole in self.fleet.poles().values())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def storm(tmp_path: Path, browser: Browser) -> Iterator[Storm]:
    env = {
        "LOA_DATA": str(tmp_path / "data"),
        "LOA_PORT": str(free_port()),
        "LOA_BROKER_PORT": str(free_port()),
        "LOA_ALERT_CANCEL_SECONDS": "30",
    }
    settings = settings_module.from_environment(env)
    commands.migrate_database(settings, argparse.Namespace(to="head"))
    told = argparse.Namespace(clusters=CLUSTERS, all_day=True, password_only=0, mp3_only=0, fleet=None, json=True)
    commands.seed_database(settings, told)
    with opened(settings) as ctx:
        first = accounts.FirstPassword.make()
        with ctx.db.write() as session:
            accounts.create_user(ctx, session, first, "chutich", "Chủ tịch xã", Role.EMERGENCY, COMMUNE, "test")
        give_password(ctx, "chutich")
        with ctx.db.write() as session:
            user = session.scalars(select(User).where(User.name == "chutich")).one()
            user.factor_secret, user.factor_at = ctx.keys.seal(APP), ctx.wall.now()
    service = Service(settings)
    service.start()
    try:
        with served(create_app(service.office())) as base:
            file = replace(read_fleet(tmp_path / "data" / "fleet.json"), files=f"{base}/u")
            with running_fleet(file, tmp_path) as fleet:
                complaints: list[str] = []
                context = browser.new_context(
                    viewport={"width": PHONE["width"], "height": PHONE["height"]}, locale="vi-VN", has_touch=True
                )
                page = context.new_page()
                page.on("pageerror", lambda error: complaints.append(str(error)))
                yield Storm(base, fleet, page)
                context.close()
                assert complaints == []
    finally:
        service.stop()


@pytest.mark.requirement("R-057", "R-066", "R-067", "R-069")
def test_an_officer_sounds_a_storm_on_a_phone_sees_it_heard_and_silences_it(
    storm: Storm, eventually: Eventually
) -> None:
    page = storm.page
    eventually(lambda: all(pole["held"] for pole in storm.fleet.poles().values()), within=120, why="the set is held")
    page.goto(f"{storm.base}/login")
    page.fill("#name", "chutich")
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Vào").click()
    page.locator("input[name=code]").fill(pyotp.TOTP(APP).now())
    page.locator("form[action^='/code'] button").click()
    page.wait_for_url(f"{storm.base}/")
    page.get_by_role("link", name="Khẩn cấp").click()
    page.locator("label.kind", has_text="Bão").click()
    page.fill("#reason", "Công điện 07 của tỉnh")
    expect(page.locator("#preview")).to_contain_text("5 cụm sẽ kêu ngay")
    page.fill("#count", "5")
    shoot(page, "emergency-filled")
    page.get_by_role("button", name="Phát khẩn cấp").click()
    expect(page.get_by_role("button", name="HỦY")).to_be_visible()
    assert storm.playing() == 0, "it can still be cancelled"
    shoot(page, "emergency-countdown")
    expect(page.locator(".tally-figure.tally-sounding strong")).to_contain_text("5/5", timeout=120_000)
    assert storm.playing() == 5
    shoot(page, "emergency-sounding")
    page.goto(f"{storm.base}/")
    expect(page.locator(".band-alert")).to_contain_text("5 cụm")
    shoot(page, "today-emergency")
    page.locator(".band-alert").get_by_role("button", name="Im lặng").click()
    eventually(lambda: storm.playing() == 0, within=120, why="one press, and every horn is silent")
    expect(page.locator(".tally-figure.tally-silent strong")).to_contain_text("5/5", timeout=120_000)
    expect(page.locator(".tally-state")).to_contain_text("Đã tắt")
    shoot(page, "emergency-silent")
    page.goto(f"{storm.base}/")
    expect(page.locator(".band-alert")).to_have_count(0)
