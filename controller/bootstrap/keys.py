"""Our private keys as files, one a use, readable by us only. Emergency keys are never the daily ones (decision 4).

`accounts.key` seals what the database keeps of people's second factors.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Collection
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from broadcasts.errors import Fault
from broadcasts.wire.jws import PublicKey, SigningKey
from broadcasts.wire.trust import Use

SEAL = "accounts.key"
LATER = (Use.FIRMWARE,)
"""Uses that came with a later version: data of an older one has no key for them."""


class FileKeyring:
    """`folder/{use}.jwk` and `folder/root.jwk`. The root key belongs offline: without it `root.pub` names it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[str, SigningKey] = {}

    @classmethod
    def make_missing(cls, folder: Path) -> FileKeyring:
        """For a first run: make what is not there. An existing key is never touched."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / "root.pub").exists():
            if not (folder / "root.jwk").exists():
                _write_private(folder / "root.jwk", SigningKey.generate(f"root-{secrets.token_hex(4)}").to_jwk())
            root = cls(folder).root()
            assert root is not None
            _write_private(folder / "root.pub", f"{root.public.kid} {root.public.x}\n")
        for use in Use:
            if not (folder / f"{use}.jwk").exists():
                _write_private(folder / f"{use}.jwk", _new_key(use))
        if not (folder / SEAL).exists():
            _write_private(folder / SEAL, Fernet.generate_key().decode())
        return cls(folder)

    @classmethod
    def complete(cls, folder: Path, but: Collection[Use] = ()) -> FileKeyring:
        """For every later run. New keys would be strangers to every unit: what is missing has to be restored. `but`:
        uses that may lack theirs.

        Raises Fault("keys.missing").
        """
        ring = cls(folder)
        ring.root_public()
        for use in Use:
            if use not in but:
                ring.signer(use)
        ring.seal("")
        return ring

    def lacking(self) -> list[Use]:
        """Of the uses that came later, those without a key."""
        return [use for use in LATER if not (self._folder / f"{use}.jwk").exists()]

    def make(self, use: Use) -> PublicKey:
        """A key that no unit was ever told of (`trusting.told_uses`)."""
        _write_private(self._folder / f"{use}.jwk", _new_key(use))
        return self.signer(use).public

    def signer(self, use: Use) -> SigningKey:
        return self._load(str(use))

    def root(self) -> SigningKey | None:
        return self._load("root") if (self._folder / "root.jwk").exists() else None

    def root_public(self) -> PublicKey:
        try:
            kid, x = (self._folder / "root.pub").read_text(encoding="utf-8").split()
        except (OSError, ValueError):
            raise Fault("keys.missing", path=str(self._folder / "root.pub")) from None
        return PublicKey(kid, x)

    def seal(self, text: str) -> str:
        return self._sealer().encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        try:
            return self._sealer().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise Fault("keys.seal", path=str(self._folder / SEAL)) from None

    def _sealer(self) -> Fernet:
        path = self._folder / SEAL
        try:
            return Fernet(_read_private(path).strip())
        except (OSError, ValueError):
            raise Fault("keys.missing", path=str(path)) from None

    def _load(self, name: str) -> SigningKey:
        if name not in self._loaded:
            path = self._folder / f"{name}.jwk"
            try:
                self._loaded[name] = SigningKey.from_jwk(_read_private(path))
            except (OSError, ValueError):
                raise Fault("keys.missing", path=str(path)) from None
        return self._loaded[name]


def _new_key(use: Use) -> str:
    return SigningKey.generate(f"{use}-{secrets.token_hex(4)}").to_jwk()


def _read_private(path: Path) -> str:
    """Raises Fault("keys.open") where others could read it too, OSError."""
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Fault("keys.open", path=str(path))
    return path.read_text(encoding="utf-8")


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all: a key that was half written would be no key for ever."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
