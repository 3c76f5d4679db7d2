"""How much may be asked of units: by one person, of one cluster, of one kind, and how far one order reaches."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import Cluster, Command
from controller.services.rights import Actor

WINDOW = timedelta(hours=1)


@dataclass(frozen=True)
class CommandRules:
    """Numbers within an hour, unless told."""

    per_person: int = 120
    """Acts: an order to many clusters is one."""
    per_cluster: int = 30
    per_kind: dict[str, int] = field(default_factory=lambda: {"reboot": 4, "refetch": 6, "amplifier": 12, "volume": 12})
    """Of one kind at one cluster."""
    wide: int = 20
    """From so many clusters on an order asks for their number to be typed in."""
    caps: dict[str, int] = field(default_factory=lambda: {"technician": 300, "province": 3000})
    """By role, how many clusters one order reaches at the most; of several roles the greatest counts."""
    per_minute: int = 60
    """Of one order, so many leave within a minute."""

    def most(self, actor: Actor) -> int:
        return max((self.caps.get(str(role), 0) for role in actor.roles), default=0)


def person(session: Session, rules: CommandRules, actor: Actor, now: datetime) -> None:
    """Raises Refused("command.limit_person")."""
    acts = func.count(func.coalesce(Command.order_id, Command.id).distinct())
    mine = select(acts).where(Command.issued_by == actor.name, Command.issued_at > now - WINDOW)
    if (session.scalar(mine) or 0) >= rules.per_person:
        raise Refused("command.limit_person", most=rules.per_person)


def cluster(session: Session, rules: CommandRules, place: Cluster, kind: str, now: datetime) -> None:
    """What people asked there; what we ask by ourselves counts too. Raises Refused("command.limit_cluster",
    "command.limit_kind")."""
    within(rules, place, kind, asked(session, [place.id], now)[place.id])


def asked(session: Session, clusters: Iterable[str], now: datetime) -> defaultdict[str, Counter[str]]:
    """How often each of them was asked for what within the hour, in one look."""
    rows = session.execute(
        select(Command.cluster_id, Command.kind, func.count())
        .where(Command.cluster_id.in_(list(clusters)), Command.issued_at > now - WINDOW)
        .group_by(Command.cluster_id, Command.kind)
    )
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, kind, count in rows:
        found[name][kind] = count
    return found


def within(rules: CommandRules, place: Cluster, kind: str, counts: Mapping[str, int]) -> None:
    """Raises as `cluster`, by what was asked there."""
    if sum(counts.values()) >= rules.per_cluster:
        raise Refused("command.limit_cluster", cluster=place.name, most=rules.per_cluster)
    most = rules.per_kind.get(kind)
    if most is not None and counts.get(kind, 0) >= most:
        raise Refused("command.limit_kind", cluster=place.name, most=most)
