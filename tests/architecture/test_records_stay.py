"""Nothing in the controller takes away what tells of a broadcast: who handed it in and approved it, what poles did."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.db import tables

ROOT = Path(__file__).parents[2]
KEPT = frozenset(
    (
        *("Broadcast", "Bulletin", "Revision", "Approval", "Delegation", "OwnException", "PriorityDecision"),
        *("Delivery", "DeliveryMove", "JournalEntry", "JournalMark", "Assignment", "UnitFault", "RegulationChange"),
        *("Campaign", "Area", "Station", "Cluster", "Unit", "User", "RoleGrant", "StandingAlert"),
    )
)
"""Of these nothing is deleted at all. The audit log has its own way out, with a term (decision 29)."""


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / "controller").rglob("*.py")):
        if "migrations" not in path.parts:
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def _calls(module: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(module) if isinstance(node, ast.Call))


@pytest.mark.requirement("R-105")
def test_no_code_deletes_a_record_of_a_broadcast() -> None:
    assert all(hasattr(tables, name) for name in KEPT), "a table has another name now"
    wrong, seen = [], 0
    for name, module in _sources():
        imported = {alias.name for node in ast.walk(module) if isinstance(node, ast.ImportFrom) for alias in node.names}
        for call in _calls(module):
            match call.func:
                case ast.Name(id="delete"):
                    seen += 1
                    wrong += [f"{name}:{call.lineno}"] if _first(call) in KEPT else []
                case ast.Attribute(attr="delete", value=ast.Name(id="session")):
                    seen += 1
                    wrong += [f"{name}:{call.lineno}"] if _loads(module, imported & KEPT) else []
    assert seen > 10, "the test has lost sight of what it looks for"
    assert wrong == []


def _first(call: ast.Call) -> str:
    return call.args[0].id if call.args and isinstance(call.args[0], ast.Name) else ""


def _loads(module: ast.Module, kept: set[str]) -> bool:
    """Whether this module ever deletes what it may have loaded of a kept table: by the name of what it loads."""
    deleted = {
        call.args[0].id
        for call in _calls(module)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "delete" and call.args
        if isinstance(call.args[0], ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.For):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
            source = node.iter if isinstance(node, ast.For) else node.value
            told = {each.id for each in ast.walk(source) if isinstance(each, ast.Name)} if source else set()
            if names & deleted and told & kept:
                return True
    return False


@pytest.mark.requirement("R-105")
def test_no_statement_in_words_deletes_one_either() -> None:
    for name, module in _sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = node.value.lower()
                assert "delete from" not in words or "create trigger" in words, f"{name}:{node.lineno}"
