"""Who has sounded: the figures of an emergency as a page or a terminal shows them, those first that need somebody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.domain import tally as rules
from broadcasts.domain.tally import Mark, Why
from broadcasts.errors import Refused
from controller.db.tables import Drill, DrillBefore, DrillReach, Emergency, ReachBefore, User
from controller.services import drill_tally, drilling, emergencies
from controller.services.alert_tally import Line
from controller.services.alerting import ISSUED, WAITING
from controller.services.context import Context
from controller.services.rights import Actor, Right
from controller.services.stations import clusters_in
from controller.web.words import Words

ROWS = 400
"""So many clusters are told one by one; a province is read by its figures."""
GOING = ("counting", "sounding")
DRILL_STATES = {"asked": "waiting", "issued": "sounding", "ended": "silenced"}
_Line = Line | drill_tally.Line
FIGURES = {
    True: ("sounding", "heard", "late", "not_reached", "reached", "failed"),
    False: ("silent", "sounding", "heard", "not_reached", "late", "failed"),
}
"""While it goes on, and afterwards: the first four always, the others where there are any."""
ORDER = ("failed", "not_reached", "reached", "sounding", "heard", "silent")
"""Of the clusters: those that need somebody first."""


@dataclass(frozen=True)
class CallLine:
    """One emergency or drill. `state`: counting, sounding, silenced, ended, cancelled, lapsed."""

    id: str
    kind: str
    state: str
    clusters: int
    by: str
    reason: str
    pressed_at: datetime
    release_at: datetime
    until: datetime
    over_at: datetime | None
    by_name: str = ""
    """The account."""
    loud: bool = True


@dataclass(frozen=True)
class TallyRow:
    """`seconds` since the release, to the sound or, once it is silenced, to the silence."""

    cluster: str
    name: str
    state: str
    late: bool
    seconds: float | None
    why: str
    before: Sequence[str] = ()
    """What the units told that hung there before, in words."""


@dataclass(frozen=True)
class TallyView:
    """`waits`: clusters of which something is still expected. `first`, `last`: seconds from the release to sound;
    `silent_last`: from the press of silence to the last silent one."""

    clusters: int
    figures: Sequence[tuple[str, int]]
    rows: Sequence[TallyRow]
    more: int
    waits: int
    first: float | None = None
    last: float | None = None
    silent_last: float | None = None


def counted(ctx: Context, session: Session, actor: Actor, alert_id: str, words: Words) -> tuple[CallLine, TallyView]:
    """Of the clusters that this person answers for. Raises Refused: "no_right", "second_factor.needed", "not_yours"."""
    actor, now = actor.need(Right.ALERT, Right.APPROVE), ctx.clock.now()
    found = emergencies.tally(session, alert_id, now, ctx.emergencies.late)
    act = found.act
    mine = {cluster.id for cluster in clusters_in(session, actor.areas, [line.cluster for line in found.lines])}
    lines = [line for line in found.lines if line.cluster in mine]
    if not lines:
        raise Refused("not_yours")
    state = _state(act, now)
    call = CallLine(
        id=act.id,
        kind=act.kind,
        state=state,
        clusters=len(lines),
        by=session.scalar(select(User.full_name).where(User.name == act.issued_by)) or act.issued_by,
        reason=act.reason,
        pressed_at=act.pressed_at,
        release_at=act.release_at,
        until=act.hard_end,
        over_at=None if state in GOING else act.hard_end if state == "ended" else act.ended_at,
    )
    return call, _view(lines, state, words)


def drilled(ctx: Context, session: Session, actor: Actor, drill_id: str, words: Words) -> tuple[CallLine, TallyView]:
    """The same of a drill; of a silent one, who sounded is who would have. Raises as `counted`."""
    act = next((each for each in drilling.every(ctx, session, actor) if each.id == drill_id), None)
    if act is None:
        raise Refused("not_yours")
    call = _drill(session, act, ctx.clock.now())
    return call, _view(drill_tally.tally(session, drill_id, ctx.clock.now()), call.state, words)


def drills(ctx: Context, session: Session, actor: Actor) -> list[CallLine]:
    """Those of the last 90 days, the newest first. Raises Refused("no_right")."""
    return [_drill(session, act, ctx.clock.now()) for act in drilling.every(ctx, session, actor)]


def _drill(session: Session, act: Drill, now: datetime) -> CallLine:
    state = DRILL_STATES.get(act.state, act.state)
    if state == "sounding" and act.starts_at > now:
        state = "counting"
    if state in ("waiting", "counting", "sounding") and act.hard_end <= now:
        state = "ended"
    return CallLine(
        id=act.id,
        kind=act.kind,
        state=state,
        clusters=session.scalar(select(func.count()).where(DrillReach.drill_id == act.id)) or 0,
        by=session.scalar(select(User.full_name).where(User.name == act.asked_by)) or act.asked_by,
        reason=act.reason,
        pressed_at=act.asked_at,
        release_at=act.starts_at,
        until=act.hard_end,
        over_at=act.ended_at,
        by_name=act.asked_by,
        loud=not act.silent,
    )


def _view(lines: Sequence[_Line], state: str, words: Words) -> TallyView:
    rows = sorted((_row(line, state, words) for line in lines), key=lambda row: (ORDER.index(row.state), row.name))
    sums = rules.sums(line.found for line in lines)
    counts = Counter(row.state for row in rows)
    counts["late"] = sums.late
    counts["sounding"], counts["heard"] = sums.sounded, sums.heard
    wanted = FIGURES[state in GOING]
    return TallyView(
        clusters=len(lines),
        figures=[(name, counts[name]) for name in wanted if name in wanted[:4] or counts[name]],
        rows=rows[:ROWS],
        more=max(0, len(rows) - ROWS),
        waits=sum(_waits(line, state) for line in lines),
        first=min((line.found.seconds for line in lines if line.found.seconds is not None), default=None),
        last=sums.last_s,
        silent_last=sums.silence_last_s,
    )


def _state(act: Emergency, now: datetime) -> str:
    if act.state == WAITING:
        return "counting"
    if act.state == ISSUED:
        return "sounding" if act.hard_end > now else "ended"
    return act.state


STATES = {
    Mark.HEARD: "heard",
    Mark.SOUNDED: "sounding",
    Mark.MUTE: "failed",
    Mark.REACHED: "reached",
    Mark.NOT_REACHED: "not_reached",
    Mark.CANCELLED: "silent",
}


def _row(line: _Line, state: str, words: Words) -> TallyRow:
    found = line.found
    told = STATES[found.mark]
    if state not in GOING and (found.silent or (state in ("cancelled", "lapsed") and found.seconds is None)):
        told = "silent" if told != "failed" else told
    why = "" if found.why is None else words.t(f"tally.why.{found.why}", ago=words.ago(found.since))
    if found.mark is Mark.MUTE:
        why = words.t("tally.why.no_current")
    if found.detail:
        why += f" ({words.maybe('reason', found.detail)})"
    return TallyRow(
        cluster=line.cluster,
        name=line.name,
        state=told,
        late=found.late,
        seconds=found.silence_s if told == "silent" else found.seconds,
        why=why if told != "silent" else "",
        before=[_before(each, words) for each in line.before],
    )


def _before(told: ReachBefore | DrillBefore, words: Words) -> str:
    """What a unit came to that was swapped meanwhile."""
    until = words.when(told.until)
    if told.sounded_at is None:
        return words.t("tally.before_silent", unit=told.unit_id, until=until)
    mark = "heard" if told.heard else "failed" if told.heard is False else "sounding"
    at = words.when(told.sounded_at)
    family = "tally" if isinstance(told, ReachBefore) else "drill.tally"
    return words.t("tally.before", unit=told.unit_id, until=until, at=at, what=words.t(f"{family}.{mark}"))


def _waits(line: _Line, state: str) -> bool:
    """Something may still come of it within seconds: a unit that is away is not waited for."""
    if line.found.why not in (None, Why.NO_ANSWER, Why.FETCHING):
        return False
    if state in GOING:
        return line.found.mark in (Mark.REACHED, Mark.NOT_REACHED)
    return state == "silenced" and line.found.silent is False
