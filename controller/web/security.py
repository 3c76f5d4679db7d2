"""Headers that every answer carries, and the door that other sites' pages do not pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi.responses import PlainTextResponse

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""No inline script, no inline style: what a bulletin's title says can only ever be text."""


def with_pictures(origin: str) -> str:
    """The same policy for one page that also shows pictures of one other place (scheme, host, port)."""
    return POLICY.replace("img-src 'self' data:", f"img-src 'self' data: {origin}")


HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "cache-control": "no-store",
}
"""Unless the answer says otherwise: pages and figures are for the one who asked; what may be kept says so itself."""
_CHANGES = ("POST", "PUT", "PATCH", "DELETE")


class Shield:
    """ASGI middleware. `tls` also tells the browser to come back over TLS only."""

    def __init__(self, app: App, tls: bool) -> None:
        self._app = app
        ours = HEADERS | ({"strict-transport-security": "max-age=31536000"} if tls else {})
        self._headers = [(name.encode(), value.encode()) for name, value in ours.items()]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = {name.lower() for name, _ in message["headers"]}
                ours = [(name, value) for name, value in self._headers if name not in told]
                message["headers"] = [*message["headers"], *ours]
            await send(message)

        if scope["method"] in _CHANGES and _foreign(scope):
            refusal = PlainTextResponse("This request came from a page of another site.\n", status_code=403)
            await refusal(scope, receive, send_shielded)
            return
        await self._app(scope, receive, send_shielded)


def _foreign(scope: Message) -> bool:
    """Browsers say from where a request comes (Fetch Metadata); the form token is asked for besides."""
    told = dict(scope["headers"]).get(b"sec-fetch-site", b"none")
    return told not in (b"same-origin", b"none")
