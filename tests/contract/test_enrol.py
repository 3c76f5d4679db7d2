"""The examples of joining (CONTRACT.md, section 1a): what a unit asks, what it is told, its code and its label."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from broadcasts.errors import ContractViolation
from broadcasts.wire import codec, enrol, jws
from broadcasts.wire.enrol import EnrolAnswer, EnrolRequest, EnrolState, RenewRequest
from broadcasts.wire.export import FOLDER

HERE = Path(__file__).parent / "golden" / "enrol"
X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
"""Of RFC 8037, appendix A.2."""
FINGERPRINT = "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9"
"""`base64url -d | sha256sum` of it."""
CODE = "EH9DDZ7BLU"


def test_the_signed_request_is_read_by_the_key_that_it_brings() -> None:
    told = enrol.read_request((HERE / "request.jws").read_bytes())
    assert told == codec.decode(EnrolRequest, (HERE / "request.json").read_bytes())
    assert (told.serial, told.key_x) == ("VN24-000171", X)


def test_the_signed_renewal_is_read_by_the_units_key() -> None:
    def known(kid: str) -> jws.PublicKey | None:
        return jws.PublicKey(kid, X) if kid == "u-vn24-000171" else None

    told = codec.unseal(RenewRequest, (HERE / "renewal.jws").read_bytes(), jws.Typ.RENEW, known)
    assert told == codec.decode(RenewRequest, (HERE / "renewal.json").read_bytes())


@pytest.mark.parametrize("state", list(EnrolState))
def test_each_answer_is_read_and_said_the_same_again(state: EnrolState) -> None:
    raw = (HERE / f"answer.{state}.json").read_bytes()
    told = codec.decode(EnrolAnswer, raw)
    assert told.state is state
    said = json.loads(raw)
    said.pop("said_by_a_newer", None)
    assert json.loads(codec.encode(told)) == said
    assert (told.certificate is not None) == (state is EnrolState.ACCEPTED)


def test_code_and_label_follow_from_the_key_alone() -> None:
    assert enrol.fingerprint_of(X) == FINGERPRINT
    assert enrol.code_of(FINGERPRINT) == CODE
    label = enrol.label_of("VN24-000171", FINGERPRINT)
    assert label == f"LOA1:VN24-000171:{FINGERPRINT}"
    for typed in (CODE, CODE.lower(), f"{CODE[:5]}-{CODE[5:]}", f"  {CODE[:5]} {CODE[5:]} ", label):
        assert enrol.read_code(typed) == CODE


@pytest.mark.parametrize("typed", ["", "EH9DD", CODE + "A", "EH9DDZ7BL1", "LOA1:x:y", "LOA1:VN:" + "g" * 64, "\n" * 10])
def test_what_is_neither_code_nor_label_is_nothing(typed: str) -> None:
    assert enrol.read_code(typed) == ""


def test_two_keys_have_two_codes() -> None:
    prints = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(2_000)]
    assert len({enrol.code_of(each) for each in prints}) == len(prints)


def test_a_request_says_its_version_and_bounded_words() -> None:
    fields = json.loads((HERE / "request.json").read_bytes())
    for wrong in ({"v": 2}, {"serial": ""}, {"serial": "a b c"}, {"key_x": "short"}, {"secret_sha256": "A" * 64}):
        with pytest.raises(ContractViolation):
            codec.decode(EnrolRequest, json.dumps(fields | wrong).encode())
    with pytest.raises(ContractViolation) as caught:
        enrol.read_request(b"x" * (enrol.MAX_BYTES + 1))
    assert caught.value.reason == "oversized"


@pytest.mark.parametrize(
    ("schema", "examples"),
    [
        ("enrol-request", ["request.json"]),
        ("enrol-renewal", ["renewal.json"]),
        ("enrol-answer", ["answer.waiting.json", "answer.accepted.json", "answer.refused.json"]),
    ],
)
def test_the_published_schema_takes_the_examples_and_nothing_unsafe(schema: str, examples: list[str]) -> None:
    held = json.loads((FOLDER / "schemas" / f"{schema}.json").read_bytes())
    reader = Draft202012Validator(held)
    for name in examples:
        told = json.loads((HERE / name).read_bytes())
        reader.validate(told)
        wrong = told | ({"vendor": "a\x1b[2J"} if schema == "enrol-request" else {"v": 2})
        assert not reader.is_valid(wrong)
