"""One workshop for the whole run: `house` is a furnished database, on SQLite and again on PostgreSQL; `link`:
the controller's connection to a broker of either kind."""

from support.linked import link, linked_broker
from support.services import ctx, house, workshop

__all__ = ["ctx", "house", "link", "linked_broker", "workshop"]
