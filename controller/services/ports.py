"""What the services ask of the outside. Adapters are chosen in `bootstrap`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from broadcasts.audio.child import Progress
from broadcasts.audio.envelope import AssetEnvelope
from broadcasts.audio.listening import ClipMatch
from broadcasts.audio.pipeline import Cut, Prepared
from broadcasts.audio.store import Store, Stored, StoredAsset
from broadcasts.wire.jws import PublicKey, SigningKey
from broadcasts.wire.trust import Use


class Link(Protocol):
    """The way to the units."""

    @property
    def up(self) -> bool: ...

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> bool:
        """Whether it is on its way. Never raises, never waits."""
        ...

    def publish_all(self, messages: Iterable[tuple[str, bytes]], *, qos: int, retain: bool) -> int:
        """Topics and payloads, in order, in as few parcels as the network takes; how many of them are on their way."""
        ...

    def flush(self) -> bool:
        """Wait until the broker acknowledged everything on its way; no when that took too long or the link broke."""
        ...


class SmsGateway(Protocol):
    numbers: Mapping[str, str]
    """Of units, in international form: whose modem takes a text."""

    def send(self, number: str, text: str) -> None:
        """Handed over, which does not mean delivered. Raises Fault("sms.gateway", number, detail)."""
        ...


class Keyring(Protocol):
    """Our private keys. The root key may be absent: then nothing but the trust document is missing."""

    def signer(self, use: Use) -> SigningKey: ...

    def root(self) -> SigningKey | None: ...

    def root_public(self) -> PublicKey: ...

    def seal(self, text: str) -> str:
        """Encrypted and signed, for the database: who has only that has nothing (R-127)."""
        ...

    def unseal(self, sealed: str) -> str:
        """Raises Fault("keys.seal") for what this key did not seal."""
        ...


class Measures(Protocol):
    """What is counted as it happens (`monitoring.metrics` does it for real)."""

    def dispatched(self, seconds: float) -> None:
        """A plan with a newly approved broadcast left, so long after the approval."""
        ...

    def applied(self, seconds: float) -> None:
        """A connected unit reported a plan, so long after it was published."""
        ...

    def siren(self, seconds: float) -> None:
        """A pole sounded an emergency for the first time, so long after the press."""
        ...

    def listened(self, answer: str, seconds: float) -> None:
        """What a unit heard was held against the file: yes, no or unknown, and the work of it."""
        ...

    def clipped(self, answer: str) -> None:
        """Ten seconds of sound were held against the file: yes, no, unknown; or dropped, which nobody had asked for."""
        ...

    def spoke(self, voice: str, seconds: float, *, well: bool) -> None:
        """A text was given to a voice, by its provider, and so long afterwards there was a sound, or a failure."""
        ...

    def cap_taken(self, outcome: str) -> None:
        """A warning of somebody else's (CAP) came, or something became of it (`monitoring.metrics.CAP_OUTCOMES`)."""
        ...

    def cap_fetched(self, outcome: str) -> None:
        """A feed was fetched: new, same (nothing new), failed."""
        ...


class NoMeasures:
    """Where nobody counts."""

    def dispatched(self, seconds: float) -> None:
        pass

    def applied(self, seconds: float) -> None:
        pass

    def siren(self, seconds: float) -> None:
        pass

    def listened(self, answer: str, seconds: float) -> None:
        pass

    def clipped(self, answer: str) -> None:
        pass

    def spoke(self, voice: str, seconds: float, *, well: bool) -> None:
        pass

    def cap_taken(self, outcome: str) -> None:
        pass

    def cap_fetched(self, outcome: str) -> None:
        pass


class AudioRoom(Protocol):
    """Turns a recording into an asset, and keeps files by their hash."""

    def prepare(
        self, source: Path, *, emergency: bool = False, cut: Cut | None = None, progress: Progress | None = None
    ) -> Prepared:
        """`emergency` makes it as loud as alerts are. Waits while every core prepares something already. Raises Refused
        (no audio, empty, too large, …) or Fault (disk full, "audio.busy": too many wait)."""
        ...

    def encode(self, sha256: str, codec: str) -> Prepared:
        """The same sound as this asset in another codec (`broadcasts.audio.chain.CODECS`), as loud and as long. Raises
        Refused("asset.unknown", and for what is no sound), Fault."""
        ...

    def lean(self, sha256: str) -> Prepared:
        """The same sound so small that an alert can carry it (`broadcasts.audio.recoding.INLINE_BYTES`), kept like any
        asset. Raises Refused("audio.inline": too long for that, "asset.unknown"), Fault."""
        ...

    def original(self, sha256: str) -> Path:
        """Where what was uploaded lies, by its own hash. Raises Refused("asset.unknown")."""
        ...

    def keep(self, source: Path) -> StoredAsset:
        """A copy of the file as it is, by its hash: firmware is no sound. Raises Fault (disk full)."""
        ...

    def path(self, sha256: str) -> Path:
        """Where the asset lies on this machine's disk, fetched there where it is kept elsewhere. Raises
        Refused("asset.unknown"), Fault("storage.away", "storage.denied")."""
        ...

    def open(self, sha256: str) -> Stored:
        """The asset, to be read as it comes. Raises as `path`."""
        ...

    @property
    def store(self) -> Store:
        """All that is kept, for who collects what nothing names."""
        ...

    def envelope(self, sha256: str, codec: str) -> AssetEnvelope:
        """Of a file that we keep. Raises Refused (it does not decode), Fault."""
        ...

    def match_clip(self, clip: bytes, sha256: str, codec: str, offset_ms: int) -> ClipMatch:
        """Whether ten seconds of sound (Opus in Ogg) are the file's, from `offset_ms` on. Nothing of them is left
        behind. Raises Refused, Fault."""
        ...
