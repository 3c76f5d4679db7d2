"""What the columns of the table of clusters may be called: in words of each language, beside the names for programs."""

from __future__ import annotations

from functools import cache

from controller.services.sheets import COLUMNS
from controller.web.catalogue import LANGUAGES, say


@cache
def labels() -> dict[str, str]:
    """What somebody wrote at the head of a column, to its name. Of two columns no word is the same (a test)."""
    return {say(language, f"sheet.column.{name}"): name for language in LANGUAGES for name in COLUMNS}
