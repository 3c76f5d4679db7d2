"""The rules of accounts, emergencies and commands as the settings want them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from broadcasts.errors import Refused
from broadcasts.wire.status import CommandKind
from controller.services.account_rules import AccountRules
from controller.services.command_rules import CommandRules
from controller.services.emergency_rules import EmergencyRules
from controller.services.rights import Role
from controller.settings import PREFIX, Settings


def account_rules(settings: Settings) -> AccountRules:
    return AccountRules(
        second_factor=settings.second_factor != "off",
        strong_length=settings.password_length_strong,
        length=settings.password_length,
        classes=settings.password_classes,
        former=settings.password_former,
        administrator_password=timedelta(days=settings.admin_password_days),
        tries=settings.lock_tries,
        lock=timedelta(hours=settings.lock_hours),
        longest_lock=timedelta(days=settings.lock_longest_days),
        idle=timedelta(minutes=settings.idle_minutes),
        administrator_idle=timedelta(minutes=settings.admin_idle_minutes),
        fresh_code=timedelta(minutes=settings.alert_code_minutes),
        session=timedelta(hours=settings.session_hours),
        unused=timedelta(days=settings.unused_days),
        review=timedelta(days=settings.review_days),
        invitation=timedelta(hours=settings.invitation_hours),
        factor_reset=timedelta(hours=settings.factor_reset_hours),
    )


def emergency_rules(settings: Settings) -> EmergencyRules:
    return EmergencyRules(
        cancel=timedelta(seconds=settings.alert_cancel_seconds),
        wide_clusters=settings.alert_wide_clusters,
        wide_share=settings.alert_wide_percent / 100,
        per_person=settings.alerts_per_person,
        per_scope=settings.alerts_per_scope,
        late=timedelta(seconds=settings.alert_late_seconds),
    )


def command_rules(settings: Settings) -> CommandRules:
    """Raises Refused("settings.value")."""
    return CommandRules(
        per_person=settings.commands_per_person,
        per_cluster=settings.commands_per_cluster,
        per_kind=_numbers("COMMANDS_PER_KIND", settings.commands_per_kind, set(CommandKind)),
        wide=settings.order_wide_clusters,
        caps=_numbers("ORDER_CAPS", settings.order_caps, set(Role)),
        per_minute=settings.orders_per_minute,
    )


def _numbers(name: str, told: str, known: Collection[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in filter(None, (each.strip() for each in told.split(","))):
        word, _, number = part.partition("=")
        if word not in known or not (number.isascii() and number.isdigit()) or len(number) > 6:
            raise Refused("settings.value", name=f"{PREFIX}{name}", value=part[:40])
        found[word] = int(number)
    return found
