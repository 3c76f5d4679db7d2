"""What `loa check` says of an external broker."""

from __future__ import annotations

from broadcasts.clock import SystemClock
from broadcasts.errors import Refused
from controller.bootstrap import alone
from controller.bootstrap.service import external_broker
from controller.mqtt import tls
from controller.mqtt.probe import Line, reach, rights
from controller.settings import Settings
from controller.web.catalogue import say


def look_at_broker(settings: Settings, *, insist: bool = False) -> list[Line]:
    """One line each; what cannot be tried because of an earlier one is left out. `insist`: log in although a controller
    runs; where it is connected it loses its connection, and comes back by itself."""
    clock = SystemClock()
    now = clock.now()
    try:
        broker = external_broker(settings, now)
        stranger = tls.context(settings.broker_ca, None, None, "", now) if broker.tls is not None else None
    except Refused as refused:
        return [Line("broker-files", False, say("en", f"errors.{refused.key}", **refused.fields))]
    told = reach(broker)
    if not all(line.well for line in told):
        return told
    if not insist and (process := alone.holder(settings.data)) is not None:
        why = f"not tried: the controller runs (process {process}) and would be cut off; --insist tries all the same"
        return [*told, Line("broker-login", True, why)]
    return told + rights(broker, stranger, clock)
