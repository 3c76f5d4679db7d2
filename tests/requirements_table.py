"""Which row of the law is proven by which test, and what is said of the others.

The rows, with the tags of their sources and a summary in our words, are in requirements.toml; a test claims a row with
`@pytest.mark.requirement("R-0xx")` or a module-wide `pytestmark`. `make requirements` prints the table; the
architecture tests fail on a row that nobody speaks for.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BINDING = {"LAW", "SUM", "CODE"}
"""Tags of sources that bind a row: read in the law, in an official summary, in the code of a system in use."""


@dataclass(frozen=True)
class Row:
    id: str
    tags: tuple[str, ...]
    what: str
    status: str
    """`later`, `not_applicable`, or empty when tests speak for the row."""
    reason: str
    partly: bool
    """Tests prove a part, `reason` says what is missing."""

    @property
    def binds(self) -> bool:
        return not BINDING.isdisjoint(self.tags)


def load_rows(path: Path = HERE / "requirements.toml") -> dict[str, Row]:
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        id_: Row(
            id_,
            tuple(row["tags"]),
            row["what"],
            row.get("status", ""),
            row.get("reason", ""),
            row.get("partly", False),
        )
        for id_, row in told.items()
    }


def find_claims(root: Path = HERE) -> dict[str, list[str]]:
    """Row id -> the tests that claim it, as `path::test`. Read from the source: no test is imported or run."""
    claims: dict[str, list[str]] = defaultdict(list)
    for path in sorted(root.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        for name, rows in _claims_in(tree.body, ()):
            for row in rows:
                claims[row].append(f"{path.relative_to(root)}::{name}")
    return claims


def _claims_in(body: list[ast.stmt], outer: tuple[str, ...], prefix: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    for statement in body:
        if isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] == [
            "pytestmark"
        ]:
            outer = (*outer, *_rows_named(statement.value))
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name.startswith("test"):
            own = [row for decorator in statement.decorator_list for row in _rows_named(decorator)]
            yield f"{prefix}{statement.name}", (*outer, *own)
        elif isinstance(statement, ast.ClassDef):
            own = [row for decorator in statement.decorator_list for row in _rows_named(decorator)]
            yield from _claims_in(statement.body, (*outer, *own), f"{prefix}{statement.name}::")


def _rows_named(expression: ast.expr) -> Iterator[str]:
    """Raises ValueError on a row that is not written out: a computed claim could not be read here."""
    for call in ast.walk(expression):
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("mark.requirement"):
            for argument in call.args:
                if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                    raise ValueError(f"line {call.lineno}: write the requirement's row out, as a plain string")
                yield argument.value


def complaints(rows: dict[str, Row], claims: dict[str, list[str]]) -> list[str]:
    """What is wrong with the table, one sentence each; empty when every binding row is spoken for."""
    wrong = [f"{id_} is claimed by {claims[id_][0]} but is no row" for id_ in sorted(claims.keys() - rows.keys())]
    for row in rows.values():
        proven = bool(claims.get(row.id))
        if row.status not in ("", "later", "not_applicable"):
            wrong.append(f"{row.id}: status {row.status!r} is neither later nor not_applicable")
        if row.status and not row.reason.strip():
            wrong.append(f"{row.id}: {row.status} without a reason")
        if row.binds and not row.status and not proven:
            wrong.append(f"{row.id}: no test claims it and no status explains why")
        if proven and row.status == "not_applicable":
            wrong.append(f"{row.id}: not applicable, yet claimed by {claims[row.id][0]}")
        if proven and row.status == "later" and not row.partly:
            wrong.append(f"{row.id}: later, yet claimed by {claims[row.id][0]}; say partly = true, or drop the status")
        if row.partly and not (proven and row.status == "later"):
            wrong.append(f"{row.id}: partly needs a test and a later entry that says what is missing")
    return wrong


def main() -> int:
    rows, claims = load_rows(), find_claims()
    for row in rows.values():
        tests = claims.get(row.id, [])
        state = "proven" if not row.status else "partly" if row.partly else row.status.replace("_", " ")
        if state == "proven" and not tests:
            state = "open"
        print(f"{row.id}  {'+'.join(row.tags):<10}  {state:<14}  {row.what}")
        for test in tests:
            print(f"{'':>7}by {test}")
        if row.status:
            print(f"{'':>7}{'missing' if row.status == 'later' else 'because'}: {row.reason}")
    wrong = complaints(rows, claims)
    binding = [row for row in rows.values() if row.binds]
    done = sum(not row.status and bool(claims.get(row.id)) for row in binding)
    part = sum(row.partly for row in binding)
    later = sum(row.status == "later" and not row.partly for row in binding)
    apart = sum(row.status == "not_applicable" for row in binding)
    print(f"\n{len(binding)} binding rows: {done} proven, {part} partly, {later} later, {apart} not applicable")
    for sentence in wrong:
        print(f"wrong: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
