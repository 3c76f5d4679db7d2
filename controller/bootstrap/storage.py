"""The store for recordings at the command line: is it well, and from one kind to the other."""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from pathlib import Path

from broadcasts.audio.bucket import Bucket
from broadcasts.errors import Fault
from controller.bootstrap.audio_room import address_of
from controller.settings import Settings


def look(settings: Settings) -> str:
    """Writes, reads, lists and deletes in it. Raises Fault, with what the store says."""
    if settings.store == "disk":
        return str(settings.data / "audio")
    bucket = Bucket.at(address_of(settings))
    with tempfile.TemporaryDirectory(prefix="loa-check-") as folder:
        probe = Path(folder) / "probe"
        probe.write_bytes(secrets.token_bytes(64))
        key = f"check/{secrets.token_hex(8)}"
        bucket.put(key, probe, hashlib.sha256(probe.read_bytes()).hexdigest())
    if key not in {each.key for each in bucket.listed("check/")}:
        raise Fault("storage.failed", reason="what was written is not in its list")
    bucket.delete(key)
    if bucket.head(key) is not None:
        raise Fault("storage.failed", reason="what was deleted is still there")
    return f"{settings.s3_bucket} at {settings.s3_endpoint or settings.s3_region}: written, read, listed, deleted"
