"""Every main page before axe-core (WCAG 2.2, A and AA) in a real Chromium of 360 px: what a screen reader, a keyboard
or weak eyes cannot use is a fault, and so is what sticks out at the side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext
from sqlalchemy import select
from support.audio import tone
from support.browser import PHONE, chromium, served
from support.office import PASSWORD, PROVINCE, House, open_house

from controller.db.tables import Cluster, ClusterDay, Delivery, FaultCase, RoundStop
from controller.services import rounds
from controller.services.approving import approve, look_at
from controller.services.composing import submit
from controller.services.history_keeping import local_day
from controller.services.rights import Role

pytestmark = pytest.mark.e2e
AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
ANYBODY = ("/login",)
AUTHOR = (
    *("/", "/schedule", "/broadcasts", "/broadcasts/new", "/programmes/new", "/campaigns"),
    *("/campaigns/new?template=democracy", "/sounds"),
    *(
        "/pronunciations",
        "/phrases",
        "/sound-library",
        "/uploads",
        "/groups",
        "/feedback",
        "/more",
        "/map",
        "/clusters",
        "/published",
    ),
    *("/regulations", "/areas", "/ahead", "/relays", "/second-factor", "/password", "/sessions"),
)
APPROVER = ("/approvals", "/clashes", "/delegations", "/approvals/{broadcast}")
EMERGENCY = ("/emergency-set",)
OPERATOR = ("/files", "/more")
TECHNICIAN = (
    *("/fleet", "/fleet/map", "/fleet/map?area={area}&state=never", "/fleet/{area}", "/fleet/trends"),
    *("/clusters?show=not_converged", "/clusters/{cluster}/history?days=7", "/clusters/{cluster}/hardware"),
    *("/clusters/new", "/inventory", "/swap", "/units", "/faults", "/orders", "/rounds"),
    *("/rounds/{round}", "/rounds/{round}/stops/{stop}"),
)
DRILLS = ("/drills", "/live", "/live/emergency", "/cap", "/alerts")
CLUSTER = ("/clusters/{cluster}", "/broadcasts/{broadcast}", "/deliveries/{delivery}", "/broadcasts/{broadcast}/edit")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    found = open_house(tmp_path_factory.mktemp("house"), sandbox=True)
    found.add_user("khancap", Role.EMERGENCY, found.commune)
    found.add_user("tho", Role.TECHNICIAN, PROVINCE[0])
    now = found.clock.now()
    with found.ctx.db.write() as session:
        for number, cluster in enumerate(session.scalars(select(Cluster).order_by(Cluster.id))):
            cluster.longitude, cluster.latitude = 106.0 + number / 50, 9.6
        first = session.scalars(select(Cluster).order_by(Cluster.id)).first()
        assert first is not None
        session.add(ClusterDay(cluster_id=first.id, day=local_day(now), link="1~0" * 32, power="mbx" * 32))
        session.add(
            FaultCase(id="f-1", code="line_open", cluster_id=first.id, area_id=found.commune, since=now, raised_at=now)
        )
    return found


@pytest.fixture(scope="module")
def told(house: House) -> dict[str, str]:
    """A bulletin that is approved, and one that waits."""
    path = house.folder / "tone.wav"
    path.write_bytes(tone(3.0))
    asset = house.add_asset(path)
    actor, boss = house.actor("phatthanh"), house.actor("lanhdao")
    first = submit(house.ctx, actor, house.draft(asset.sha256))
    approve(house.ctx, boss, first, look_at(house.ctx, boss, first)[2])
    waiting = submit(house.ctx, actor, house.draft(asset.sha256, title="Còn chờ"))
    with house.ctx.db.read() as session:
        delivery = session.query(Delivery).filter_by(broadcast_id=first).first()
    assert delivery is not None
    walk = rounds.make(house.ctx, house.actor("tho"), house.commune, local_day(house.clock.now()), "a-phone-key", True)
    with house.ctx.db.read() as session:
        stop = session.query(RoundStop).filter_by(round_id=walk).first()
    assert stop is not None
    way = {"round": walk, "stop": stop.id}
    return way | {"broadcast": waiting, "cluster": delivery.cluster_id, "delivery": delivery.id, "area": house.commune}


@pytest.fixture(scope="module")
def base(house: House, told: dict[str, str]) -> Iterator[str]:
    with served(house.app) as address:
        yield address


def complaints(context: BrowserContext, address: str) -> list[str]:
    page = context.new_page()
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 200, address
    page.wait_for_load_state("load")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    # In one go: a living page changes its parts between two looks.
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert AXE.is_file(), "axe-core is not here: npm ci (make setup does)"
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("rules => axe.run(document, rules)", RULES)
    page.close()
    return [f"{address}: {wide} px too wide on a phone"] * (wide > 0) + [
        f"{address}: {each['id']} ({each['help']}): {node['html'][:160]} {node['failureSummary'][:200]}"
        for each in found["violations"]
        for node in each["nodes"][:4]
    ]


def entered(browser: Browser, base: str, name: str) -> BrowserContext:
    context = browser.new_context(viewport={"width": PHONE["width"], "height": PHONE["height"]}, locale="vi-VN")
    if name:
        page = context.new_page()
        page.goto(f"{base}/login")
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.get_by_role("button", name="Vào").click()
        page.wait_for_url(f"{base}/")
        page.close()
    return context


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("", ANYBODY),
        ("phatthanh", (*AUTHOR, *CLUSTER)),
        ("lanhdao", APPROVER),
        ("khancap", (*EMERGENCY, *DRILLS)),
        ("tho", TECHNICIAN),
        ("tinh", OPERATOR),
    ],
)
def test_every_main_page_can_be_used_by_everybody(
    browser: Browser, base: str, told: dict[str, str], name: str, paths: tuple[str, ...]
) -> None:
    context = entered(browser, base, name)
    found = [line for path in paths for line in complaints(context, base + path.format(**told))]
    context.close()
    assert not found, "\n".join(found)
