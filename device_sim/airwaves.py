"""Between stations and poles: who is tuned in where, and what that costs. Live and in virtual time by the same code."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, Protocol, TypeVar

from device_sim.agenda import Agenda
from device_sim.ear import Pole
from device_sim.events import SourceHeard, SourceLost, Tune
from device_sim.radio import Air, Radio, Reception, Stretch


class Mast(Protocol):
    """What a place needs that can receive: `Post` and `Pillar` have it."""

    pole: Pole
    reception: Reception


M = TypeVar("M", bound=Mast)


class Airwaves(Generic[M]):
    """All instants are true time, as the agenda has it."""

    def __init__(
        self,
        radio: Radio,
        agenda: Agenda,
        give: Callable[[M, SourceHeard | SourceLost], None],
        linked: Callable[[M], bool],
        charge: Callable[[M, int, int], None] = lambda _mast, _connections, _ms: None,
    ) -> None:
        """`give` is one step of a unit, `linked` says whether its mobile network is there, `charge` is told how often
        it connected to a stream and for how long (ms) data came."""
        self.radio = radio
        self._agenda, self._give, self._linked, self._charge = agenda, give, linked, charge
        self._tuned: dict[M, int | None] = {}
        """When each is looked at again."""

    def tune(self, mast: M, tune: Tune) -> None:
        self.untune(mast)
        mast.reception.tune(tune, self._agenda.now)
        self._tuned[mast] = None
        if tune.url is not None and self._linked(mast):
            self._charge(mast, 1, 0)
        self._expect(mast)

    def untune(self, mast: M) -> None:
        """Also when power goes."""
        mast.reception.untune(self._agenda.now)
        mast.pole.receive(False, self._agenda.now)
        self._settle(mast)
        self._tuned.pop(mast, None)

    def look(self, mast: M) -> None:
        """Something may have changed: the link, the place, the time."""
        if mast not in self._tuned:
            return
        event = mast.reception.look(self._agenda.now, self._linked(mast))
        mast.pole.receive(mast.reception.sounds, self._agenda.now)
        self._settle(mast)
        if mast.reception.is_tuned:
            self._expect(mast)
        else:
            del self._tuned[mast]
        if event is not None:
            self._give(mast, event)

    def disturb(self, lasts_ms: int, air: Air, source: str | None = None) -> None:
        """From now on, to one station or to all."""
        now = self._agenda.now
        self.radio.disturb([Stretch(now, now + lasts_ms, air)], source)
        for mast in list(self._tuned):
            self.look(mast)

    def _expect(self, mast: M) -> None:
        at = mast.reception.next_look(self._agenda.now)
        if at is not None and at != self._tuned[mast]:
            self._agenda.at(at, partial(self._due, mast, at))
        self._tuned[mast] = at

    def _due(self, mast: M, planned: int) -> None:
        if self._tuned.get(mast) == planned:
            self.look(mast)

    def _settle(self, mast: M) -> None:
        if mast.reception.streamed_ms:
            self._charge(mast, 0, mast.reception.streamed_ms)
            mast.reception.streamed_ms = 0
