"""What a target came to when it was handed in stays, whatever becomes of clusters, tags, groups and communes; only the
switch "also clusters added later" lets others join in, and then all that belong to it by now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.services import HERE, THERE, House, Workshop, furnished

from broadcasts.clock import VIETNAM
from broadcasts.errors import LoaError
from controller.db.tables import Assignment, Broadcast, Cluster, Unit
from controller.services import accounts, describing, groups, merging
from controller.services.facts import content_hash
from controller.services.rights import Actor, Role
from controller.services.targets import resolve, target_of

AREAS = (f"c-{HERE}", f"c-{THERE}")
POLES = tuple(f"cl-{code}-{number}" for code in (HERE, THERE) for number in range(1, 6))
SHAPE = (((106.0, 9.0), (106.3, 9.0), (106.3, 9.6), (106.0, 9.6)),)
TAGS = ("chợ", "trường")


class World:
    """Acts of a year in a province of two communes. An act that cannot be is refused by the service and changes
    nothing."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.poles = 0
        self.groups = [groups.keep(house.ctx, self.author, f"Nhóm {name}", [name]) for name in (POLES[0], POLES[6])]

    @property
    def author(self) -> Actor:
        return self.house.actor("all-author")

    def put_up(self, pole: int, longitude: float) -> None:
        house, name = self.house, f"cl-new-{self.poles}"
        self.poles += 1
        with house.ctx.db.write() as session:
            station = f"s-{(HERE, THERE)[pole % 2]}"
            session.add(
                Cluster(
                    id=name,
                    station_id=station,
                    name=name,
                    tags=[TAGS[0]],
                    longitude=longitude,
                    latitude=9.5,
                    added_at=house.now,
                )
            )
            session.add(Unit(id=f"u-{name}", key_x="", password_only=True, secret_hashes={}, enrolled_at=house.now))
            session.flush()
            session.add(Assignment(unit_id=f"u-{name}", cluster_id=name, since=house.now))

    def take_down(self, pole: int, _: float) -> None:
        with self.house.ctx.db.write() as session:
            session.get_one(Cluster, POLES[pole]).removed_at = self.house.now

    def tag(self, pole: int, _: float) -> None:
        describing.set_hearing(self.house.ctx, self.author, POLES[pole], ["km", "vi"], [TAGS[pole % 2]])

    def untag(self, pole: int, _: float) -> None:
        describing.set_hearing(self.house.ctx, self.author, POLES[pole], ["vi"], [])

    def regroup(self, pole: int, _: float) -> None:
        members = [POLES[pole], POLES[(pole + 3) % 10]]
        groups.keep(self.house.ctx, self.author, f"Nhóm {pole}", members, group_id=self.groups[pole % 2])

    def drop_group(self, pole: int, _: float) -> None:
        groups.drop(self.house.ctx, self.author, self.groups[pole % 2])

    def merge(self, _: int, __: float) -> None:
        day = self.house.now.astimezone(VIETNAM).date()
        merging.merge(self.house.ctx, "test", merging.Wish(AREAS, "Xã mới", "31999", day, "NQ 1"))

    def days_go_by(self, pole: int, _: float) -> None:
        self.house.clock.advance(timedelta(days=1 + pole).total_seconds())
        self.house.compile()


ACTS: tuple[Callable[[World, int, float], None], ...] = (
    World.put_up,
    World.take_down,
    World.tag,
    World.untag,
    World.regroup,
    World.drop_group,
    World.merge,
    World.days_go_by,
)
TARGETS = st.fixed_dictionaries(
    {
        "areas": st.lists(st.sampled_from(AREAS), unique=True).map(tuple),
        "clusters": st.lists(st.sampled_from(POLES), unique=True, max_size=3).map(tuple),
        "tags": st.lists(st.sampled_from(TAGS), unique=True).map(tuple),
        "polygon": st.sampled_from([(), SHAPE]),
        "with_groups": st.booleans(),
    }
)
STEPS = st.lists(
    st.tuples(st.sampled_from(ACTS), st.integers(0, 9), st.sampled_from([106.1, 107.0])), min_size=1, max_size=8
)


def everywhere(house: House) -> None:
    """Somebody who writes, and somebody who approves, in both communes."""
    with house.ctx.db.write() as session:
        for name, role in (("all-author", Role.BROADCASTER), ("all-boss", Role.APPROVER)):
            first = accounts.FirstPassword.make()
            accounts.create_user(house.ctx, session, first, name, name, role, "p-94", "test")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(chosen=TARGETS, steps=STEPS)
def test_whatever_happens_afterwards_a_frozen_target_stays_and_an_open_one_holds_all_that_belong_to_it(
    workshop: Workshop, chosen: dict[str, object], steps: list[tuple[Callable[..., None], int, float]]
) -> None:
    with TemporaryDirectory() as room, furnished(workshop, "sqlite", Path(room)) as house:
        everywhere(house)
        world = World(house)
        meant = {name: value for name, value in chosen.items() if name != "with_groups"}
        meant |= {"groups": tuple(world.groups) if chosen["with_groups"] else ()}
        # The choice is never empty: the first pole is there whatever else is chosen.
        meant["clusters"] = tuple(dict.fromkeys((POLES[0], *chosen["clusters"])))  # type: ignore[misc]
        made = [house.submit("all-author", repeat="daily", also_later=later, **meant) for later in (False, True)]
        for name in made:
            house.approve(name, "all-boss")
        house.compile()
        with house.ctx.db.read() as session:
            before = [list(session.get_one(Broadcast, name).clusters) for name in made]
            hashes = [content_hash(session, session.get_one(Broadcast, name)) for name in made]
        for act, pole, longitude in steps:
            try:
                act(world, pole, longitude)
            except LoaError:
                continue
        world.days_go_by(0, 0.0)
        with house.ctx.db.read() as session:
            frozen, open_ = (session.get_one(Broadcast, name) for name in made)
            assert (frozen.clusters, frozen.joined) == (before[0], [])
            assert open_.clusters == before[1]
            assert [content_hash(session, row) for row in (frozen, open_)] == hashes, (
                "what was approved is what is there"
            )
            reach = house.actor("all-author").areas
            now = {cluster.id for cluster in resolve(session, reach, target_of(open_))}
            assert now <= {*open_.clusters, *open_.joined}
        assert {each.cluster_id for each in house.deliveries(made[0])} == set(before[0])
