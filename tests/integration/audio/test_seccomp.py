"""Where nobody lets it leave the network: the filter of calls alone keeps a process from every socket and program."""

from __future__ import annotations

import json
import subprocess
import sys

TRY = """
import ctypes, json, os, socket
from broadcasts.audio import seccomp

def told(deed):
    try:
        deed()
    except OSError as error:
        return error.errno
    return 0

deeds = {
    "tcp": lambda: socket.socket(socket.AF_INET),
    "tcp6": lambda: socket.socket(socket.AF_INET6),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "unix": lambda: socket.socket(socket.AF_UNIX),
    "program": lambda: os.execv("/bin/false", ["false"]),
    "pipe": os.pipe,
    "memory": lambda: os.memfd_create("x"),
}
answers = {"before": [name for name in ("tcp", "udp", "unix") if told(deeds[name])]}
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
answers["on"] = seccomp.refuse_calls()
answers["after"] = {name: told(deed) for name, deed in deeds.items()}
print(json.dumps(answers))
"""
EPERM = 1


def test_no_socket_and_no_program_and_what_is_needed_goes_on() -> None:
    done = subprocess.run([sys.executable, "-c", TRY], capture_output=True, text=True, check=True)

    told = json.loads(done.stdout)
    assert told["on"], "this kernel or machine has no seccomp that we know: x86-64 or ARM64, with CONFIG_SECCOMP_FILTER"
    assert told["before"] == []
    refused = dict.fromkeys(("tcp", "tcp6", "udp", "unix", "program"), EPERM)
    assert told["after"] == refused | {"pipe": 0, "memory": 0}
