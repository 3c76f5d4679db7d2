"""What an emergency would do, in words, before anybody gives a code: where, how loud, how often, until when, and what
the horns would say. Never a figure about people: nobody counts who hears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.alert_rules import TEMPLATES, Rule
from broadcasts.errors import LoaError
from controller.db.tables import Asset, Cluster, UnitStatus
from controller.services import emergencies, emergency_set, emergency_voice
from controller.services.alert_calls import Call, Content
from controller.services.alert_reach import Reach
from controller.services.listening import find_heard
from controller.services.rights import Right
from controller.web.desk import Desk
from controller.web.emergency_form import TEXT, EmergencyForm
from controller.web.words import Words

NAMES = 60
"""So many clusters are told by name; the number is always there."""
WORDS = 90
"""Characters of what the horns say first."""


@dataclass(frozen=True)
class Ahead:
    clusters: int
    until: datetime
    volume: int
    every: str
    languages: Sequence[str]
    words: str
    """What they say first, where a voice of ours spoke it."""
    clips: Sequence[Asset]
    unreached: int
    """Clusters whose unit is not connected."""
    without_unit: int
    names: Sequence[str]
    type_count: bool
    """The number has to be typed in."""


def call_of(form: EmergencyForm, origin: str = "") -> Call:
    """Raises Refused: "emergency.kind", "target.polygon"."""
    recordings = (("vi", form.asset),) if form.voice == TEXT and form.asset else ()
    return Call(
        kind=form.which,
        target=form.target,
        content=Content(recordings=recordings),
        reason=form.reason,
        lasts=form.lasts,
        repeat=form.every,
        volume=form.percent,
        confirmed=form.count,
        press=form.once,
        origin=origin,
    )


def ahead(desk: Desk, form: EmergencyForm) -> tuple[Ahead | None, list[LoaError]]:
    """None while it is not known yet what or where."""
    ctx, actor = desk.office.ctx, desk.actor.need(Right.ALERT)
    missing = form.missing
    if not form.kind or any(each.key == "target.empty" for each in missing):
        return None, missing
    try:
        call = emergencies.filled(call_of(form))
        assert call.lasts is not None
        assert call.volume is not None
        with ctx.db.read() as session:
            reach = emergencies.preview(ctx, session, actor, call.target)
            clips = _clips(desk, session, form, reach)
            names = session.scalars(select(Cluster.name).where(Cluster.id.in_(reach.clusters[:NAMES])))
            found = Ahead(
                clusters=len(reach.poles),
                until=(ctx.clock.now() + ctx.emergencies.cancel + call.lasts).replace(second=0, microsecond=0),
                volume=call.volume,
                every=repeats(desk.words, form.repeat, call.rule, TEMPLATES[call.kind].every),
                languages=[language for language, _ in clips],
                words=_first_words(session, clips),
                clips=[asset for _, asset in clips],
                unreached=len(reach.units) - _connected(session, reach),
                without_unit=len(reach.without_unit),
                names=sorted(names),
                type_count=reach.wide,
            )
    except LoaError as error:
        return None, [error]
    return found, missing


def repeats(words: Words, chosen: str, rule: str, every: timedelta | None) -> str:
    """How often, as a person says it."""
    if chosen:
        return words.t(f"emergency.repeat.{chosen}").lower()
    if rule == Rule.ORDERED and every is not None:
        return words.t("alert_rule.every", length=words.duration(every))
    return words.t(f"alert_rule.{rule}")


def _clips(desk: Desk, session: Session, form: EmergencyForm, reach: Reach) -> list[tuple[str, Asset]]:
    """(language, recording) in the order of playing; of several places, those of the first. Raises
    Refused("emergency.none")."""
    if form.voice == TEXT:
        asset = find_heard(session, desk.actor.need(Right.LOOK), form.asset)
        return [("vi", asset)] if asset is not None else []
    told = emergency_set.content_for(session, reach.scopes[0].scope, form.which) if reach.scopes else []
    there = {
        row.sha256: row for row in session.scalars(select(Asset).where(Asset.sha256.in_([each[1] for each in told])))
    }
    return [(language, there[sha256]) for language, sha256 in told if sha256 in there]


def _first_words(session: Session, clips: Sequence[tuple[str, Asset]]) -> str:
    told = emergency_voice.words_of(session, clips[0][1].sha256) if clips else ""
    return told if len(told) <= WORDS else told[:WORDS].rsplit(" ", 1)[0] + " …"


def _connected(session: Session, reach: Reach) -> int:
    units = set(reach.units)
    return len(units & set(session.scalars(select(UnitStatus.unit_id).where(UnitStatus.connected.is_(True)))))
