"""What is supposed beside what the tables say: that more were planned, and that some of it were not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from controller.db.tables import Delivery


class Around:
    """`without`: ids of deliveries of the tables that are supposed to be off the air."""

    def __init__(self) -> None:
        self.without: set[str] = set()
        self._more: dict[str, dict[str, Delivery]] = defaultdict(dict)

    def add(self, delivery: Delivery) -> None:
        """Supposed to be planned, whether the tables have it or not."""
        self.without.discard(delivery.id)
        self._more[delivery.cluster_id][delivery.id] = delivery

    def drop(self, delivery: Delivery) -> None:
        """Supposed to be off the air."""
        self._more[delivery.cluster_id].pop(delivery.id, None)
        self.without.add(delivery.id)

    def at(self, clusters: Collection[str]) -> Iterator[Delivery]:
        """What more is planned there."""
        for cluster in clusters:
            yield from self._more.get(cluster, {}).values()


ALONE = Around()
"""Nothing is supposed; nobody adds to it."""
