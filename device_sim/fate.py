"""What the control socket can ask of a live fleet: how every pole is, and mischief of every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from broadcasts.errors import Refused
from device_sim.ear import Sound
from device_sim.events import Boot, SmsReceived
from device_sim.fetch import Trouble
from device_sim.hardware import SHADE_C
from device_sim.live import Fleet, Pillar
from device_sim.mischief import KINDS, Mischief, argument
from device_sim.radio import Air

LAST_SOUNDS = 20
_AIR = {Mischief.SOURCE_SILENT: Air.SILENT, Mischief.SOURCE_OFF: Air.OFF, Mischief.SOURCE_BACK: Air.SOUND}


class Fate:
    """Requests: `{"do": "poles", "units": [...]?, "sounds": n?}`, `{"do": "fault", "units": [...] | "all",
    "kind": "...", ...}` and `{"do": "sms", "units": [...] | "all", "text": "..."}`. Only called by the fleet's own
    loop."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._requests: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "poles": self._poles,
            "fault": self._fault,
            "sms": self._sms,
            "describe": lambda _: {"faults": {str(kind): KINDS[kind].words for kind in Mischief}},
        }

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Raises Refused with a sentence in `device_sim.words`."""
        asked = request.get("do")
        if not isinstance(asked, str) or asked not in self._requests:
            raise Refused("sim_unknown_request", name=asked, known=", ".join(self._requests))
        return self._requests[asked](request)

    def _chosen(self, request: Mapping[str, Any], default: object = None) -> list[Pillar]:
        names = request.get("units", request.get("unit", default))
        if names == "all":
            return list(self._fleet.pillars.values())
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, list) or not names:
            raise Refused("sim_request", why='units is a list of units, or "all"')
        for name in names:
            if name not in self._fleet.pillars:
                raise Refused("sim_unknown_unit", unit=name)
        return [self._fleet.pillars[name] for name in names]

    def _sms(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A short message comes to their modems, link or no link; one without power never sees it."""
        text = request.get("text")
        if not isinstance(text, str):
            raise Refused("sim_request", why="text is the short message")
        chosen = self._chosen(request)
        for pillar in chosen:
            self._fleet.give(pillar, [SmsReceived(text.encode())])
        return {"units": [pillar.name for pillar in chosen]}

    # --- how they are

    def _poles(self, request: Mapping[str, Any]) -> dict[str, Any]:
        count = request.get("sounds", LAST_SOUNDS)
        if not isinstance(count, int) or count < 0:
            raise Refused("sim_request", why="sounds is a number")
        now = self._fleet.true_ms()
        return {"now": now, "poles": [self._pole(each, now, count) for each in self._chosen(request, "all")]}

    def _pole(self, pillar: Pillar, now: int, count: int) -> dict[str, Any]:
        hearing, playing, unit = pillar.pole.hearing(now), pillar.pole.playing, pillar.unit
        documents, hardware = pillar.disk.documents, pillar.hardware
        return {
            "unit": pillar.name,
            "cluster": pillar.member.cluster,
            "ear": pillar.member.ear,
            "online": self._fleet.is_online(pillar),
            "power": unit is not None,
            "mains": hardware.mains,
            "playing": None if playing is None else playing.item,
            "hearing": None if hearing is None else _told(hearing),
            "clock_error_ms": hardware.error_ms(now) + pillar.disk.clock.correction_ms,
            "time_trusted": unit is not None and unit.clock.trusted,
            "plan_version": None if documents.plan is None else documents.plan.version,
            "applied_ms": pillar.applied_ms,
            "held": len(pillar.disk.cache.files),
            "faults": self._active(pillar),
            "reported_faults": [] if unit is None else sorted(unit.journal.faults),
            "heard": [_told(sound) for sound in pillar.pole.heard[-count:]] if count else [],
        }

    def _active(self, pillar: Pillar) -> list[str]:
        hardware = pillar.hardware
        active = {
            Mischief.OFFLINE: pillar.offline,
            Mischief.POWER_OFF: pillar.unit is None,
            Mischief.MAINS_OFF: not hardware.mains,
            Mischief.CLOCK_OFF: hardware.clock_error_ms != 0,
            Mischief.WIRE_CUT: not pillar.pole.wire_intact,
            Mischief.WIRE_LOOSE: pillar.pole.loose,
            Mischief.FILES_SWAPPED: pillar.pole.wrong_file,
            Mischief.NEIGHBOUR_LOUD: hardware.neighbour,
            Mischief.EAR_BROKEN: hardware.ear_broken,
            Mischief.DUPLICATE_MESSAGES: pillar.doubled,
            Mischief.AMPLIFIER_STUCK: hardware.amplifier_stuck,
            Mischief.CABINET_HOT: hardware.heat_to_c > SHADE_C,
            Mischief.SOURCE_SILENT: hardware.air == Air.SILENT,
            Mischief.SOURCE_OFF: hardware.air == Air.OFF,
            Mischief.CORRUPT_NEXT_FETCH: self._fleet.fetches.troubled(pillar.name),
        }
        return [str(kind) for kind, is_active in active.items() if is_active]

    # --- what befalls them

    def _fault(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = request.get("kind")
        if not isinstance(name, str) or name not in [str(kind) for kind in Mischief]:
            raise Refused("sim_unknown_fault", fault=name, known=", ".join(Mischief))
        kind = Mischief(name)
        chosen, value = self._chosen(request), argument(kind, request)
        for pillar in chosen:
            self._befall(pillar, kind, value)
        return {"fault": name, "units": [pillar.name for pillar in chosen]}

    def _befall(self, pillar: Pillar, kind: Mischief, value: float | bool | None) -> None:
        fleet, now = self._fleet, self._fleet.true_ms()
        match kind:
            case Mischief.OFFLINE:
                fleet.link_down(pillar)
            case Mischief.ONLINE:
                fleet.link_up(pillar)
            case Mischief.POWER_OFF:
                fleet.power_off(pillar)
            case Mischief.POWER_ON:
                fleet.power_on(pillar, Boot.POWER)
            case Mischief.REBOOT:
                fleet.power_off(pillar)
                fleet.power_on(pillar, Boot.WATCHDOG)
            case Mischief.LOSE_STORAGE:
                fleet.lose_storage(pillar)
            case Mischief.CORRUPT_NEXT_FETCH:
                fleet.fetches.trouble(pillar.name, Trouble(corrupt=True))
            case Mischief.BREAK_NEXT_FETCH:
                fleet.fetches.trouble(pillar.name, Trouble(break_at=int(value or 0)))
            case Mischief.DUPLICATE_MESSAGES:
                pillar.doubled = bool(value)
            case Mischief.REPLAY_OLD | Mischief.FORGE:
                self._lie_to(pillar, kind, now)
            case Mischief.NAT_TIMEOUT:
                fleet.forget_mapping(pillar)
            case Mischief.SOURCE_SILENT | Mischief.SOURCE_OFF | Mischief.SOURCE_BACK:
                pillar.reception.here = _AIR[kind]
                pillar.hardware.air = str(_AIR[kind])
                fleet.look(pillar)
                fleet.give(pillar)
            case _:
                self._wear(pillar, kind, value, now)
                fleet.give(pillar)

    def _wear(self, pillar: Pillar, kind: Mischief, value: float | bool | None, now: int) -> None:
        hardware, pole = pillar.hardware, pillar.pole
        match kind:
            case Mischief.MAINS_OFF | Mischief.MAINS_ON:
                hardware.mains = kind is Mischief.MAINS_ON
            case Mischief.CLOCK_OFF:
                hardware.clock_error_ms += round(1000 * float(value or 0))
            case Mischief.AMPLIFIER_STUCK | Mischief.AMPLIFIER_FREE:
                hardware.amplifier_stuck = kind is Mischief.AMPLIFIER_STUCK
            case Mischief.CABINET_HOT:
                hardware.heat(float(value or 0), now, warming_ms=0)
            case Mischief.CABINET_COOL:
                hardware.heat(SHADE_C, now, warming_ms=0)
            case Mischief.WIRE_CUT:
                pole.cut_wire(now)
                hardware.wire_intact = False
            case Mischief.WIRE_REPAIR:
                pole.repair_wire(now)
                hardware.wire_intact, hardware.wire_loose = True, False
            case Mischief.WIRE_LOOSE:
                pole.loosen_wire(now)
                hardware.wire_loose = True
            case Mischief.FILES_SWAPPED | Mischief.FILES_RIGHT:
                hardware.wrong_file = kind is Mischief.FILES_SWAPPED
                pole.swap_files(hardware.wrong_file, now)
            case Mischief.NEIGHBOUR_LOUD | Mischief.NEIGHBOUR_QUIET:
                hardware.neighbour = kind is Mischief.NEIGHBOUR_LOUD
            case Mischief.EAR_BROKEN | Mischief.EAR_REPAIR:
                hardware.ear_broken = kind is Mischief.EAR_BROKEN

    def _lie_to(self, pillar: Pillar, kind: Mischief, now: int) -> None:
        if pillar.unit is None:
            raise Refused("sim_powerless", unit=pillar.name)
        lies = pillar.snoop.older() if kind is Mischief.REPLAY_OLD else pillar.snoop.forged(pillar.name, now)
        if not lies:
            raise Refused("sim_nothing_heard", unit=pillar.name)
        self._fleet.give(pillar, lies)


def _told(sound: Sound) -> dict[str, Any]:
    return {
        "item": sound.item,
        "asset": sound.asset,
        "from_ms": sound.from_ms,
        "to_ms": sound.to_ms,
        "offset_ms": sound.offset_ms,
        "volume": sound.volume,
    }
