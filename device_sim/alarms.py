"""The alerts of one unit: which of them is due, what it waits for, and what is told of one that never sounded.

CONTRACT.md, section 6. What has the horn is the player's to say.
"""

from __future__ import annotations

from broadcasts.wire.alert import Alert
from broadcasts.wire.journal import NotPlayed
from device_sim.alerts import due_at
from device_sim.cache import Cache
from device_sim.events import Moment
from device_sim.horn import Horn, Playing
from device_sim.journal import Journal

PART_OF_AN_ALERT_AFTER_MS = 60_000
"""So long an alert waits for renditions that are still fetched; then it sounds with those it has."""

MOST_SPENT = 64
"""Alerts of which the disk keeps how long they sounded blind; those that are listed never give way."""


class Alarms:
    def __init__(self, journal: Journal, cache: Cache, horn: Horn) -> None:
        self._journal, self._cache, self._horn = journal, cache, horn
        self._alerts: list[Alert] = []
        self._blind: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._wait = 0

    def __len__(self) -> int:
        return len(self._alerts)

    def replace(self, alerts: list[Alert]) -> list[Alert]:
        """All that concern this unit, the most urgent first; those that were listed before and are not any more."""
        names = {alert.id for alert in alerts}
        before, self._alerts = self._alerts, alerts
        return [alert for alert in before if alert.id not in names]

    def named(self, name: str) -> Alert | None:
        return next((alert for alert in self._alerts if alert.id == name), None)

    def active(self, m: Moment) -> str | None:
        """One of them, whether it sounds at this moment or not."""
        return next((alert.id for alert in self._alerts if alert.not_before <= m.now < alert.hard_end), None)

    def doubt(self, until_mono: int) -> None:
        """What is held may have been silenced while power was off: none begins before."""
        self._wait = until_mono

    def best(self, m: Moment) -> Alert | None:
        """The most urgent one that sounds or may begin."""
        if m.mono < self._wait:
            return None
        running = self._horn.current
        for alert in self._alerts:
            if not alert.not_before <= m.now < alert.hard_end:
                if m.now >= alert.hard_end:
                    self.missed(alert, m)
                continue
            seen = self._seen.setdefault(alert.id, m.mono)
            if running is not None and running.alert is not None and running.name == alert.id:
                return alert
            record = self._journal.record(alert.id)
            due = due_at(alert, record.begun, record.whole, record.last_ms) if record else alert.not_before
            if due is None or due > m.now or self.blind_over(alert, m):
                continue
            have = sum(self._cache.holds(each.asset.sha256) for each in alert.content)
            if have == len(alert.content) or (have and m.mono - seen >= PART_OF_AN_ALERT_AFTER_MS):
                return alert
        return None

    def begin(self, alert: Alert, most: int, m: Moment) -> None:
        """With the renditions that are held, at `most` at the loudest."""
        tracks = [
            (each.asset.sha256, each.asset.duration_ms)
            for each in alert.content
            if self._cache.holds(each.asset.sha256) and not self._cache.complaint(each.asset)
        ]
        if not m.trusted:
            self._spend(alert, sum(length for _, length in tracks), m)
        volume = min(alert.volume, most)
        if not tracks:
            asset = alert.content[0].asset
            self._horn.undecodable(alert.id, asset, self._cache.complaint(asset), volume, m)
            return
        late = m.now - alert.not_before
        self._horn.begin(Playing(alert.id, alert, None, tracks, m.now, m.mono, 0, 0, volume), late, m)

    def _spend(self, alert: Alert, length_ms: int, m: Moment) -> None:
        """On the disk before it sounds, the whole of it: power may go, and then nobody knows how much it was."""
        spent = self._journal.store.blind
        begun = self._blind.setdefault(alert.id, m.mono - spent.get(alert.id, 0))
        spent[alert.id] = m.mono - begun + length_ms
        names = {each.id for each in self._alerts}
        for gone in [name for name in spent if name not in names][: max(0, len(spent) - MOST_SPENT)]:
            del spent[gone]

    def blind_over(self, alert: Alert, m: Moment) -> bool:
        spent = self._journal.store.blind
        if m.trusted:
            self._blind.pop(alert.id, None)
            spent.pop(alert.id, None)
            return False
        begun = self._blind.get(alert.id)
        so_far, most = spent.get(alert.id, 0) if begun is None else m.mono - begun, alert.max_blind_s * 1000
        if so_far >= most > spent.get(alert.id, most):
            spent[alert.id] = so_far  # the pause after its last sounding has passed too
        return so_far >= most

    def missed(self, alert: Alert, m: Moment) -> None:
        if alert.id in self._seen and self._journal.record(alert.id) is None:
            have = any(self._cache.holds(each.asset.sha256) for each in alert.content)
            self._horn.skip(alert.id, NotPlayed.EXPIRED if have else NotPlayed.NO_ASSET, m)
        self._seen.pop(alert.id, None)

    def wake_for(self, marks: list[int], wall: list[int]) -> None:
        marks.append(self._wait)
        for alert in self._alerts:
            wall += [alert.not_before, alert.hard_end]
            record = self._journal.record(alert.id)
            due = due_at(alert, record.begun, record.whole, record.last_ms) if record else None
            if due is not None:
                wall.append(due)
            if alert.id in self._blind:
                marks.append(self._blind[alert.id] + alert.max_blind_s * 1000)
            if alert.id in self._seen:
                marks.append(self._seen[alert.id] + PART_OF_AN_ALERT_AFTER_MS)
