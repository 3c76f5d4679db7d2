"""The bytes of CONTRACT.md section 6c: vectors for whoever builds another unit, and what no sender can make us do."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from support.signed import T0, asset_of, opus, siren

from broadcasts.errors import ContractViolation
from broadcasts.wire import trigger
from broadcasts.wire.alert import Alert, AlertKind, Rendition, Repeat
from broadcasts.wire.jws import SigningKey
from broadcasts.wire.trigger import Op, Trigger

VECTORS = json.loads((Path(__file__).parent / "golden" / "trigger" / "vectors.json").read_bytes())
RFC_8037_KEY = SigningKey.from_jwk(
    json.dumps(
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": VECTORS["x"],
            "kid": "alert-2026-11",
        }
    )
)
SCOPES, UNIT, KEYS = ["soc-trang", "c-31825", "u-0042"], "u-0042", [RFC_8037_KEY.public]
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""3GPP TS 23.038, section 6.2.1: one septet each."""


def named(case: dict[str, Any]) -> str:
    return str(case["name"])


@pytest.mark.parametrize("case", VECTORS["good"], ids=named)
def test_a_vector_says_what_its_author_meant_in_both_forms_and_our_signer_gives_the_same_bytes(
    case: dict[str, Any],
) -> None:
    sealed, text = bytes.fromhex(case["binary"]), case["text"]
    meant = Trigger.model_validate_json(json.dumps(case["says"]))
    assert trigger.unseal(sealed, SCOPES, UNIT, KEYS) == meant
    assert trigger.unseal(f" {text}\r\n".encode(), SCOPES, UNIT, KEYS) == meant
    assert trigger.seal(meant, RFC_8037_KEY) == sealed
    assert trigger.text(sealed) == text
    assert len(sealed) <= 140
    assert len(text) <= 160
    assert set(text) <= GSM


@pytest.mark.parametrize("case", VECTORS["good"], ids=named)
def test_a_second_library_that_has_read_the_contract_verifies_the_vectors(case: dict[str, Any]) -> None:
    sealed, says = bytes.fromhex(case["binary"]), case["says"]
    scope, unit = says["scope"].encode(), says.get("unit", "").encode()
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    said = b"loa-trigger-1\0" + scope + b"\0" + unit + b"\0" + sealed[:-64]
    Ed25519PublicKey.from_public_bytes(public).verify(sealed[-64:], said)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(public).verify(sealed[-64:], said.replace(scope, b"c-99999"))
    assert sealed[1:3] == hashlib.sha256(VECTORS["x"].encode()).digest()[:2]
    assert sealed[3:6] == hashlib.sha256(scope + b"/" + unit).digest()[:3]


@pytest.mark.parametrize("case", VECTORS["bad"], ids=named)
def test_a_bad_vector_is_refused_with_its_reason(case: dict[str, Any]) -> None:
    raw = case["text"].encode() if "text" in case else bytes.fromhex(case["binary"])
    with pytest.raises(ContractViolation) as refusal:
        trigger.unseal(raw, case.get("scopes", SCOPES), case.get("unit", UNIT), KEYS)
    assert refusal.value.reason == case["reason"]
    assert len(refusal.value.detail) <= 200


def test_the_bad_vectors_show_every_reason() -> None:
    assert {case["reason"] for case in VECTORS["bad"]} == {
        "bad_signature", "empty", "key_not_trusted", "malformed", "not_for_me", "oversized", "unknown_version"
    }  # fmt: skip


SPOKEN = st.lists(st.sampled_from(trigger.LANGUAGES), min_size=1, unique=True).map(
    lambda some: [each for each in trigger.LANGUAGES if each in some]
)
SOUNDS = st.builds(
    Trigger,
    op=st.just(Op.SOUND),
    scope=st.sampled_from(SCOPES),
    unit=st.sampled_from([None, UNIT]),
    issued_at=st.just(T0),
    version=st.integers(T0, T0 + 2**32 - 1),
    alert=st.from_regex(r"[A-Za-z0-9._-]{1,28}", fullmatch=True),
    kind=st.sampled_from(trigger.KINDS),
    languages=SPOKEN,
    repeat=st.none()
    | st.builds(Repeat, every_s=st.sampled_from(trigger.EVERY_S[1:]), times=st.none() | st.integers(1, 15)),
    volume=st.integers(0, 100),
    not_before=st.integers(0, 255).map(lambda s: T0 + s * 1000),
    hard_end=st.integers(26, 0xFFFF).map(lambda tens: T0 + tens * 10_000),
    max_blind_s=st.integers(1, 240).map(lambda n: n * 15),
)


@given(SOUNDS)
def test_whatever_a_trigger_can_say_comes_through_one_sms(told: Trigger) -> None:
    text = trigger.text(trigger.seal(told, RFC_8037_KEY))
    assert len(text) <= 160
    assert trigger.unseal(text.encode(), SCOPES, UNIT, KEYS) == told


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_a_modem_hands_us_is_a_bounded_refusal(raw: bytes) -> None:
    with pytest.raises(ContractViolation):
        trigger.unseal(raw, SCOPES, UNIT, KEYS)


@given(SOUNDS, st.integers(0, 10**6))
def test_no_single_bit_may_change(told: Trigger, where: int) -> None:
    sealed = bytearray(trigger.seal(told, RFC_8037_KEY))
    sealed[where // 8 % len(sealed)] ^= 1 << where % 8
    with pytest.raises(ContractViolation):
        trigger.unseal(bytes(sealed), SCOPES, UNIT, KEYS)


ASSET = asset_of(opus(1_000), 1_000)


@given(
    st.sampled_from(list(AlertKind)), st.integers(10, 86_400), st.none() | st.integers(1, 1000),
    st.integers(1, 24 * 3_600_000), st.integers(10, 3600), st.integers(0, 200_000),
)  # fmt: skip
def test_every_alert_fits_and_its_trigger_never_says_more_than_it(
    kind: AlertKind, every_s: int, times: int | None, lasts: int, blind: int, delay: int
) -> None:
    alert: Alert = siren(
        "a-bq7k2m4xw3h5ztnc", ASSET, T0, kind=kind, repeat=Repeat(every_s=every_s, times=times), max_blind_s=blind,
        not_before=T0 + delay, hard_end=T0 + delay + 20_000 + lasts,
    )  # fmt: skip
    told = trigger.of_alert(alert, "c-31825", T0 + 1)
    assert trigger.unseal(trigger.seal(told, RFC_8037_KEY), SCOPES, UNIT, KEYS) == told
    assert told.hard_end <= alert.hard_end
    assert told.not_before >= alert.not_before
    assert told.max_blind_s <= max(alert.max_blind_s, 15)
    assert told.repeat is not None
    assert told.repeat.every_s >= min(every_s, 10_800)
    assert times is None or (told.repeat.times or 0) <= times


def test_what_no_sms_can_say_is_refused_when_it_is_made() -> None:
    far = siren("a-1", ASSET, T0, content=[Rendition(language="lo", asset=ASSET)])
    with pytest.raises(ContractViolation, match="no code"):
        trigger.of_alert(far, "c-31825", T0)
    told = trigger.of_alert(siren("a-1", ASSET, T0), "c-31825", T0)
    for wrong in ({"alert": "x" * 29}, {"version": T0 - 1}, {"version": T0 + 2**32}, {"hard_end": T0 + 15_000 - 1}):
        with pytest.raises((ContractViolation, ValueError)):
            trigger.seal(told.model_copy(update=wrong), RFC_8037_KEY)
