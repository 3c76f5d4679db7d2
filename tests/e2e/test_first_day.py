"""A whole first day in a demo, at the buttons only: from the passwords that are printed at the start to a bulletin
that every pole is proven to have sounded. Nothing is put in beside the pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from support.browser import chromium
from support.demo import Demo, demo, free_port, until_ready
from support.people import SLOW_MS, Phones, hour_and_minute

pytestmark = pytest.mark.e2e
UNITS = 5


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(tmp_path_factory.mktemp("first-day") / "data", free_port(), "--units", str(UNITS)) as one:
        until_ready(one)
        yield one


@pytest.fixture
def phones(running: Demo) -> Iterator[Phones]:
    with chromium() as browser:
        found = Phones(f"http://127.0.0.1:{running.port}", browser)
        yield found
    assert found.complaints == [], "the browser's console complained"


def fits(page: Page) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px too wide on a phone"


@pytest.mark.requirement("R-029", "R-030", "R-048")
def test_from_the_printed_passwords_to_a_bulletin_that_every_pole_was_heard_with(running: Demo, phones: Phones) -> None:
    printed = running.passwords()
    author = phones.first_log_in("phatthanh", printed["phatthanh"])

    # At night the sample stations are silent, at dawn one asks twice: their clock, which the poles share, goes on.
    author.goto(f"{phones.base}/sandbox")
    fits(author)
    phones.move_clock(author, ("open", "05:"), ("hour", "06:"), ("hour", "07:"), ("hour", "08:"))
    expect(author.locator(".pole")).to_have_count(UNITS)
    expect(author.locator(".pole-on")).to_have_count(0)

    title = "Mời bà con nghe thử"
    phones.begin_bulletin(author, title, UNITS)
    expect(author.locator("label.chip-check", has_text="Cù Lao Dung").first.locator("input")).to_be_checked()
    # In an hour and a minute; played late rather than never, should this machine need longer than that.
    hour, minute = hour_and_minute(author)
    author.locator("label.choice", has_text="Một lần").click()
    author.fill("#time", f"{hour + 1 + (minute + 1) // 60:02}:{(minute + 1) % 60:02}")
    author.locator("#step-time summary", has_text="Tùy chọn").click()
    author.select_option("#late", "play")
    proof = phones.hand_in(author)
    fits(author)

    approver = phones.first_log_in("lanhdao", printed["lanhdao"])
    approver.goto(f"{phones.base}/approvals")
    fits(approver)
    phones.approve(approver)
    fits(approver)

    # The page of poles is open in one hand, the proof in the other; neither is touched until the end.
    author.goto(proof)
    expect(author.locator("#live tbody .fine")).to_have_count(UNITS)
    approver.goto(f"{phones.base}/sandbox")
    approver.locator("button[name=to][value=hour]").click()
    expect(approver.locator(".pole-on")).to_have_count(UNITS, timeout=3 * SLOW_MS)
    expect(approver.locator(".pole-now").first).to_contain_text(title)
    expect(author.locator("#live tbody .mark-heard")).to_have_count(UNITS, timeout=3 * SLOW_MS)
    fits(author)
    assert re.search(rf"\b{UNITS}\D+{UNITS}\b", author.locator("#live .tally-number").inner_text())
    expect(approver.locator(".pole-on")).to_have_count(0)
    expect(approver.locator(".pole", has_text=title)).to_have_count(UNITS)

    author.goto(f"{phones.base}/clusters")
    expect(author.locator("#live .presence-online")).to_have_count(UNITS)
    fits(author)
