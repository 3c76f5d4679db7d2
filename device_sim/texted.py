"""Alerts that came by SMS: what stands of them beside the documents. CONTRACT.md, section 6c."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from broadcasts.errors import ContractViolation
from broadcasts.wire import trigger as wire
from broadcasts.wire.alert import Alert, AlertDocument, Rendition
from broadcasts.wire.jws import PublicKey
from broadcasts.wire.plan import MAX_AHEAD_MS, Plan
from broadcasts.wire.status import RefusalReason
from broadcasts.wire.trigger import Op, Trigger
from broadcasts.wire.trust import Trust, Use
from device_sim.trust import DocumentStore, Refused, Texted

MOST = 32
"""Triggers of one scope that are remembered beside its document. Older ones give way, and are not taken again: first
what sounds, because the document below may still list what the others silenced."""
WAITING = 4
"""Texts that a newer trust document or a plan may make right."""
_REASONS = {
    "oversized": RefusalReason.TOO_LARGE,
    "not_for_me": RefusalReason.NOT_FOR_ME,
    "key_not_trusted": RefusalReason.KEY_NOT_TRUSTED,
    "bad_signature": RefusalReason.BAD_SIGNATURE,
}


class _No(Exception):
    def __init__(self, reason: RefusalReason, version: int | None = None) -> None:
        self.reason, self.version = reason, version


class Texts:
    """The door for what comes by SMS."""

    def __init__(self, store: DocumentStore, unit: str) -> None:
        self._store, self._unit = store, unit
        self._waiting: deque[bytes] = deque(maxlen=WAITING)

    def again(self) -> list[bytes]:
        """After a new trust document or plan: what waited for it."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def admit(self, raw: bytes, now: int, trusted: bool) -> Trigger | Refused | None:
        """The trigger, kept in the store; a refusal; none when it is known, or waits."""
        store = self._store
        if not wire.looks_like_one(raw):
            return None
        if store.plan is None or store.trust is None:
            self._waiting.append(raw)
            return None
        try:
            trigger = self._verify(raw, store.plan, store.trust, now, trusted)
            return trigger if self._keep(trigger) else None
        except ContractViolation as failure:
            reason, version = _REASONS.get(failure.reason, RefusalReason.MALFORMED), None
        except _No as no:
            reason, version = no.reason, no.version
        if reason is RefusalReason.KEY_NOT_TRUSTED:
            self._waiting.append(raw)
        return Refused("trigger", reason, version)

    def _verify(self, raw: bytes, plan: Plan, trust: Trust, now: int, trusted: bool) -> Trigger:
        keys = [
            PublicKey(key.kid, key.x)
            for key in trust.keys
            if key.use is Use.ALERT and key.not_before <= now < key.not_after
        ]
        trigger = wire.unseal(raw, plan.policy.scopes, self._unit, keys)
        if trusted and max(trigger.version, trigger.issued_at) > now + MAX_AHEAD_MS:
            raise _No(RefusalReason.FAR_FUTURE, trigger.version)
        if trigger.op is Op.SOUND and trigger.hard_end <= now:
            raise _No(RefusalReason.EXPIRED, trigger.version)
        return trigger

    def _keep(self, trigger: Trigger) -> bool:
        """Whether it is new. Raises _No where its scope is further on."""
        held = self._store.texted.setdefault(trigger.scope, Texted())
        document = self._store.alerts.get(trigger.scope)
        prune(held, document)
        if trigger in held.triggers or (document is not None and trigger.version == document.version):
            return False
        below = trigger.op is Op.SOUND and trigger.version <= held.floor
        if below or (document is not None and trigger.version < document.version):
            raise _No(RefusalReason.OLDER, trigger.version)
        held.triggers = sorted([*held.triggers, trigger], key=_order)
        if len(held.triggers) > MOST:
            first = next((each for each in held.triggers if each.op is Op.SOUND), held.triggers[0])
            held.triggers.remove(first)
            held.floor = max(held.floor, first.version)
        return True


def prune(held: Texted, document: AlertDocument | None) -> None:
    """A document says everything up to its version."""
    if document is not None:
        held.triggers = [each for each in held.triggers if each.version > document.version]


def _order(trigger: Trigger) -> tuple[int, Op, str]:
    """At the same version what silences comes last."""
    return trigger.version, trigger.op, trigger.alert or ""


def merged(
    documents: Mapping[str, AlertDocument], texted: Mapping[str, Texted], plan: Plan
) -> dict[str, AlertDocument]:
    """The documents as they would stand if what came by SMS had come with them."""
    together = dict(documents)
    for scope, held in texted.items():
        document = documents.get(scope)
        prune(held, document)
        if held.triggers:
            together[scope] = _with(
                document or AlertDocument(scope=scope, version=0, issued_at=0, alerts=[]), held, plan
            )
    return together


def _with(document: AlertDocument, held: Texted, plan: Plan) -> AlertDocument:
    alerts = {alert.id: alert for alert in document.alerts}
    void_before = document.void_before
    for each in held.triggers:
        match each.op:
            case Op.SOUND:
                alert = _alert(each, plan)
                if alert is not None:
                    alerts.setdefault(alert.id, alert)
            case Op.END:
                alerts.pop(each.alert or "", None)
            case Op.SILENCE:
                void_before = max(void_before, each.issued_at)
    return document.model_copy(update={"alerts": list(alerts.values()), "void_before": void_before})


def content(trigger: Trigger, plan: Plan) -> list[Rendition]:
    """What the plan holds beforehand for its kind, in its languages."""
    assets = {asset.sha256: asset for asset in plan.assets}
    found = []
    for language in trigger.languages:
        place = plan.preloaded.get(f"{trigger.kind}/{language}")
        if place is not None:
            found.append(Rendition(language=language, asset=assets[plan.emergency_set[place]]))
    return found


def _alert(trigger: Trigger, plan: Plan) -> Alert | None:
    renditions = content(trigger, plan)
    if not renditions or trigger.alert is None:
        return None
    return Alert(
        id=trigger.alert,
        kind=trigger.kind,
        target="all",
        content=renditions,
        repeat=trigger.repeat,
        volume=trigger.volume,
        issued_at=trigger.issued_at,
        not_before=trigger.not_before,
        hard_end=trigger.hard_end,
        max_blind_s=trigger.max_blind_s,
        reason="",
    )
