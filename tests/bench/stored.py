"""The floor of `compile`: the stored items of these units in one query, as JSON, signed, written to their rows.

No rule is asked, nothing is compared and nothing validated: as little work as there can be for documents of this size.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update

from broadcasts.clock import unix_ms
from broadcasts.wire.jws import SigningKey, Typ, digest
from controller.db.engine import Database
from controller.db.tables import Delivery, UnitPlan
from controller.services.context import HORIZON


class Floor:
    def __init__(self, db: Database, units: Sequence[str], signer: SigningKey, now: datetime) -> None:
        """What stands in their plans beside the items is looked up beforehand."""
        self._db, self._units, self._signer, self._now = db, units, signer, now
        self._heads: dict[str, dict[str, Any]] = {}
        self.changed_at: set[datetime] = set()
        with db.read() as session:
            for row in session.scalars(select(UnitPlan).where(UnitPlan.unit_id.in_(units))):
                self.changed_at.add(row.compiled_at)
                self._heads[row.unit_id] = payload(row.document)
        self._clusters = {head["assignment"]["cluster"]: unit for unit, head in self._heads.items()}
        self._items = {unit: len(head.pop("items")) for unit, head in self._heads.items()}

    def write(self) -> None:
        items: dict[str, list[dict[str, Any]]] = defaultdict(list)
        with self._db.read() as session:
            rows = session.execute(
                select(
                    *(Delivery.id, Delivery.cluster_id, Delivery.asset_sha256, Delivery.start, Delivery.not_after),
                    *(Delivery.priority, Delivery.rank, Delivery.volume, Delivery.on_preempt, Delivery.late),
                )
                .where(
                    Delivery.cluster_id.in_(self._clusters),
                    Delivery.state.in_(["planned", "published"]),
                    Delivery.start >= self._now,
                    Delivery.start < self._now + HORIZON,
                )
                .order_by(Delivery.start)
            )
            for name, cluster, asset, start, not_after, level, rank, volume, on_preempt, late in rows:
                items[self._clusters[cluster]].append(
                    {
                        "id": name,
                        "asset": asset,
                        "start": unix_ms(start),
                        "not_after": unix_ms(not_after),
                        "level": level,
                        "rank": rank,
                        "volume": volume,
                        "on_preempt": on_preempt,
                        "late": late,
                    }
                )
        if {unit: len(items[unit]) for unit in self._units} != self._items:
            raise RuntimeError("the floor does not write what the product wrote")
        written = []
        for unit, head in self._heads.items():
            told = json.dumps({**head, "items": items[unit]}, separators=(",", ":"), ensure_ascii=False)
            document = self._signer.sign(Typ.PLAN, told.encode())
            written.append({"unit": unit, "document": document, "document_sha256": digest(document)})
        table: Any = UnitPlan.__table__
        query = update(table).where(table.c.unit_id == bindparam("unit"))
        values = {name: bindparam(name) for name in ("document", "document_sha256")}
        with self._db.write() as session:
            session.connection().execute(query.values(values), written)


def payload(document: bytes) -> dict[str, Any]:
    """Of a document of our own, unverified."""
    middle = document.split(b".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(middle + b"=" * (-len(middle) % 4)))
    return found
