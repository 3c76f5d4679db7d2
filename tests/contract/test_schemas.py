"""The published schemas and the AsyncAPI document are exactly what the models say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from broadcasts.wire import topics
from broadcasts.wire.export import FOLDER, SPOKEN, render
from broadcasts.wire.topics import MANNERS

ASYNCAPI = json.loads((FOLDER / "asyncapi.json").read_bytes())


def test_what_is_committed_is_what_the_models_say(subtests: pytest.Subtests) -> None:
    generated = dict(render())
    on_disk = {path.relative_to(FOLDER) for path in (*FOLDER.glob("schemas/*"), FOLDER / "asyncapi.json")}
    assert on_disk == set(generated)
    for path, text in generated.items():
        with subtests.test(str(path)):
            assert (FOLDER / path).read_text(encoding="utf-8") == text, "run: python -m broadcasts.wire.export"


@pytest.mark.parametrize("path", sorted((FOLDER / "schemas").glob("*.json")), ids=lambda path: path.stem)
def test_a_schema_is_valid_and_asks_for_the_version(path: Path) -> None:
    schema = json.loads(path.read_bytes())
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:loa:v1:{path.stem}"
    assert "v" in schema["required"]
    assert schema["properties"]["v"]["const"] == 1


def test_a_schema_lets_a_newer_peer_say_more() -> None:
    for path in (FOLDER / "schemas").glob("*.json"):
        assert 'additionalProperties": false' not in path.read_text(encoding="utf-8"), path.name


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for below in node.values():
            yield from references(below)
    elif isinstance(node, list):
        for below in node:
            yield from references(below)


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    found = list(references(ASYNCAPI))
    assert found
    for reference in found:
        if reference.startswith("#/"):
            node = ASYNCAPI
            for step in reference[2:].split("/"):
                node = node[step]
        else:
            assert (FOLDER / reference).is_file(), reference


def test_the_asyncapi_document_names_every_topic_but_the_canary() -> None:
    addresses = {channel["address"] for channel in ASYNCAPI["channels"].values()}
    named = {topics.parse(address.format(unit="u-1", scope="s-1")).kind or topics.TRUST for address in addresses}
    assert named == set(MANNERS) | {topics.TRUST}
    for channel in ASYNCAPI["channels"].values():
        assert set(channel.get("parameters", {})) == set(re.findall(r"{(\w+)}", channel["address"]))


def test_the_asyncapi_document_says_quality_retention_size_and_signer() -> None:
    for spoken in SPOKEN:
        operation = ASYNCAPI["operations"][spoken.name]
        message = ASYNCAPI["components"]["messages"][spoken.name]
        mqtt = operation["bindings"]["mqtt"]
        assert (mqtt["qos"], mqtt["retain"]) == (spoken.manner.qos, spoken.manner.retain)
        assert message["x-max-bytes"] == spoken.manner.max_bytes
        assert operation["action"] == ("receive" if "/out/" in spoken.topic else "send")
        assert ("x-signed" in message) == (spoken.typ is not None)


def test_the_table_of_the_contract_text_is_the_table_of_the_code() -> None:
    """CONTRACT.md section 2 is what outsiders read: QoS, retention, size, signature and model agree with topics.py."""
    rows = {}
    for line in (FOLDER / "CONTRACT.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[0].startswith("`") and cells[2].isdigit():
            rows[cells[0].split("`")[1].removeprefix("loa/v1/")] = cells
    for spoken in SPOKEN:
        row = rows[spoken.topic.removeprefix("loa/v1/").removeprefix("u/{unit}/")]
        assert ("✍" in row[0]) == (spoken.typ is not None)
        assert row[1].startswith("unit" if spoken.from_unit else "controller")
        assert int(row[2]) == spoken.manner.qos
        assert (row[3] == "yes") == spoken.manner.retain
        assert row[4] == f"{spoken.manner.max_bytes // 1024} KiB"
        assert row[5] == f"`{spoken.model.__name__}`"
