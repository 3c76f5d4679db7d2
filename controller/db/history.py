"""What is kept of each cluster's past beside deliveries and faults: one row a day, however much happened."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base


class ClusterDay(Base):
    """One cluster on one day of Viet Nam (`broadcasts.domain.day_strip`, `controller.services.history_keeping`)."""

    __tablename__ = "cluster_days"
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True, index=True)
    unit_id: Mapped[str | None] = mapped_column(String(32))
    """Whose counter `data_mb` is."""
    link: Mapped[str] = mapped_column(String(96))
    power: Mapped[str] = mapped_column(String(96))
    link_known: Mapped[int] = mapped_column(default=0)
    """Half quarters of which is known whether it was connected."""
    link_there: Mapped[int] = mapped_column(default=0)
    """And in which it was."""
    data_mb: Mapped[int | None]
    """What its unit counted this month, as it last said on this day."""
    data_used_mb: Mapped[int] = mapped_column(default=0)
    """By how much that grew on this day."""
    due: Mapped[int] = mapped_column(default=0)
    """Deliveries that count for the objective (`controller.services.objective`) and began on this day."""
    sounded: Mapped[int] = mapped_column(default=0)
    heard: Mapped[int] = mapped_column(default=0)
    """Of those that sounded: an ear heard them."""
