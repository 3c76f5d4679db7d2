"""The audio pipeline behind the services' port, with the chains that the settings ask for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from threading import BoundedSemaphore

from broadcasts.audio import listening
from broadcasts.audio.bucket import Address, Bucket
from broadcasts.audio.bucket_store import BucketStore
from broadcasts.audio.chain import CODECS, EMERGENCY, ORDINARY, Chain, Limits, speech_filters
from broadcasts.audio.child import Progress
from broadcasts.audio.envelope import AssetEnvelope
from broadcasts.audio.listening import ClipMatch
from broadcasts.audio.pipeline import Cut, Prepared, prepare
from broadcasts.audio.recoding import encode_as, lean
from broadcasts.audio.store import Store, Stored, StoredAsset
from broadcasts.errors import Fault
from controller.settings import Settings

CORES = os.cpu_count() or 1
"""So many recordings are prepared at once: each takes one core, and up to 1 GiB."""
IN_LINE = 12
"""Who waits keeps a thread from the pages: whoever comes to a longer line is sent away at once."""


class StoredAudio:
    def __init__(self, store: Store, limits: Limits, ordinary: Chain = ORDINARY, emergency: Chain = EMERGENCY) -> None:
        self._store = store
        self._limits = limits
        self._ordinary, self._emergency = ordinary, emergency
        self._cores, self._line = BoundedSemaphore(CORES), BoundedSemaphore(CORES + IN_LINE)
        self._urgent = BoundedSemaphore(CORES + 1)

    def prepare(
        self, source: Path, *, emergency: bool = False, cut: Cut | None = None, progress: Progress | None = None
    ) -> Prepared:
        chain = self._emergency if emergency else self._ordinary
        if emergency:
            # Shares the cores with what is at work, and waits for none of it.
            with self._urgent:
                return prepare(source, self._store, chain=chain, cut=cut, limits=self._limits, progress=progress)
        if not self._line.acquire(blocking=False):
            raise Fault("audio.busy")
        try:
            with self._cores:
                return prepare(source, self._store, chain=chain, cut=cut, limits=self._limits, progress=progress)
        finally:
            self._line.release()

    def encode(self, sha256: str, codec: str) -> Prepared:
        chain = replace(self._ordinary, codec=CODECS[codec])
        # One step of the service asks, one file after the other, those of alerts first.
        with self._urgent:
            return encode_as(self.path(sha256), self._store, chain=chain, limits=self._limits)

    def lean(self, sha256: str) -> Prepared:
        with self._urgent:
            return lean(self.path(sha256), self._store, chain=self._emergency)

    def original(self, sha256: str) -> Path:
        return self._store.original(sha256)

    def keep(self, source: Path) -> StoredAsset:
        return self._store.put(source)

    def path(self, sha256: str) -> Path:
        return self._store.path(sha256)

    def open(self, sha256: str) -> Stored:
        return self._store.open(sha256)

    @property
    def store(self) -> Store:
        return self._store

    def envelope(self, sha256: str, codec: str) -> AssetEnvelope:
        return listening.envelope_of(self.path(sha256), codec, limits=self._limits)

    def match_clip(self, clip: bytes, sha256: str, codec: str, offset_ms: int) -> ClipMatch:
        work = self._store.root / "work"
        return listening.match_clip(clip, self.path(sha256), codec, offset_ms=offset_ms, limits=self._limits, work=work)


def audio_room(settings: Settings) -> StoredAudio:
    """As the settings, which were checked, want it."""
    limits = Limits(max_bytes=settings.max_upload_mb * 1_000_000)
    ordinary, emergency = chains(settings)
    return StoredAudio(store_of(settings), limits, ordinary, emergency)


def store_of(settings: Settings) -> Store:
    """Where the settings say that files are kept; asks nobody yet."""
    folder = settings.data / "audio"
    return BucketStore(folder, Bucket.at(address_of(settings))) if settings.store == "s3" else Store(folder)


def address_of(settings: Settings) -> Address:
    return Address(
        endpoint=settings.s3_endpoint,
        bucket=settings.s3_bucket,
        region=settings.s3_region,
        access_key=settings.s3_access_key,
        secret=settings.s3_secret,
        prefix=settings.s3_prefix,
    )


def chains(settings: Settings) -> tuple[Chain, Chain]:
    """For ordinary bulletins, and for emergencies."""
    codec = CODECS[settings.codec]
    ordinary = replace(
        ORDINARY,
        target_lufs=settings.loudness_lufs,
        limiter_dbfs=settings.limiter_dbfs,
        ceiling_dbtp=settings.ceiling_dbtp,
        filters=speech_filters(
            settings.highpass_hz, settings.lowpass_hz, settings.presence_db, settings.compressor_ratio
        ),
        codec=replace(codec, bitrate=settings.bitrate_kbit * 1000) if settings.bitrate_kbit else codec,
    )
    louder = replace(ordinary, target_lufs=settings.emergency_lufs, tolerance_lu=EMERGENCY.tolerance_lu)
    return ordinary, louder
