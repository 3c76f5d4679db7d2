"""The packets of live voice: examples made by hand from CONTRACT.md, section 6a, and every bit of them turned over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.signed import Signer

from broadcasts.errors import ContractViolation
from broadcasts.wire import codec
from broadcasts.wire.jws import PublicKey, SigningKey, Typ
from broadcasts.wire.live import LiveSession, asset_of, item_of, open_session, seal_session
from broadcasts.wire.live_pacing import STALL_MS, Pacing
from broadcasts.wire.live_packet import FRAMES, LivePacket, is_packet, pack, session_of, unpack
from broadcasts.wire.trust import Use

VECTORS = json.loads((Path(__file__).parent / "live" / "packets.json").read_bytes())
GOLDEN = Path(__file__).parent / "golden"
THEIRS = PublicKey("session", VECTORS["key"])
KEY = SigningKey.generate("session")
SESSION = "9f86d081884c7d65"
T0 = 1_795_480_000_000


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[each["name"] for each in cases])


@named(VECTORS["good"])
def test_a_good_packet_is_read(case: dict[str, Any]) -> None:
    packet = unpack(bytes.fromhex(case["packet"]), THEIRS)
    assert (packet.session, packet.seq, packet.play_at) == (case["session"], case["seq"], case["play_at"])
    assert [frame.hex() for frame in packet.frames] == case["frames"]
    assert session_of(bytes.fromhex(case["packet"])) == case["session"]
    assert packet.ends_at - packet.play_at == 20 * len(case["frames"])


@named(VECTORS["bad"])
def test_a_bad_packet_is_refused_with_the_reason_of_the_contract(case: dict[str, Any]) -> None:
    with pytest.raises(ContractViolation) as refusal:
        unpack(bytes.fromhex(case["packet"]), THEIRS)
    assert refusal.value.reason == case["reason"]
    assert len(refusal.value.detail) <= 200


FRAME = st.binary(max_size=120).map(lambda rest: b"\xf8" + rest)
PACKETS = st.builds(
    LivePacket,
    session=st.binary(min_size=8, max_size=8).map(bytes.hex),
    seq=st.integers(0, 2**32 - 1),
    play_at=st.integers(0, 9_999_999_999_999),
    frames=st.lists(FRAME, min_size=1, max_size=FRAMES).map(tuple),
)


@given(PACKETS)
def test_what_is_packed_is_unpacked(packet: LivePacket) -> None:
    assert unpack(pack(packet, KEY), KEY.public) == packet


@given(PACKETS, st.data())
def test_one_bit_turned_over_and_the_packet_is_refused(packet: LivePacket, data: st.DataObject) -> None:
    sent = bytearray(pack(packet, KEY))
    at = data.draw(st.integers(0, 8 * len(sent) - 1))
    sent[at // 8] ^= 1 << at % 8
    with pytest.raises(ContractViolation):
        unpack(bytes(sent), KEY.public)


@given(PACKETS, st.data())
def test_a_packet_cut_short_or_made_longer_is_refused(packet: LivePacket, data: st.DataObject) -> None:
    sent = pack(packet, KEY)
    other = sent[: data.draw(st.integers(0, len(sent) - 1))] or sent + b"\0"
    for each in (other, sent + data.draw(st.binary(min_size=1, max_size=5))):
        with pytest.raises(ContractViolation):
            unpack(each, KEY.public)


@given(st.binary(max_size=600))
def test_whatever_a_broker_hands_us_is_no_packet(payload: bytes) -> None:
    for each in (payload, b"LOV1" + payload):
        with pytest.raises(ContractViolation):
            unpack(each, THEIRS)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"frames": ()}, "malformed"),
        ({"frames": (b"\xf8",) * 6}, "malformed"),
        ({"frames": (b"\x58",)}, "malformed"),
        ({"seq": 2**32}, "malformed"),
        ({"play_at": -1}, "malformed"),
        ({"session": "00"}, "malformed"),
        ({"frames": (b"\xf8" * 1_275,) * 5}, "oversized"),
    ],
)
def test_nobody_packs_what_nobody_would_read(change: dict[str, Any], reason: str) -> None:
    good = {"session": SESSION, "seq": 0, "play_at": T0, "frames": (b"\xf8",)}
    with pytest.raises(ContractViolation) as refusal:
        pack(LivePacket(**{**good, **change}), KEY)
    assert refusal.value.reason == reason


def test_no_document_looks_like_a_packet() -> None:
    assert not is_packet((GOLDEN / "signed" / "live.jws").read_bytes())
    assert is_packet(bytes.fromhex(VECTORS["good"][0]["packet"]))


# --- the document


def session(**fields: Any) -> LiveSession:
    told = codec.decode(LiveSession, (GOLDEN / "live.json").read_bytes())
    return told.model_copy(update=fields)


def reason_of(document: bytes, signer: Signer, scope: str = "my-xuyen") -> str:
    trust = signer.keys
    uses = {Typ.LIVE: Use.PLAN, Typ.LIVE_ALERT: Use.ALERT}
    with pytest.raises(ContractViolation) as refusal:
        open_session(
            document, scope, lambda typ: lambda kid: trust[uses[typ]].public if kid == trust[uses[typ]].kid else None
        )
    return refusal.value.reason


def test_a_daily_key_can_not_say_that_it_is_an_emergency() -> None:
    signer = Signer()
    plan, alert = signer.keys[Use.PLAN], signer.keys[Use.ALERT]
    assert reason_of(codec.seal(session(level=1), Typ.LIVE, plan), signer) == "key_not_trusted"
    assert reason_of(codec.seal(session(level=1), Typ.LIVE_ALERT, plan), signer) == "key_not_trusted"
    assert reason_of(codec.seal(session(level=2), Typ.LIVE_ALERT, alert), signer) == "key_not_trusted"
    assert reason_of(codec.seal(session(level=2), Typ.PLAN, plan), signer) == "bad_header"


def test_a_session_said_in_another_scope_is_nobodys() -> None:
    signer = Signer()
    assert reason_of(seal_session(session(), signer.keys[Use.PLAN]), signer, "long-phu") == "not_for_me"


def test_a_target_that_does_not_fit_is_told_to_whoever_says_it() -> None:
    names = [f"{n:032d}" for n in range(128)]
    with pytest.raises(ContractViolation, match="oversized"):
        seal_session(session(target=names), SigningKey.generate("plan-1"))


def test_a_session_has_a_name_and_a_hash_for_the_journal() -> None:
    told = session()
    assert told.item == item_of(SESSION) == "live-9f86d081884c7d65"
    # SHA-256 of the public key of RFC 8037, appendix A.2.
    assert told.asset == asset_of(told.key) == "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9"


# --- when packets are to be played


def test_packets_follow_the_sound_and_not_the_jitter_of_the_microphone() -> None:
    pacing = Pacing(1_500)
    ready = [0, 130, 190, 320, 390, 650, 655, 702]
    assert [pacing.play_at(T0 + at) for at in ready] == [T0 + 1_500 + 100 * n for n in range(len(ready))]
    assert pacing.ends_at == T0 + 1_500 + 100 * len(ready)


def test_a_microphone_that_stalled_gets_its_whole_lead_again_and_what_was_held_up_is_left_out() -> None:
    pacing = Pacing(1_500)
    assert pacing.play_at(T0) == T0 + 1_500
    stalled = T0 + 2_000
    burst = [pacing.play_at(stalled) for _ in range(20)]
    kept = [each for each in burst if each is not None]
    assert kept == [stalled + 1_500 + 100 * n for n in range(6)]
    assert burst[6:] == [None] * 14
    assert pacing.play_at(stalled + 600) == stalled + 1_500 + 600


@given(st.integers(800, 3_000), st.lists(st.integers(0, 1_500), min_size=1, max_size=60))
def test_no_packet_is_due_too_soon_or_too_far_ahead_and_none_twice(buffer_ms: int, waits: list[int]) -> None:
    pacing, now, last = Pacing(buffer_ms), T0, 0
    for wait in waits:
        now += wait
        due = pacing.play_at(now)
        if due is None:
            continue
        assert now + buffer_ms - STALL_MS <= due <= now + buffer_ms + STALL_MS
        assert due >= last + 100
        last = due
