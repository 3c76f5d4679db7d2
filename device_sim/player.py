"""Who gets the horn: alerts, items, preemption, lateness. CONTRACT.md, sections 5 and 6."""

from __future__ import annotations

from collections.abc import Callable

from broadcasts.wire.alert import Alert
from broadcasts.wire.journal import NotPlayed, Outcome
from broadcasts.wire.plan import VALID_AFTER_HORIZON_MS, Asset, Item, Plan
from broadcasts.wire.relay import Relay
from device_sim import rules
from device_sim.alarms import Alarms
from device_sim.cache import Cache
from device_sim.contest import emergency_of, goes_before, name_of, speaks_before, urgency_of
from device_sim.drills import Drills
from device_sim.events import Moment
from device_sim.health import HOT, HOT_VOLUME
from device_sim.horn import WHOLE_MS, Horn, Playing
from device_sim.journal import Journal
from device_sim.receiver import Relaying, Relays, source_of
from device_sim.rules import Begin, Chance, Over, Wait
from device_sim.talk import Talk
from device_sim.talks import Talks


class Player:
    def __init__(
        self, journal: Journal, cache: Cache, excuse: Callable[[int], NotPlayed | None], tuner: bool = True
    ) -> None:
        """`excuse(instant)`: why nothing could sound then, as far as power and time go."""
        self._journal = journal
        self._cache = cache
        self._excuse = excuse
        self._plan: Plan | None = None
        self._assets: dict[str, Asset] = {}
        self._items: list[Item] = []
        self._next = 0
        self._open: dict[str, Item] = {}
        self._displaced: dict[str, str] = {}
        self._blocked: dict[str, NotPlayed] = {}
        self.relays = Relays(journal, tuner)
        self.horn = Horn(journal)
        self._alarms = Alarms(journal, cache, self.horn)
        self.talks = Talks(self.horn, lambda item: journal.record(item) is not None, self._chime_ms)
        self.drills = Drills(journal, cache, self.horn)

    @property
    def current(self) -> Playing | None:
        return self.horn.current

    # --- what is to be played

    def set_plan(self, plan: Plan | None, m: Moment) -> None:
        self._plan = plan
        self._assets = {asset.sha256: asset for asset in plan.assets} if plan is not None else {}
        self._items = sorted(plan.items, key=lambda item: item.start) if plan is not None else []
        self._next = 0
        self._open = {}
        names = {item.id: item for item in self._items}
        self._displaced = {name: by for name, by in self._displaced.items() if name in names}
        self._blocked = {name: why for name, why in self._blocked.items() if name in names}
        if plan is not None:
            self.relays.set_items(self._items, m)
            self.talks.obey_hours(plan.policy, m)
        running = self.current
        if running is not None and running.item is not None and plan is not None:
            item = names.get(running.name)
            if item is None or source_of(item) != source_of(running.item):
                self.horn.end(m, Outcome.WITHDRAWN)
                return
            running.item = item
            if running.live is not None and item.relay is not None:
                running.live.relay, running.length_ms = item.relay, item.relay.length_ms
            end = m.now + max(0, running.end_mono - m.mono)
            if item.hard_end is not None:
                end = min(end, item.hard_end)
            if not rules.inside_hours(plan.policy, m.now, end):
                self.horn.end(m, Outcome.WITHDRAWN, reason="quiet_hours")

    def set_alerts(self, alerts: list[Alert], m: Moment) -> None:
        """All that concern this unit, active or not; one that is not in the list any more is silenced."""
        dropped = self._alarms.replace(alerts)
        running = self.current
        if running is not None and running.alert is not None:
            running.alert = self._alarms.named(running.name)
            if running.alert is None:
                self.horn.end(m, Outcome.WITHDRAWN)
        for alert in dropped:
            self._alarms.missed(alert, m)

    def alarmed(self, m: Moment) -> bool:
        """An emergency concerns this unit, whether it sounds at this moment or not."""
        return self._alarms.active(m) is not None or self.talks.alarmed(m)

    def _alarm(self, m: Moment) -> str | None:
        """What no drill may disturb."""
        talk = self.talks.emergency(m)
        return self._alarms.active(m) or (None if talk is None else name_of(talk))

    def doubt_alerts(self, until_mono: int) -> None:
        """What is held may have been silenced while power was off: no alert begins before."""
        self._alarms.doubt(until_mono)

    def after_boot(self, m: Moment) -> None:
        """Power went while these sounded. An item may still join (see `_chance`); an alert begins anew."""
        planned = {item.id for item in self._items}
        for name, record in self._journal.records.items():
            if record.open is not None and name not in planned:
                self.horn.cut(record, m)

    # --- the step

    def settle(self, m: Moment) -> None:
        """What has come to its end by now ended before anything that arrives now."""
        if self.current is not None and self.current.live is not None:
            self.current.live.count(min(m.mono, self.current.end_mono))
        self._stop(m)
        self.talks.settle(m)
        self.drills.settle(m)

    def step(self, m: Moment) -> None:
        self._stop(m)
        self.talks.settle(m)
        self._admit(m)
        for _ in range(len(self._open) + len(self._alarms) + 2):
            if not self._advance(m):
                break
        running = self.current
        live = running.live if running is not None else None
        self.relays.step(live, self._fallback, self.alarmed(m), m)
        if running is not None:
            scheduled = running.item or running.drill
            volume = running.volume if scheduled is None else self._volume(scheduled.volume, m)
            if running.talk is not None:
                volume = self._talk_volume(running.talk, m)
            self.horn.refresh(volume, m)

    def _stop(self, m: Moment) -> None:
        running = self.current
        if running is None or running.talk is not None:
            return
        wanted = running.item or running.alert or running.drill
        hard_end = wanted.hard_end if wanted is not None else None
        if m.mono >= running.end_mono:
            self.horn.end(m, Outcome.PLAYED)
        elif hard_end is not None and m.now >= hard_end:
            # A slot ends there by its nature.
            self.horn.end(m, Outcome.PLAYED, reason="" if running.live is not None else "hard_end")
        elif running.alert is not None and self._alarms.blind_over(running.alert, m):
            self.horn.end(m, Outcome.PLAYED, reason="max_blind")

    def _admit(self, m: Moment) -> None:
        while self._next < len(self._items) and self._items[self._next].start <= m.now:
            item = self._items[self._next]
            self._open[item.id] = item
            self._next += 1

    def _advance(self, m: Moment) -> bool:
        """One decision; whether something changed."""
        running = self.current
        chosen = self._emergency(m)
        held = None if running is None else emergency_of(running)
        if chosen is not None and (held is None or urgency_of(chosen) > urgency_of(held)):
            self._give(chosen, m)
            return True
        if self.drills.advance(self._plan, self._alarm(m), self._lose, m):
            return True
        return False if m.held else self._advance_items(m)

    def _emergency(self, m: Moment) -> Alert | Talk | None:
        """Of alerts and live emergencies that sound or may begin, the newest."""
        both = [each for each in (self._alarms.best(m), self.talks.emergency(m)) if each is not None]
        return max(both, key=urgency_of, default=None)

    def _give(self, chosen: Alert | Talk, m: Moment) -> None:
        """The horn, whoever has it."""
        assert self._plan is not None
        if self.current is not None:
            self._lose(self.current, name_of(chosen), m)
        if isinstance(chosen, Talk):
            self.talks.begin(chosen, self._talk_volume(chosen, m), m)
        else:
            self._alarms.begin(chosen, self._plan.policy.emergency_volume, m)

    def _advance_items(self, m: Moment) -> bool:
        ready: list[tuple[Item, Begin]] = []
        changed = False
        for item in list(self._open.values()):
            if self.current is not None and self.current.name == item.id:
                continue
            chance = self._chance(item, m)
            if chance is None:
                del self._open[item.id]
            elif isinstance(chance, Over):
                self._give_up(item, chance, m)
                changed = True
            elif isinstance(chance, Begin) and self._may(item, chance, m):
                ready.append((item, chance))
        ready = [(item, chance) for item, chance in ready if item.id in self._open]
        if self._speak(ready, m):
            return True
        if not ready:
            return changed
        item, chance = min(ready, key=lambda each: rules.order(each[0]))
        running = self.current
        if running is None or goes_before(item, running):
            if running is not None:
                self._lose(running, item.id, m)
            self._begin_item(item, chance, m)
            return True
        for waiting, _ in ready:
            # A horn that is free within the second displaces nobody.
            if waiting.id not in self._displaced and running.end_mono - m.mono > WHOLE_MS:
                self._displaced[waiting.id] = running.name
                changed = True
        return changed

    def _speak(self, ready: list[tuple[Item, Begin]], m: Moment) -> bool:
        """A live session of level 2 or 3 beats items of its level, and older sessions of it."""
        talk, running = self.talks.ordinary(None if self._plan is None else self._plan.policy, m), self.current
        if talk is None or talk.has_horn or any(item.level < talk.session.level for item, _ in ready):
            return False
        if running is not None and not speaks_before(talk, running):
            return False
        self._give(talk, m)
        return True

    def _chance(self, item: Item, m: Moment) -> Chance | None:
        """None: it is settled."""
        record = self._journal.record(item.id)
        duration = self._length(item)
        if record is not None and (record.skipped or record.ended in (Outcome.PLAYED, Outcome.FAILED)):
            return None
        if record is not None and record.begun and record.ended is not Outcome.PREEMPTED:
            return rules.rejoin(item, duration, record.origin_ms, m.now)
        if record is not None and record.begun:
            return rules.after_losing(item, duration, record.origin_ms, m.now)
        if item.id in self._displaced:
            return rules.after_losing(item, duration, item.start, m.now)
        return rules.first_chance(item, duration, m.now)

    def _may(self, item: Item, chance: Begin, m: Moment) -> bool:
        """Whether nothing but the horn is in the way; else remembers what was."""
        asset = self._assets[item.asset]
        if not m.trusted:
            self._blocked[item.id] = NotPlayed.NO_TRUSTED_TIME
            return False
        assert self._plan is not None
        if m.now >= self._plan.horizon_end + VALID_AFTER_HORIZON_MS:
            self._blocked[item.id] = NotPlayed.EXPIRED
            return False
        if m.alone:
            self._blocked[item.id] = NotPlayed.AUTONOMY_OVER
            return False
        if item.relay is None and not self._cache.holds(asset.sha256):
            self._blocked[item.id] = NotPlayed.NO_ASSET
            return False
        end = m.now + self._length(item) - chance.offset_ms
        end = min(end, item.hard_end) if item.hard_end is not None else end
        if not rules.inside_hours(self._plan.policy, m.now, end):
            record = self._journal.record(item.id)
            if record is None or not record.begun:
                self.horn.skip(item.id, NotPlayed.QUIET_HOURS, m)
            del self._open[item.id]
            return False
        return True

    def _give_up(self, item: Item, over: Over, m: Moment) -> None:
        del self._open[item.id]
        record = self._journal.record(item.id)
        by = self._displaced.pop(item.id, None)
        blocked = self._blocked.pop(item.id, None)
        if record is not None and record.begun:
            if record.open is not None:
                self.horn.cut(record, m)
            return
        if over.hard_end:
            self.horn.skip(item.id, NotPlayed.EXPIRED if by is None else NotPlayed.DISPLACED, m, by)
        elif by is not None:
            self.horn.skip(item.id, NotPlayed.DISPLACED, m, by)
        else:
            why = blocked or self._excuse(over.since) or (None if m.trusted else NotPlayed.NO_TRUSTED_TIME)
            detail = ""
            if why is NotPlayed.NO_ASSET:
                detail = "asset_corrupt" if item.asset in self._cache.corrupt else ""
                detail = "cache_full" if item.asset in self._cache.crowded else detail
            self.horn.skip(item.id, why or NotPlayed.LATE, m, detail=detail)

    # --- the horn

    def _begin_item(self, item: Item, chance: Begin, m: Moment) -> None:
        asset = self._assets[item.asset]
        volume = self._volume(item.volume, m)
        if item.relay is not None:
            self._begin_relay(item, item.relay, chance.offset_ms, m)
            return
        if complaint := self._cache.complaint(asset):
            self.horn.undecodable(item.id, asset, complaint, volume, m)
            del self._open[item.id]
            return
        tracks = [(asset.sha256, asset.duration_ms)]
        playing = Playing(item.id, None, item, tracks, m.now, m.mono, chance.offset_ms, 0, volume)
        self.horn.begin(playing, m.now - item.start, m)

    def _begin_relay(self, item: Item, relay: Relay, offset_ms: int, m: Moment) -> None:
        live = Relaying(relay, m.mono, m.mono, deaf=not self.relays.receiver.can(relay))
        tracks = [(item.asset, relay.length_ms)]
        volume = self._volume(item.volume, m)
        playing = Playing(item.id, None, item, tracks, m.now, m.mono, offset_ms, 0, volume, live=live)
        self.horn.begin(playing, m.now - item.start, m)

    def _fallback(self) -> Asset | None:
        running = self.current
        assert running is not None
        asset = self._assets[running.tracks[0][0]]
        return asset if self._cache.holds(asset.sha256) and not self._cache.complaint(asset) else None

    def _length(self, item: Item) -> int:
        return item.relay.length_ms if item.relay is not None else self._assets[item.asset].duration_ms

    def _lose(self, running: Playing, by: str, m: Moment) -> None:
        if running.item is not None:
            self._displaced[running.name] = by
        self.horn.lose(m, by)

    def _volume(self, wanted: int, m: Moment) -> int:
        assert self._plan is not None
        most = min(HOT_VOLUME if HOT in self._journal.faults else 100, self.horn.trimmed(m.now))
        return min(wanted, most, rules.ceiling(self._plan.policy, m.now))

    def _talk_volume(self, talk: Talk, m: Moment) -> int:
        assert self._plan is not None
        session = talk.session
        return (
            min(session.volume, self._plan.policy.emergency_volume)
            if session.level == 1
            else self._volume(session.volume, m)
        )

    def _chime_ms(self, sha256: str | None) -> int:
        asset = None if sha256 is None else self._assets.get(sha256)
        if asset is None or not self._cache.holds(asset.sha256) or self._cache.complaint(asset):
            return 0
        return asset.duration_ms

    # --- when to look again

    def wake_at(self, m: Moment, mono_at: Callable[[int], int]) -> int:
        """The next monotonic instant at which something of ours may change; `mono_at` turns wall time into it."""
        marks: list[int] = []
        wall: list[int] = []
        running = self.current
        if running is not None:
            marks.append(running.end_mono)
            scheduled = running.item or running.drill
            if scheduled is not None and scheduled.hard_end is not None:
                wall.append(scheduled.hard_end)
            if running.alert is None and self._plan is not None:
                wall += [each for each in (rules.next_ceiling_change(self._plan.policy, m.now),) if each is not None]
            if running.live is not None and (look := running.live.wake_at()) is not None:
                marks.append(look)
            if len(running.tracks) > 1:
                track, begin = running.track_at(m.mono)
                marks.append(m.mono + begin + running.tracks[track][1] - running.position(m.mono))
        if self._next < len(self._items):
            wall.append(self._items[self._next].start)
        self.relays.wake_for(m, marks, wall)
        self.drills.wake_for(m, marks, wall, self._plan)
        for item in () if m.held else self._open.values():
            match self._chance(item, m):
                case Begin(offset_ms=offset, until=until):
                    wall.append(until + 1)
                    wall += self._closing(item, offset, m)
                case Wait(until=until):
                    wall.append(until)
        self._alarms.wake_for(marks, wall)
        self.talks.wake_for(marks)
        nearest = min((each for each in wall if each > m.now), default=None)
        if nearest is not None:
            marks.append(mono_at(nearest))
        return min((each for each in marks if each > m.mono), default=m.mono + 86_400_000)

    def _closing(self, item: Item, offset_ms: int, m: Moment) -> list[int]:
        """What waits for the horn is told by the hours when it no longer fits into them."""
        if self._plan is None:
            return []
        length = self._length(item) - offset_ms
        mark = rules.next_closing(self._plan.policy, m.now, length)
        return [mark] if mark is not None else []
