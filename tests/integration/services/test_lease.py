"""Long work is done by one controller at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from broadcasts.clock import ManualClock
from broadcasts.errors import Conflict
from controller.db.engine import Database, sqlite_at
from controller.db.tables import Base, Kept
from controller.services.lease import EVERY, LASTS, Lease, held

BEGIN = datetime(2026, 11, 23, 5, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(BEGIN)


@pytest.fixture
def controllers(tmp_path: Path, clock: ManualClock) -> Any:
    """Two, of one database."""
    several = [Database(sqlite_at(tmp_path / "loa.db")) for _ in range(2)]
    Base.metadata.create_all(several[0].engine)
    yield [SimpleNamespace(db=db, wall=clock) for db in several]
    for db in several:
        db.close()


def test_a_second_controller_is_told_that_another_one_is_at_it(controllers: Any) -> None:
    one, two = controllers
    with held(one, "work", "collecting"), pytest.raises(Conflict, match="collecting"), held(two, "work", "collecting"):
        pytest.fail("both were at it")
    with held(two, "work", "collecting"):
        pass
    with one.db.read() as session:
        assert session.get(Kept, "work") is None


def test_what_is_renewed_lasts_as_long_as_the_work(controllers: Any, clock: ManualClock) -> None:
    one, two = controllers
    with held(one, "work", "collecting") as lease:
        for _ in range(30):
            clock.advance(EVERY.total_seconds())
            lease.renew()
        with pytest.raises(Conflict, match="collecting"):
            Lease(two, "work", "collecting").renew()


def test_after_a_kill_another_one_may_begin_and_the_first_one_may_do_nothing_more(
    controllers: Any, clock: ManualClock
) -> None:
    one, two = controllers
    killed = Lease(one, "work", "collecting")
    killed.renew()
    clock.advance(LASTS.total_seconds() - 1)
    with pytest.raises(Conflict, match="collecting"):
        Lease(two, "work", "collecting").renew()
    clock.advance(1)

    with held(two, "work", "collecting"):
        with pytest.raises(Conflict, match="collecting"):
            killed.renew()
        killed.give_back()
        with one.db.read() as session:
            assert session.get(Kept, "work") is not None, "nobody gives back what is another one's"


def test_a_lease_until_a_far_day_was_written_by_a_wrong_clock_and_holds_nobody_up(
    controllers: Any, clock: ManualClock
) -> None:
    one, two = controllers
    ahead = SimpleNamespace(db=one.db, wall=ManualClock(BEGIN + timedelta(days=400)))
    Lease(ahead, "work", "collecting").renew()  # type: ignore[arg-type]

    with held(two, "work", "collecting"):
        pass
