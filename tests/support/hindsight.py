"""What a week of broadcasts must never come to, reckoned in the plainest way there is: minute by minute and day by day,
from what people did (`support.officers.Truth`) and what the poles sounded. No rule of the product is asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from support.officers import Truth
from support.weeks import Rule, Wanted, Warned, When

from broadcasts.clock import VIETNAM, from_unix_ms, unix_ms
from broadcasts.wire.journal import AnyEntry, Ended, Skipped
from controller.db.tables import Delivery
from device_sim.ear import Sound

SECOND = 1_000
MINUTE = 60 * SECOND
SAVED_LATE = timedelta(seconds=10)
LOCK = timedelta(minutes=10)
SETTLED = {"busy", "busy_too_long", "not_all"}
LIMITED = {"limit_session", "limit_day", "limit_week"}
OVER = "approval_over"


class Hindsight:
    def __init__(
        self,
        truth: Truth,
        rows: Sequence[Delivery],
        poles: Mapping[str, tuple[list[Sound], list[AnyEntry]]],
        sites: Mapping[str, tuple[str, str]],
        languages: Mapping[str, tuple[str, ...]],
        calendar: Any,
        sounds: Mapping[str, str],
        lengths: Mapping[str, int],
    ) -> None:
        """`sites`: station and kind of site by cluster; `calendar.at(day, clock)` is an instant; `lengths` in ms."""
        self._truth, self._poles, self._sites, self._languages = truth, poles, sites, languages
        self._at, self._sounds, self._lengths = calendar.at, sounds, lengths
        self._clusters = list(calendar.clusters)
        self._rows = {row.id: row for row in rows}
        self._found: dict[tuple[str, str, int, int], Delivery] = {
            (row.cluster_id, row.broadcast_id, row.revision, unix_ms(row.start)): row for row in rows
        }
        self.excuses: Counter[str] = Counter()

    # --- nothing that should not

    def nothing_wrong(self) -> None:
        for cluster, (heard, entries) in self._poles.items():
            by_item: dict[str, list[Sound]] = defaultdict(list)
            for before, after in pairwise(heard):
                assert before.to_ms <= after.from_ms, "two at once"
            for sound in heard:
                by_item[sound.item].append(sound)
                self._allowed(cluster, sound)
                self._approved(cluster, sound)
            for item, several in by_item.items():
                self._once(self._rows[item], several)
            self._told(cluster, entries)

    def _allowed(self, cluster: str, sound: Sound) -> None:
        station, site = self._sites[cluster]
        rule = self._rule(station, from_unix_ms(sound.from_ms))
        what = f"{cluster} sounded {sound}"
        assert inside(rule, sound.from_ms, sound.to_ms), f"{what} outside {rule}"
        assert sound.volume <= ceiling(rule, site, sound.from_ms, sound.to_ms), f"{what} too loud for {rule}"
        wanted = self._wanted(self._rows[sound.item])
        if isinstance(wanted, Wanted) and wanted.volume is not None:
            assert sound.volume <= wanted.volume, f"{what} louder than its author wanted"

    def _approved(self, cluster: str, sound: Sound) -> None:
        row = self._rows[sound.item]
        whole = (row.broadcast_id, row.revision)
        what = f"{cluster} sounded {whole} at {from_unix_ms(sound.from_ms)}"
        assert whole in self._truth.said, f"{what}: nobody approved it"
        since, until = self._truth.said[whole]
        assert since <= from_unix_ms(sound.from_ms), f"{what}: before it was approved"
        assert until is None or from_unix_ms(sound.to_ms) <= until, f"{what}: its approval is over"
        gone = self._truth.gone.get(whole)
        assert gone is None or from_unix_ms(sound.from_ms) < gone, f"{what}: it was taken back at {gone}"
        wanted = self._wanted(row)
        names = {wanted.sound} if isinstance(wanted, Warned) else {wanted.sound, wanted.khmer, *wanted.parts}
        assert sound.asset in {self._sounds[name] for name in names if name}, f"{what}: another recording"
        assert cluster in {self._clusters[each] for each in wanted.clusters}, f"{what}: not meant for here"
        assert unix_ms(row.start) <= sound.from_ms - 0, f"{what}: too early"

    def _once(self, row: Delivery, several: Sequence[Sound]) -> None:
        length = self._lengths[row.asset_sha256]
        runs: list[tuple[int, int]] = []
        for sound in several:
            offset, lasted = sound.offset_ms, sound.to_ms - sound.from_ms
            if runs and runs[-1][1] == offset and offset > 0:
                runs[-1] = (runs[-1][0], offset + lasted)
            else:
                runs.append((offset, offset + lasted))
        whole = [run for run in runs if run[0] == 0 and run[1] == length]
        assert len(whole) <= 1, f"{row.id} was heard wholly {len(whole)} times"
        if row.on_preempt in ("resume", "drop"):
            ends = [0, *(end for _, end in runs)]
            assert all(begin >= end for (begin, _), end in zip(runs, ends, strict=False)), (
                f"{row.id} said again: {runs}"
            )

    def _told(self, cluster: str, entries: Sequence[AnyEntry]) -> None:
        """Whatever was in the plan when its time came has an end in the journal, with a reason if it did not sound."""
        ends = {each.item for each in entries if isinstance(each, Ended | Skipped)}
        now = max((each.at for each in entries), default=0)
        for row in self._rows.values():
            if row.cluster_id == cluster and row.state == "planned" and unix_ms(row.not_after) < now - 2 * 3_600_000:
                assert row.id in ends, f"{cluster} never said what became of {row.id}"

    # --- nothing missing without a reason

    def nothing_missing(self, begin: datetime, end: datetime) -> int:
        """How many starts were asked for and approved, each at one cluster."""
        asked = 0
        for whole, wanted in self._truth.wanted.items():
            if whole not in self._truth.said or isinstance(wanted, Warned) or whole[0] in self._truth.touched:
                continue
            since, until = self._truth.said[whole]
            last = min(end, self._truth.gone.get(whole, end))
            for start in self._starts(wanted.when):
                if not (max(begin, since + SAVED_LATE) <= start < last):
                    continue
                for cluster in (self._clusters[each] for each in wanted.clusters):
                    for after, name in self._pieces(wanted, cluster):
                        at = unix_ms(start) + after
                        if at >= unix_ms(last):
                            continue
                        asked += 1
                        self._heard_or_excused(whole, wanted, cluster, at, name, until)
        return asked

    def _heard_or_excused(
        self, whole: tuple[str, int], wanted: Wanted, cluster: str, at: int, name: str, until: datetime | None
    ) -> None:
        asset = self._sounds[name]
        length = self._lengths[asset]
        what = f"{whole} at {cluster}, {from_unix_ms(at).astimezone(VIETNAM)} ({name})"
        row = self._found.get((cluster, *whole, at))
        assert row is not None, f"{what}: was never planned"
        assert row.asset_sha256 == asset, f"{what}: another recording is planned"
        heard = [sound for sound in self._poles[cluster][0] if sound.item == row.id]
        allowed = inside(self._rule(self._sites[cluster][0], from_unix_ms(at)), at, at + length)
        if heard and heard[0].from_ms == at and sum(each.to_ms - each.from_ms for each in heard) == length:
            self.excuses["heard whole"] += 1
            return
        if row.state == "withdrawn":
            assert not heard, f"{what}: off the air ({row.reason}), and heard"
            self._off_the_air(row, what, allowed, until, at, length)
            return
        if not allowed:
            self.excuses["outside the hours"] += 1
            return
        stands_in = self._in_the_way(cluster, row, wanted, at, length)
        assert stands_in, f"{what}: not heard whole, and nobody was in the way: {heard}, {row.reason}"
        self.excuses["another had the horn"] += 1

    def _off_the_air(
        self, row: Delivery, what: str, allowed: bool, until: datetime | None, at: int, length: int
    ) -> None:
        assert row.reason, f"{what}: off the air without a reason"
        self.excuses[row.reason] += 1
        if row.reason == "quiet_hours":
            assert not allowed or self._loosened_late(row), f"{what}: kept off by hours that allow it"
        elif row.reason == OVER:
            late = 3_600_000 if row.late != "drop" else 0
            assert until is not None, f"{what}: no approval that ends"
            again = late + 2 * length
            assert from_unix_ms(at + again) > until, f"{what}: the approval still holds"
        elif row.reason in LIMITED:
            rule = self._rule(self._sites[row.cluster_id][0], row.start)
            assert rule.limits or self._loosened_late(row), f"{what}: there is no limit"
        else:
            assert row.reason in SETTLED, f"{what}: {row.reason}"
            # Where the hours or a limit came to forbid it too, it stays as it was.
            rule = self._rule(self._sites[row.cluster_id][0], row.start)
            assert not allowed or rule.limits or self._kept_out(row), f"{what}: {row.reason}, and nobody has the horn"

    def _kept_out(self, row: Delivery) -> bool:
        """Some other priority bulletin was to have the horn in its time when the plans were locked: here; or, where it
        is all or none, something kept it off at another cluster."""
        whole = (row.broadcast_id, row.revision)
        mine = [each for each in self._rows.values() if each.begin == row.begin and whole == _whole(each)]
        if row.reason == "not_all":
            return any(each.state == "withdrawn" and each.reason != "not_all" for each in mine)
        here = [each for each in mine if each.cluster_id == row.cluster_id]
        for other in self._rows.values():
            if other.cluster_id == row.cluster_id and other.priority == 2 and _whole(other) != whole:
                gone = self._truth.gone.get(_whole(other), other.start)
                there = other.state == "planned" or gone > row.begin - LOCK or other.broadcast_id in self._truth.touched
                if there and any(other.start < each.end and each.start < other.end for each in here):
                    return True
        return False

    def _loosened_late(self, row: Delivery) -> bool:
        """The regulation changed too shortly before for anything to come back."""
        told = self._truth.rules[self._sites[row.cluster_id][0]]
        return any(timedelta(0) <= row.start - since < LOCK for since, _ in told)

    def _in_the_way(self, cluster: str, row: Delivery, wanted: Wanted, at: int, length: int) -> bool:
        """Somebody of its class or a higher one sounded in its time, or it began whole later behind such a one."""
        for sound in self._poles[cluster][0]:
            other = self._rows[sound.item]
            if other.id != row.id and other.priority <= wanted.priority:
                overlaps = sound.from_ms < at + length and at < sound.to_ms
                if overlaps:
                    return True
        return False

    # --- plain reckoning

    def _rule(self, station: str, at: datetime) -> Rule:
        return [rule for since, rule in self._truth.rules[station] if since <= at][-1]

    def _wanted(self, row: Delivery) -> Wanted | Warned:
        return self._truth.wanted[row.broadcast_id, row.revision]

    def _pieces(self, wanted: Wanted, cluster: str) -> Iterator[tuple[int, str]]:
        """What sounds there and how long after the start: half a second of breath, then on the next full second."""
        there = {"vi": wanted.sound} | ({"km": wanted.khmer} if wanted.khmer else {})
        spoken = dict.fromkeys(each if each in there else "vi" for each in self._languages[cluster])
        around = [each for each in wanted.parts if each != wanted.sound]
        line = [*around[:1], *(there[each] for each in spoken), *around[1:]]
        after = 0
        for name in line:
            yield after, name
            after += -(-(self._lengths[self._sounds[name]] + SECOND // 2) // SECOND) * SECOND

    def _starts(self, when: When) -> list[datetime]:
        found: set[datetime] = set()
        count = 0
        for day in range(when.day, 9):
            weekday = self._at(day, when.clock).astimezone(VIETNAM).weekday()
            first = self._at(when.day, when.clock).astimezone(VIETNAM).weekday()
            match when.repeat:
                case "once":
                    due = day == when.day
                case "daily":
                    due = (day - when.day) % when.every == 0
                case "weekdays":
                    due = weekday < 5
                case _:
                    due = weekday in (when.weekdays or (first,))
            if not due or (when.until is not None and day > when.until and when.repeat != "once"):
                continue
            times = [self._at(day, when.clock)]
            if when.minutes and when.repeat != "once":
                step = timedelta(minutes=when.minutes)
                times += [times[0] + n * step for n in range(1, 120 // when.minutes + 1)]
            for each in times:
                count += 1
                if when.count is None or when.repeat == "once" or count <= when.count:
                    found.add(each)
        found |= {self._at(*each) for each in when.extra}
        gone = {self._at(day, when.clock).astimezone(VIETNAM).date() for day in when.skip_days}
        return sorted(each for each in found if each.astimezone(VIETNAM).date() not in gone)


def _whole(row: Delivery) -> tuple[str, int]:
    return row.broadcast_id, row.revision


def inside(rule: Rule, begin: int, end: int) -> bool:
    """Every second of [begin, end) lies inside the hours of its day."""
    at = begin
    while at < end:
        if not any(first <= minute_of(at) < last for first, last in hours_on(rule, at)):
            return False
        at += SECOND
    return any(first <= minute_of(end - 1) < last for first, last in hours_on(rule, end - 1))


def hours_on(rule: Rule, at: int) -> Sequence[tuple[int, int]]:
    weekend = from_unix_ms(at).astimezone(VIETNAM).weekday() >= 5
    return rule.weekend if weekend and rule.weekend is not None else rule.hours


def ceiling(rule: Rule, site: str, begin: int, end: int) -> int:
    """The highest volume at which nothing in [begin, end) is too loud."""
    told = [*rule.ceilings, *(rule.special if site != "ordinary" else ())]
    found, at = 100, begin
    while at < end:
        found = min([found, *(volume for first, last, volume in told if first <= minute_of(at) < last)])
        at += SECOND
    return found


def minute_of(at: int) -> int:
    local = from_unix_ms(at).astimezone(VIETNAM)
    return local.hour * 60 + local.minute
