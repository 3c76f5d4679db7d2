"""The live sessions that a unit has heard of: which of them may speak, and what is told of one that never could.

CONTRACT.md, section 6a. What has the horn is the player's to say; the timeline of one session is `talk.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from broadcasts.errors import ContractViolation
from broadcasts.wire.alert import AlertDocument
from broadcasts.wire.journal import NotPlayed, Outcome
from broadcasts.wire.jws import PublicKey
from broadcasts.wire.live import LiveSession
from broadcasts.wire.live_packet import LivePacket, session_of, unpack
from broadcasts.wire.plan import Policy
from device_sim import rules
from device_sim.events import Moment
from device_sim.horn import Horn, Playing
from device_sim.talk import Talk

MOST_SESSIONS = 16
OVER_MOST = 256
_NEVER_CHANGES = ("key", "level", "issued_at", "not_before", "buffer_ms", "chime_before", "chime_after")


class Talks:
    def __init__(self, horn: Horn, begun: Callable[[str], bool], chime_ms: Callable[[str | None], int]) -> None:
        """`begun(item)`: the journal knows that it once had the horn; `chime_ms(sha256)`: the length of a chime that is
        held, else 0."""
        self._horn, self._begun, self._chime_ms = horn, begun, chime_ms
        self._talks: dict[str, Talk] = {}
        self._over: dict[str, None] = {}
        self._voids: dict[str, int] = {}

    # --- what is told

    def told(self, session: LiveSession, lower_ms: int, m: Moment) -> bool:
        """A document that is verified, ours and fresh; whether it says something new. `lower_ms` is the lower
        bound before this document."""
        if session.session in self._over or session.hard_end <= m.now:
            return False
        talk = self._talks.get(session.session)
        if talk is None:
            voided = session.level == 1 and session.issued_at < self._voids.get(session.scope, 0)
            too_old = not m.trusted and session.said_at <= lower_ms
            if voided or too_old or session.ends_at is not None or not self._room_for(session, m):
                return False
            before, after = self._chime_ms(session.chime_before), self._chime_ms(session.chime_after)
            self._talks[session.session] = Talk(session, before, after)
            return True
        held = talk.session
        if session.said_at <= held.said_at or any(getattr(session, n) != getattr(held, n) for n in _NEVER_CHANGES):
            return False
        ends = [each for each in (held.ends_at, session.ends_at) if each is not None]
        talk.session = session.model_copy(update={"ends_at": min(ends, default=None)})
        return held.ends_at is None and session.ends_at is not None

    def _room_for(self, session: LiveSession, m: Moment) -> bool:
        """An emergency takes the place of an ordinary session that waits."""
        if len(self._talks) < MOST_SESSIONS:
            return True
        lesser = [each for each in self._talks.values() if each.session.level > 1 and not each.has_horn]
        if session.level > 1 or not lesser:
            return False
        self._tell(min(lesser, key=urgency), NotPlayed.DISPLACED, session.item, m)
        return True

    def heard(self, payload: bytes, m: Moment) -> None:
        """A packet of whatever session; of one that is not ours it is no packet at all."""
        try:
            talk = self._talks.get(session_of(payload))
        except ContractViolation:
            return
        if talk is None:
            return
        try:
            talk.take(_opened(payload, talk.session.key), m)
        except ContractViolation:
            talk.refuse()

    def obey(self, documents: Mapping[str, AlertDocument], scopes: Sequence[str], m: Moment) -> None:
        """What alert documents void, and what a plan makes us follow."""
        void = 0
        self._voids = {}
        for scope in scopes:
            document = documents.get(scope)
            void = max(void, document.void_before if document is not None else 0)
            self._voids[scope] = void
        for talk in list(self._talks.values()):
            session = talk.session
            voided = session.level == 1 and session.issued_at < self._voids.get(session.scope, 0)
            if voided or session.scope not in scopes:
                self._withdraw(talk, m)

    def obey_hours(self, policy: Policy, m: Moment) -> None:
        """A plan was applied: what runs is held to its hours at once."""
        running = self._horn.current
        talk = running.talk if running is not None else None
        if talk is not None and talk.session.level > 1 and not self._inside(talk, policy, m):
            self._horn.end(m, Outcome.WITHDRAWN, reason="quiet_hours")

    def _withdraw(self, talk: Talk, m: Moment) -> None:
        if talk.has_horn:
            self._horn.end(m, Outcome.WITHDRAWN)
        self._forget(talk)

    # --- who may speak

    def alarmed(self, m: Moment) -> bool:
        return any(each.session.level == 1 and each.axis(m) < each.finish for each in self._talks.values())

    def emergency(self, m: Moment) -> Talk | None:
        """The newest that sounds or may begin."""
        wanting = [talk for talk in self._wanting(m) if talk.session.level == 1 and not self.blind_over(talk, m)]
        return max(wanting, key=urgency, default=None)

    def ordinary(self, policy: Policy | None, m: Moment) -> Talk | None:
        """The most urgent of levels 2 and 3 that sounds or may begin."""
        may = []
        for talk in self._wanting(m):
            if talk.session.level == 1:
                continue
            why = self._against(talk, policy, m)
            if why is None or talk.has_horn:
                may.append(talk)
            elif talk.blocked is None:
                talk.blocked = why
        return max(may, key=lambda talk: (-talk.session.level, *urgency(talk)), default=None)

    def _wanting(self, m: Moment) -> list[Talk]:
        return [talk for talk in self._talks.values() if talk.wants(talk.axis(m))]

    def _against(self, talk: Talk, policy: Policy | None, m: Moment) -> NotPlayed | None:
        if not m.trusted or m.held or policy is None:
            return NotPlayed.NO_TRUSTED_TIME
        if m.alone:
            return NotPlayed.AUTONOMY_OVER
        return None if self._inside(talk, policy, m) else NotPlayed.QUIET_HOURS

    def _inside(self, talk: Talk, policy: Policy, m: Moment) -> bool:
        return rules.inside_hours(policy, m.now, talk.session.hard_end)

    def blind_over(self, talk: Talk, m: Moment) -> bool:
        if m.trusted:
            talk.blind_since = None
        since = talk.blind_since
        return since is not None and m.mono - since >= talk.session.max_blind_s * 1000

    # --- the horn

    def begin(self, talk: Talk, volume: int, m: Moment) -> None:
        session = talk.session
        talk.begin(m)
        offset = max(0, talk.axis(m) - session.not_before)
        tracks = [(session.asset, offset + max(0, talk.finish - talk.axis(m)))]
        self._horn.begin(
            Playing(session.item, None, None, tracks, m.now, m.mono, offset, 0, volume, talk=talk), offset, m
        )

    def settle(self, m: Moment) -> None:
        """Count what was heard before anything that arrives now, and end what has come to its end."""
        for talk in list(self._talks.values()):
            x = talk.axis(m)
            running = self._horn.current
            if running is not None and running.talk is talk:
                talk.settle(m)
                # Of a session only its hard end is known at first.
                running.length_ms = running.position(m.mono) + max(0, talk.finish - x)
                if talk.session.level == 1 and self.blind_over(talk, m):
                    self._horn.end(m, Outcome.PLAYED, reason="max_blind")
                elif not talk.wants(x):
                    self._horn.end(m, Outcome.PLAYED, reason=talk.why_over(x))
            else:
                talk.pass_by(m)
            if x >= talk.finish or x >= talk.session.hard_end:
                by = talk.blocked_by if talk.blocked is NotPlayed.DISPLACED else None
                self._tell(talk, talk.blocked or NotPlayed.EXPIRED, by, m)

    def _tell(self, talk: Talk, why: NotPlayed, by: str | None, m: Moment) -> None:
        """Of one that is over: that it never had the horn, if that is so."""
        if not talk.times and not self._begun(talk.session.item):
            self._horn.skip(talk.session.item, why, m, by)
        self._forget(talk)

    def _forget(self, talk: Talk) -> None:
        name = talk.session.session
        del self._talks[name]
        if len(self._over) >= OVER_MOST:
            del self._over[next(iter(self._over))]
        self._over[name] = None

    def calm(self, m: Moment) -> bool:
        """Nothing of them begins, ends, falls silent or speaks again at this moment."""
        return all(talk.is_calm(talk.axis(m)) for talk in self._talks.values())

    def displaced(self, by: str, m: Moment) -> None:
        """Somebody else has the horn while these have something to say."""
        for talk in self._wanting(m):
            if not talk.has_horn and talk.blocked is None:
                talk.blocked, talk.blocked_by = NotPlayed.DISPLACED, by

    def wake_for(self, marks: list[int]) -> None:
        for talk in self._talks.values():
            marks += [at for at in map(talk.mono_at, talk.marks()) if at is not None]
            if talk.blind_since is not None:
                marks.append(talk.blind_since + talk.session.max_blind_s * 1000)


def urgency(talk: Talk) -> tuple[int, str]:
    """As of alerts: the newest wins."""
    return talk.session.issued_at, talk.session.item


@lru_cache(maxsize=256)
def _opened(payload: bytes, key: str) -> LivePacket:
    """Poles of one process hear the same bytes: they are opened once. Raises ContractViolation, each time."""
    return unpack(payload, PublicKey("session", key))
