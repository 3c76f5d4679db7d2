"""What was typed of a pole and of the papers of its unit, read into what the services know."""

from __future__ import annotations

from datetime import date

from broadcasts.errors import Refused
from controller.services.asset_book import Line
from controller.services.hardware import Papers
from controller.services.placing import Place
from controller.web.draft_form import day_of
from controller.web.upload import Posted

TEXTS = (
    *("vendor", "model", "serial", "supplier_code", "supplier", "contract", "funding", "purpose"),
    *("sim_operator", "sim_number", "sim_iccid", "notes"),
)


def place(told: Posted, had: Place) -> Place:
    """`had`: what the form does not ask for. Raises Refused: "place.position", "place.horns"."""
    return Place(
        name=told.get("name"),
        latitude=_degrees(told.get("latitude")),
        longitude=_degrees(told.get("longitude")),
        horns=_number(told.get("horns"), "place.horns"),
        horn_watts=_number(told.get("horn_watts"), "place.horns"),
        hamlet=told.get("hamlet", had.hamlet),
        site=told.get("site", had.site),
        languages=had.languages,
        tags=had.tags,
    )


PLACE = ("name", "latitude", "longitude", "horns", "horn_watts", "hamlet", "site")


def typed_place(told: Posted) -> dict[str, str]:
    """As it was typed, for a form that was refused."""
    return {name: told.get(name) for name in PLACE}


def papers(told: Posted) -> Papers:
    """Raises Refused: "hardware.day", "hardware.money", "hardware.quota"."""
    return Papers(
        **{name: told.get(name) for name in TEXTS},
        purchased_on=_day(told.get("purchased_on")),
        warranty_until=_day(told.get("warranty_until")),
        cost_vnd=money(told.get("cost_vnd")),
        sim_quota_mb=_maybe(told.get("sim_quota_mb"), "hardware.quota"),
    )


def line(told: Posted) -> Line:
    """Raises Refused: "hardware.day", "hardware.money"."""
    day = _day(told.get("on_day"))
    if day is None:
        raise Refused("hardware.day")
    return Line(told.get("what"), day, money(told.get("cost_vnd")), told.get("funding"), told.get("note"))


def money(told: str) -> int | None:
    """Dots and blanks between thousands are how people write it."""
    return _maybe(told.replace(".", "").replace(" ", "").replace("\N{NO-BREAK SPACE}", ""), "hardware.money")


def _maybe(told: str, key: str) -> int | None:
    return _number(told, key) if told.strip() else None


def _number(told: str, key: str) -> int:
    said = told.strip()
    if not (said.isascii() and said.isdecimal() and len(said) <= 15):
        raise Refused(key, **({"horns": 20, "watts": 200} if key == "place.horns" else {}))
    return int(said)


def _degrees(told: str) -> float | None:
    """Also with a comma, as people write it."""
    said = told.strip().replace(",", ".")
    if not said:
        return None
    try:
        return float(said)
    except ValueError:
        raise Refused("place.position") from None


def _day(told: str) -> date | None:
    if not told.strip():
        return None
    found = day_of(told.strip())
    if found is None:
        raise Refused("hardware.day")
    return found
