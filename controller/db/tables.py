"""Every table, so that one import knows them all."""

from controller.db.air import Approval, Broadcast, Delivery, DeliveryMove, StandingAlert
from controller.db.base import Base
from controller.db.content import Asset, Bulletin, Kept, Quarantined, Rendition
from controller.db.link import JournalEntry, JournalMark, ScopeDocument, UnitFault, UnitPlan, UnitStatus
from controller.db.people import AuditEntry, LoginSession, User
from controller.db.places import Area, Assignment, Cluster, Station, Unit

__all__ = [
    "Approval",
    "Area",
    "Asset",
    "Assignment",
    "AuditEntry",
    "Base",
    "Broadcast",
    "Bulletin",
    "Cluster",
    "Delivery",
    "DeliveryMove",
    "JournalEntry",
    "JournalMark",
    "Kept",
    "LoginSession",
    "Quarantined",
    "Rendition",
    "ScopeDocument",
    "StandingAlert",
    "Station",
    "Unit",
    "UnitFault",
    "UnitPlan",
    "UnitStatus",
    "User",
]
