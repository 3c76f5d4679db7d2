"""How what `loa alert` decided reaches the poles when nobody knows what is still up.

A controller that runs says it within a second (`services.noticing`). One that runs and does not say it is passed by:
the command comes to the broker in the controller's own name, says what is signed, and goes; the controller, whom the
broker cuts off for it, comes back by itself. Where none runs, the command is the controller for that while, without
pages: the same services, the same steps, the embedded broker too.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator

from sqlalchemy import or_, select

from broadcasts.clock import SystemClock
from broadcasts.errors import Fault
from controller.bootstrap import alone
from controller.bootstrap.service import Service, external_broker
from controller.db.tables import DrillList, ScopeDocument
from controller.mqtt.broker_users import CONTROLLER
from controller.mqtt.link import BrokerAddress, PahoLink
from controller.services import reconciling
from controller.services.context import Context
from controller.settings import Settings

PATIENCE_S = 8.0
"""How long a controller that runs may take before it is passed by."""
REACH_S = 15.0
_LOOK_S = 0.2
_CLOCK = SystemClock()


def said(ctx: Context) -> bool:
    """Whether every list is signed, and was acknowledged by the broker."""
    waits = or_(ScopeDocument.dirty > 0, (ScopeDocument.version > 0) & ScopeDocument.published_at.is_(None))
    with ctx.db.read() as session:
        drills = select(DrillList.scope).where(DrillList.version > 0, DrillList.published_at.is_(None))
        return session.execute(select(ScopeDocument.scope).where(waits).union(drills)).first() is None


def until(condition: Callable[[], bool], seconds: float, every: float = _LOOK_S) -> bool:
    """Look every so often; whether it came true in time."""
    pause, deadline = threading.Event(), _CLOCK.monotonic() + seconds
    while not condition():
        if _CLOCK.monotonic() > deadline:
            return False
        pause.wait(every)
    return True


@contextlib.contextmanager
def published(settings: Settings, ctx: Context) -> Iterator[str]:
    """Inside, what was decided is out there; how that came, for the terminal. Where the command is the controller it
    goes on being it until the block ends. Raises Fault("broker_away") where the broker takes nothing."""
    if alone.holder(settings.data) is not None:
        if until(lambda: said(ctx), PATIENCE_S):
            yield "published by the controller"
            return
        _by_hand(settings, ctx)
        yield "the controller runs and says nothing: published by this command"
        return
    service = Service(settings)
    try:
        service.start()
        if not until(lambda: said(ctx), REACH_S):
            raise Fault("broker_away")
        yield "no controller runs: this command is the controller until it ends"
    finally:
        service.stop()


def needs_us(settings: Settings) -> bool:
    """Whether the broker is ours and ends with us: then nobody may leave before the poles have heard."""
    return settings.broker == "embedded" and alone.holder(settings.data) is None


def _by_hand(settings: Settings, ctx: Context) -> None:
    """Raises Fault("broker_away")."""
    up = threading.Event()
    link = PahoLink(_address(settings), ctx.clock, up.set)
    thread = threading.Thread(target=link.run, name="alert-link", daemon=True)
    thread.start()
    try:
        if not up.wait(REACH_S):
            raise Fault("broker_away")
        reconciling.step(ctx, link, ctx.clock.now())
        # The controller may come back meanwhile and cut us off: then it is the one that says it.
        if not until(lambda: said(ctx), REACH_S):
            raise Fault("broker_away")
    finally:
        link.close()
        thread.join(5)


def _address(settings: Settings) -> BrokerAddress:
    if settings.broker != "embedded":
        return external_broker(settings, _CLOCK.now())
    try:
        secret = (settings.data / "keys" / "broker.secret").read_text(encoding="utf-8").strip()
    except OSError as failure:
        raise Fault("keys.missing", path=str(settings.data / "keys" / "broker.secret")) from failure
    return BrokerAddress("127.0.0.1", settings.broker_port, CONTROLLER, secret)


def tell(text: str) -> None:
    """Talk: results alone go to stdout."""
    print(text, file=sys.stderr, flush=True)
