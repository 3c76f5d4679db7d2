"""What can be done to a unit while it runs live: the list that `describe` prints and the control socket obeys.

The virtual world has its own, larger chances; these are the ones a person at the simulator's page or a test asks for.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from broadcasts.errors import ContractViolation, Refused
from broadcasts.wire import topics
from broadcasts.wire.jws import SigningKey, Typ, key_name
from broadcasts.wire.live_packet import is_packet
from broadcasts.wire.topics import In, ScopeTopic
from device_sim.events import Arrived


class Mischief(StrEnum):
    OFFLINE = "offline"
    ONLINE = "online"
    POWER_OFF = "power_off"
    POWER_ON = "power_on"
    REBOOT = "reboot"
    MAINS_OFF = "mains_off"
    MAINS_ON = "mains_on"
    CLOCK_OFF = "clock_off"
    WIRE_CUT = "wire_cut"
    WIRE_REPAIR = "wire_repair"
    WIRE_LOOSE = "wire_loose"
    FILES_SWAPPED = "files_swapped"
    FILES_RIGHT = "files_right"
    NEIGHBOUR_LOUD = "neighbour_loud"
    NEIGHBOUR_QUIET = "neighbour_quiet"
    EAR_BROKEN = "ear_broken"
    EAR_REPAIR = "ear_repair"
    AMPLIFIER_STUCK = "amplifier_stuck"
    AMPLIFIER_FREE = "amplifier_free"
    CABINET_HOT = "cabinet_hot"
    CABINET_COOL = "cabinet_cool"
    NAT_TIMEOUT = "nat_timeout"
    CORRUPT_NEXT_FETCH = "corrupt_next_fetch"
    BREAK_NEXT_FETCH = "break_next_fetch"
    DUPLICATE_MESSAGES = "duplicate_messages"
    REPLAY_OLD = "replay_old"
    FORGE = "forge"
    SOURCE_SILENT = "source_silent"
    SOURCE_OFF = "source_off"
    SOURCE_BACK = "source_back"
    LOSE_STORAGE = "lose_storage"


@dataclass(frozen=True)
class Kind:
    """One kind of mischief for people: what it does, and the arguments it takes with their JSON types."""

    words: str
    arguments: Mapping[str, type] = field(default_factory=dict)


KINDS: dict[Mischief, Kind] = {
    Mischief.OFFLINE: Kind("the mobile link is gone; the broker speaks the last will"),
    Mischief.ONLINE: Kind("the mobile link is back"),
    Mischief.POWER_OFF: Kind("no power at all: silence, and everything not on the disk is forgotten"),
    Mischief.POWER_ON: Kind("power is back: the unit boots"),
    Mischief.REBOOT: Kind("the watchdog bites: off and on again"),
    Mischief.MAINS_OFF: Kind("mains is gone, the battery carries the unit"),
    Mischief.MAINS_ON: Kind("mains is back"),
    Mischief.CLOCK_OFF: Kind("the hardware clock is moved by so many seconds", {"seconds": float}),
    Mischief.WIRE_CUT: Kind("the wire to the horns is cut: the decoder runs, nobody hears"),
    Mischief.WIRE_REPAIR: Kind("the wire is whole again"),
    Mischief.WIRE_LOOSE: Kind("the wire has a loose contact: 20 s of sound, 20 s of silence; a repair mends it too"),
    Mischief.FILES_SWAPPED: Kind("another programme sounds under the name of every file"),
    Mischief.FILES_RIGHT: Kind("files are what their names say again"),
    Mischief.NEIGHBOUR_LOUD: Kind("a pole nearby sounds its own programme, louder than ours at the microphone"),
    Mischief.NEIGHBOUR_QUIET: Kind("the pole nearby is quiet again"),
    Mischief.EAR_BROKEN: Kind("the microphone, or the tap of the line-out, gives nothing but its own hiss"),
    Mischief.EAR_REPAIR: Kind("the ear is good again"),
    Mischief.AMPLIFIER_STUCK: Kind("the amplifier's relay stays closed: it draws current and hisses between sounds"),
    Mischief.AMPLIFIER_FREE: Kind("the relay of the amplifier opens again"),
    Mischief.CABINET_HOT: Kind("the cabinet has so many degrees", {"celsius": float}),
    Mischief.CABINET_COOL: Kind("the cabinet is in the shade again"),
    Mischief.NAT_TIMEOUT: Kind("the operator forgets the connection: it looks up, and nothing passes"),
    Mischief.CORRUPT_NEXT_FETCH: Kind("one bit of the next download is turned on the way"),
    Mischief.BREAK_NEXT_FETCH: Kind("the next download breaks off after so many bytes", {"bytes": int}),
    Mischief.DUPLICATE_MESSAGES: Kind("every message travels twice, both ways", {"on": bool}),
    Mischief.REPLAY_OLD: Kind("a hostile broker says every older document again"),
    Mischief.FORGE: Kind("a hostile broker shows documents that no trusted key has signed"),
    Mischief.SOURCE_SILENT: Kind("every station that is relayed here is silent, its carrier stands"),
    Mischief.SOURCE_OFF: Kind("no station can be received here; what was relayed breaks off"),
    Mischief.SOURCE_BACK: Kind("stations are received here again"),
    Mischief.LOSE_STORAGE: Kind("the disk is replaced by an empty one, and the unit boots"),
}


def argument(kind: Mischief, given: Mapping[str, object]) -> float | int | bool | None:
    """The one argument that `kind` takes, or none. Raises Refused: `sim_argument`."""
    for name, wanted in KINDS[kind].arguments.items():
        value = given.get(name)
        fits = isinstance(value, bool) if wanted is bool else isinstance(value, wanted | int)
        if not fits or (wanted is not bool and isinstance(value, bool)):
            raise Refused("sim_argument", fault=str(kind), name=name, type=wanted.__name__)
        assert isinstance(value, float | int)
        return value
    return None


REMEMBERED = 8


class Eavesdropper:
    """What a hostile broker has seen go to one unit: the last few documents of each topic."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[bytes]] = {}
        self._sound: dict[str, deque[bytes]] = {}
        """Packets of live voice, ten for each document."""

    def note(self, arrived: Arrived) -> None:
        store = self._sound if is_packet(arrived.payload) else self._seen
        seen = store.setdefault(arrived.topic, deque(maxlen=REMEMBERED))
        if arrived.payload and arrived.payload not in seen:
            seen.append(arrived.payload)

    def older(self) -> list[Arrived]:
        """All but the newest of each topic, oldest first; of what is said once, the newest too."""
        again: list[Arrived] = []
        for topic, seen in self._seen.items():
            once = topic.endswith((f"/{In.COMMAND}", f"/{In.TIME}"))
            again += [Arrived(topic, payload) for payload in (list(seen) if once else list(seen)[:-1])]
        return again + [Arrived(topic, payload) for topic, seen in self._sound.items() for payload in seen]

    def forged(self, unit: str, now: int) -> list[Arrived]:
        """Documents as a thief of the broker would make them, telling the unit to sound at once: the right key name
        and another key, no algorithm, a payload exchanged under a good signature, and the bare payload."""
        made: list[Arrived] = []
        for topic in (topics.to_unit(unit, In.PLAN), topics.to_unit(unit, In.COMMAND), *self._scope_topics()):
            genuine = self._seen[topic][-1] if topic in self._seen else b""
            typ = _TYPS[topic.rsplit("/", 1)[1]]
            head, body, signature = _parts(genuine) or (_b64(b"{}"), _b64(b'{"v":1}'), b"")
            kid, wish = _key_name(genuine, typ), _tempting(_unb64(body), now)
            no_algorithm = json.dumps({"alg": "none", "typ": str(typ), "kid": kid}).encode()
            made += [
                Arrived(topic, SigningKey.generate(kid).sign(typ, wish)),
                Arrived(topic, b".".join((_b64(no_algorithm), _b64(wish), b""))),
                Arrived(topic, b".".join((head, _b64(wish), signature))),
                Arrived(topic, wish),
            ]
        return made + [
            each for topic in self._seen if topic.endswith(f"/{ScopeTopic.LIVE}") for each in self._spliced(topic, now)
        ]

    def _spliced(self, topic: str, now: int) -> list[Arrived]:
        """Live voice: a session that goes on for ever, by another key and under the old signature; packets to be played
        at other instants, under their old signature and under a key of ours."""
        made: list[Arrived] = []
        thief = SigningKey.generate("session")
        for payload in (*self._seen[topic], *self._sound.get(topic, ())):
            if is_packet(payload):
                said = payload[:12] + (2**31).to_bytes(4, "big") + (now + 2_000).to_bytes(8, "big") + payload[24:-64]
                made += [Arrived(topic, said + payload[-64:]), Arrived(topic, said + thief.sign_bytes(said))]
            elif (parts := _parts(payload)) is not None:
                head, body, signature = parts
                wish = json.loads(_unb64(body)) | {"said_at": now, "hard_end": now + 600_000, "key": thief.public.x}
                wish.pop("ends_at", None)
                told = json.dumps(wish, separators=(",", ":")).encode()
                for typ in (Typ.LIVE, Typ.LIVE_ALERT):
                    made.append(Arrived(topic, SigningKey.generate(_key_name(payload, typ)).sign(typ, told)))
                made.append(Arrived(topic, b".".join((head, _b64(told), signature))))
        return made

    def _scope_topics(self) -> list[str]:
        return [topic for topic in self._seen if topic.endswith((f"/{ScopeTopic.ALERT}", f"/{ScopeTopic.DRILL}"))]


_TYPS = {
    str(In.PLAN): Typ.PLAN,
    str(In.COMMAND): Typ.COMMAND,
    str(ScopeTopic.ALERT): Typ.ALERT,
    str(ScopeTopic.DRILL): Typ.DRILL,
}


def _tempting(payload: bytes, now: int) -> bytes:
    """The same document, newer, and with everything in it to be done right now."""
    told = json.loads(payload)
    told.update({"version": now, "seq": 2**40, "issued_at": now, "expires_at": now + 600_000})
    for item in told.get("items", []):
        item.update({"id": f"forged-{item['id']}"[:64], "start": now + 2_000, "not_after": now + 600_000})
    for alert in [*told.get("alerts", []), *told.get("drills", [])]:
        alert.update(
            {"id": f"forged-{alert['id']}"[:64], "issued_at": now, "not_before": now, "hard_end": now + 600_000}
        )
    return json.dumps(told, separators=(",", ":")).encode()


def _key_name(document: bytes, typ: Typ) -> str:
    try:
        return key_name(document, typ)
    except ContractViolation:
        return "plan-1"


def _parts(document: bytes) -> tuple[bytes, bytes, bytes] | None:
    parts = document.split(b".")
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None


def _b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _unb64(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
