"""Commands by state for the page of numbers: what the database counts is what the pages say of each."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from sqlalchemy import select
from support.services import HERE, House

from broadcasts.domain.command_life import State
from controller.db.tables import Assignment, Command
from controller.services.views import commands


def test_the_database_counts_what_the_pages_say_of_each_command(house: House) -> None:
    now, soon, ago = house.now, house.now + timedelta(hours=1), house.now - timedelta(minutes=1)
    fates = [(state, ends) for state in State for ends in (soon, now, ago)]
    unit = f"u-{HERE}-1"
    with house.ctx.db.write() as session:
        cluster = session.scalars(select(Assignment.cluster_id).where(Assignment.unit_id == unit)).one()
        for seq, (state, ends) in enumerate(fates, 1):
            session.add(
                Command(
                    id=f"c-{seq}", unit_id=unit, cluster_id=cluster, seq=seq, kind="reboot", issued_by="x",
                    issued_at=now, due_at=now, expires_at=ends, state=state,
                )
            )  # fmt: skip
    with house.ctx.db.read() as session:
        rows = session.scalars(select(Command)).all()
        assert commands.counts(session, now, timedelta(days=1)) == Counter(
            str(commands.state_of(row, now)) for row in rows
        )
        assert commands.counts(session, now + timedelta(days=2), timedelta(days=1)) == {}
