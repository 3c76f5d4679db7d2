"""Between what wants the horn: alerts, live sessions, items. CONTRACT.md, sections 5, 6 and 6a."""

from __future__ import annotations

from broadcasts.wire.alert import Alert
from broadcasts.wire.plan import Item
from device_sim import alerts, rules, talks
from device_sim.horn import Playing
from device_sim.talk import Talk


def name_of(chosen: Alert | Talk) -> str:
    return chosen.session.item if isinstance(chosen, Talk) else chosen.id


def urgency_of(chosen: Alert | Talk) -> tuple[int, str]:
    """Among emergencies, of whichever kind, the greatest has the horn: the newest."""
    return talks.urgency(chosen) if isinstance(chosen, Talk) else alerts.urgency(chosen)


def emergency_of(running: Playing) -> Alert | Talk | None:
    if running.talk is not None and running.talk.session.level == 1:
        return running.talk
    return running.alert


def goes_before(item: Item, running: Playing) -> bool:
    """Whether an item takes the horn from what has it."""
    if running.talk is not None:
        return item.level < running.talk.session.level
    return running.item is not None and rules.order(item) < rules.order(running.item)


def speaks_before(talk: Talk, running: Playing) -> bool:
    """Whether a session of level 2 or 3 does."""
    level = talk.session.level
    if running.item is not None:
        return level <= running.item.level
    return running.talk is not None and running.talk is not talk and level <= running.talk.session.level
