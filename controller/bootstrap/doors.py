"""Which door the broker has, and so how a revoked unit is kept out."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from controller.bootstrap.unit_terms import folder_of
from controller.mqtt import tls
from controller.mqtt.doors import EmbeddedDoor, MosquittoDoor
from controller.mqtt.embedded import EmbeddedBroker
from controller.mqtt.link import BrokerAddress, PahoLink
from controller.services.context import Context
from controller.services.unit_clearing import Clearing, Door
from controller.settings import Settings


def clearing(
    ctx: Context, settings: Settings, link: PahoLink, broker: EmbeddedBroker | None, address: BrokerAddress
) -> Clearing:
    return Clearing(ctx, link, door(ctx, settings, link, broker, address))


def door(
    ctx: Context, settings: Settings, link: PahoLink, broker: EmbeddedBroker | None, address: BrokerAddress
) -> Door:
    if broker is not None:
        return EmbeddedDoor(broker, ctx.wall)
    fresh: Callable[[], ssl.SSLContext] | None = None
    if address.tls is not None and settings.broker_cert is not None:

        def fresh() -> ssl.SSLContext:
            return tls.context(settings.broker_ca, None, None, "", ctx.wall.now())

    return MosquittoDoor(link, address, ctx.units.authority, folder_of(settings), fresh, ctx.wall)
