"""Every table, so that one import knows them all."""

from controller.db.air import (
    Approval,
    Broadcast,
    Delivery,
    DeliveryMove,
    PriorityDecision,
    ProgrammePart,
)
from controller.db.append_only import guard
from controller.db.approval import AlertConfirmation, Delegation, OwnException, Revision
from controller.db.base import Base
from controller.db.campaigns import Campaign
from controller.db.cap import CapFeed, CapMessage, CapMessageAlert, CapRule
from controller.db.commands import Command, CommandOrder
from controller.db.content import Asset, Bulletin, Kept, KeptSound, Quarantined, Rendition
from controller.db.drills import Drill, DrillBefore, DrillList, DrillReach
from controller.db.ears import AssetSound, EnvelopePart, Hearing
from controller.db.emergencies import Emergency, EmergencyReach, ReachBefore, StandingAlert
from controller.db.enrolments import Enrolment, FactoryEntry, Revocation, UnitCertificate
from controller.db.faults import FaultCase, FaultMove, Notice, PlannedWork, UnitHealth
from controller.db.feedback import Feedback
from controller.db.history import ClusterDay
from controller.db.inventory import BookEntry, Divergence, Hardware, HardwareClass, Pole, SheetImport
from controller.db.link import JournalEntry, JournalMark, ScopeDocument, UnitFault, UnitPlan, UnitStatus
from controller.db.live import LiveSession
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
from controller.db.rounds import Round, RoundEntry, RoundStop
from controller.db.speech import PhrasePiece, Pronunciation, ReadingStyle, SpokenText
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
    "BookEntry",
    "Broadcast",
    "Bulletin",
    "Campaign",
    "CapFeed",
    "CapMessage",
    "CapMessageAlert",
    "CapRule",
    "Cluster",
    "ClusterDay",
    "ClusterGroup",
    "Command",
    "CommandOrder",
    "Delegation",
    "Delivery",
    "DeliveryMove",
    "Divergence",
    "Drill",
    "DrillBefore",
    "DrillList",
    "DrillReach",
    "Emergency",
    "EmergencyReach",
    "EmergencyRecording",
    "Encoding",
    "Enrolment",
    "EnvelopePart",
    "FactorReset",
    "FactoryEntry",
    "FaultCase",
    "FaultMove",
    "Feedback",
    "Hardware",
    "HardwareClass",
    "Hearing",
    "Invitation",
    "JournalEntry",
    "JournalMark",
    "Kept",
    "KeptSound",
    "LiveSession",
    "LoginSession",
    "Notice",
    "OwnException",
    "PhrasePiece",
    "PlannedWork",
    "Pole",
    "PriorityDecision",
    "ProgrammePart",
    "Pronunciation",
    "Quarantined",
    "ReachBefore",
    "ReadingStyle",
    "RecoveryCode",
    "RegulationChange",
    "RelaySource",
    "Rendition",
    "Revision",
    "Revocation",
    "RoleGrant",
    "Round",
    "RoundEntry",
    "RoundStop",
    "ScopeDocument",
    "SheetImport",
    "SpokenText",
    "StandingAlert",
    "Station",
    "Unit",
    "UnitCertificate",
    "UnitFault",
    "UnitHealth",
    "UnitPlan",
    "UnitStatus",
    "Unnamed",
    "Upload",
    "User",
    "WantedState",
]

guard(*(Base.metadata.tables[each.__tablename__] for each in (AuditEntry, AuditCheckpoint)))
