"""Our private keys as files, one a use, readable by us only. Emergency keys are never the daily ones (decision 4)."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from broadcasts.errors import Fault
from broadcasts.wire.jws import PublicKey, SigningKey
from broadcasts.wire.trust import Use


class FileKeyring:
    """`folder/{use}.jwk` and `folder/root.jwk`. The root key belongs offline: without it `root.pub` names it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[str, SigningKey] = {}

    @classmethod
    def make_missing(cls, folder: Path) -> FileKeyring:
        """For a first run: make what is not there. An existing key is never touched."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / "root.jwk").exists() and not (folder / "root.pub").exists():
            root = SigningKey.generate(f"root-{secrets.token_hex(4)}")
            _write_private(folder / "root.jwk", root.to_jwk())
            (folder / "root.pub").write_text(f"{root.public.kid} {root.public.x}\n", encoding="utf-8")
        for use in Use:
            if not (folder / f"{use}.jwk").exists():
                _write_private(folder / f"{use}.jwk", SigningKey.generate(f"{use}-{secrets.token_hex(4)}").to_jwk())
        return cls(folder)

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

    def _load(self, name: str) -> SigningKey:
        if name not in self._loaded:
            path = self._folder / f"{name}.jwk"
            try:
                if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    raise Fault("keys.open", path=str(path))
                self._loaded[name] = SigningKey.from_jwk(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                raise Fault("keys.missing", path=str(path)) from None
        return self._loaded[name]


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
