"""Signatures: the vectors of the RFCs, forgeries made by hand, and a second library on the other side."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from jwcrypto import jwk as other_jwk
from jwcrypto import jws as other_jws
from support.forge import b64, compact, compact_hs256, ed25519_private, unb64

from broadcasts.errors import ContractViolation
from broadcasts.wire import codec
from broadcasts.wire import jws as our_jws
from broadcasts.wire.jws import PublicKey, SigningKey, Typ, digest, key_name, verify
from broadcasts.wire.trust import Trust, TrustedKey, Use

# RFC 8037, appendix A.1, A.2 and A.4.
RFC_PRIVATE = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
RFC_8037_A4 = (
    b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    b"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)
# RFC 7515, appendix A.1 (HS256) and A.5 (none): well-formed documents that this contract never accepts.
RFC_7515_A1 = (
    b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
    b"bS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)
RFC_7515_A5 = (
    b"eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
    b"LmNvbS9pc19yb290Ijp0cnVlfQ."
)

KEY = SigningKey.from_jwk(json.dumps({**RFC_PRIVATE, "kid": "plan-a"}))
RAW = ed25519_private(KEY)
HEADER = {"alg": "EdDSA", "typ": "loa-plan", "kid": "plan-a"}
GOOD = KEY.sign(Typ.PLAN, b'{"v":1}')


def known(kid: str) -> PublicKey | None:
    return KEY.public if kid == "plan-a" else None


def refusal(document: bytes, typ: Typ = Typ.PLAN, find: Callable[[str], PublicKey | None] = known) -> str:
    with pytest.raises(ContractViolation) as caught:
        verify(document, typ, find)
    assert len(caught.value.detail) <= 120
    return caught.value.reason


class TestVectors:
    def test_our_key_is_the_key_of_rfc_8037(self) -> None:
        assert KEY.public == PublicKey("plan-a", RFC_PRIVATE["x"])

    def test_our_primitive_verifies_the_signature_of_rfc_8037(self) -> None:
        payload = joserfc_jws.deserialize_compact(RFC_8037_A4, KEY.public.okp(), registry=our_jws._REGISTRY).payload
        assert payload == b"Example of Ed25519 signing"

    def test_ed25519_gives_the_very_bytes_of_rfc_8037(self) -> None:
        assert compact(b'{"alg":"EdDSA"}', b"Example of Ed25519 signing", RAW) == RFC_8037_A4

    @pytest.mark.parametrize("vector", [RFC_8037_A4, RFC_7515_A1, RFC_7515_A5], ids=["8037-A4", "7515-A1", "7515-A5"])
    def test_a_vector_is_well_formed_and_still_not_of_this_contract(self, vector: bytes) -> None:
        assert refusal(vector) == "bad_header"

    def test_the_same_words_give_the_same_document(self) -> None:
        assert KEY.sign(Typ.PLAN, b'{"v":1}') == GOOD == compact(HEADER, b'{"v":1}', RAW)
        assert verify(GOOD, Typ.PLAN, known) == b'{"v":1}'
        assert len(digest(GOOD)) == 64


def es256(header: dict[str, Any], payload: bytes) -> bytes:
    body = b64(json.dumps(header).encode()) + b"." + b64(payload)
    r, s = decode_dss_signature(ec.generate_private_key(ec.SECP256R1()).sign(body, ec.ECDSA(hashes.SHA256())))
    return body + b"." + b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


class TestForgeries:
    def test_no_algorithm(self) -> None:
        body = b64(json.dumps({**HEADER, "alg": "none"}).encode()) + b"." + b64(b"{}")
        assert refusal(body + b".") == "bad_header"
        assert refusal(b64(json.dumps(HEADER).encode()) + b"." + b64(b"{}") + b".") == "bad_signature"

    @pytest.mark.parametrize("secret", [unb64(KEY.public.x), KEY.public.x.encode()], ids=["raw", "text"])
    def test_the_public_key_used_as_a_shared_secret(self, secret: bytes) -> None:
        assert refusal(compact_hs256({**HEADER, "alg": "HS256"}, b"{}", secret)) == "bad_header"
        assert refusal(compact_hs256(HEADER, b"{}", secret)) == "bad_signature"

    def test_another_curve(self) -> None:
        assert refusal(es256({**HEADER, "alg": "ES256"}, b"{}")) == "bad_header"
        assert refusal(es256(HEADER, b"{}")) == "bad_signature"

    @pytest.mark.parametrize(
        "alg", ["ed25519", "eddsa", "EDDSA", "Ed25519", "Ed448", "", None, 1, ["EdDSA"], {"EdDSA": 1}]
    )
    def test_any_other_spelling_of_the_algorithm(self, alg: object) -> None:
        assert refusal(compact({**HEADER, "alg": alg}, b"{}", RAW)) == "bad_header"

    @pytest.mark.parametrize(
        "extra",
        [
            {"jwk": {name: RFC_PRIVATE[name] for name in ("kty", "crv", "x")}},
            {"jku": "https://keys.example/all.json"},
            {"x5c": ["MIIB"]},
            {"x5u": "https://keys.example/chain.pem"},
            {"crit": ["exp"], "exp": 1},
            {"b64": False, "crit": ["b64"]},
            {"cty": "json"},
            {"zip": "DEF"},
        ],
        ids=lambda extra: next(iter(extra)),
    )
    def test_a_header_that_says_more_than_it_may(self, extra: dict[str, Any]) -> None:
        assert refusal(compact({**HEADER, **extra}, b"{}", RAW)) == "bad_header"

    @pytest.mark.parametrize("missing", ["alg", "typ", "kid"])
    def test_a_header_that_says_less_than_it_must(self, missing: str) -> None:
        assert refusal(compact({n: v for n, v in HEADER.items() if n != missing}, b"{}", RAW)) == "bad_header"

    @pytest.mark.parametrize("typ", [typ for typ in Typ if typ is not Typ.PLAN])
    def test_a_document_of_one_kind_shown_as_another(self, typ: Typ) -> None:
        assert refusal(KEY.sign(typ, b"{}")) == "bad_header"

    @pytest.mark.parametrize("first", ["none", "HS256", "EdDSA"])
    def test_a_header_field_twice_because_readers_disagree_which_counts(self, first: str) -> None:
        header = f'{{"alg":"{first}","alg":"EdDSA","typ":"loa-plan","kid":"plan-a"}}'.encode()
        assert refusal(compact(header, b"{}", RAW)) == "bad_header"

    @pytest.mark.parametrize(
        "header",
        [
            b"[" * 300,
            b"null",
            b'"EdDSA"',
            b'[["alg","EdDSA"],["typ","loa-plan"],["kid","plan-a"]]',
            json.dumps(HEADER).encode("utf-16"),
            b"\xef\xbb\xbf" + json.dumps(HEADER).encode(),
            json.dumps(HEADER).encode() + b"x",
            json.dumps({**HEADER, "kid": "k" * 500}).encode(),
            b"\xff",
            b"",
        ],
        ids=["deep", "null", "text", "pairs", "utf-16", "bom", "trailing", "long", "not-utf-8", "empty"],
    )
    def test_a_header_that_is_no_header(self, header: bytes) -> None:
        assert refusal(compact(header, b"{}", RAW)) == "not_signed"

    def test_a_header_as_deep_as_a_message_is_long_is_refused_without_being_parsed(self) -> None:
        assert refusal(compact(b"[" * 40_000, b"{}", RAW)) == "not_signed"

    def test_a_payload_exchanged(self) -> None:
        head, _, signature = GOOD.split(b".")
        assert refusal(b".".join((head, b64(b'{"v":2}'), signature))) == "bad_signature"

    def test_a_header_exchanged_for_one_that_means_the_same(self) -> None:
        _, payload, signature = GOOD.split(b".")
        respelt = b64(json.dumps(HEADER, indent=1).encode())
        assert refusal(b".".join((respelt, payload, signature))) == "bad_signature"

    @pytest.mark.parametrize("cut", [0, 1, 43, 63])
    def test_a_signature_cut_short(self, cut: int) -> None:
        head, payload, signature = GOOD.split(b".")
        assert refusal(b".".join((head, payload, b64(unb64(signature)[:cut])))) == "bad_signature"

    def test_a_signature_with_the_group_order_added(self) -> None:
        """RFC 8032, section 5.1.7: S must be below the order, or one signature has two spellings."""
        head, payload, signature = GOOD.split(b".")
        raw = unb64(signature)
        order = 2**252 + 27742317777372353535851937790883648493
        s = int.from_bytes(raw[32:], "little") + order
        assert refusal(b".".join((head, payload, b64(raw[:32] + s.to_bytes(32, "little"))))) == "bad_signature"

    def test_a_signature_respelt_in_base64(self) -> None:
        """86 characters carry 516 bits for 512: the last four must be zero, or one signature has 16 spellings."""
        head, payload, signature = GOOD.split(b".")
        for last in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            respelt = signature[:-1] + bytes([last])
            if respelt != signature:
                assert refusal(b".".join((head, payload, respelt))) == "bad_signature"

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda d: d + b"\n",
            lambda d: b" " + d,
            lambda d: d + b"=",
            lambda d: d.replace(b".", b".\n", 1),
            lambda d: d.replace(b".", b" .", 1),
            lambda d: d + b".",
            lambda d: d + b".e30",
            lambda d: d.rsplit(b".", 1)[0],
            lambda d: d.replace(b".", b""),
            lambda d: b"",
            lambda d: b'{"payload":"e30","signatures":[]}',
            lambda d: b"\xff" + d,
        ],
        ids=[
            "newline",
            "space",
            "padding",
            "inner-newline",
            "inner-space",
            "dot",
            "four",
            "two",
            "one",
            "empty",
            "json",
            "byte",
        ],
    )
    def test_a_document_spelt_in_another_way(self, spoil: Callable[[bytes], bytes]) -> None:
        assert refusal(spoil(GOOD)) in ("not_signed", "bad_signature")

    @given(st.data())
    def test_no_bit_of_a_signed_document_can_be_turned(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(GOOD) - 1))
        bit = data.draw(st.integers(0, 7))
        turned = bytearray(GOOD)
        turned[at] ^= 1 << bit
        assert refusal(bytes(turned)) in ("not_signed", "bad_header", "bad_signature", "key_not_trusted")

    @given(
        st.binary(max_size=200)
        | st.lists(st.binary(max_size=40), min_size=3, max_size=3).map(lambda p: b".".join(map(b64, p)))
    )
    def test_whatever_arrives_is_refused_in_words_and_never_raises_anything_else(self, document: bytes) -> None:
        assert refusal(document) in ("not_signed", "bad_header")


NOON = 1_795_399_200_000


class TestTrust:
    keys: ClassVar = {use: SigningKey.generate(f"{use}-a") for use in Use}
    trust = Trust(
        version=1,
        issued_at=NOON,
        keys=[
            TrustedKey(kid=key.kid, use=use, x=key.public.x, not_before=NOON, not_after=NOON + 1000)
            for use, key in keys.items()
        ],
    )

    def find(self, typ: Typ, at: int = NOON) -> Callable[[str], PublicKey | None]:
        return lambda kid: self.trust.key(kid, typ, at)

    @pytest.mark.parametrize(
        ("typ", "good"),
        [
            (Typ.PLAN, Use.PLAN),
            (Typ.ALERT, Use.ALERT),
            (Typ.DRILL, Use.DRILL),
            (Typ.TIME, Use.TIME),
            (Typ.FIRMWARE, Use.FIRMWARE),
            (Typ.COMMAND, Use.COMMAND),
            (Typ.JOURNAL_ACK, Use.COMMAND),
            (Typ.TRUST, None),
            (Typ.JOURNAL, None),
            (Typ.CLIP, None),
        ],
    )
    def test_a_key_signs_only_what_its_use_says(self, typ: Typ, good: Use | None) -> None:
        for use, key in self.keys.items():
            document = key.sign(typ, b"{}")
            if use is good:
                assert verify(document, typ, self.find(typ)) == b"{}"
            else:
                assert refusal(document, typ, self.find(typ)) == "key_not_trusted"

    @pytest.mark.parametrize(
        ("at", "valid"), [(NOON - 1, False), (NOON, True), (NOON + 999, True), (NOON + 1000, False)]
    )
    def test_a_key_is_valid_from_its_first_to_before_its_last_instant(self, at: int, valid: bool) -> None:
        assert (self.trust.key("plan-a", Typ.PLAN, at) is not None) is valid

    def test_a_key_of_the_same_name_that_is_not_listed_is_dead_at_once(self) -> None:
        impostor = SigningKey.generate("plan-a")
        assert refusal(impostor.sign(Typ.PLAN, b"{}"), Typ.PLAN, self.find(Typ.PLAN)) == "bad_signature"
        assert Trust(version=2, issued_at=NOON, keys=[]).key("plan-a", Typ.PLAN, NOON) is None

    @pytest.mark.parametrize("x", ["A" * 42 + "B", "_" * 43, "A" * 43])
    def test_a_listed_key_that_is_no_key_is_a_refusal_and_not_an_exception(self, x: str) -> None:
        assert refusal(GOOD, Typ.PLAN, lambda kid: PublicKey(kid, x)) == "bad_signature"

    def test_unseal_refuses_what_is_too_large_before_it_looks_at_the_signature(self) -> None:
        with pytest.raises(ContractViolation) as caught:
            codec.unseal(Trust, GOOD, Typ.PLAN, known, max_bytes=len(GOOD) - 1)
        assert caught.value.reason == "oversized"


class TestSecondLibrary:
    """jwcrypto knows nothing of our code: what it verifies is a JWS, what it signs we must accept."""

    theirs = other_jwk.JWK(**RFC_PRIVATE)

    @given(st.binary(min_size=1, max_size=500), st.sampled_from(Typ))
    def test_it_verifies_what_we_sign(self, payload: bytes, typ: Typ) -> None:
        token = other_jws.JWS()
        token.allowed_algs = ["EdDSA"]
        token.deserialize(KEY.sign(typ, payload).decode(), self.theirs)
        assert token.payload == payload
        assert token.jose_header == {"alg": "EdDSA", "typ": str(typ), "kid": "plan-a"}

    @given(st.binary(min_size=1, max_size=500), st.sampled_from(Typ))
    def test_we_verify_what_it_signs(self, payload: bytes, typ: Typ) -> None:
        token = other_jws.JWS(payload)
        token.allowed_algs = ["EdDSA"]
        token.add_signature(self.theirs, "EdDSA", json.dumps({"alg": "EdDSA", "typ": str(typ), "kid": "plan-a"}))
        document = token.serialize(compact=True).encode()
        assert verify(document, typ, known) == payload
        assert key_name(document, typ) == "plan-a"


class TestKeys:
    def test_a_private_key_survives_being_written_down_and_never_shows_itself(self) -> None:
        key = SigningKey.generate("root-1")
        again = SigningKey.from_jwk(key.to_jwk())
        assert again.public == key.public
        assert again.sign(Typ.TRUST, b"{}") == key.sign(Typ.TRUST, b"{}")
        assert json.loads(key.to_jwk())["d"] not in f"{key!r} {key} {vars(key)}"

    @pytest.mark.parametrize(
        "spoil",
        [{"kty": "EC"}, {"crv": "Ed448"}, {"d": ""}, {"kid": ""}, {"kid": None}],
        ids=lambda spoil: next(iter(spoil)),
    )
    def test_anything_but_an_ed25519_private_key_with_a_name_is_refused(self, spoil: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="Ed25519 private key"):
            SigningKey.from_jwk(json.dumps({**RFC_PRIVATE, "kid": "a", **spoil}))

    def test_a_key_that_is_not_json_is_refused(self) -> None:
        with pytest.raises(ValueError, match="Expecting value"):
            SigningKey.from_jwk("ed25519 nWGxne")
