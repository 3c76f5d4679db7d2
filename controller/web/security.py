"""Headers that every answer carries, and the door that other sites' pages do not pass."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""No inline script, no inline style: what a bulletin's title says can only ever be text."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
}
_CHANGES = ("POST", "PUT", "PATCH", "DELETE")


class Shield:
    """ASGI middleware. `tls` also tells the browser to come back over TLS only."""

    def __init__(self, app: ASGIApp, tls: bool) -> None:
        self._app = app
        self._headers = HEADERS | ({"strict-transport-security": "max-age=31536000"} if tls else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                # Pages and figures are for the one who asked; what may be kept says so itself.
                headers.setdefault("cache-control", "no-store")
            await send(message)

        if scope["method"] in _CHANGES and _foreign(scope):
            refusal = PlainTextResponse("This request came from a page of another site.\n", status_code=403)
            await refusal(scope, receive, send_shielded)
            return
        await self._app(scope, receive, send_shielded)


def _foreign(scope: Scope) -> bool:
    """Browsers say from where a request comes (Fetch Metadata); the form token is asked for besides."""
    told = dict(scope["headers"]).get(b"sec-fetch-site", b"none")
    return told not in (b"same-origin", b"none")
