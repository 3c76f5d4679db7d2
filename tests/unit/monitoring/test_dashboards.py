"""The dashboards are what the program makes, in two languages; the mail finds whom it is for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from monitoring.check import FOLDER
from monitoring.dashboards import BOARDS
from monitoring.panels import WIDE, Board, rendered

MAIL = FOLDER / "alertmanager" / "alertmanager.yml"


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_what_is_shipped_is_what_is_made(board: Board) -> None:
    path = FOLDER / "grafana/dashboards" / f"{board.uid.removeprefix('loa-')}.json"
    assert path.read_text(encoding="utf-8") == rendered(board), "run python -m monitoring.dashboards"


def test_there_is_a_dashboard_for_each_who_asks_and_no_other() -> None:
    names = {path.stem for path in (FOLDER / "grafana/dashboards").glob("*.json")}
    assert names == {"fleet", "commune", "cluster", "planner", "controller"}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_panels_have_both_languages_their_own_number_and_do_not_overlap(board: Board) -> None:
    made = json.loads(rendered(board))
    assert len({panel["id"] for panel in made["panels"]}) == len(made["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in made["panels"]:
        vi, _, en = panel["title"].partition(" / ")
        assert vi
        assert en
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < WIDE
        taken |= cells


def test_every_route_ends_at_a_receiver_that_exists_and_names_areas_that_alerts_have() -> None:
    text = MAIL.read_text(encoding="utf-8")
    route, _, receivers = text.partition("\nreceivers:\n")
    known = set(re.findall(r"- name: ([\w-]+)", receivers))
    assert set(re.findall(r"receiver: ([\w-]+)", route)) == known
    rules = (FOLDER / "prometheus/rules/alerts.yml").read_text(encoding="utf-8")
    areas = set(re.findall(r"^          area: (\w+)$", rules, re.MULTILINE))
    routed = {area for group in re.findall(r"area =~ \"([\w|]+)\"", route) for area in group.split("|")}
    assert routed <= areas
    assert set(re.findall(r"severity: (\w+)", rules)) == {"critical", "warning"}


def test_of_dead_threads_only_the_one_that_takes_messages_in_silences_what_is_told_of_messages() -> None:
    """A dead voice or preparing thread says nothing about a full inbox."""
    text = MAIL.read_text(encoding="utf-8")
    sources = re.findall(r"- source_matchers: (\[.*\])\n", text)
    assert [each for each in sources if "LoaThreadDead" in each] == ["[alertname = LoaThreadDead, thread = ingest]"]


def test_what_provisioning_names_is_there() -> None:
    board = (FOLDER / "grafana/provisioning/dashboards/loa.yml").read_text(encoding="utf-8")
    source = (FOLDER / "grafana/provisioning/datasources/prometheus.yml").read_text(encoding="utf-8")
    assert "path: /etc/grafana/dashboards/loa" in board
    assert "uid: loa-prometheus" in source
    assert Path(FOLDER / "grafana/dashboards").is_dir()
