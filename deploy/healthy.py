"""Whether the controller on this machine answers: exit code 0 or 1. For health checks of containers and watchdogs."""

from __future__ import annotations

import http.client
import os
import ssl
import sys

from broadcasts.errors import LoaError
from controller.settings import Settings, from_environment

TIMEOUT_S = 4.0


def answers(settings: Settings) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    line: http.client.HTTPConnection
    if settings.tls_cert is None:
        line = http.client.HTTPConnection(host, settings.port, timeout=TIMEOUT_S)
    else:
        # We ask ourselves whether we are there; who we are is for others to check, by the name they know.
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.check_hostname = False
        trust.verify_mode = ssl.CERT_NONE
        line = http.client.HTTPSConnection(host, settings.port, timeout=TIMEOUT_S, context=trust)
    try:
        line.request("GET", "/healthz")
        return line.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


if __name__ == "__main__":
    try:
        sys.exit(0 if answers(from_environment(os.environ)) else 1)
    except LoaError as refused:
        sys.exit(str(refused))
