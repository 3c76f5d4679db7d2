"""Each bad input of the planning half: one clear sentence in Vietnamese and in English, and nothing half-saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from support.services import HERE, THERE, House

from broadcasts.clock import ManualClock
from broadcasts.domain.model import Pattern
from broadcasts.errors import LoaError
from controller.db.tables import Approval, Broadcast, Bulletin, Delivery, ProgrammePart, RegulationChange, Rendition
from controller.services import approving, composing, merging, regulating
from controller.services.regulating import Rules
from controller.web.words import Words

STATION = f"s-{HERE}"
RULES = Rules("02/QC-UBND", date(2026, 3, 1), ((300, 1260),), early="NQ 5/2026")
TABLES = (Approval, Broadcast, Bulletin, Delivery, ProgrammePart, RegulationChange, Rendition)


def in_the_past(house: House) -> None:
    house.submit(at=time(11))


def impossible(house: House) -> None:
    """Each 31 February."""
    house.submit(repeat="monthly", pattern=Pattern(month_days=(31,), months=(2,)))


def empty_target(house: House) -> None:
    house.submit(areas=(), clusters=())


def no_such_target(house: House) -> None:
    house.submit(areas=("c-nowhere",), clusters=("cl-nowhere",))


def forbids_everything(house: House) -> None:
    regulating.change(house.ctx, house.actor("boss"), STATION, replace(RULES, hours=()), 0)


def forbidden_hour(house: House) -> None:
    house.submit(at=time(22))


def edited_meanwhile(house: House) -> None:
    name = the_one_that_waits(house)
    composing.submit(house.ctx, house.actor("author"), house.draft(title="Người thứ hai"), name, revision=0)


def approved_meanwhile(house: House) -> None:
    """Of two approvers the second looked at what is not there any more."""
    approving.approve(house.ctx, house.actor("boss"), the_one_that_waits(house), "0" * 64)


def regulated_meanwhile(house: House) -> None:
    regulating.change(house.ctx, house.actor("boss"), STATION, RULES, 7)


def own(house: House) -> None:
    """Who wrote it also has the right to approve, at the same station: by an exception that has ended."""
    name = the_one_that_waits(house)
    with house.ctx.db.write() as session:
        session.get_one(Broadcast, name).author_id = house.actor("boss").id
        session.get_one(Bulletin, session.get_one(Broadcast, name).bulletin_id).author_id = house.actor("boss").id
    approving.approve(house.ctx, house.actor("boss"), name, house.seen(name))


def merged_yesterday(house: House) -> None:
    day = (house.now + timedelta(hours=7)).date()
    wish = merging.Wish((f"c-{HERE}", f"c-{THERE}"), "Xã An Thạnh", "31999", day, "Nghị quyết 1/NQ")
    merging.merge(house.ctx, "test", wish)
    house.clock.advance(timedelta(days=1).total_seconds())
    house.submit()


def clock_put_forward(house: House) -> None:
    """What was still to come when it was handed in is over when somebody decides."""
    name = the_one_that_waits(house)
    seen = house.seen(name)
    house.clock.advance(timedelta(hours=3).total_seconds())
    approving.approve(house.ctx, house.actor("boss"), name, seen)


def clock_set_back(house: House) -> None:
    """Approved until a day that by the right clock is further away than any standing approval may last."""
    name = the_one_that_waits(house)
    until = house.now + house.ctx.standing_approval
    house.clock = ManualClock(house.now - timedelta(hours=1))
    house.ctx = replace(house.ctx, clock=house.clock, wall=house.clock)
    approving.approve(house.ctx, house.actor("boss"), name, house.seen(name), until=until)


def the_one_that_waits(house: House) -> str:
    with house.ctx.db.read() as session:
        return session.scalars(select(Broadcast.id)).one()


BAD: dict[Callable[[House], None], str] = {
    in_the_past: "time.past",
    impossible: "schedule.impossible",
    empty_target: "target.empty",
    no_such_target: "target.empty",
    forbids_everything: "regulation.nothing",
    forbidden_hour: "time.quiet",
    edited_meanwhile: "broadcast.changed",
    approved_meanwhile: "broadcast.changed",
    regulated_meanwhile: "regulation.changed",
    own: "approve.own",
    merged_yesterday: "target.merged",
    clock_put_forward: "time.past",
    clock_set_back: "approval.end",
}


def rows(house: House) -> dict[str, Any]:
    with house.ctx.db.read() as session:
        counted = {table.__tablename__: session.scalar(select(func.count()).select_from(table)) for table in TABLES}
        return counted | {row.id: (row.revision, row.status) for row in session.scalars(select(Broadcast))}


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_bad_input_is_told_in_both_languages_and_leaves_nothing_behind(
    house: House, bad: Callable[[House], None]
) -> None:
    house.submit()
    before = rows(house)
    with pytest.raises(LoaError) as refused:
        bad(house)
    assert refused.value.key == BAD[bad]
    assert rows(house) == before
    said = [Words(language, house.now).failure(refused.value) for language in ("vi", "en")]
    for sentence in said:
        assert len(sentence) > 15
        assert sentence.rstrip().endswith((".", "?", "!"))
        assert "{" not in sentence
        assert BAD[bad] not in sentence
    assert said[0] != said[1]
