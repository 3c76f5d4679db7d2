"""The store for recordings at the command line: is it well, and from one kind to the other."""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import sys
import tempfile
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from broadcasts.audio.bucket import Bucket
from broadcasts.audio.bucket_store import BucketStore
from broadcasts.audio.store import KINDS, Kind, Store
from broadcasts.clock import VIETNAM, from_unix_ms
from broadcasts.errors import Fault, Refused
from controller.bootstrap.audio_room import address_of
from controller.bootstrap.service import opened
from controller.services import collecting
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


def collect(settings: Settings, given: argparse.Namespace) -> int:
    """`loa gc`. Raises Fault (the store is away), Conflict("collecting")."""
    with opened(settings) as ctx:
        found = collecting.collect(ctx, timedelta(days=settings.files_grace_days), dry=given.dry_run)
    if given.json:
        print(json.dumps(asdict(found)))
        return 1 if found.missing or found.damaged else 0
    goes = "would go" if given.dry_run else "went"
    for name in found.removed:
        print(f"{goes:9} {name}  nothing named it for {settings.files_grace_days} days")
    for name in found.orphans:
        print(f"{goes:9} {name}  no row knows it")
    for name, since in sorted(found.waiting.items(), key=lambda each: each[1]):
        if name not in found.removed:
            print(f"waits     {name}  nothing names it since {from_unix_ms(since).astimezone(VIETNAM):%Y-%m-%d}")
    for name in found.missing:
        print(f"MISSING   {name}  a row names it, and there is no file")
    for name in found.damaged:
        print(f"DAMAGED   {name}  its bytes are not what its name says")
    print(f"{found.objects} files, {found.bytes / 1e6:.1f} MB; {goes}: {found.freed / 1e6:.1f} MB")
    return 1 if found.missing or found.damaged else 0


def move(settings: Settings, given: argparse.Namespace) -> int:
    """`loa store copy`: everything that is kept, from the one kind to the other, each read back and hashed. What is
    there already is passed over, so that it can be broken off and begun again. Nothing is deleted.

    Raises Refused("settings.missing"): both ends are needed; Fault.
    """
    for name, suffix in (("s3_bucket", ""), ("s3_access_key", ""), ("s3_secret", "_FILE")):
        if not getattr(settings, name):
            raise Refused("settings.missing", name=f"LOA_{name.upper()}{suffix}")
    bucket = Bucket.at(address_of(settings))
    done, passed, size = 0, 0, 0
    for kind in KINDS:
        source, target = ends(settings.data / "audio", bucket, given.to)
        there = {each.sha256: each.size for each in target.listed(kind)}
        for each in source.listed(kind):
            if there.get(each.sha256) == each.size:
                passed += 1
                continue
            if not source.sound(kind, each.sha256):
                raise Fault("storage.failed", reason=f"{each.sha256} is damaged at its source")
            target.take(kind, each.sha256)
            done, size = done + 1, size + each.size
            if done % 100 == 0:
                print(f"{done} copied", file=sys.stderr)
    print(f"{done} files copied ({size / 1e6:.1f} MB), {passed} were there already; nothing was deleted")
    print(f"Set LOA_STORE={given.to}, start the service again, then copy what came meanwhile.", file=sys.stderr)
    return 0


class Disk(Store):
    """The folder, filled from the bucket."""

    def __init__(self, root: Path, bucket: Bucket) -> None:
        super().__init__(root)
        self.there = BucketStore(root, bucket)

    def take(self, kind: Kind, sha256: str) -> None:
        place = self.there.path(sha256) if kind == "assets" else self.there.original(sha256)
        if place.stat().st_size == 0 or not self.sound(kind, sha256):
            place.unlink()
            raise Fault("storage.failed", reason=f"{sha256} came damaged; once more")


class Away(BucketStore):
    """The bucket, filled from the folder."""

    def take(self, kind: Kind, sha256: str) -> None:
        self.upload(kind, sha256)


def ends(root: Path, bucket: Bucket, to: str) -> tuple[Store, Disk | Away]:
    """From, to."""
    return (Store(root), Away(root, bucket)) if to == "s3" else (BucketStore(root, bucket), Disk(root, bucket))
