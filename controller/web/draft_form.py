"""The form of a bulletin as typed, and what it means. Nothing typed is ever lost on the way back to the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from broadcasts.clock import VIETNAM
from broadcasts.domain.priority import Clash
from broadcasts.domain.programme import Part
from broadcasts.errors import LoaError
from controller.db.tables import Broadcast
from controller.services.composing import Draft, Preview
from controller.services.origins import LANGUAGE
from controller.services.rights import Actor
from controller.services.views.places import Place, home_of
from controller.web import more_form, parts_form, relay_form, schedule_form, speech_form
from controller.web.more_form import NOTHING_MORE, MoreForm
from controller.web.parts_form import NO_PARTS, PartsForm, chime_before, with_chime
from controller.web.relay_form import NO_RELAY, RelayForm
from controller.web.schedule_form import EMPTY, YEARS, RuleForm
from controller.web.speech_form import NO_SPEECH, SpeechForm
from controller.web.upload import Posted

STILL_MISSING = frozenset(
    {"target.empty", "asset.missing", "title.missing", "time.missing", "time.locked", "time.unusual"}
)
"""Not wrong, only not there yet: said quietly while the form is being filled in."""


@dataclass(frozen=True)
class DraftForm:
    title: str = ""
    field: str = "1"
    language: str = "vi"
    priority: str = "3"
    asset: str = ""
    areas: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    when: str = "soon"
    minutes: str = "2"
    day: str = ""
    time: str = ""
    until: str = ""
    text: str = ""
    on_preempt: str = "resume"
    late: str = "drop"
    routing: str = ""
    stack_minutes: str = ""
    volume: str = ""
    push_now: bool = False
    unusual: str = ""
    """The mark of unusual hours whose box is ticked."""
    editing: str = ""
    revision: str = ""
    rule: RuleForm = EMPTY
    extent: str = ""
    """Of an edit of a series: `rescheduling.Extent`, and the start it is about."""
    start: str = ""
    more: MoreForm = NOTHING_MORE
    chime: str = ""
    """The recording that sounds before a plain bulletin."""
    programme: bool = False
    parts: PartsForm = NO_PARTS
    """Of a programme."""
    relay: RelayForm = NO_RELAY
    """Of a plain bulletin: another station in its place."""
    speech: SpeechForm = NO_SPEECH

    @property
    def unread(self) -> list[LoaError]:
        """What was typed about repeats or the map and cannot be read."""
        return [*schedule_form.meant(self.when, self.rule)[2], *self.more.unread]

    @property
    def recording(self) -> str:
        """Of the bulletin itself."""
        return self.parts.main if self.programme else self.asset

    @property
    def said(self) -> str:
        """The text that a voice is to read: of the bulletin, or of the part that is being added."""
        return self.parts.new_text if self.programme else self.text

    def draft(self, now: datetime) -> Draft:
        """What was typed as values; what is no date, time or number becomes a missing or unknown one."""
        first, at, until = day_of(self.day), time_of(self.time), day_of(self.until)
        repeat, pattern, _ = schedule_form.meant(self.when, self.rule)
        if self.when == "soon":
            start = now.astimezone(VIETNAM) + timedelta(minutes=max(1, min(120, _number(self.minutes, 2))))
            # Whole seconds, rounded up: the promise is "in two minutes", not a little less.
            start = (start + timedelta(microseconds=999_999)).replace(microsecond=0)
            first, at, until = start.date(), start.time(), None
        return Draft(
            title=self.title,
            field=_number(self.field, 0),
            language=self.language if LANGUAGE.match(self.language) else "vi",
            asset=self.recording,
            areas=self.areas,
            clusters=self.clusters,
            repeat=repeat,
            first_day=first,
            at=at,
            until_day=until if repeat != "once" else None,
            priority=_number(self.priority, 0),
            on_preempt=self.on_preempt,
            late=self.late,
            routing=self.routing,
            stack_minutes=_number(self.stack_minutes, -1) if self.stack_minutes.strip() else None,
            volume=_number(self.volume, -1) if self.volume.strip() else None,
            text=self.text,
            push_now=self.push_now,
            unusual=self.unusual,
            pattern=pattern,
            parts=self._parts(),
            **self.more.values() | self._relay(),
        )

    def _relay(self) -> dict[str, Any]:
        """In a programme one part is a relay, and the whole is not."""
        told = self.relay.values()
        if not self.programme:
            return told
        return {"relay": told["relay"]} if told and self.parts.relays else {}

    def _parts(self) -> tuple[Part, ...]:
        if self.programme:
            return self.parts.parts_told()
        # Nothing of ours stands before a relay: its slot begins on the second.
        return () if self.relay.source else with_chime(self.chime, self.asset)


def typed(posted: Posted) -> DraftForm:
    """All of it: what is too long is refused in words by those who look ahead, never cut."""
    form = _typed(posted)
    # What was made for a part is that part now.
    return replace(form, asset="") if form.parts.told and form.parts.told[0] == "made" else form


def _typed(posted: Posted) -> DraftForm:
    return DraftForm(
        title=posted.get("title"),
        field=posted.get("field", "1"),
        language=posted.get("language", "vi"),
        priority=posted.get("priority", "3"),
        asset=posted.get("asset"),
        areas=tuple(posted.all("areas")),
        clusters=tuple(posted.all("clusters")),
        when=posted.get("when", "soon"),
        minutes=posted.get("minutes", "2"),
        day=posted.get("day"),
        time=posted.get("time"),
        until=posted.get("until"),
        text=posted.get("text").replace("\r\n", "\n"),  # forms send more than was typed
        on_preempt=posted.get("on_preempt", "resume"),
        late=posted.get("late", "drop"),
        routing=posted.get("routing"),
        stack_minutes=posted.get("stack_minutes"),
        volume=posted.get("volume"),
        push_now=posted.get("push_now") == "1",
        unusual=posted.get("unusual"),
        editing=posted.get("editing"),
        revision=posted.get("revision"),
        rule=schedule_form.typed(posted),
        extent=posted.get("extent"),
        start=posted.get("start"),
        chime=posted.get("chime"),
        programme=posted.get("programme") == "1",
        parts=parts_form.typed(posted),
        more=more_form.typed(posted),
        relay=relay_form.typed(posted),
        speech=speech_form.typed(posted),
    )


def fresh(actor: Actor, offered: Sequence[Place], now: datetime, chime: str = "") -> DraftForm:
    """One's own commune is chosen already, and the chime of its station; the day is today."""
    return DraftForm(areas=home_of(offered, actor), day=now.astimezone(VIETNAM).date().isoformat(), chime=chime)


def from_draft(draft: Draft, broadcast: Broadcast, extent: str = "", start: str = "") -> DraftForm:
    chime = chime_before(draft.parts, draft.asset)
    when, rule = schedule_form.shown(draft.repeat, draft.pattern)
    return DraftForm(
        title=draft.title,
        field=str(draft.field),
        language=draft.language,
        priority=str(draft.priority),
        asset=draft.asset,
        areas=draft.areas,
        clusters=draft.clusters,
        when=when,
        day=draft.first_day.isoformat() if draft.first_day else "",
        time=draft.at.isoformat() if draft.at else "",
        until=draft.until_day.isoformat() if draft.until_day else "",
        text=draft.text,
        on_preempt=draft.on_preempt,
        late=draft.late,
        routing=draft.routing,
        stack_minutes="" if draft.stack_minutes is None else str(draft.stack_minutes),
        volume="" if draft.volume is None else str(draft.volume),
        editing=broadcast.id,
        revision=str(broadcast.revision),
        rule=rule,
        extent=extent,
        start=start,
        more=more_form.shown(draft),
        chime=chime or "",
        programme=chime is None,
        parts=parts_form.shown(draft.parts) if chime is None else NO_PARTS,
        relay=relay_form.shown(draft),
    )


def copy_of(form: DraftForm, now: datetime) -> DraftForm:
    """The same once more, as a new bulletin whose time is still to be chosen."""
    today = now.astimezone(VIETNAM).date().isoformat()
    plain = replace(form, editing="", revision="", extent="", start="", push_now=False, unusual="")
    return replace(plain, when="once", day=today, time="", until="", rule=EMPTY)


def split(problems: Sequence[LoaError]) -> tuple[list[LoaError], list[LoaError]]:
    """(what is still missing, what is wrong)."""
    return (
        [problem for problem in problems if problem.key in STILL_MISSING],
        [problem for problem in problems if problem.key not in STILL_MISSING],
    )


@dataclass(frozen=True)
class ClashLine:
    """All clashes with one other broadcast in one sentence. `wins`: the bulletin in the form displaces the other."""

    title: str
    wins: bool
    since: datetime
    clusters: int
    on_preempt: str
    """What the loser does then."""


def clash_lines(seen: Preview, draft: Draft) -> list[ClashLine]:
    groups: dict[tuple[str, bool], list[Clash]] = {}
    for clash in seen.clashes:
        wins = clash.winner.broadcast == ""
        other = clash.loser if wins else clash.winner
        groups.setdefault((other.broadcast, wins), []).append(clash)
    return [
        ClashLine(
            title=seen.titles.get(name, name),
            wins=wins,
            since=min(clash.since for clash in group),
            clusters=len({clash.loser.cluster for clash in group}),
            on_preempt=str(group[0].loser.on_preempt) if wins else draft.on_preempt,
        )
        for (name, wins), group in groups.items()
    ]


def whole_number(text: str) -> int:
    """-1 for what is none, or far too long."""
    return int(text) if text.isdecimal() and len(text) < 10 else -1


def _number(text: str, otherwise: int) -> int:
    try:
        return int(text)
    except ValueError:
        return otherwise


def day_of(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year in YEARS else None


def time_of(text: str) -> time | None:
    try:
        found = time.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(microsecond=0) if found.tzinfo is None else None
