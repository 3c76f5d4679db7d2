"""The proof itself: it holds for a unit that keeps the contract, repeats from its seed, and catches those that lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest
from support.small_controller import SmallController

from broadcasts.wire import jws
from broadcasts.wire.alert import Alert, AlertDocument
from device_sim import player as player_module
from device_sim import rules
from device_sim.counterpart import Account, Setting
from device_sim.events import Moment
from device_sim.faults import TO_AN_UPDATE, TO_THE_BOX, Fault, draw
from device_sim.prove import Result, prove
from device_sim.rules import Over
from device_sim.scenario import Scene

HARD = Scene(units=5, days=3, seed=1, calm_hours=8, scale=5)
CALM = replace(HARD, scale=0)


def kinds(result: Result) -> set[str]:
    return {each.split(":")[0] for each in result.broken}


@pytest.mark.parametrize("seed", range(1, 9))
def test_nothing_is_broken_in_a_hard_week_of_any_seed(seed: int) -> None:
    result = prove(replace(HARD, seed=seed), SmallController)
    assert result.broken == ()
    assert result.judgement.deliveries == 5 * 3 * 4
    assert result.judgement.verdicts["heard"] > 20
    assert result.exit_code == 0
    assert result.steps < 5 * 3 * 600  # a unit that wakes for nothing is a bug, too


def test_without_faults_everything_is_heard() -> None:
    result = prove(CALM, SmallController)
    withdrawn = result.judgement.verdicts["not_played"]
    assert result.judgement.verdicts["heard"] + withdrawn == result.judgement.deliveries
    assert withdrawn <= 3
    assert result.line().startswith("prove: units 5 days 3 seed 1 deliveries ")
    assert " sirens 3 broken 0 unit_days_per_s " in result.line()


def test_a_seed_is_the_same_run_again() -> None:
    first, second = prove(HARD, SmallController), prove(HARD, SmallController)
    assert (first.judgement, first.steps) == (second.judgement, second.steps)
    assert prove(replace(HARD, seed=2), SmallController).steps != first.steps


class Liar(SmallController):
    """Says of everything what it would like to be true."""

    def accounts(self) -> Sequence[Account]:
        return [{**account, "verdict": "heard", "reason": None} for account in super().accounts()]


class Silent(SmallController):
    """Has no answer."""

    def accounts(self) -> Sequence[Account]:
        return [{**account, "verdict": "unknown", "reason": None} for account in super().accounts()]


class Forgetful(SmallController):
    """Never approved anything for the first unit."""

    def approved_sounds(self) -> set[tuple[str, str]]:
        return {pair for pair in super().approved_sounds() if pair[0] != "u-0"}


class Pessimist(SmallController):
    def accounts(self) -> Sequence[Account]:
        return [{**account, "verdict": "not_played", "reason": "late"} for account in super().accounts()]


class Mute(SmallController):
    def accounts(self) -> Sequence[Account]:
        return [{**account, "reason": None} for account in super().accounts()]


@pytest.mark.parametrize(
    ("controller", "broken"),
    [
        (Liar, "verdict"),
        (Silent, "nothing missing"),
        (Forgetful, "nothing unapproved"),
        (Pessimist, "verdict"),
        (Mute, "nothing missing"),
    ],
)
def test_a_controller_whose_account_is_wrong_is_caught(
    controller: Callable[[Setting], SmallController], broken: str
) -> None:
    result = prove(HARD, controller)
    assert broken in kinds(result)
    assert result.exit_code == 1
    assert all(each.startswith("broken: seed 1: ") for each in result.lines()[:-1])


def test_a_unit_that_verifies_nothing_is_caught_by_forged_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    def gullible(document: bytes, typ: jws.Typ, find_key: object) -> bytes:
        body = document.split(b".")[1] if document.count(b".") == 2 else b"e30"
        return jws.urlsafe_b64decode(body)

    monkeypatch.setattr("broadcasts.wire.jws.verify", gullible)
    scene = replace(CALM, scale=1, per_day=dict.fromkeys(Fault, 0.0) | {Fault.FORGE: 6.0})
    assert "nothing unapproved" in kinds(prove(scene, SmallController))


def test_a_unit_that_forgets_what_it_played_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(self: player_module.Player, item: object, m: object) -> object:
        return rules.first_chance(item, self._assets[item.asset].duration_ms, m.now)  # type: ignore[attr-defined]

    monkeypatch.setattr(player_module.Player, "_chance", forgetful)
    monkeypatch.setattr(player_module.Player, "_give_up", lambda self, item, over, m: self._open.pop(item.id))
    assert "nothing twice" in kinds(prove(CALM, SmallController))


def test_a_unit_that_never_says_why_it_stayed_silent_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    real = player_module.Player._chance

    def lazy(self: player_module.Player, item: object, m: object) -> object:
        chance = real(self, item, m)  # type: ignore[arg-type]
        return None if isinstance(chance, Over) else chance

    monkeypatch.setattr(player_module.Player, "_chance", lazy)
    monkeypatch.setattr("support.small_controller.SmallController._never", lambda *_: False)
    assert "nothing missing" in kinds(prove(HARD, SmallController))


def test_a_unit_that_goes_on_after_its_silence_came_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps each alert that it ever heard of, until its hard end."""
    real = player_module.Player.set_alerts

    def deaf(self: player_module.Player, alerts: list[Alert], m: Moment) -> None:
        told = {each.id: each for each in [*self._alarms._alerts, *alerts] if each.hard_end > m.now}
        real(self, list(told.values()), m)

    monkeypatch.setattr(player_module.Player, "set_alerts", deaf)
    assert "window" in kinds(prove(replace(CALM, seed=2), Hasty))


def test_a_unit_that_sounds_what_was_meant_for_others_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device_sim.standing.alerts.concerning", lambda told, *_: _all(told))
    monkeypatch.setattr("support.small_controller.TARGET", ["u-1", "u-2"])
    assert "window" in kinds(prove(CALM, Hasty))


def _all(documents: Mapping[str, AlertDocument]) -> list[Alert]:
    return [alert for document in documents.values() for alert in document.alerts]


def test_without_them_all_stays_in_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.small_controller.TARGET", ["u-1", "u-2"])
    result = prove(CALM, Hasty)
    assert result.broken == ()
    assert result.judgement.sirens == 3


class Hasty(SmallController):
    """Takes each alert back after seven minutes, long before it has sounded as often as it may."""

    gone = 0

    def _alert(self) -> None:
        super()._alert()
        if self.alert_said not in (0, self.gone) and self.now - self.alert_said >= 7 * 60_000:
            self.gone = self.alert_said
            self._say_alerts([])


def test_every_blow_is_over_before_the_calm() -> None:
    import random

    by_itself = draw(20, 0, 7 * 86_400_000, random.Random(3), scale=3)
    assert {blow.fault for blow in by_itself} == set(Fault) - set(TO_THE_BOX) - TO_AN_UPDATE
    # Faults of the box come only where they are asked for.
    blows = draw(20, 0, 7 * 86_400_000, random.Random(3), scale=3, rates=dict.fromkeys(TO_THE_BOX, 0.2))
    assert {blow.fault for blow in blows} == set(Fault) - TO_AN_UPDATE
    assert all(blow.at >= 0 and blow.at + blow.lasts <= 7 * 86_400_000 for blow in blows)
    assert list(blows) == sorted(blows, key=lambda blow: blow.at)
