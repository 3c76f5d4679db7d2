"""The chain of one delivery in sentences."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from controller.services.views.why import Step
from controller.web.catalogue import knows
from controller.web.words import Words

KINDS = (
    *("submitted", "approved", "approved_lent", "approved_own", "approved_until", "rejected", "planned", "named"),
    *("moved", "closed", "stopped", "started", "ended", "ended_relay", "skipped"),
    *("lost_alert", "lost_other", "lost_class", "lost_rank", "lost_order", "open", "verdict"),
)


def sentence(words: Words, step: Step) -> str:
    told = {name: _said(words, name, value) for name, value in step.fields.items()}
    said = words.t(f"chain.{step.kind}", who=step.who, **told)
    match step.kind:
        case "started" | "ended" | "ended_relay" | "skipped":
            return f"{said} {words.t('chain.signed' if step.fields['signed'] else 'chain.unsigned')}"
        case "verdict":
            return f"{said} {_rule(words, step)}"
        case _:
            return said


def _rule(words: Words, step: Step) -> str:
    verdict, reason = str(step.fields["verdict"]), str(step.fields["reason"])
    rule = words.maybe("chain.rule", verdict)
    return f"{rule} {words.maybe('reason', reason)}" if reason else rule


def _said(words: Words, name: str, value: Any) -> object:
    match name:
        case "start" | "until" | "received":
            return words.when(value) if isinstance(value, datetime) else "–"
        case "late_ms" | "played_ms" | "offset_ms" | "relay_ms" | "fallback_ms":
            return words.duration(max(0, int(value)))
        case "priority":
            return words.t(f"priority.{value}")
        case "won" | "lost":
            return words.maybe("priority", value, "3") if isinstance(value, int) and 1 <= value <= 3 else value
        case "after":
            return words.t(f"state.{value}")
        case "verdict":
            return words.t(f"verdict.{value}")
        case "why":
            code = str(value).replace(",", "").replace(" ", "_")
            return words.maybe("why" if knows(f"why.{code}") else "reason", code).rstrip(".")
        case "outcome":
            return words.maybe("chain.outcome", value)
        case "amplifier":
            return words.maybe("chain.amplifier", value)
        case _:
            return value
