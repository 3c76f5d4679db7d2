"""The contract for machines: JSON Schema of every message, and an AsyncAPI 3 document of all topics. What a unit says
and hears over HTTPS when it joins has schemas, and no topic.

`python -m broadcasts.wire.export` writes `schemas/*.json` and `asyncapi.json` beside this file; a test compares them
with what `render` says, so that neither can drift from the models.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broadcasts.wire import topics
from broadcasts.wire.alert import AlertDocument
from broadcasts.wire.base import Message
from broadcasts.wire.drill import DrillDocument
from broadcasts.wire.ear import Clip
from broadcasts.wire.enrol import EnrolAnswer, EnrolRequest, RenewRequest
from broadcasts.wire.firmware import Manifest
from broadcasts.wire.journal import JournalAck, JournalBatch
from broadcasts.wire.jws import Typ
from broadcasts.wire.live import LiveSession
from broadcasts.wire.plan import Plan
from broadcasts.wire.status import Command, Presence, Reported, Telemetry, Time, TimeAsk
from broadcasts.wire.topics import In, Manner, Out, ScopeTopic
from broadcasts.wire.trust import USE_OF, Trust

FOLDER = Path(__file__).parent

Json = dict[str, Any]


@dataclass(frozen=True)
class Spoken:
    """One kind of message: where it travels, what is inside, who signs it (none: nobody)."""

    name: str
    topic: str
    model: type[Message]
    manner: Manner
    from_unit: bool
    typ: Typ | None = None
    emergency: Typ | None = None
    """Of the same message where it is an emergency: another key says it."""
    packets: str = ""
    """What else travels on the topic, in words, where not everything is JSON."""


def _to_unit(kind: In, model: type[Message], typ: Typ) -> Spoken:
    return Spoken(kind, topics.to_unit("{unit}", kind), model, topics.MANNERS[kind], from_unit=False, typ=typ)


def _from_unit(kind: Out, model: type[Message], typ: Typ | None = None) -> Spoken:
    return Spoken(kind, topics.from_unit("{unit}", kind), model, topics.MANNERS[kind], from_unit=True, typ=typ)


def _to_scope(kind: ScopeTopic, model: type[Message], typ: Typ, emergency: Typ | None = None, more: str = "") -> Spoken:
    topic, manner = topics.to_scope("{scope}", kind), topics.MANNERS[kind]
    return Spoken(kind, topic, model, manner, from_unit=False, typ=typ, emergency=emergency, packets=more)


SPOKEN: tuple[Spoken, ...] = (
    Spoken("trust", topics.TRUST, Trust, topics.TRUST_MANNER, from_unit=False, typ=Typ.TRUST),
    _to_unit(In.PLAN, Plan, Typ.PLAN),
    _to_unit(In.JOURNAL_ACK, JournalAck, Typ.JOURNAL_ACK),
    _to_unit(In.COMMAND, Command, Typ.COMMAND),
    _to_unit(In.TIME, Time, Typ.TIME),
    _from_unit(Out.REPORTED, Reported),
    _from_unit(Out.PRESENCE, Presence),
    _from_unit(Out.TELEMETRY, Telemetry),
    _from_unit(Out.JOURNAL, JournalBatch, Typ.JOURNAL),
    _from_unit(Out.CLIP, Clip, Typ.CLIP),
    _from_unit(Out.TIME_ASK, TimeAsk),
    _to_scope(ScopeTopic.DRILL, DrillDocument, Typ.DRILL),
    _to_scope(ScopeTopic.ALERT, AlertDocument, Typ.ALERT),
    _to_scope(
        ScopeTopic.LIVE,
        LiveSession,
        Typ.LIVE,
        Typ.LIVE_ALERT,
        "A tenth of a second of sound, signed by the session's key: CONTRACT.md, section 6a, says the bytes.",
    ),
)
"""Every message of contract version 1. The canary is the controller's own."""
OVER_HTTPS: dict[str, type[Message]] = {
    "enrol-request": EnrolRequest,
    "enrol-renewal": RenewRequest,
    "enrol-answer": EnrolAnswer,
}
"""By the name of the schema (CONTRACT.md, section 1a). The first two travel inside a signature."""
INSIDE: dict[str, type[Message]] = {"firmware-manifest": Manifest}
"""Signed, inside another message (CONTRACT.md, section 7a)."""


def schema(name: str, model: type[Message]) -> Json:
    """JSON Schema (2020-12) of the payload; of a signed message, of what is inside the signature. Rules between fields
    (an item names a listed asset, a window ends after it starts) are the models' alone: CONTRACT.md says them."""
    body = model.model_json_schema(mode="validation")
    body["required"] = ["v", *body["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:loa:v1:{name}",
        **body,
    }


def asyncapi() -> Json:
    """The controller's side as AsyncAPI 3.0: it sends what units receive, and receives what they send."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Loa, contract between controller and unit",
            "version": "1",
            "description": "Generated from broadcasts/wire. The rules of behaviour stand in CONTRACT.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {spoken.name: _channel(spoken) for spoken in SPOKEN},
        "operations": {spoken.name: _operation(spoken) for spoken in SPOKEN},
        "components": {"messages": {spoken.name: _message(spoken) for spoken in SPOKEN} | _packets()},
    }


def _names(spoken: Spoken) -> list[str]:
    return [spoken.name, f"{spoken.name}-packet"] if spoken.packets else [spoken.name]


def _packets() -> Json:
    return {
        f"{spoken.name}-packet": {
            "name": f"{spoken.name}-packet",
            "title": "Packet",
            "summary": spoken.packets,
            "x-max-bytes": spoken.manner.max_bytes,
            "contentType": "application/octet-stream",
            "payload": {"type": "string", "format": "binary"},
        }
        for spoken in SPOKEN
        if spoken.packets
    }


def _channel(spoken: Spoken) -> Json:
    channel: Json = {
        "address": spoken.topic,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _names(spoken)},
    }
    for name, words in (("unit", "The unit's id, which is also its client id."), ("scope", "A standing scope.")):
        if f"{{{name}}}" in spoken.topic:
            channel["parameters"] = {name: {"description": words}}
    return channel


def _operation(spoken: Spoken) -> Json:
    return {
        "action": "receive" if spoken.from_unit else "send",
        "channel": {"$ref": f"#/channels/{spoken.name}"},
        "messages": [{"$ref": f"#/channels/{spoken.name}/messages/{name}"} for name in _names(spoken)],
        "bindings": {"mqtt": {"qos": spoken.manner.qos, "retain": spoken.manner.retain, "bindingVersion": "0.2.0"}},
    }


def _message(spoken: Spoken) -> Json:
    inside = {"$ref": f"schemas/{spoken.name}.json"}
    message: Json = {
        "name": spoken.name,
        "title": spoken.model.__name__,
        "summary": " ".join((spoken.model.__doc__ or "").split()),
        "x-max-bytes": spoken.manner.max_bytes,
    }
    if spoken.typ is None:
        return {**message, "contentType": "application/json", "payload": inside}
    signed: Json = {"alg": "EdDSA", "typ": str(spoken.typ), "key": _signer(spoken.typ), "payload": inside}
    if spoken.emergency is not None:
        signed["emergency"] = {"typ": str(spoken.emergency), "key": _signer(spoken.emergency)}
    if spoken.typ in (Typ.JOURNAL, Typ.CLIP):
        signed["unless"] = "the unit was enrolled without a key: then the payload itself travels, unsigned"
    return {
        **message,
        "contentType": "application/jose",
        "payload": {"type": "string", "pattern": r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}$"},
        "x-signed": signed,
    }


def _signer(typ: Typ) -> str:
    if typ in USE_OF:
        return f"listed in trust for use {USE_OF[typ]}"
    return "root" if typ is Typ.TRUST else "the unit's own, kid = unit id"


def render() -> Iterator[tuple[Path, str]]:
    """Each generated file, relative to this folder, with its text."""
    for name, model in ({spoken.name: spoken.model for spoken in SPOKEN} | OVER_HTTPS | INSIDE).items():
        yield Path("schemas") / f"{name}.json", _text(schema(name, model))
    yield Path("asyncapi.json"), _text(asyncapi())


def _text(document: Json) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    for path, text in render():
        target = FOLDER / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
