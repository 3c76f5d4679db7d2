"""The fleet in numbers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import text, update
from support.services import HERE, NOON, House
from support.sirens import typed
from support.voices import Voice

from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from broadcasts.wire.alert import AlertKind
from controller.db import append_only
from controller.db.tables import AuditEntry, Delivery, Unit
from controller.services import alerting, commanding, measuring
from monitoring.snapshot import FleetSnapshot


def look(house: House, folder: Path) -> FleetSnapshot:
    return measuring.snapshot(house.ctx, folder, queue=3, dropped=2, thread_alive=True, connected=False, chain_ok=None)


def test_units_are_counted_by_presence(house: House, tmp_path: Path) -> None:
    assert look(house, tmp_path).units == {"never": 10}
    for number, state in ((1, "online"), (2, "online"), (3, "offline")):
        unit = f"u-{HERE}-{number}"
        house.hear(Voice(unit, "", 0).presence(state), unit=unit)
    with house.ctx.db.write() as session:
        session.get_one(Unit, f"u-{HERE}-5").revoked_at = NOON
    assert look(house, tmp_path).units == {"never": 6, "online": 2, "offline": 1}
    house.clock.advance(1801)
    house.hear(Voice(f"u-{HERE}-1", "", 0).presence("online"), unit=f"u-{HERE}-1")
    assert look(house, tmp_path).units == {"never": 6, "online": 1, "silent": 1, "offline": 1}


def test_deliveries_of_the_last_day_are_counted_by_state_and_verdict(house: House, tmp_path: Path) -> None:
    broadcast = house.on_air()
    assert look(house, tmp_path).states == {}
    house.clock.set(NOON + timedelta(hours=3))
    first, second, third, *_ = house.deliveries(broadcast)
    with house.ctx.db.write() as session:
        for one, values in (
            (first, {"state": State.PLAYED, "verdict": Verdict.HEARD}),
            (second, {"state": State.MISSED, "verdict": Verdict.NOT_PLAYED}),
            (third, {"state": State.WITHDRAWN, "verdict": Verdict.NOT_PLAYED}),
        ):
            session.execute(update(Delivery).where(Delivery.id == one.id).values(**values))
    found = look(house, tmp_path)
    assert found.states == {"played": 1, "missed": 1, "withdrawn": 1, "planned": 2}
    assert found.verdicts == {"heard": 1, "not_played": 1, "open": 2}
    house.clock.advance(86_400)
    assert look(house, tmp_path).states == {}


def test_standing_faults_are_counted_by_code(house: House, tmp_path: Path) -> None:
    for number in (1, 2):
        voice = Voice(f"u-{HERE}-{number}", "", 0)
        house.hear(voice.batch(voice.fault("relay_silent", True, NOON, detail="ts-1")), unit=voice.unit)
    assert look(house, tmp_path).faults == {"relay_silent": 2}
    house.hear(voice.batch(voice.fault("relay_silent", False, NOON)), unit=voice.unit)
    assert look(house, tmp_path).faults == {"relay_silent": 1}


def test_plans_that_connected_units_have_not_applied_are_counted_with_their_age(house: House, tmp_path: Path) -> None:
    house.compile()
    for number in (1, 2):
        voice = Voice(f"u-{HERE}-{number}", "", 0)
        house.hear(voice.presence("online"), unit=voice.unit)
    plan = house.plan(f"u-{HERE}-1").version
    house.hear(Voice(f"u-{HERE}-1", "", 0).reported(NOON, plan_version=plan), unit=f"u-{HERE}-1")
    house.clock.advance(90)
    found = look(house, tmp_path)
    assert (found.plans_behind, found.plan_lag_s) == (1, 90.0)


def test_alerts_disk_queue_and_broker_are_told_as_they_are(house: House, tmp_path: Path) -> None:
    content = [("vi", house.bulletin.sha256)]
    word = typed(house.ctx, house.on_duty, "p-94")
    short = timedelta(minutes=5)
    alerting.sound(house.ctx, house.on_duty, "p-94", AlertKind.FLOOD, content, "x", short, confirmed=word)
    found = look(house, tmp_path)
    assert (found.alerts_active, found.ingest_queue, found.broker_thread_alive, found.broker_connected) == (
        1, 3, True, False,
    )  # fmt: skip
    assert 0 < found.storage_free_ratio < 1
    house.clock.advance(300)
    assert look(house, tmp_path).alerts_active == 0


def test_a_broken_audit_chain_is_noticed(house: House) -> None:
    assert measuring.chain_ok(house.ctx)
    with house.ctx.db.write() as session:  # whoever owns the database
        append_only.lower_guard(session.get_bind().dialect.name, lambda told: session.execute(text(told)))
        session.execute(update(AuditEntry).where(AuditEntry.act == "seed").values(actor="nobody"))
    assert not measuring.chain_ok(house.ctx)


def test_commands_of_the_last_day_are_counted_by_state(house: House, tmp_path: Path) -> None:
    technician, (first, second, third) = house.actor("kythuat"), [f"u-{HERE}-{number}" for number in (1, 2, 3)]
    assert look(house, tmp_path).commands == {}
    commanding.issue(house.ctx, technician, first, "quiet_test", lasts=timedelta(minutes=1))
    house.clock.advance(60)
    for unit in (second, third):
        commanding.issue(house.ctx, technician, unit, "quiet_test")
    assert look(house, tmp_path).commands == {"expired": 1, "asked": 2}
    commanding.step(house.ctx, house.link, house.now)
    assert look(house, tmp_path).commands == {"expired": 1, "sent": 2}
    house.clock.advance(86_400)
    assert look(house, tmp_path).commands == {}
