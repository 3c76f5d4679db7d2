"""How long a newcomer takes from the clone to a first broadcast that every pole has proven.

    python -m tests.bench newcomer [--source ADDRESS] [--warm]

Clones what is committed here, types `make run` in it with empty caches of pip and npm (`--warm`: with those of this
machine), waits for the address, and then does at the pages, in a real browser, what the README says: two first log-ins,
the sample recording to all 80 clusters in two minutes, its approval. One pole loses its link before the start and gets
it back after the end: it plays from its cache and proves it late. Then Ctrl-C, and how long a second `make run` takes.

The hands are a machine's and neither read nor hesitate: what is left of five minutes is a person's time for both. The
floor is what the bulletin itself asks: the two minutes' notice and its own length.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from playwright.sync_api import Page, expect
from support.browser import chromium
from support.demo import ROOT, Demo, children_of, free_port, until_ready
from support.people import SLOW_MS, Phones, hour_and_minute

from broadcasts.clock import SystemClock

UNITS = 80
AIM_S = 300
SOON_S = 120
OPEN_HOURS = range(6, 20)
"""In which the sample stations may sound without being asked twice, the bulletin and a slow machine included."""
TITLE = "Mời bà con nghe thử"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench newcomer", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--source", default=str(ROOT), help="what is cloned; this checkout's last commit")
    parser.add_argument("--warm", action="store_true", help="with the packages that pip and npm have kept")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="loa-newcomer-") as folder:
        told = _day(asked.source, Path(folder), warm=asked.warm)
    figures = {"figure": told["proven"], "floor": told["floor"], "ratio": round(told["proven"] / told["floor"], 2)}
    print(json.dumps({**figures, "aim_s": AIM_S, **told, "load": round(os.getloadavg()[0], 1)}))
    return 0 if told["proven"] < AIM_S else 1


def _day(source: str, folder: Path, *, warm: bool) -> dict[str, float]:
    """Seconds from the clone, but `again` and `floor`, which are lengths."""
    clock = SystemClock()
    began = clock.monotonic()

    def since(what: str) -> float:
        seconds = round(clock.monotonic() - began, 1)
        print(f"{seconds:7.1f} s  {what}", flush=True)
        return seconds

    checkout = folder / "loa"
    subprocess.run(["git", "clone", "--quiet", source, str(checkout)], check=True)
    empty = {} if warm else {"PIP_NO_CACHE_DIR": "1", "npm_config_cache": str(folder / "npm")}
    port, told = free_port(), {"cloned": since("cloned")}
    first = Demo(checkout, port, made_in=checkout, **empty)
    try:
        until_ready(first, 900)
        told["page"] = since("the address is printed, every pole is connected")
        with chromium() as browser:
            phones = Phones(f"http://127.0.0.1:{port}", browser)
            told |= _walk(phones, first.passwords(), since)
            if phones.complaints:
                raise SystemExit(f"the browser's console complained: {phones.complaints}")
    finally:
        _end(first)
    began = clock.monotonic()
    second = Demo(checkout, port, made_in=checkout)
    try:
        until_ready(second, 120)
        told["again"] = since("a second `make run` is ready")
    finally:
        _end(second)
    return told


def _walk(phones: Phones, printed: dict[str, str], since: Callable[[str], float]) -> dict[str, float]:
    author = phones.first_log_in("phatthanh", printed["phatthanh"])
    author.goto(f"{phones.base}/sandbox")
    if hour_and_minute(author)[0] not in OPEN_HOURS:
        phones.move_clock(author, ("open", "05:"), ("hour", "06:"))
    phones.begin_bulletin(author, TITLE, UNITS)
    author.get_by_label("Gửi ngay").check()
    proof = phones.hand_in(author)
    notice = since("handed in, for two minutes later")
    approver = phones.first_log_in("lanhdao", printed["lanhdao"])
    phones.approve(approver)
    told = {"approved": since("approved")}

    author.goto(proof)
    expect(author.locator("#live tbody .fine")).to_have_count(UNITS)
    told["planned"] = since("every pole has its plan")
    approver.goto(f"{phones.base}/sandbox")
    away = _press(approver, "cut_link")
    expect(approver.locator(".pole-on")).to_have_count(UNITS, timeout=4 * SLOW_MS)
    sounding = since(f"every pole sounds, {away} without a link")
    told["sounding"] = sounding
    expect(author.locator("#live tbody .mark-heard")).to_have_count(UNITS - 1, timeout=3 * SLOW_MS)
    told["floor"] = SOON_S + round(since("every pole but one is proven") - sounding, 1)
    _press(approver, "restore_link")
    expect(author.locator("#live tbody .mark-heard")).to_have_count(UNITS, timeout=3 * SLOW_MS)
    return told | {"handed_in": notice, "proven": since("every pole is proven")}


def _press(page: Page, act: str) -> str:
    """The button, for the pole that is chosen; its name."""
    page.locator(f"button[name=act][value={act}]").click()
    expect(page.get_by_role("status")).to_be_visible()
    return page.locator("#pole option:checked").inner_text().strip()


def _end(run: Demo) -> None:
    """Ctrl-C. Raises SystemExit when something of it goes on."""
    if run.process.poll() is None:
        run.ctrl_c()
    if left := children_of(run.data):
        raise SystemExit(f"Ctrl-C left these running: {left}")
