"""What `make run` says when everything plays."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from deploy.local_ca import EVERYWHERE, HERE, Certificates

ROLES = {
    "phatthanh": "broadcaster: uploads, composes, submits",
    "lanhdao": "approver: listens and approves",
    "kythuat": "technician: looks after the poles",
    "tinh": "province: sees everything",
}
WIDTH = 78


class Address(Protocol):
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def tls(self) -> Certificates | None: ...
    @property
    def base(self) -> str: ...


def ready(address: Address, passwords: dict[str, str], data: Path, names: Sequence[str], seconds: float) -> None:
    """`passwords`: none but at the first start; `names`: by which others may call this machine, off loopback."""
    print(flush=True)
    _box([f"Loa is ready after {seconds:.1f} s:  {address.base}/"])
    if address.tls is not None:
        _trust(address, address.tls, names)
    if passwords:
        accounts(passwords)
        print(
            textwrap.dedent("""
            What to do next
              1. Log in as phatthanh, and in a private window as lanhdao; each chooses a password.
              2. phatthanh: take the sample recording, a title, all poles, "sau 2 phút", tick Gửi ngay, submit.
                 lanhdao: listen, approve.
              3. Watch the proof come in; then break things on the page of simulated poles.
        """).rstrip()
        )
    else:
        print("\nThe passwords were shown at the first start. A new one for an account:")
        print(f"  LOA_DATA={data} .venv/bin/loa user reset NAME     (NAME: {', '.join(ROLES)})")
    print("\nCtrl-C stops all of it; `make run` goes on from here.\n", flush=True)


def accounts(passwords: dict[str, str]) -> None:
    """Shown once: they are stored nowhere in clear."""
    print(flush=True)
    _box(
        [
            "Four accounts. Each password is for the first log-in only, is shown",
            "this once and is stored nowhere: write them down now.",
            "",
            *(f"{name:<10} {word:<20} {ROLES.get(name, '')}" for name, word in passwords.items()),
        ]
    )


def _trust(address: Address, tls: Certificates, names: Sequence[str]) -> None:
    if address.host in EVERYWHERE:
        others = [name for name in names if name not in HERE]
        print("\nFrom elsewhere: " + "  ".join(f"https://{_bracketed(name)}:{address.port}/" for name in others[:4]))
    print(
        textwrap.dedent(f"""
            The certificate comes from an authority of this machine. Until a device trusts it, its browser warns
            and phones may refuse to record. Give devices this file, and only this one:
              {tls.authority}
              SHA-256 {tls.fingerprint}
            Phone    Android: Settings, Security, Encryption & credentials, Install a certificate, CA certificate.
                     iPhone: open the file, install the profile, then General, About, Certificate Trust Settings.
            Desktop  Firefox, Chrome on Linux: Settings, Certificates, Authorities, Import, "identify websites".
                     Windows, macOS: open the file; put it under Trusted Root Authorities, or "Always Trust".
            When the demo is over, remove it from the devices again.
        """).rstrip()
    )


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _box(lines: Sequence[str]) -> None:
    width = max(WIDTH - 4, *(len(line) for line in lines))
    print(f"+{'-' * (width + 2)}+")
    for line in lines:
        print(f"| {line:<{width}} |")
    print(f"+{'-' * (width + 2)}+", flush=True)
