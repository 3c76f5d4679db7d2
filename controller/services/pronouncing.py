"""How words are said: a province's table and each commune's own, which goes before it."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.domain.reading.abbreviations import built_in
from broadcasts.domain.reading.glossary import MOST_ENTRIES, Entry, Glossary, Layer, check_entry
from broadcasts.domain.reading.numerals import STYLES
from broadcasts.domain.reading.reader import read
from broadcasts.domain.reading.tokens import Reading
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Area, Pronunciation, ReadingStyle
from controller.services import audit
from controller.services.areas import standing_on
from controller.services.context import Context
from controller.services.csv_table import plain, table
from controller.services.rights import Actor, Right
from controller.services.stations import lines

LEVELS = ("province", "commune")
COLUMNS = ("written", "spoken", "note", "alternatives")
BETWEEN = "|"
"""Between alternatives in one cell."""
MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Line:
    """One word of one area. `mine`: it may be changed by who asks."""

    row: Pronunciation
    area: Area
    mine: bool


def glossary_for(session: Session, area: str) -> Glossary:
    """What a text of this area is read with."""
    line = lines(session, [area]).get(area, [])
    rows = session.execute(
        select(Pronunciation, Area.kind)
        .join(Area, Pronunciation.area_id == Area.id)
        .where(Pronunciation.area_id.in_(line))
    )
    tables: dict[Layer, list[Entry]] = {Layer.BUILT_IN: list(built_in()), Layer.PROVINCE: [], Layer.STATION: []}
    for row, kind in rows:
        layer = Layer.PROVINCE if kind == "province" else Layer.STATION
        tables[layer].append(Entry(row.written, row.spoken, row.note, tuple(row.alternatives)))
    return Glossary(tables)


def as_read(session: Session, area: str, text: str) -> Reading:
    """How a Vietnamese text of this area is read aloud: with its words, in its style. Raises what `read` refuses."""
    return read(text, glossary_for(session, area), STYLES[style_for(session, area)])


def style_for(session: Session, area: str) -> str:
    """Of the area itself, else of the nearest above it that says; the south's where none does."""
    line = lines(session, [area]).get(area, [])
    told = styles(session, line)
    return next((told[each] for each in line if each in told), "south")


def styles(session: Session, areas: Collection[str]) -> dict[str, str]:
    """What these areas say of their own; not in it: as the one above."""
    rows = session.scalars(select(ReadingStyle).where(ReadingStyle.area_id.in_(areas)))
    return {row.area_id: row.style for row in rows if row.style in STYLES}


def set_style(ctx: Context, actor: Actor, area: str, style: str) -> None:
    """`style`: a name of `STYLES`, or "" for the area above's. Texts that were spoken already stay as they are.

    Raises Refused: "no_right", "not_yours", "choice.unknown"."""
    actor, now = actor.need(Right.COMPOSE), ctx.clock.now()
    if style and style not in STYLES:
        raise Refused("choice.unknown", name="style", value=style[:20])
    with ctx.db.write() as session:
        _check_area(session, actor, area)
        row = session.get(ReadingStyle, area)
        before = row.style if row is not None else ""
        if row is not None and not style:
            session.delete(row)
        elif style:
            session.merge(ReadingStyle(area_id=area, style=style, changed_at=now, changed_by=actor.name))
        audit.record(session, now, actor.name, "reading_style.set", area, {"style": style, "before": before}, area)


def entries(session: Session, actor: Actor) -> list[Line]:
    """Of where the actor writes and of all above it, by the word. Raises Refused("no_right")."""
    actor = actor.need(Right.COMPOSE)
    above = {each for line in lines(session, actor.areas).values() for each in line}
    rows = session.execute(
        select(Pronunciation, Area).join(Area, Pronunciation.area_id == Area.id).where(Pronunciation.area_id.in_(above))
    )
    found = [Line(row, area, area.id in actor.areas) for row, area in rows]
    return sorted(found, key=lambda one: (one.row.written.casefold(), one.area.kind != "province", one.area.name))


def places(session: Session, actor: Actor, now: datetime) -> list[Area]:
    """Whose table the actor may change, the widest first. Raises Refused("no_right")."""
    areas = actor.need(Right.COMPOSE).areas
    found = session.scalars(select(Area).where(Area.id.in_(areas), Area.kind.in_(LEVELS), standing_on(now.date())))
    return sorted(found, key=lambda area: (area.kind != "province", area.name))


def put(
    ctx: Context, actor: Actor, area: str, written: str, spoken: str, note: str = "", alternatives: Sequence[str] = ()
) -> str:
    """In place of what the area said for this word before; its id.

    Raises Refused: "no_right", "not_yours", and what `check_entry` refuses ("glossary.…")."""
    actor = actor.need(Right.COMPOSE)
    entry = check_entry(written, spoken, note, alternatives)
    with ctx.db.write() as session:
        _check_area(session, actor, area)
        (row_id,) = _keep(ctx, session, actor, area, [entry])
        return row_id


def drop(ctx: Context, actor: Actor, word_id: str) -> None:
    """Raises Refused: "no_right", "not_yours"."""
    actor = actor.need(Right.COMPOSE)
    with ctx.db.write() as session:
        row = session.get(Pronunciation, word_id)
        if row is None or row.area_id not in actor.areas:
            raise Refused("not_yours")
        told = {"written": row.written, "spoken": row.spoken}
        audit.record(session, ctx.clock.now(), actor.name, "pronunciation.drop", row.id, told, row.area_id)
        session.delete(row)


def exported(session: Session, actor: Actor, area: str) -> str:
    """The area's own words as CSV. Raises Refused: "no_right", "not_yours"."""
    if area not in actor.need(Right.COMPOSE).areas:
        raise Refused("not_yours")
    rows = session.scalars(select(Pronunciation).where(Pronunciation.area_id == area).order_by(Pronunciation.written))
    return table(COLUMNS, ([row.written, row.spoken, row.note, BETWEEN.join(row.alternatives)] for row in rows))


def imported(ctx: Context, actor: Actor, area: str, told: str) -> int:
    """How many words were taken from the CSV: all of them, or none. A spreadsheet's semicolons do too.

    Raises Refused: "no_right", "not_yours", "pronunciation.csv" (line, why), "glossary.too_many"."""
    actor = actor.need(Right.COMPOSE)
    found = {entry.written: entry for entry in _read(told)}
    with ctx.db.write() as session:
        _check_area(session, actor, area)
        _keep(ctx, session, actor, area, list(found.values()))
    return len(found)


def _read(told: str) -> list[Entry]:
    if len(told) > MOST_BYTES:
        raise Refused("glossary.too_many", limit=MOST_ENTRIES)
    text = told.removeprefix("\ufeff")
    head = text.split("\n", 1)[0]
    rows = csv.reader(io.StringIO(text), delimiter=";" if head.count(";") > head.count(",") else ",")
    found: list[Entry] = []
    try:
        for row in rows:
            if not any(map(str.strip, row)) or (rows.line_num == 1 and row[0].strip().lower() == COLUMNS[0]):
                continue
            written, spoken, note, others, *_ = [*map(plain, row), "", "", "", ""]
            found.append(check_entry(written, spoken, note, others.split(BETWEEN)))
            if len(found) > MOST_ENTRIES:
                raise Refused("glossary.too_many", limit=MOST_ENTRIES)
    except csv.Error as error:
        raise Refused("pronunciation.csv", line=rows.line_num, why=str(error)) from error
    except LoaError as error:
        if error.key == "glossary.too_many":
            raise
        raise Refused("pronunciation.csv", line=rows.line_num, why=error) from error
    return found


def _keep(ctx: Context, session: Session, actor: Actor, area: str, told: Sequence[Entry]) -> list[str]:
    now = ctx.clock.now()
    known = {row.written: row for row in session.scalars(select(Pronunciation).where(Pronunciation.area_id == area))}
    ids = []
    for entry in told:
        row = known.get(entry.written)
        before = None if row is None else row.spoken
        if row is None:
            row = Pronunciation(id=ctx.ids.new("w"), area_id=area, written=entry.written)
            session.add(row)
        row.spoken, row.note, row.alternatives = entry.spoken, entry.note, list(entry.alternatives)
        row.changed_at, row.changed_by = now, actor.name
        ids.append(row.id)
        said = {"written": entry.written, "spoken": entry.spoken, "before": before}
        audit.record(session, now, actor.name, "pronunciation.put", row.id, said, area)
    session.flush()
    count = select(func.count()).select_from(Pronunciation).where(Pronunciation.area_id == area)
    if (session.scalar(count) or 0) > MOST_ENTRIES:
        raise Refused("glossary.too_many", limit=MOST_ENTRIES)
    return ids


def _check_area(session: Session, actor: Actor, area: str) -> None:
    place = session.get(Area, area) if area in actor.areas else None
    if place is None or place.kind not in LEVELS:
        raise Refused("not_yours")
