"""The examples that an outsider wrote from CONTRACT.md, against our own reading of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support.forge import compact, ed25519_private

from broadcasts.errors import ContractViolation
from broadcasts.wire import codec, jws, topics
from broadcasts.wire.alert import AlertDocument, AlertKind
from broadcasts.wire.base import Message
from broadcasts.wire.export import FOLDER, SPOKEN, Spoken
from broadcasts.wire.journal import AnyEntry, Ended, Entry, JournalBatch, Started
from broadcasts.wire.plan import Item, Late, OnPreempt, Plan
from broadcasts.wire.relay import Relay
from broadcasts.wire.trust import Trust

GOLDEN = Path(__file__).parent / "golden"
KINDS = {spoken.name: spoken for spoken in SPOKEN}
GOOD = sorted(GOLDEN.glob("*.json"))
READ_SAFELY = {"alert.newer", "plan.newer", "command.newer"}
"""They say words that we do not know and read as others: saying them again loses those."""
BAD = sorted((GOLDEN / "bad").glob("*.json"))
OF_DRILLS = ("drill-loud", "drill-ends", "drill-stands")
"""Rules of drills that span fields."""
RFC_8037_KEY = jws.SigningKey.from_jwk(
    json.dumps(
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "kid": "plan-2026-11",
        }
    )
)


def kind_of(example: Path) -> Spoken:
    return KINDS[example.name.split(".")[0]]


def read(example: Path) -> Message:
    spoken = kind_of(example)
    return codec.decode(spoken.model, example.read_bytes(), spoken.manner.max_bytes)


def says_the_same(told: Any, said: Any) -> bool:
    """Whether everything in `told` is also in `said`, fields of a newer peer excepted."""
    if isinstance(told, dict):
        known = {name: value for name, value in told.items() if not name.startswith("said_by_a_newer")}
        return isinstance(said, dict) and all(n in said and says_the_same(v, said[n]) for n, v in known.items())
    if isinstance(told, list):
        return isinstance(said, list) and len(told) == len(said) and all(map(says_the_same, told, said))
    return bool(told == said)


def test_every_kind_of_message_has_an_example() -> None:
    assert {kind_of(example).name for example in GOOD} == set(KINDS)


@pytest.mark.parametrize("example", [path for path in GOOD if path.stem not in READ_SAFELY], ids=lambda path: path.stem)
def test_a_good_example_is_read_and_said_again_without_loss(example: Path) -> None:
    message = read(example)
    said = codec.encode(message)
    assert says_the_same(json.loads(example.read_bytes()), json.loads(said))
    assert codec.decode(kind_of(example).model, said) == message


@pytest.mark.parametrize("example", GOOD, ids=lambda path: path.stem)
def test_a_good_example_and_what_we_say_validate_against_the_published_schema(example: Path) -> None:
    schema = json.loads((FOLDER / "schemas" / f"{kind_of(example).name}.json").read_bytes())
    validator = Draft202012Validator(schema)
    validator.validate(json.loads(example.read_bytes()))
    validator.validate(json.loads(codec.encode(read(example))))


def test_the_examples_show_every_kind_of_journal_entry() -> None:
    shown: set[type[Entry]] = set()
    for example in GOLDEN.glob("journal.*.json"):
        batch = read(example)
        assert isinstance(batch, JournalBatch)
        shown |= {type(entry) for entry in batch.entries}
    assert shown == {tagged.__origin__ for tagged in AnyEntry.__origin__.__args__}


def test_an_example_means_what_its_author_meant() -> None:
    plan, trust = read(GOLDEN / "plan.json"), read(GOLDEN / "trust.json")
    alert, evidence = read(GOLDEN / "alert.json"), read(GOLDEN / "journal.evidence.json")
    assert isinstance(plan, Plan)
    assert isinstance(trust, Trust)
    assert isinstance(alert, AlertDocument)
    assert isinstance(evidence, JournalBatch)
    news, vaccination = plan.items
    assert (news.rank, news.deadline, vaccination.on_preempt) == (0, None, "next_slot")
    assert [alert.target for alert in alert.alerts] == ["all", ["u-0042", "u-0043"]]
    assert [entry.by for entry in evidence.entries if isinstance(entry, Ended)] == ["d-vaccination.2", None]
    at = trust.issued_at
    assert trust.key("plan-2026-11", jws.Typ.PLAN, at) == RFC_8037_KEY.public
    assert trust.key("plan-2026-11", jws.Typ.ALERT, at) is None
    assert trust.key("command-2026-11", jws.Typ.JOURNAL_ACK, at) is not None
    assert trust.key("plan-2026-11", jws.Typ.PLAN, 1826931600000) is None, "the end is not part of the validity"


def test_a_word_of_a_newer_version_is_read_as_what_sounds_least() -> None:
    """CONTRACT.md, section 11: one new word in one entry must not silence a document, nor keep alive what it ends."""
    plan, alert = read(GOLDEN / "plan.newer.json"), read(GOLDEN / "alert.newer.json")
    assert isinstance(plan, Plan)
    assert isinstance(alert, AlertDocument)
    stream, dab = plan.items
    assert (stream.on_preempt, stream.late) == (OnPreempt.DROP, Late.DROP)
    assert dab.relay is not None
    assert (dab.relay.source, dab.relay.url, dab.relay.frequency_khz) == ("vov-dab", None, None)
    assert [each.codec for each in plan.assets] == ["usac"]
    assert [(each.id, each.kind) for each in alert.alerts] == [("al-9", AlertKind.OTHER), ("al-10", AlertKind.SALT)]


def test_a_key_for_a_use_of_a_newer_version_is_kept_and_good_for_nothing() -> None:
    trust = read(GOLDEN / "trust.newer.json")
    assert isinstance(trust, Trust)
    assert trust.keys[-1].use == "live"
    assert [typ for typ in jws.Typ if trust.key("live-a", typ, trust.issued_at) is not None] == []
    assert trust.key("plan-2026-11", jws.Typ.PLAN, trust.issued_at) == RFC_8037_KEY.public


def test_an_entry_with_a_word_of_a_newer_version_proves_nothing_and_spoils_nothing() -> None:
    batch = read(GOLDEN / "journal.newer.json")
    assert isinstance(batch, JournalBatch)
    assert [type(entry).__name__ for entry in batch.entries] == [
        "FaultEntry", "OtherEntry", "OtherEntry", "OtherEntry", "FaultEntry"
    ]  # fmt: skip
    assert [entry.kind for entry in batch.entries] == ["fault", "door_opened", "skipped", "ended", "fault"]


def test_we_ourselves_say_no_word_that_the_contract_does_not_have() -> None:
    plan = read(GOLDEN / "plan.json")
    assert isinstance(plan, Plan)
    fields = plan.items[0].model_dump()
    for name in ("on_preempt", "late"):
        with pytest.raises(ValueError, match=name):
            Item(**{**fields, name: "newer"})
    with pytest.raises(ValueError, match="one of them"):
        Relay(source="vov1", length_ms=1_000)


@pytest.mark.requirement("R-024")
def test_a_relay_names_its_source_in_plan_and_journal() -> None:
    plan, journal = read(GOLDEN / "plan.relay.json"), read(GOLDEN / "journal.relay.json")
    assert isinstance(plan, Plan)
    assert isinstance(journal, JournalBatch)
    stream, tuner = (item.relay for item in plan.items)
    assert stream is not None
    assert tuner is not None
    assert (stream.source, stream.frequency_khz, stream.silence_s) == ("vov1", None, 30)
    assert (tuner.url, tuner.frequency_khz, tuner.silence_s) == (None, 100_400, 20)
    started, _, _, ended = journal.entries
    assert isinstance(started, Started)
    assert isinstance(ended, Ended)
    assert (started.relay, ended.relay, ended.relay_ms, ended.fallback_ms) == ("vov1", "vov1", 569_979, 300_000)
    assert {started.asset, ended.asset} == {plan.items[0].asset}, "the fallback stands where it always stood"


@pytest.mark.parametrize("document", sorted((GOLDEN / "signed").glob("*.jws")), ids=lambda path: path.stem)
def test_a_signed_example_verifies_and_our_signer_gives_the_same_bytes(document: Path) -> None:
    spoken = KINDS[document.name.split(".")[0]]
    assert spoken.typ is not None
    signed = document.read_bytes().rstrip(b"\n")
    payload = jws.verify(signed, spoken.typ, lambda kid: RFC_8037_KEY.public if kid == RFC_8037_KEY.kid else None)
    assert json.loads(payload) == json.loads((GOLDEN / f"{document.stem}.json").read_bytes())
    assert RFC_8037_KEY.sign(spoken.typ, payload) == signed


def put(case: dict[str, Any]) -> None:
    """Hand the bad input of `case` to the reader it is meant for."""
    if "topic" in case:
        topics.parse(case["topic"])
        return
    if "header" in case:
        codec.unseal(Plan, hand_signed(case["header"], GOLDEN / "plan.json"), jws.Typ.PLAN, only_the_rfc_key)
        return
    spoken = KINDS[case["message"]]
    payload = b" " * case["size"] if "size" in case else case.get("text", json.dumps(case.get("payload"))).encode()
    if case.get("signed"):
        assert spoken.typ is not None
        codec.unseal(spoken.model, payload, spoken.typ, only_the_rfc_key, spoken.manner.max_bytes)
    else:
        codec.decode(spoken.model, payload, spoken.manner.max_bytes)


def only_the_rfc_key(kid: str) -> jws.PublicKey | None:
    return RFC_8037_KEY.public if kid == RFC_8037_KEY.kid else None


def hand_signed(header: dict[str, Any], payload: Path) -> bytes:
    """A document whose signature is right for whatever its header says."""
    return compact(header, payload.read_bytes(), ed25519_private(RFC_8037_KEY))


@pytest.mark.parametrize("case", BAD, ids=lambda path: path.stem)
def test_a_bad_example_is_refused_with_the_reason_of_the_contract(case: Path) -> None:
    told = json.loads(case.read_bytes())
    with pytest.raises(ContractViolation) as refusal:
        put(told)
    assert refusal.value.reason == told["reason"]
    if "where" in told:
        assert refusal.value.detail.startswith(f"{told['where']}:")
    assert len(refusal.value.detail) <= 200, "a refusal ends up in logs: the sender must not choose its length"


def test_the_bad_examples_show_every_reason() -> None:
    shown = {json.loads(case.read_bytes())["reason"] for case in BAD}
    assert shown == {
        "bad_header",
        "bad_signature",
        "empty",
        "key_not_trusted",
        "malformed",
        "not_signed",
        "oversized",
        "unknown_topic",
        "unknown_version",
    }


def test_the_schema_refuses_what_it_can_say(subtests: pytest.Subtests) -> None:
    """Every bad payload whose fault lies in one field; what spans fields is said by the models alone."""
    spans = {
        "plan-",
        "trust-key-",
        "alert-ends",
        "live-ends",
        "live-says",
        "unit-with-newline",
    }  # the last: Python's `$`, not ECMA's
    checked = 0
    for case in BAD:
        told = json.loads(case.read_bytes())
        if "payload" not in told or any(case.stem.startswith(start) for start in (*spans, *OF_DRILLS)):
            continue
        with subtests.test(case.stem):
            schema = json.loads((FOLDER / "schemas" / f"{told['message']}.json").read_bytes())
            assert not Draft202012Validator(schema).is_valid(told["payload"])
        checked += 1
    assert checked >= 18
