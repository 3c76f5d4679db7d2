"""What this simulator is, for people and for machines: contract, faults, the rules its units live by."""

from __future__ import annotations

from typing import Any

from broadcasts.wire import topics
from device_sim import bill, cache, journal, receiver, timekeeper, unit
from device_sim.faults import TO_A_UNIT, TO_ALL, TO_THE_EAR
from device_sim.mischief import KINDS, Mischief

CONTRACT_VERSION = 1

RULES = (
    "plays a signed plan at its own second by its own clock, with or without a link",
    "verifies every document against the trust document, never goes back to an older version",
    "holds files by SHA-256, fetches with Range, repairs single chunks",
    "keeps quiet hours and volume ceilings itself; only an alert passes",
    "writes what happened before it says so, and says so until it is acknowledged",
    "plays nothing scheduled without trusted time, and holds after a jump of the clock",
    "relays another station in its slot, plays the fallback when that is silent, and journals both",
    "hears itself, where it has an ear: an envelope of each play into the journal, ten seconds of sound when asked",
    "takes a link for gone when a ping is not answered, whatever the link says",
)


def describe() -> dict[str, Any]:
    return {
        "contract": CONTRACT_VERSION,
        "root": topics.ROOT,
        "unit": {
            "rules": list(RULES),
            "reconnect_s": [unit.RECONNECT_FIRST_MS / 1000, unit.RECONNECT_MOST_MS / 1000],
            "download_deadline_s": cache.DEADLINE_MS / 1000,
            "download_retry_s": [cache.BACKOFF_FIRST_S, cache.BACKOFF_MOST_S],
            "journal_ring": journal.RING_ENTRIES,
            "journal_retry_s": [journal.RETRY_FIRST_MS / 1000, journal.RETRY_MOST_MS / 1000],
            "clock_jump_s": timekeeper.JUMP_MS / 1000,
            "relay_lead_s": receiver.LEAD_MS / 1000,
            "relay_retry_s": [receiver.RETRY_FIRST_MS / 1000, receiver.RETRY_MOST_MS / 1000],
        },
        "faults": {
            str(kind): {
                "words": KINDS[kind].words,
                "arguments": {name: wanted.__name__ for name, wanted in KINDS[kind].arguments.items()},
            }
            for kind in Mischief
        },
        "virtual_faults": {
            str(fault): {"per_day": nature.per_day, "lasts_s": [nature.shortest / 1000, nature.longest / 1000]}
            for fault, nature in {**TO_A_UNIT, **TO_THE_EAR, **TO_ALL}.items()
        },
        "bytes": {
            "packet": bill.PACKET,
            "record": bill.RECORD,
            "ping": bill.ping(),
            "telemetry_of_300": bill.publish(topics.from_unit("u-31615-1", topics.Out.TELEMETRY), 300, 0),
            "plan_of_8_kb": bill.publish(topics.to_unit("u-31615-1", topics.In.PLAN), 8_000, 0),
            "connection": bill.connect(
                "u-31615-1",
                43 * "x",
                topics.from_unit("u-31615-1", topics.Out.PRESENCE),
                90,
                topics.unit_filters("u-31615-1"),
            ),
            "relay_of_15_minutes": bill.stream(900_000),
            "idle_month_most": bill.MOST_A_MONTH,
        },
        "requests": ["poles", "fault", "describe"],
    }


def in_words(told: dict[str, Any]) -> str:
    lines = [f"contract version {told['contract']}, topics below {told['root']}/", "", "a unit"]
    lines += [f"  {rule}" for rule in told["unit"]["rules"]]
    lines += ["", "faults of `loasim run`, by its control socket"]
    for name, fault in told["faults"].items():
        needs = "".join(f" {argument}=" for argument in fault["arguments"])
        lines.append(f"  {name + needs:<28}{fault['words']}")
    lines += ["", "faults of `loasim prove`, drawn from the seed: how often a day, for how many seconds"]
    for name, nature in told["virtual_faults"].items():
        shortest, longest = nature["lasts_s"]
        lasts = f"{shortest:g} to {longest:g}" if longest else ""
        lines.append(f"  {name:<28}{nature['per_day']:<8g}{lasts}".rstrip())
    lines += ["", "bytes at IP level, acknowledgements included (device_sim/bill.py)"]
    lines += [f"  {name:<28}{count}" for name, count in told["bytes"].items()]
    return "\n".join(lines)
