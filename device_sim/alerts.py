"""Which emergencies stand, and when the next sounding of one is due. CONTRACT.md, section 6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from broadcasts.wire.alert import Alert, AlertDocument, Rendition

RETRIES = 20
"""A sounding that was cut (power, a newer alert) does not count; but a pole that boots for ever is not a siren."""


def concerning(documents: Mapping[str, AlertDocument], scopes: Sequence[str], unit: str) -> list[Alert]:
    """Every alert that is meant for this unit and was not voided, whatever the time. `scopes` from wide to narrow."""
    found: dict[str, Alert] = {}
    void_before = 0
    for scope in scopes:
        document = documents.get(scope)
        if document is None:
            continue
        void_before = max(void_before, document.void_before)
        for alert in document.alerts:
            if alert.issued_at >= void_before and (alert.target == "all" or unit in alert.target):
                found[alert.id] = alert
    return sorted(found.values(), key=urgency, reverse=True)


def decodable(alert: Alert, codecs: Sequence[str]) -> Alert:
    """The same alert, each rendition in the first encoding that this unit decodes; as it stands where it has none."""
    if all(each.also is None for each in alert.content):
        return alert
    return alert.model_copy(update={"content": decodable_content(alert.content, codecs)})


def decodable_content(content: Sequence[Rendition], codecs: Sequence[str]) -> list[Rendition]:
    told = []
    for each in content:
        own = next((one for one in (each.asset, *(each.also or ())) if one.codec in codecs), each.asset)
        told.append(each.model_copy(update={"asset": own, "also": None}))
    return told


def urgency(alert: Alert) -> tuple[int, str]:
    """The newest wins, so that a forgotten alert cannot block. Greater is more urgent."""
    return alert.issued_at, alert.id


def due_at(alert: Alert, begun: int, whole: int, last_ms: int) -> int | None:
    """When the next sounding is due; none when it has sounded as often as it may.

    `begun` and `whole` count soundings that began and that ran to their end; `last_ms` is when the last one began.
    """
    times = alert.repeat.times if alert.repeat is not None else 1
    if times is not None and (whole >= times or begun >= times + RETRIES):
        return None
    if begun == 0 or alert.repeat is None:
        return alert.not_before
    opening = alert.repeat.opening_s or [0]
    if whole < opening.count(0):
        # Not yet heard as often as it is owed at once.
        return alert.not_before
    step, grid = alert.repeat.every_s * 1000, alert.not_before + opening[-1] * 1000
    ahead = [at for each in opening if (at := alert.not_before + each * 1000) > last_ms]
    return ahead[0] if ahead else grid + (max(0, last_ms - grid) // step + 1) * step
