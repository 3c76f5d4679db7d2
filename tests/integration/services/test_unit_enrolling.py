"""Who asks to be let in, who says yes, and what is refused (R-084)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from sqlalchemy import select
from support.newcomers import Newcomer
from support.services import HERE, NOON, House, raises

from broadcasts.clock import unix_ms
from broadcasts.errors import Conflict, Refused
from broadcasts.wire import codec, enrol
from broadcasts.wire.enrol import EnrolAnswer, EnrolState
from broadcasts.wire.jws import SigningKey, Typ
from controller.bootstrap import unit_terms
from controller.db.tables import Assignment, AuditEntry, Enrolment, FactoryEntry, Unit
from controller.services import enrolling, unit_enrolling, unit_renewing, unit_revoking
from controller.services.context import Context
from controller.services.unit_terms import UnitTerms
from controller.services.views import units as views


@pytest.fixture
def ctx(house: House, tmp_path: Path) -> Context:
    unit_terms.make(tmp_path / "authority", NOON)
    terms = UnitTerms(
        unit_terms.read(tmp_path / "authority", NOON), "mqtts://b.example:8883", "PEM", "https://b.example/u"
    )
    return replace(house.ctx, units=terms)


def common_name(pem: str) -> str:
    held = x509.load_pem_x509_certificates(pem.encode())[0]
    return str(held.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def accepted(ctx: Context, house: House, unit: Newcomer) -> EnrolAnswer:
    unit_enrolling.ask(ctx, unit.asks(), "192.0.2.7")
    unit_enrolling.accept(ctx, house.actor("kythuat"), unit.code)
    return unit_enrolling.ask(ctx, unit.asks(), "192.0.2.7")


@pytest.mark.requirement("R-084")
@pytest.mark.parametrize("make", [lambda: ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate])
def test_a_unit_whose_code_a_technician_types_gets_a_certificate_with_its_name(
    ctx: Context, house: House, make: Callable[[], ec.EllipticCurvePrivateKey]
) -> None:
    unit = Newcomer("Box-7/A", tls=make())
    with pytest.raises(Refused):
        unit_enrolling.accept(ctx, house.actor("kythuat"), unit.code)  # it has not asked
    waits = unit_enrolling.ask(ctx, unit.asks(), "192.0.2.7")
    assert (waits.state, waits.code, waits.certificate) == (EnrolState.WAITING, unit.code, None)
    typed = f" {unit.code[:5].lower()}-{unit.code[5:]} "
    name = unit_enrolling.accept(ctx, house.actor("kythuat"), typed)
    told = unit_enrolling.answer(ctx, waits.id)
    assert (told.state, told.unit, name) == (EnrolState.ACCEPTED, "u-box-7-a", "u-box-7-a")
    assert common_name(told.certificate or "") == "u-box-7-a"
    assert (told.broker, told.trust, told.files) == ("mqtts://b.example:8883", "PEM", "https://b.example/u")
    root = ctx.keys.root_public()
    assert (told.root_kid, told.root_x) == (root.kid, root.x)
    own, authority = x509.load_pem_x509_certificates((told.certificate or "").encode())
    own.verify_directly_issued_by(authority)
    assert own.public_key() == unit.tls.public_key()
    with ctx.db.read() as session:
        assert session.get_one(Unit, name).key_x == unit.key.public.x
        assert dict(enrolling.credentials(session))[name]
        entry = session.scalars(select(AuditEntry).where(AuditEntry.act == "unit.accept")).one()
        assert (entry.actor, entry.about, entry.detail["serial"]) == ("kythuat", name, "Box-7/A")


def test_the_text_of_the_qr_code_is_as_good_as_the_letters(ctx: Context, house: House) -> None:
    unit = Newcomer()
    unit_enrolling.ask(ctx, unit.asks(), "")
    label = enrol.label_of(unit.serial, unit.fingerprint)
    assert unit_enrolling.accept(ctx, house.actor("kythuat"), label) == "u-sn-0001"


def test_who_says_the_same_again_is_the_same_and_waits_once(ctx: Context) -> None:
    unit = Newcomer()
    told = [unit_enrolling.ask(ctx, unit.asks(), "").id for _ in range(3)]
    assert len(set(told)) == 1


def test_only_the_key_itself_asks_for_itself(ctx: Context) -> None:
    unit, thief = Newcomer(), Newcomer()
    stolen = codec.seal(unit.request(), Typ.ENROL, thief.key)
    for document, reason in (
        (stolen, "bad_signature"),
        (b"", "not_signed"),
        (b"x.y", "not_signed"),
        (unit.asks()[:-4] + b"AAAA", "bad_signature"),
        (unit.key.sign(Typ.JOURNAL, codec.encode(unit.request())), "bad_header"),
        (unit.key.sign(Typ.ENROL, b'{"v":1}'), "malformed"),
        (b"a" * 9_000, "oversized"),
    ):
        with pytest.raises(Refused) as caught:
            unit_enrolling.ask(ctx, document, "")
        assert (caught.value.key, caught.value.fields["reason"]) == ("enrolment.broken", reason)
    with ctx.db.read() as session:
        assert session.scalars(select(Enrolment)).all() == []


def test_a_certificate_request_that_is_none_or_has_a_weak_key_is_refused(ctx: Context) -> None:
    weak = Newcomer(tls=ec.generate_private_key(ec.SECP192R1()))
    for document in (weak.asks(), Newcomer().asks(request="-----BEGIN NONSENSE-----")):
        with raises(Refused, "enrolment.request"):
            unit_enrolling.ask(ctx, document, "")


def test_a_key_that_cryptography_does_not_know_is_refused_and_not_our_fault(ctx: Context) -> None:
    unit = Newcomer()
    known, other = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d030177")
    lines = unit.csr().splitlines()
    raw = base64.b64decode("".join(lines[1:-1]))
    assert known in raw
    strange = base64.b64encode(raw.replace(known, other)).decode()
    with raises(Refused, "enrolment.request"):
        unit_enrolling.ask(ctx, unit.asks(request=f"{lines[0]}\n{strange}\n{lines[-1]}\n"), "")
    other_kind = Newcomer(tls=rsa.generate_private_key(65537, 2048))
    with raises(Refused, "enrolment.request"):
        unit_enrolling.ask(ctx, other_kind.asks(), "")


@pytest.mark.parametrize("words", ["a\x1b[2Jb", "a\nAAAAAAAAAA  SN-1", "a\x00", "\u202egnihton", "a\x9b1m"])
@pytest.mark.parametrize("field", ["vendor", "model", "firmware"])
def test_what_a_stranger_calls_itself_moves_no_cursor_and_ends_no_line(ctx: Context, words: str, field: str) -> None:
    with pytest.raises(Refused) as caught:
        unit_enrolling.ask(ctx, Newcomer().asks(**{field: words}), "")
    assert (caught.value.key, caught.value.fields["reason"]) == ("enrolment.broken", "malformed")


def test_a_key_that_is_out_does_not_come_back_under_another_serial_number(ctx: Context, house: House) -> None:
    unit = Newcomer("SN-1")
    name = accepted(ctx, house, unit).unit or ""
    unit.serial = "SN-2"
    assert unit_enrolling.ask(ctx, unit.asks(), "").unit == name  # one key is one unit
    with ctx.db.write() as session:
        unit_revoking.revoke_now(ctx, session, name, "stolen", "gone", "test")
    told = unit_enrolling.ask(ctx, unit.asks(), "")
    assert (told.state, told.reason) == (EnrolState.REFUSED, "revoked")
    with raises(Refused, "enrolment.code"):
        unit_enrolling.accept(ctx, house.actor("kythuat"), unit.code)


def test_the_key_of_a_unit_that_was_set_up_by_hand_and_revoked_does_not_come_back(ctx: Context, house: House) -> None:
    unit, name = Newcomer(), f"u-{HERE}-1"
    with ctx.db.write() as session:
        session.get_one(Unit, name).key_x = unit.key.public.x
        unit_revoking.revoke_now(ctx, session, name, "stolen", "gone", "test")
    told = unit_enrolling.ask(ctx, unit.asks(), "")
    assert (told.state, told.reason, told.code) == (EnrolState.REFUSED, "revoked", unit.code)
    with ctx.db.read() as session:
        assert session.scalars(select(Enrolment)).all() == []


def test_a_key_made_to_have_the_same_ten_letters_is_not_let_in_for_the_other(ctx: Context, house: House) -> None:
    unit, forged = Newcomer("SN-1"), Newcomer("SN-1")
    for each in (unit, forged):
        unit_enrolling.ask(ctx, each.asks(), "")
    with ctx.db.write() as session:  # what a search of 2**50 keys would find
        rows = select(Enrolment).where(Enrolment.fingerprint == forged.fingerprint)
        session.scalars(rows).one().code = unit.code
    with raises(Conflict, "enrolment.code_twice"):
        unit_enrolling.accept(ctx, house.actor("kythuat"), unit.code)
    unit_enrolling.accept(ctx, house.actor("kythuat"), enrol.label_of("SN-1", unit.fingerprint))
    assert unit_enrolling.ask(ctx, unit.asks(), "").state is EnrolState.ACCEPTED
    assert unit_enrolling.ask(ctx, forged.asks(), "").state is EnrolState.WAITING


def test_the_qr_code_of_another_key_with_the_same_ten_letters_lets_nobody_in(ctx: Context, house: House) -> None:
    unit = Newcomer("SN-1")
    unit_enrolling.ask(ctx, unit.asks(), "")
    other = unit.fingerprint[:16] + "0" * 48
    with raises(Refused, "enrolment.code"):
        unit_enrolling.accept(ctx, house.actor("kythuat"), enrol.label_of("SN-1", other))


def test_no_crowd_of_strangers_keeps_out_whom_the_maker_listed(ctx: Context) -> None:
    ctx = replace(ctx, units=replace(ctx.units, most_waiting=1))
    unit_enrolling.ask(ctx, Newcomer("SN-1").asks(), "192.0.2.1")
    unit = Newcomer("SN-5")
    with ctx.db.write() as session:
        session.add(
            FactoryEntry(serial="SN-5", fingerprint=unit.fingerprint, vendor="x", listed_at=NOON, listed_by="test")
        )
    assert unit_enrolling.ask(ctx, unit.asks(), "192.0.2.1").state is EnrolState.ACCEPTED


def test_two_units_with_one_serial_number_both_wait_and_one_of_them_is_let_in(ctx: Context, house: House) -> None:
    first, second = Newcomer("SN-9"), Newcomer("SN-9")
    for unit in (first, second):
        assert unit_enrolling.ask(ctx, unit.asks(), "").state is EnrolState.WAITING
    name = unit_enrolling.accept(ctx, house.actor("kythuat"), second.code)
    with pytest.raises(Conflict) as caught:
        unit_enrolling.accept(ctx, house.actor("kythuat"), first.code)
    assert (caught.value.key, caught.value.fields["unit"]) == ("enrolment.serial_taken", name)
    assert unit_enrolling.ask(ctx, first.asks(), "").state is EnrolState.WAITING  # nothing of it is lost
    with ctx.db.write() as session:
        unit_revoking.revoke_now(ctx, session, name, "broken", "mainboard", "test")
    assert unit_enrolling.accept(ctx, house.actor("kythuat"), first.code) == f"{name}-2"


def test_a_wrong_an_expired_and_a_used_code_are_each_refused(ctx: Context, house: House) -> None:
    unit = Newcomer()
    unit_enrolling.ask(ctx, unit.asks(), "")
    boss = house.actor("kythuat")
    for wrong in ("", "ABCDE", "ABCDEFGHJK", unit.code + "A", "../../etc"):
        with raises(Refused, "enrolment.code"):
            unit_enrolling.accept(ctx, boss, wrong)
    house.clock.advance(8 * 86_400)
    with raises(Refused, "enrolment.expired"):
        unit_enrolling.accept(ctx, boss, unit.code)
    assert unit_enrolling.ask(ctx, unit.asks(), "").state is EnrolState.WAITING  # asked anew
    unit_enrolling.accept(ctx, boss, unit.code)
    with raises(Refused, "enrolment.code"):
        unit_enrolling.accept(ctx, boss, unit.code)


@pytest.mark.parametrize("name", ["controller", "loa-check", "Ü", "a b", "-x", "x" * 33])
def test_a_name_that_no_unit_may_have_is_refused(ctx: Context, house: House, name: str) -> None:
    unit = Newcomer()
    unit_enrolling.ask(ctx, unit.asks(), "")
    with raises(Refused, "enrolment.name"):
        unit_enrolling.accept(ctx, house.actor("kythuat"), unit.code, name)


def test_a_name_is_never_given_twice(ctx: Context, house: House) -> None:
    unit = Newcomer()
    unit_enrolling.ask(ctx, unit.asks(), "")
    with raises(Conflict, "enrolment.name_taken"):
        unit_enrolling.accept(ctx, house.actor("kythuat"), unit.code, f"u-{HERE}-1")


def test_who_has_no_right_accepts_nobody(ctx: Context, house: House) -> None:
    unit = Newcomer()
    unit_enrolling.ask(ctx, unit.asks(), "")
    for person in ("author", "boss"):
        with raises(Refused, "no_right"):
            unit_enrolling.accept(ctx, house.actor(person), unit.code)


def test_who_is_turned_away_hears_why_and_does_not_come_back_by_asking(ctx: Context, house: House) -> None:
    unit = Newcomer()
    waits = unit_enrolling.ask(ctx, unit.asks(), "")
    unit_enrolling.turn_away(ctx, house.actor("kythuat"), waits.id, "not one of ours")
    told = unit_enrolling.ask(ctx, unit.asks(), "")
    assert (told.state, told.reason, told.certificate) == (EnrolState.REFUSED, "not one of ours", None)
    with raises(Refused, "enrolment.code"):
        unit_enrolling.accept(ctx, house.actor("kythuat"), unit.code)
    with raises(Conflict, "enrolment.decided"):
        unit_enrolling.turn_away(ctx, house.actor("kythuat"), waits.id, "again")


def test_a_key_on_the_factorys_list_comes_in_by_itself_and_another_one_under_its_serial_never(
    ctx: Context, house: House
) -> None:
    unit, thief = Newcomer("SN-5"), Newcomer("SN-5")
    with ctx.db.write() as session:
        session.add(
            FactoryEntry(serial="SN-5", fingerprint=unit.fingerprint, vendor="x", listed_at=NOON, listed_by="test")
        )
    assert unit_enrolling.ask(ctx, thief.asks(), "").state is EnrolState.WAITING
    with raises(Refused, "enrolment.not_as_listed"):
        unit_enrolling.accept(ctx, house.actor("kythuat"), thief.code)
    assert unit_enrolling.ask(ctx, unit.asks(), "").state is EnrolState.ACCEPTED


def test_those_who_wait_are_bounded_in_all_and_from_one_address(ctx: Context, house: House) -> None:
    ctx = replace(ctx, units=replace(ctx.units, most_waiting=5, most_from_one=3))
    units = [Newcomer(f"SN-{number}") for number in range(7)]
    for unit in units[:3]:
        unit_enrolling.ask(ctx, unit.asks(), "192.0.2.1")
    with raises(Refused, "enrolment.too_many"):
        unit_enrolling.ask(ctx, units[3].asks(), "192.0.2.1")
    for unit in units[3:5]:
        unit_enrolling.ask(ctx, unit.asks(), "192.0.2.2")
    with raises(Refused, "enrolment.too_many"):
        unit_enrolling.ask(ctx, units[5].asks(), "192.0.2.3")
    assert unit_enrolling.ask(ctx, units[0].asks(), "192.0.2.1").state is EnrolState.WAITING
    house.clock.advance(8 * 86_400)
    assert unit_enrolling.ask(ctx, units[5].asks(), "192.0.2.3").state is EnrolState.WAITING


def test_a_unit_renews_its_certificate_by_itself_and_what_is_played_back_gives_nothing(
    ctx: Context, house: House
) -> None:
    unit = Newcomer()
    first = accepted(ctx, house, unit)
    name = first.unit or ""
    house.clock.advance(250 * 86_400)
    at = unix_ms(house.clock.now())
    assert (first.renew_after or 0) < at
    unit.tls = ed25519.Ed25519PrivateKey.generate()
    asked = unit.renews(name, at, secret="another secret")
    second = unit_renewing.renew(ctx, asked)
    assert second.certificate != first.certificate
    assert common_name(second.certificate or "") == name
    assert unit_renewing.renew(ctx, asked).certificate == second.certificate  # the answer was lost on its way
    with ctx.db.read() as session:
        assert session.get_one(Unit, name).secret_hashes == enrolling.secret_hashes("another secret")
    with raises(Conflict, "enrolment.old"):
        unit_renewing.renew(ctx, unit.renews(name, at - 1))
    house.clock.advance(2 * 86_400)
    with raises(Conflict, "enrolment.old"):
        unit_renewing.renew(ctx, asked)


def test_nobody_else_renews_and_a_revoked_unit_neither_renews_nor_asks_again(ctx: Context, house: House) -> None:
    unit = Newcomer()
    name = accepted(ctx, house, unit).unit or ""
    now = unix_ms(house.clock.now())
    for document in (
        unit.renews(name, now, key=SigningKey.generate(name)),
        unit.renews("u-nobody", now),
        unit.renews(f"u-{HERE}-1", now),
    ):
        with raises(Refused, "unit.unknown"):
            unit_renewing.renew(ctx, document)
    with ctx.db.write() as session:
        unit_revoking.revoke_now(ctx, session, name, "stolen", "seen at the market", "test")
    with raises(Refused, "unit.unknown"):
        unit_renewing.renew(ctx, unit.renews(name, now))
    told = unit_enrolling.ask(ctx, unit.asks(), "")
    assert (told.state, told.reason, told.certificate) == (EnrolState.REFUSED, "revoked", None)


def test_a_unit_that_was_taken_off_is_shown_to_its_last_area_and_to_no_other(ctx: Context, house: House) -> None:
    name, here = f"u-{HERE}-1", house.actor("kythuat")
    with ctx.db.write() as session:
        served = select(Assignment).where(Assignment.unit_id == name, Assignment.until.is_(None))
        session.scalars(served).one().until = NOON
    with ctx.db.read() as session:
        [line] = [each for each in views.lines(session, here) if each.unit.id == name]
        assert line.cluster is None
        grants = tuple(replace(grant, areas=frozenset({"another"})) for grant in here.grants)
        elsewhere = replace(here, grants=grants)
        assert [each.unit.id for each in views.lines(session, elsewhere)] == []


def test_no_certificate_outlives_its_authority(ctx: Context, house: House) -> None:
    ctx = replace(ctx, units=replace(ctx.units, lasts=timedelta(days=36_500)))
    told = accepted(ctx, house, Newcomer())
    own, authority = x509.load_pem_x509_certificates((told.certificate or "").encode())
    assert own.not_valid_after_utc == authority.not_valid_after_utc
