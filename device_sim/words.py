"""The simulator's refusals in words. It has its own: a device knows nothing of the controller's catalogue."""

from __future__ import annotations

from collections import defaultdict

from broadcasts.errors import LoaError

SENTENCES = {
    "sim_fleet_missing": "no fleet file at {path}: `loa seed` writes one",
    "sim_fleet_open": "{path} holds the units' secrets and may be read by others: chmod 600 it",
    "sim_fleet_broken": "{path} is not a fleet file: {why}",
    "sim_address": "{address} is not host:port",
    "sim_broker_address": "there is no broker at {address}: {why}",
    "sim_state": "the state in {path} cannot be used: {why}",
    "sim_state_taken": "another simulator works on {path}",
    "sim_ca": "cannot read the certificates in {path}: {why}",
    "sim_certificate": "the certificate of {unit} in {path} cannot be used: {why}",
    "sim_certificates_plain": "certificates need TLS, and {address} is said to be plain",
    "sim_enrol": "could not join: {why}",
    "sim_control": "cannot listen on {path}: {why}",
    "sim_request": "not a request: {why}",
    "sim_unknown_request": "unknown request {name}: there are {known}",
    "sim_unknown_unit": "unknown unit {unit}",
    "sim_unknown_fault": "unknown fault {fault}: there are {known}",
    "sim_argument": "{fault} needs {name}, a {type}",
    "sim_powerless": "{unit} has no power",
    "sim_nothing_heard": "{unit} has not been told anything yet that could be said again",
    "sim_counterpart": "no controller is registered as {name} for the simulator: there is {known}",
    "sim_scene": "{path} {field}: {why}",
}


def sentence(refusal: LoaError) -> str:
    """In English, for the terminal and the control socket."""
    if refusal.key not in SENTENCES:
        return str(refusal)
    return SENTENCES[refusal.key].format_map(defaultdict(str, {n: str(v) for n, v in refusal.fields.items()})).strip()
