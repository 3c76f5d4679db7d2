"""What an idle unit costs a month on a mobile link, at IP level, by the model in `device_sim/bill.py` (R-139)."""

from __future__ import annotations

from pathlib import Path

import pytest

from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out
from controller.bootstrap.virtual import VirtualController
from device_sim import bill
from device_sim.bill import DAY_MS, MONTH_MS, MOST_A_MONTH, Bill, a_month
from device_sim.counterpart import Setting
from device_sim.faults import HOUR, MINUTE, Blow, Fault, Odds
from device_sim.prove import START
from device_sim.world import World

CALM = Odds(fetch_broken=0, fetch_corrupt=0, cut_while_sounding=0, small_cache=0, no_battery=0)

ITEMS = {
    *(f"out/{kind}" for kind in Out),
    *(f"in/{kind}" for kind in In),
    *("trust", "s/alert", "s/drill", "s/live"),
}
TABLE = {
    "ping": (1.8, 2.4),
    "connect": (1.8, 2.6),
    "out/telemetry": (0.8, 1.2),
    "out/presence": (0.3, 0.7),
    "out/reported": (0.1, 0.6),
    "in/plan": (0.2, 0.6),
}
"""MB a month at ten reconnects a day: what the contract's table says, and some room."""


def idle(folder: Path, days: int, reconnects_a_day: int) -> Bill:
    """One unit of the real controller that nobody asks to play anything; its link breaks so often, for two minutes."""
    controller = VirtualController(Setting(units=1, days=days, seed=1, start=START, folder=folder))
    try:
        world = World(controller, START, seed=1, odds=CALM)
        gap = DAY_MS // reconnects_a_day
        breaks = range(world.start + HOUR, world.start + days * DAY_MS, gap)
        world.schedule([Blow(at, Fault.LINK_DOWN, 0, 2 * MINUTE) for at in breaks])
        world.run_until(world.start + days * DAY_MS)
        [post] = world.posts
        post.bill.settle(world.now)
        return post.bill
    finally:
        controller.close()


@pytest.mark.requirement("R-139")
def test_an_idle_unit_with_ten_reconnects_a_day_stays_below_ten_megabytes_a_month(tmp_path: Path) -> None:
    days = 5  # of a month in which each day is like the other; all thirty give the same to a hundredth
    spent = idle(tmp_path, days, reconnects_a_day=10)
    messages, files = a_month([spent], days * DAY_MS)
    assert spent.times["connect"] >= 10 * days
    assert spent.times[f"out/{Out.TELEMETRY}"] > 90 * days, "it was there, and spoke"
    assert spent.times["ping"] > 200 * days
    assert files == 0
    # Every byte has an item, and each item is one of the table (CONTRACT.md, section 9).
    assert set(spent.bytes) - {"connect", "ping"} <= ITEMS
    assert sum(spent.bytes.values()) == spent.messages
    month = {name: size * MONTH_MS / (days * DAY_MS) / 1_000_000 for name, size in spent.bytes.items()}
    for name, (least, most) in TABLE.items():
        assert least <= month[name] <= most, (
            f"{name}: {month[name]:.2f} MB, the table of the contract is not true any more"
        )
    assert 3_000_000 < messages < MOST_A_MONTH * 0.75, "and leaves room for what a model does not know"


def test_the_model_counts_what_a_packet_capture_would_show() -> None:
    assert bill.flight(1) == 1 + 2 * bill.PACKET
    assert bill.flight(bill.SEGMENT + 1) == bill.SEGMENT + 1 + 3 * bill.PACKET, "two packets, one acknowledgement"
    assert bill.ping() == 2 * (2 + bill.RECORD + 2 * bill.PACKET)
    topic = topics.from_unit("u-1", Out.TELEMETRY)
    said = bill.publish(topic, 90, 0)
    assert said == 2 + 2 + len(topic) + 90 + bill.RECORD + 2 * bill.PACKET
    longer = bill.publish(topic, 300, 1)
    assert longer - said == 210 + 1 + 2 + 4 + bill.RECORD + 2 * bill.PACKET, "a length of two bytes, an id, PUBACK"
    assert bill.download(100_000) > 100_000 * 1.05 + bill.download(0) - 2_000
    assert bill.purpose(topics.to_unit("u-1", In.PLAN)) == "in/plan"
    assert (bill.purpose(topics.TRUST), bill.purpose("loa/v1/s/c-1/alert")) == ("trust", "s/alert")


def test_pings_fill_the_silence_of_the_unit_and_only_while_it_is_connected() -> None:
    spent = Bill(keep_alive_ms=240_000)
    spent.connected(0, 7_000)
    spent.received(topics.TRUST, 1_000)
    spent.sent(900_000, topics.from_unit("u-1", Out.TELEMETRY), 300, 0)
    assert spent.times["ping"] == 3
    spent.closed(1_000_000)
    spent.connected(9_000_000, 7_000)
    spent.settle(9_000_000 + MONTH_MS)
    assert spent.times["ping"] == 3 + MONTH_MS // 240_000
    assert spent.messages == spent.bytes.total() == sum(spent.bytes.values())
