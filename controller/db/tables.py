"""Every table, so that one import knows them all."""

from controller.db.air import (
    Approval,
    Broadcast,
    Delivery,
    DeliveryMove,
    PriorityDecision,
    ProgrammePart,
    StandingAlert,
)
from controller.db.append_only import guard
from controller.db.approval import AlertConfirmation, Delegation, OwnException, Revision
from controller.db.base import Base
from controller.db.campaigns import Campaign
from controller.db.commands import Command
from controller.db.content import Asset, Bulletin, Kept, KeptSound, Quarantined, Rendition
from controller.db.ears import AssetSound, EnvelopePart, Hearing
from controller.db.link import JournalEntry, JournalMark, ScopeDocument, UnitFault, UnitPlan, UnitStatus
from controller.db.people import (
    AuditCheckpoint,
    AuditEntry,
    FactorReset,
    Invitation,
    LoginSession,
    RecoveryCode,
    RoleGrant,
    User,
)
from controller.db.places import Area, Assignment, Cluster, ClusterGroup, RegulationChange, Station, Unit
from controller.db.recodings import Encoding, Unnamed
from controller.db.relays import RelaySource
from controller.db.speech import PhrasePiece, Pronunciation, SpokenText
from controller.db.uploads import Upload
from controller.db.wanted import EmergencyRecording, WantedState

__all__ = [
    "AlertConfirmation",
    "Approval",
    "Area",
    "Asset",
    "AssetSound",
    "Assignment",
    "AuditCheckpoint",
    "AuditEntry",
    "Base",
    "Broadcast",
    "Bulletin",
    "Campaign",
    "Cluster",
    "ClusterGroup",
    "Command",
    "Delegation",
    "Delivery",
    "DeliveryMove",
    "EmergencyRecording",
    "Encoding",
    "EnvelopePart",
    "FactorReset",
    "Hearing",
    "Invitation",
    "JournalEntry",
    "JournalMark",
    "Kept",
    "KeptSound",
    "LoginSession",
    "OwnException",
    "PhrasePiece",
    "PriorityDecision",
    "ProgrammePart",
    "Pronunciation",
    "Quarantined",
    "RecoveryCode",
    "RegulationChange",
    "RelaySource",
    "Rendition",
    "Revision",
    "RoleGrant",
    "ScopeDocument",
    "SpokenText",
    "StandingAlert",
    "Station",
    "Unit",
    "UnitFault",
    "UnitPlan",
    "UnitStatus",
    "Unnamed",
    "Upload",
    "User",
    "WantedState",
]

guard(*(Base.metadata.tables[each.__tablename__] for each in (AuditEntry, AuditCheckpoint)))
