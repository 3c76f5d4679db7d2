"""Warnings of others (CAP): the two steps that keep them going."""

from __future__ import annotations

from controller.bootstrap.cap_web import HttpWeb
from controller.services.cap_acting import Acting
from controller.services.cap_polling import Poller
from controller.services.context import Context
from controller.ticker import Step


def steps(ctx: Context) -> dict[str, Step]:
    """`cap` is what must not wait behind a server that does not answer: silence, and what a rule sounds."""
    web = HttpWeb(ctx.wall, inside=ctx.cap_inside or ctx.inside_relays)
    return {"cap": Acting(ctx).step, "cap-fetch": Poller(ctx, web).step}
