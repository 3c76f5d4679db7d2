"""What pages and API are given: the use cases' context and the few things that only they ask for."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from broadcasts.audio.store import Stored
from broadcasts.domain.tiles import Tiles
from broadcasts.errors import Refused
from controller.services.context import Context
from controller.services.live_room import LiveRoom
from controller.services.rights import Actor
from controller.services.sandbox import SandboxControl
from controller.services.turnstile import Turnstile
from controller.services.uploads import Shelf

SESSION_COOKIE = "loa"
"""Over TLS it is called `__Host-loa`: no other host, no other path can set it."""


@dataclass(frozen=True)
class Office:
    """Chosen in `bootstrap`, handed to `create_app`."""

    ctx: Context
    link_up: Callable[[], bool]
    metrics: Callable[[], bytes]
    """The text that Prometheus reads."""
    unit_asset: Callable[[str, str, str], Stored]
    """(unit, secret, sha256) to the file. Raises Refused: "unit.unknown", "asset.not_yours", "asset.unknown"."""
    upload_folder: Path
    """Where uploads lie until they are judged; on the disk that keeps the assets."""
    files_by_link: bool = False
    """Units are sent to the object store for their files."""
    sandbox: SandboxControl | None = None
    secure_cookies: bool = False
    """Pages are served over TLS."""
    max_upload_bytes: int = 200_000_000
    metrics_token: str = field(default="", repr=False)
    """Bearer token for /metrics; empty: only the province's session."""
    demo_hours: tuple[int, int] = (5 * 60, 21 * 60)
    """When the demo's stations may sound, in minutes of the local day; said only with a sandbox."""
    closing: Event = field(default_factory=Event)
    """Set when the server is about to stop, so that live streams end."""

    came: Callable[[], None] = lambda: None
    """A recording came whole and waits to be prepared."""
    cap_out: str = "off"
    """Who may read what we sounded as CAP: off, token, public."""
    cap_token: str = field(default="", repr=False)
    cap_sender: str = "loa"
    """Who we are in CAP."""
    tiles: Tiles | None = None
    """Pictures below the map of the fleet; none: nothing is fetched from anywhere."""
    room: LiveRoom | None = None
    """Where live voices are; none: nobody speaks here."""
    turnstile: Turnstile = field(default_factory=Turnstile)
    """Where units ask that nobody knows yet."""

    @property
    def shelf(self) -> Shelf:
        """Where recordings lie that come in pieces: beside the other uploads, and kept when the server starts again."""
        return Shelf(self.upload_folder.parent / "unfinished", self.max_upload_bytes)

    @property
    def session_cookie(self) -> str:
        return f"__Host-{SESSION_COOKIE}" if self.secure_cookies else SESSION_COOKIE


def check_form(actor: Actor, token: str) -> None:
    """Raises Refused("form.foreign") when a form was not one of our pages of this session."""
    if not actor.form_token or not hmac.compare_digest(actor.form_token.encode(), token.encode()):
        raise Refused("form.foreign")
