"""The local authority: what browsers accept, what is kept, what is made anew, and who may read the keys."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from broadcasts.clock import SystemClock
from deploy import local_ca
from deploy.local_ca import Certificates, ensure, names_of

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
NAMES = ["loa.xa.example", "localhost", "127.0.0.1", "2001:db8::7"]


def served(made: Certificates, name: str) -> dict[str, object]:
    """Shake hands over a pair of sockets, as a browser that trusts the authority only and calls the server `name`."""
    ours, theirs = socket.socketpair()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.chain, made.key)

    def answer() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with ssl.create_default_context(cafile=str(made.authority)).wrap_socket(ours, server_hostname=name) as line:
            return dict(line.getpeercert() or {})
    finally:
        ours.close()
        thread.join(5)


@pytest.mark.parametrize("name", NAMES)
def test_a_browser_that_trusts_the_authority_accepts_the_server_by_each_name(tmp_path: Path, name: str) -> None:
    assert served(ensure(tmp_path, NAMES, SystemClock().now()), name)["subjectAltName"]


@pytest.mark.parametrize("name", ["elsewhere.example", "127.0.0.2"])
def test_the_server_is_not_accepted_by_another_name(tmp_path: Path, name: str) -> None:
    made = ensure(tmp_path, NAMES, SystemClock().now())
    with pytest.raises(ssl.SSLCertVerificationError):
        served(made, name)


def test_a_certificate_of_another_authority_is_not_accepted(tmp_path: Path) -> None:
    now = SystemClock().now()
    ours, foreign = ensure(tmp_path / "a", NAMES, now), ensure(tmp_path / "b", NAMES, now)
    mixed = Certificates(ours.authority, foreign.chain, foreign.key, ours.fingerprint)
    with pytest.raises(ssl.SSLCertVerificationError):
        served(mixed, "localhost")


def test_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    ensure(tmp_path / "tls", NAMES, NOON)
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "tls").iterdir()}
    assert modes == {"authority.key": 0o600, "server.key": 0o600, "authority.crt": 0o644, "server.crt": 0o644}


def test_the_authority_signs_servers_and_nothing_below_it(tmp_path: Path) -> None:
    ca = x509.load_pem_x509_certificate(ensure(tmp_path, NAMES, NOON).authority.read_bytes())
    limits = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert limits.critical
    assert limits.value == x509.BasicConstraints(ca=True, path_length=0)


def test_the_server_certificate_lasts_no_longer_than_browsers_allow(tmp_path: Path) -> None:
    server = x509.load_pem_x509_certificate(ensure(tmp_path, NAMES, NOON).chain.read_bytes())
    assert server.not_valid_after_utc - server.not_valid_before_utc <= timedelta(days=398)


def everything(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_second_call_changes_nothing(tmp_path: Path) -> None:
    first = ensure(tmp_path, NAMES, NOON)
    before = everything(tmp_path)
    assert ensure(tmp_path, list(reversed(NAMES)), NOON + timedelta(days=300)) == first
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    ("names", "later"),
    [([*NAMES, "other.example"], timedelta(0)), (NAMES[1:], timedelta(0)), (NAMES, timedelta(days=370))],
    ids=["a name more", "a name less", "within 30 days of its end"],
)
def test_the_server_is_renewed_under_the_same_authority(tmp_path: Path, names: list[str], later: timedelta) -> None:
    ensure(tmp_path, NAMES, NOON)
    before = everything(tmp_path)
    ensure(tmp_path, names, NOON + later)
    after = everything(tmp_path)
    assert {name for name in after if after[name] != before[name]} == {"server.key", "server.crt"}


def test_an_authority_near_its_end_is_replaced_together_with_its_server(tmp_path: Path) -> None:
    first = ensure(tmp_path, NAMES, NOON)
    before = everything(tmp_path)
    second = ensure(tmp_path, NAMES, NOON + local_ca.AUTHORITY_LASTS - timedelta(days=29))
    after = everything(tmp_path)
    assert {name for name in after if after[name] != before[name]} == set(after)
    assert first.fingerprint != second.fingerprint


@pytest.mark.parametrize("broken", ["server.key", "server.crt", "authority.key", "authority.crt"])
def test_a_torn_file_is_made_anew(tmp_path: Path, broken: str) -> None:
    ensure(tmp_path, NAMES, SystemClock().now())
    (tmp_path / broken).write_bytes(b"-----BEGIN")
    assert served(ensure(tmp_path, NAMES, SystemClock().now()), "localhost")


def test_a_key_that_does_not_fit_its_certificate_is_made_anew(tmp_path: Path) -> None:
    now = SystemClock().now()
    ensure(tmp_path / "a", NAMES, now)
    foreign = ensure(tmp_path / "b", NAMES, now)
    (tmp_path / "a" / "server.key").write_bytes(foreign.key.read_bytes())
    assert served(ensure(tmp_path / "a", NAMES, now), "localhost")


def test_listening_everywhere_means_the_machines_name_and_its_own_addresses() -> None:
    names = names_of("0.0.0.0")
    assert {socket.gethostname(), "localhost", "127.0.0.1", "::1"} <= set(names)
    assert "0.0.0.0" not in names
    assert len(names) == len(set(names))


def test_one_name_means_that_name_and_this_machine_from_here() -> None:
    assert names_of("loa.xa.example") == ["loa.xa.example", "localhost", "127.0.0.1", "::1"]


def test_a_certificate_for_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name"):
        ensure(tmp_path, [], NOON)


def client(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / local_ca.CLIENTS / f"{name}.crt").read_bytes())


def test_a_client_gets_a_certificate_in_its_name_that_is_kept_until_it_is_about_to_expire(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES, NOON)
    certificate, key = local_ca.issue(tmp_path, "u-1", NOON)
    first = certificate.read_bytes()
    made = client(tmp_path, "u-1")
    assert made.subject.rfc4514_string() == "CN=u-1"
    purpose = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purpose) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert key.stat().st_mode & 0o777 == 0o600
    local_ca.issue(tmp_path, "u-1", NOON + local_ca.CLIENT_LASTS - timedelta(days=40))
    assert certificate.read_bytes() == first
    local_ca.issue(tmp_path, "u-1", NOON + local_ca.CLIENT_LASTS - timedelta(days=20))
    assert certificate.read_bytes() != first


def test_no_client_certificate_outlives_its_authority(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES, NOON)
    late = NOON + local_ca.AUTHORITY_LASTS - timedelta(days=90)
    local_ca.issue(tmp_path, "u-1", late)
    authority = x509.load_pem_x509_certificate((tmp_path / "authority.crt").read_bytes())
    assert client(tmp_path, "u-1").not_valid_after_utc == authority.not_valid_after_utc


def test_what_is_revoked_stays_on_the_list_and_is_replaced_when_issued_again(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES, NOON)
    for name in ("u-1", "u-2"):
        local_ca.issue(tmp_path, name, NOON)
    serials = [client(tmp_path, name).serial_number for name in ("u-1", "u-2")]
    local_ca.revoke(tmp_path, ["u-1"], NOON)
    listed = local_ca.revoke(tmp_path, ["u-2"], NOON + timedelta(days=1))
    assert {each.serial_number for each in x509.load_pem_x509_crl(listed.read_bytes())} == set(serials)
    local_ca.issue(tmp_path, "u-1", NOON)
    assert client(tmp_path, "u-1").serial_number not in serials


def test_nothing_is_issued_without_an_authority_and_nothing_unknown_revoked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no authority"):
        local_ca.issue(tmp_path, "u-1", NOON)
    ensure(tmp_path, NAMES, NOON)
    with pytest.raises(ValueError, match="no certificate was issued for u-9"):
        local_ca.revoke(tmp_path, ["u-9"], NOON)
