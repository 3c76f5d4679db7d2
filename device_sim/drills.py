"""Drills at one pole: below every alert, above every item, once and whole or not at all. CONTRACT.md, section 6b."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from broadcasts.wire.alert import AlertDocument, Rendition
from broadcasts.wire.drill import Drill, DrillDocument
from broadcasts.wire.journal import Amplifier, Ended, NotPlayed, Outcome, Skipped
from broadcasts.wire.plan import VALID_AFTER_HORIZON_MS, Asset, Plan
from device_sim import rules
from device_sim.alerts import decodable_content
from device_sim.cache import Cache
from device_sim.events import Moment
from device_sim.horn import Horn, Playing
from device_sim.journal import Journal, drill_record


def concerning(
    drills: Mapping[str, DrillDocument],
    alerts: Mapping[str, AlertDocument],
    scopes: Sequence[str],
    unit: str,
    shown: Collection[str],
) -> list[Drill]:
    """Every drill that is meant for this unit and was not voided, of documents shown since the boot; the newest first.
    `scopes` from wide to narrow."""
    found: dict[str, Drill] = {}
    void_before = 0
    for scope in scopes:
        document, alert = drills.get(scope), alerts.get(scope)
        void_before = max(
            void_before,
            document.void_before if document is not None else 0,
            alert.void_before if alert is not None else 0,
        )
        for drill in document.drills if document is not None and scope in shown else ():
            if drill.issued_at >= void_before and (drill.target == "all" or unit in drill.target):
                found[drill.id] = drill
    return sorted(found.values(), key=lambda drill: (drill.issued_at, drill.id), reverse=True)


def decodable(drill: Drill, codecs: Sequence[str]) -> Drill:
    """As `alerts.decodable`."""
    spoken = {
        "prefix": decodable_content(drill.prefix, codecs),
        "content": decodable_content(drill.content, codecs),
    }
    return drill.model_copy(update=spoken)


class Drills:
    def __init__(self, journal: Journal, cache: Cache, horn: Horn) -> None:
        self._journal = journal
        self._cache = cache
        self._horn = horn
        self._drills: list[Drill] = []
        self._quiet: Playing | None = None
        """The silent one that runs; the horn does not know of it."""
        self._blocked: dict[str, NotPlayed] = {}
        """What stood in the way of one that is active, by id."""

    def assets(self, now: int) -> list[Asset]:
        """Of all that may still begin."""
        waiting = [
            drill
            for drill in self._drills
            if self._journal.record(drill_record(drill.id)) is None and drill.hard_end > now
        ]
        return [each.asset for drill in waiting for each in _spoken(drill)]

    def set(self, drills: list[Drill], m: Moment) -> None:
        """All that concern this unit; one that is not in the list any more stops."""
        self._drills = drills
        names = {drill.id for drill in drills}
        self._blocked = {name: why for name, why in self._blocked.items() if name in names}
        if self._loud is not None and self._loud.name not in names:
            self._horn.end(m, Outcome.WITHDRAWN)
        if self._quiet is not None and self._quiet.name not in names:
            self._end_quiet(m, Outcome.WITHDRAWN)

    @property
    def _loud(self) -> Playing | None:
        running = self._horn.current
        return running if running is not None and running.drill is not None else None

    def settle(self, m: Moment) -> None:
        """What has come to its end by now."""
        quiet = self._quiet
        if quiet is None or quiet.drill is None:
            return
        if m.mono >= quiet.end_mono:
            self._end_quiet(m, Outcome.PLAYED)
        elif m.now >= quiet.drill.hard_end:
            self._end_quiet(m, Outcome.PLAYED, reason="hard_end")

    def advance(
        self, plan: Plan | None, alarm: str | None, lose: Callable[[Playing, str, Moment], None], m: Moment
    ) -> bool:
        """One decision; whether something changed. `alarm` is the alert that is active here; `lose(running, by, m)`
        takes the horn from an item."""
        self.settle(m)
        if alarm is not None:
            if self._loud is not None:
                self._horn.lose(m, alarm)
            if self._quiet is not None:
                self._end_quiet(m, Outcome.PREEMPTED, by=alarm)
        if plan is not None and (loud := self._loud) is not None:
            end = min(m.now + max(0, loud.end_mono - m.mono), loud.drill.hard_end if loud.drill is not None else m.now)
            if not rules.inside_hours(plan.policy, m.now, end):
                self._horn.end(m, Outcome.WITHDRAWN, reason="quiet_hours")
        for drill in self._drills:
            if self._journal.record(drill_record(drill.id)) is not None or m.now < drill.not_before:
                continue
            if m.now >= drill.hard_end:
                self._give_up(drill, m)
                continue
            running = self._horn.current
            taken = running is not None and running.item is None and not drill.silent
            if taken or self._quiet is not None:
                self._blocked.setdefault(drill.id, NotPlayed.DISPLACED)
                continue
            why = self._obstacle(drill, plan, alarm, m)
            if why is not None or plan is None:
                self._blocked[drill.id] = why or NotPlayed.EXPIRED
                continue
            if running is not None and not drill.silent:
                lose(running, drill.id, m)
            self._begin(drill, plan, m)
            return True
        return False

    def _obstacle(self, drill: Drill, plan: Plan | None, alarm: str | None, m: Moment) -> NotPlayed | None:
        if alarm is not None:
            return NotPlayed.DISPLACED
        if not m.trusted:
            return NotPlayed.NO_TRUSTED_TIME
        if m.held:
            return NotPlayed.TIME_JUMP
        if plan is None or m.now >= plan.horizon_end + VALID_AFTER_HORIZON_MS:
            return NotPlayed.EXPIRED
        if m.alone:
            return NotPlayed.AUTONOMY_OVER
        spoken = _spoken(drill)
        if not all(self._cache.holds(each.asset.sha256) and not self._cache.complaint(each.asset) for each in spoken):
            return NotPlayed.NO_ASSET
        length = sum(each.asset.duration_ms for each in spoken)
        if not rules.inside_hours(plan.policy, m.now, min(m.now + length, drill.hard_end)):
            return NotPlayed.QUIET_HOURS
        return None

    def _begin(self, drill: Drill, plan: Plan, m: Moment) -> None:
        self._blocked.pop(drill.id, None)
        tracks = [(each.asset.sha256, each.asset.duration_ms) for each in _spoken(drill)]
        volume = 0 if drill.silent else min(drill.volume, rules.ceiling(plan.policy, m.now))
        playing = Playing(drill.id, None, None, tracks, m.now, m.mono, 0, 0, volume, drill=drill)
        late = m.now - drill.not_before
        if drill.silent:
            playing.length_ms = sum(length for _, length in tracks)
            self._quiet = playing
            self._journal.started(m, drill.id, tracks[0][0], 0, late, 0, drill=True)
        else:
            self._horn.begin(playing, late, m)

    def _end_quiet(self, m: Moment, outcome: Outcome, by: str | None = None, reason: str = "") -> None:
        quiet, self._quiet = self._quiet, None
        assert quiet is not None
        self._journal.write(
            Ended(
                seq=self._journal.last_seq + 1, at=m.now, clock_error_ms=m.error_ms, item=quiet.name,
                asset=quiet.tracks[0][0], outcome=outcome, started_at=quiet.started_at, offset_ms=0,
                played_ms=max(0, min(m.mono, quiet.end_mono) - quiet.started_mono), volume=0,
                amplifier=Amplifier.NONE, by=by, reason=reason, drill=True,
            )
        )  # fmt: skip

    def _give_up(self, drill: Drill, m: Moment) -> None:
        why = self._blocked.pop(drill.id, None)
        if why is not None:
            self._journal.skipped(m, Skipped(seq=1, at=0, item=drill.id, why=why, drill=True))

    def wake_for(self, m: Moment, marks: list[int], wall: list[int], plan: Plan | None) -> None:
        if self._quiet is not None:
            marks.append(self._quiet.end_mono)
        for drill in self._drills:
            wall += [drill.not_before, drill.hard_end]
            if plan is not None and drill.id in self._blocked:
                # The hours may open for it; nothing else becomes right by the clock alone.
                change = rules.next_opening(plan.policy, m.now)
                wall += [change] if change is not None else []


def _spoken(drill: Drill) -> list[Rendition]:
    return [*(drill.prefix if not drill.silent else []), *drill.content]
