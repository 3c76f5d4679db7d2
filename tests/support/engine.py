"""A container engine (deploy/ci/engine.sh): its client, and our image built once for all tests about containers."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGE, BASE = "loa:test", "loa-test-base"


def docker(*arguments: str, check: bool = True, **options: str) -> str:
    told = subprocess.run(
        ["docker", *arguments],
        env={**os.environ, "DOCKER_BUILDKIT": "0", **options},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert not check or told.returncode == 0, told.stdout[-1500:] + told.stderr[-1500:]
    return told.stdout.strip()


def _base() -> str:
    """A Debian that trusts whom this machine trusts, for pip inside the build; our Dockerfile knows nothing of it."""
    trusted = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt"
    place = "/usr/local/share/trusted.pem"
    with tempfile.TemporaryDirectory(prefix="loa-base-") as folder:
        context = Path(folder)
        shutil.copyfile(trusted, context / "trusted.pem")
        (context / "Dockerfile").write_text(
            f"FROM debian:bookworm-slim\nCOPY trusted.pem {place}\nENV PIP_CERT={place} SSL_CERT_FILE={place}\n"
        )
        docker("build", "-q", "-t", BASE, str(context))
    return BASE


@functools.cache
def our_image() -> str:
    options = ["--network", "host", "--build-arg", f"BASE={_base()}"]
    if "PIP_INDEX_URL" in os.environ:
        options += ["--build-arg", f"PIP_INDEX_URL={os.environ['PIP_INDEX_URL']}"]
    told = subprocess.run(
        [str(ROOT / "deploy" / "image.sh"), IMAGE, "-q", *options],
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert told.returncode == 0, told.stdout[-1500:] + told.stderr[-3000:]
    return IMAGE
