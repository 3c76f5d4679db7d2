"""What every use case is handed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from broadcasts.audio.voice_espeak import embedded
from broadcasts.audio.voices import Voices
from broadcasts.clock import Clock
from broadcasts.ids import IdSource
from controller.db.engine import Database
from controller.services.account_rules import AccountRules
from controller.services.clip_box import ClipBox
from controller.services.command_rules import CommandRules
from controller.services.emergency_rules import EmergencyRules
from controller.services.live_rules import LiveRules
from controller.services.notice_rules import NoticeRules
from controller.services.ports import AudioRoom, Keyring, Measures, NoMeasures, SmsGateway
from controller.services.unit_terms import UnitTerms

HORIZON = timedelta(days=7)
"""How far ahead a unit holds its plan."""
LOCK_WINDOW = timedelta(minutes=10)
"""A start nearer than this needs "push now" (design, section 5)."""


@dataclass(frozen=True)
class Context:
    db: Database
    clock: Clock
    """The time on air, which in a sandbox may run ahead."""
    wall: Clock
    """The time of people: log-ins, idle sessions."""
    ids: IdSource
    audio: AudioRoom
    keys: Keyring
    wake: Callable[[], None]
    """Something changed that the units should hear of: look now, not at the next tick."""
    measures: Measures = field(default_factory=NoMeasures)
    people: AccountRules = field(default_factory=AccountRules)
    standing_approval: timedelta = timedelta(days=31)
    """For how long a standing approval holds at the most."""
    audit_keep: timedelta = timedelta(days=365)
    """For how long the audit log stays in the database (R-105)."""
    wake_publisher: Callable[[], None] | None = None
    """`wake` for the step alone that publishes; none: there is no such thing here."""
    wake_ears: Callable[[], None] | None = None
    """`wake` for the step alone that matches what units heard; none: there is no such thing here."""
    clips: ClipBox = field(default_factory=ClipBox)
    """Clips that wait for their match, in memory alone."""
    clips_per_mille: int = 0
    """Of a thousand plays, so many are asked for ten seconds of sound; 0: nobody asks by himself."""
    ear_keep: timedelta = timedelta(days=90)
    """For how long envelopes stay; what they came to stays with the delivery."""
    history_keep: timedelta = timedelta(days=100)
    """For how long the past of each cluster stays, day by day."""
    inside_relays: bool = False
    """Relays may come from this machine or network: a demo."""
    cap_inside: bool = False
    """Warnings (CAP) may be fetched from inside this network."""

    emergencies: EmergencyRules = field(default_factory=EmergencyRules)
    live: LiveRules = field(default_factory=LiveRules)
    """Of live voices."""
    sms: SmsGateway | None = None
    """Who takes short messages to units; none: alerts by SMS are read off the page."""
    notices: NoticeRules = field(default_factory=NoticeRules)
    """Who outside is told of faults, and when."""
    commands: CommandRules = field(default_factory=CommandRules)
    """How much may be asked of units."""
    voices: Voices = field(default_factory=embedded)
    """Who reads texts aloud."""
    units: UnitTerms = field(default_factory=UnitTerms)
    """On which terms units join."""

    def publish_soon(self) -> None:
        """Something signed lies ready: nobody else need look."""
        (self.wake_publisher or self.wake)()

    def hear_soon(self) -> None:
        """A unit told what it heard: nobody else need look."""
        if self.wake_ears is not None:
            self.wake_ears()
