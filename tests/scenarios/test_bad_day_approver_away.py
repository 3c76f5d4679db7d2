"""The bad day: the leader of the commune is away, and what may be approved without him."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time, timedelta

import pytest
from sqlalchemy import select
from support.bad_day import DAY, BadDay, at

from broadcasts.errors import Refused
from controller.db.tables import Cluster, RoleGrant, Station, User
from controller.services import accounts, approving, audit, composing, delegating
from controller.services.composing import Draft
from controller.services.rights import Actor, Right, Role
from controller.services.views.broadcast import whole

NOTHING: list[str] = []


class Commune:
    """The one of the first pole: a leader who approves, a deputy and a writer who do not."""

    def __init__(self, day: BadDay) -> None:
        self.day, self.ctx = day, day.ctx
        with self.ctx.db.write() as session:
            clusters = {row.id: row.station_id for row in session.scalars(select(Cluster))}
            station = min(clusters.values())
            self.area = session.get_one(Station, station).area_id
            for name, role in (("truong", Role.APPROVER), ("pho", Role.BROADCASTER), ("viet", Role.BROADCASTER)):
                told = {"name": name, "full_name": name, "area_id": self.area, "password_hash": "x"}
                session.add(User(id=f"u-{name}", created_at=self.ctx.wall.now(), **told))
                session.flush()
                held = {"area_id": self.area, "since": self.ctx.wall.now(), "until": None, "granted_by": "test"}
                session.add(RoleGrant(user_id=f"u-{name}", role=role, **held))

    def actor(self, name: str) -> Actor:
        with self.ctx.db.read() as session:
            return accounts.actor_by_name(session, name, self.ctx.wall.now())

    def write(self, sound: str, start: str, by: str = "viet") -> str:
        told = {"areas": (self.area,), "first_day": DAY, "at": time.fromisoformat(start), "push_now": True}
        asset = self.day.studio.sounds[sound]
        with self.ctx.db.write() as session:  # he adds the file too
            audit.record(session, self.ctx.wall.now(), by, "recording.add", asset)
        draft = Draft(title=sound, field=1, language="vi", asset=asset, **told)  # type: ignore[arg-type]
        return composing.submit(self.ctx, self.actor(by), draft)

    def approve(self, broadcast: str, by: str | Actor) -> None:
        actor = self.actor(by) if isinstance(by, str) else by
        seen = approving.as_it_stands(self.ctx, self.actor("truong"), broadcast)[1]
        approving.approve(self.ctx, actor, broadcast, seen)

    def refused(self, key: str, broadcast: str, by: str | Actor) -> None:
        with pytest.raises(Refused) as caught:
            self.approve(broadcast, by)
        assert caught.value.key == key

    def heard(self) -> list[list[str]]:
        """Each different thing that was heard below a pole of the province."""
        found = [self.day.heard(post) for post in self.day.posts]
        return [each for index, each in enumerate(found) if each not in found[:index]]


@pytest.mark.requirement("R-029", "R-031")
def test_while_the_leader_is_away_the_deputy_approves_in_his_name_and_no_minute_longer(
    open_day: Callable[..., BadDay],
) -> None:
    day = open_day("07:00")
    commune = Commune(day)
    news = commune.write("news", "07:30")
    commune.refused("no_right", news, "pho")
    delegating.lend(day.ctx, commune.actor("truong"), "pho", commune.area, None, at("08:00"), "Đi họp tỉnh")
    commune.approve(news, "pho")
    day.until("07:40")
    assert commune.heard() == [["news 07:30:00-07:30:20 at 70"], NOTHING]
    own = commune.write("song", "08:15", by="pho")
    commune.refused("approve.own", own, "pho")
    later = commune.write("song", "08:30")
    commune.approve(later, "pho")
    day.until("07:59:59")
    borrowed = commune.actor("pho")
    assert borrowed.may(Right.APPROVE)
    late = commune.write("news", "08:45")
    day.until("08:00")
    assert not commune.actor("pho").may(Right.APPROVE)
    commune.refused("no_right", late, "pho")
    commune.refused("delegation.over", late, borrowed)
    day.until("09:00")
    assert commune.heard() == [["news 07:30:00-07:30:20 at 70", "song 08:30:00-08:30:45 at 70"], NOTHING]
    with day.ctx.db.read() as session:
        (decision,) = whole(session, day.approver, later).decisions
        assert whole(session, day.approver, late).decisions == []
    assert (decision.by, decision.lender) == ("pho", "truong")
    assert {day.page(later, post) for post in day.posts if day.rows(later, post)} == {"played: heard"}


def test_a_leader_who_comes_back_early_takes_his_right_back_and_the_deputys_page_knows_it_at_once(
    day: BadDay,
) -> None:
    commune = Commune(day)
    leader = commune.actor("truong")
    end = at("07:00") + timedelta(days=3)
    lent = delegating.lend(day.ctx, leader, "pho", commune.area, None, end, "Đi họp tỉnh")
    song = commune.write("song", "07:30")
    before = commune.actor("pho")
    delegating.take_back(day.ctx, leader, lent)
    commune.refused("delegation.over", song, before)
    commune.approve(song, "truong")
    day.until("07:35")
    assert commune.heard() == [["song 07:30:00-07:30:45 at 70"], NOTHING]
