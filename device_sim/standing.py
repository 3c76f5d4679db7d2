"""What stands for one unit at this moment: its alerts, from documents and texts, its drills, and the files of all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from broadcasts.wire.alert import Alert, AlertDocument
from broadcasts.wire.drill import Drill
from broadcasts.wire.plan import Plan
from device_sim import alerts, drills
from device_sim.texted import merged
from device_sim.trust import DocumentStore


def standing(
    documents: DocumentStore,
    plan: Plan,
    scopes: Sequence[str],
    unit: str,
    codecs: Sequence[str],
    shown: Collection[str],
) -> tuple[Mapping[str, AlertDocument], list[Alert], list[Drill]]:
    """The alert documents as texts leave them; the alerts and drills of them that concern the unit, with the encodings
    that it decodes, whatever the time, the most urgent first. `shown`: the scopes whose drills the link has shown since
    the boot."""
    together = merged(documents.alerts, documents.texted, plan)
    meant = alerts.concerning(together, scopes, unit)
    exercises = drills.concerning(documents.drills, together, scopes, unit, shown)
    ours = [alerts.decodable(each, codecs) for each in meant]
    return together, ours, [drills.decodable(each, codecs) for each in exercises]
