"""Days in virtual time leave the past behind that the pages of health are drawn from."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from broadcasts.domain.day_strip import Mark
from controller.bootstrap.virtual import VirtualController
from controller.db.tables import ClusterDay
from controller.services.history_keeping import local_day
from device_sim.counterpart import Setting
from device_sim.faults import HOUR, Blow, Fault, Odds
from device_sim.prove import START
from device_sim.world import World

CALM = Odds(fetch_broken=0, fetch_corrupt=0, cut_while_sounding=0, small_cache=0, no_battery=0)
DAY = 24 * HOUR


def test_each_day_of_the_virtual_world_is_kept_and_shows_when_the_link_was_down(tmp_path: Path) -> None:
    controller = VirtualController(Setting(units=2, days=3, seed=1, start=START, folder=tmp_path))
    try:
        world = World(controller, START, seed=1, odds=CALM)
        world.schedule([Blow(world.start + DAY + 2 * HOUR, Fault.LINK_DOWN, 0, 5 * HOUR)])
        world.run_until(world.start + 3 * DAY)
        with controller.ctx.db.read() as session:
            rows = list(session.scalars(select(ClusterDay).order_by(ClusterDay.cluster_id, ClusterDay.day)))
    finally:
        controller.close()
    first = local_day(START)
    whole = {first + timedelta(days=n) for n in (1, 2)}
    assert whole <= {row.day for row in rows}
    hurt, calm = sorted({row.cluster_id for row in rows})
    away = {name: sum(row.link.count(Mark.AWAY) for row in rows if row.cluster_id == name) for name in (hurt, calm)}
    assert away[calm] == 0
    assert away[hurt] >= 16, "five hours less the edges, in quarters"
    assert all(row.link_known >= 180 for row in rows if row.day == first + timedelta(days=1))
