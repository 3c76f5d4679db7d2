"""What an approver decides on: every column of what sounds, kept with each revision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from support.services import HERE, NOON, House

from controller.db.tables import Approval, Broadcast, Bulletin, ProgrammePart, Rendition, Revision
from controller.services import composing, facts


def approval(house: House, broadcast: str) -> Approval:
    with house.ctx.db.read() as session:
        return session.scalars(
            select(Approval).where(Approval.broadcast_id == broadcast).order_by(Approval.revision.desc())
        ).first()  # type: ignore[return-value]


SOUNDS: dict[type, dict[str, Any]] = {
    Broadcast: {
        "revision": 9,
        "priority": 2,
        "rank": 3,
        "on_preempt": "drop",
        "late": "shift",
        "routing": "stacked",
        "stack_minutes": 7,
        "volume": 33,
        "clusters": [f"cl-{HERE}-1"],
        "also_later": True,
        "repeat": "daily",
        "first_day": NOON.date() + timedelta(days=1),
        "at_time": NOON.time(),
        "until_day": NOON.date(),
        "pattern": {"count": 3},
        "ahead_minutes": 77,
        "unusual": "23:00",
        "relay_source_id": "ts-1",
        "relay_minutes": 15,
        "relay_silence_s": 20,
    },
    Bulletin: {
        "title": "Khác",
        "field": 2,
        "origin": "relay",
        "source": "VOV",
        "category": "warning",
        "issued_at": NOON,
    },
    Rendition: {"language": "km", "text": "Khác", "asset_sha256": "other"},
}
"""Each column of what an approver decides on, and another value of it."""
SILENT: dict[type, set[str]] = {
    Broadcast: {
        *("id", "bulletin_id", "station_id", "author_id", "created_at", "changed_at", "replaces", "campaign_id"),
        *("status", "last_day", "expanded_until", "push_now"),
        *("target_areas", "target_clusters", "target_more"),  # what they come to is in `clusters`
        *("taken_off", "joined"),  # since the approval, never part of it
    },
    Bulletin: {"id", "station_id", "author_id", "created_at"},
    Rendition: {"id", "bulletin_id", "position", "title"},  # of the first language the bulletin's counts
}
"""And those that change nothing of what sounds."""


@pytest.mark.requirement("R-029", "R-030")
def test_every_column_of_what_sounds_is_in_the_hash_and_no_column_is_forgotten(house: House) -> None:
    broadcast = house.submit()
    for table, told in SOUNDS.items():
        columns = set(table.__table__.columns.keys())  # type: ignore[attr-defined]
        assert columns == told.keys() | SILENT[table], "a new column: does it change what sounds?"
        for name, value in told.items():
            with house.ctx.db.read() as session:
                row = session.get_one(Broadcast, broadcast)
                before = facts.content_hash(session, row)
                mutated: Any = row
                if table is Bulletin:
                    mutated = session.get_one(Bulletin, row.bulletin_id)
                elif table is Rendition:
                    mutated = session.scalars(select(Rendition)).one()
                setattr(mutated, name, house.other.sha256 if value == "other" else value)
                with session.no_autoflush:
                    assert facts.content_hash(session, row) != before, name
                session.rollback()


@pytest.mark.requirement("R-029")
def test_another_language_and_each_part_of_a_programme_are_in_the_hash(house: House) -> None:
    broadcast = house.submit()
    hashes = [house.seen(broadcast)]
    extra: list[Callable[[Broadcast], Any]] = [
        lambda row: ProgrammePart(
            broadcast_id=row.id, position=0, kind="chime", title="Nhạc", asset_sha256=house.other.sha256
        ),
        lambda row: Rendition(
            bulletin_id=row.bulletin_id, position=1, language="km", title="x", asset_sha256=house.other.sha256
        ),
    ]
    for made in extra:
        with house.ctx.db.write() as session:
            row = session.get_one(Broadcast, broadcast)
            session.add(made(row))
            hashes.append(facts.content_hash(session, row))
    assert len(set(hashes)) == 3


def test_each_revision_is_kept_as_it_was_handed_in(house: House) -> None:
    broadcast = house.on_air(title="Bản đầu")
    composing.submit(house.ctx, house.actor("author"), house.draft(title="Bản sau"), broadcast)
    with house.ctx.db.read() as session:
        found = session.scalars(select(Revision).order_by(Revision.number)).all()
    assert [(each.number, each.title, each.facts["title"]) for each in found] == [
        (1, "Bản đầu", "Bản đầu"),
        (2, "Bản sau", "Bản sau"),
    ]
    assert all(each.content_sha256 == facts.hash_of(each.facts) for each in found)
    assert approval(house, broadcast).content_sha256 == found[0].content_sha256
