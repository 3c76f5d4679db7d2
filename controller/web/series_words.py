"""A series in words: what its rule asks, each gap with its cause, and the quarterly list as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from broadcasts.clock import VIETNAM
from broadcasts.domain.campaign import Gap, Status
from broadcasts.domain.statutes import TEMPLATES, Template
from controller.services.csv_table import sheet
from controller.services.views.campaigns import Published
from controller.web.catalogue import knows
from controller.web.words import Words

STATUS = {Status.NOT_FULFILLED: "not", Status.POSSIBLE: "possible", Status.FULFILLED: "fulfilled"}
COLUMNS = ("title_column", "law_column", "decided", "form", "first", "last", "times", "where", "relayed", "status")


def by_law() -> dict[str, list[Template]]:
    found: dict[str, list[Template]] = {}
    for each in TEMPLATES.values():
        found.setdefault(each.law, []).append(each)
    return found


def gap_told(words: Words, gap: Gap) -> str:
    """ "ngày 2, 17:00 05/03/2026: mất kết nối từ 16:50 05/03/2026; Cụm mất điện"."""
    since = dated(gap.since)
    causes = []
    if gap.since is not None and gap.cause != "first_late":
        causes.append(words.t("campaign.silent", since=since))
    own = f"campaign.cause.{gap.cause}"
    reason = words.t(own, since=since) if knows(own) else words.maybe("reason", gap.cause)
    causes.append(reason.rstrip("."))
    told = "; ".join(causes)
    if gap.at is None:
        return told
    return words.t("campaign.gap", day=gap.day, when=dated(gap.at), cause=told)


def cells(words: Words, lines: Sequence[Published]) -> list[list[str]]:
    """The quarterly list, in the order of COLUMNS."""
    return [
        [
            line.report.campaign.title,
            f"{line.report.template.law}, {line.report.template.article}",
            _date(line.report.campaign.issued_at),
            "; ".join([words.t("campaign.form.loudspeaker"), *line.report.campaign.other_forms.split("\n")]).rstrip(
                "; "
            ),
            dated(line.first),
            dated(line.last),
            str(line.times),
            f"{line.report.station}: {', '.join(hamlet.name for hamlet in line.report.hamlets)}",
            ", ".join(line.relayed),
            words.t(f"campaign.status.{STATUS[line.report.status]}"),
        ]
        for line in lines
    ]


def as_csv(words: Words, lines: Sequence[Published]) -> bytes:
    return sheet([words.t(f"published.{name}") for name in COLUMNS], cells(words, lines))


def _date(instant: datetime | None) -> str:
    return f"{instant.astimezone(VIETNAM):%d/%m/%Y}" if instant else ""


def dated(instant: datetime | None) -> str:
    """With the whole date: on paper "today" says nothing."""
    return f"{instant.astimezone(VIETNAM):%H:%M %d/%m/%Y}" if instant else "–"
