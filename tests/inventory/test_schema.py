"""The schema that editors read: made from the models, and no stricter than what is accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from monitor.checks import KINDS as CHECKS
from monitor.inventory import schema
from monitor.tickets import KINDS as HELPDESKS

CONFIG = Path(__file__).parents[2] / "config"
FILES = sorted([CONFIG / "servers.yaml", *(CONFIG / "examples").glob("*.yaml")])
BROKEN = Path(__file__).parents[1] / "golden/configuration"


def faults(document: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def test_the_published_schema_is_the_one_of_today():
    """After a change: `python -m tests.golden.regenerate_schema`."""
    assert json.loads((CONFIG / "servers.schema.json").read_text(encoding="utf-8")) == schema()


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_files_fit_the_schema(path: Path):
    assert faults(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_files_tell_editors_where_the_schema_is(path: Path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    prefix = "# yaml-language-server: $schema="
    assert first.startswith(prefix)
    assert (path.parent / first.removeprefix(prefix)).resolve() == (CONFIG / "servers.schema.json").resolve()


@pytest.mark.parametrize(
    "name",
    ["unknown_key_at_the_top", "unknown_key_of_a_server", "unknown_key_of_a_check", "missing_sections", "sections_of_the_wrong_type", "numbers_where_texts_belong", "defaults", "ids_of_impossible_letters", "helpdesk_of_an_unknown_kind", "helpdesk_without_its_keys", "unknown_kind_of_check", "options_beside_the_kind", "options_out_of_bounds", "names_of_checks"],
)  # fmt: skip
def test_an_editor_marks_what_the_schema_can_see(name: str):
    assert faults(yaml.safe_load((BROKEN / f"{name}.yaml").read_text(encoding="utf-8")))


def test_every_kind_of_check_and_helpdesk_is_offered():
    definitions = schema()["$defs"]
    offered = {key for form in definitions["check"]["anyOf"] for key in form.get("properties", {})}
    assert offered == set(CHECKS)
    assert {form["properties"]["kind"]["const"] for form in definitions["helpdesk"]["anyOf"]} == set(
        HELPDESKS
    )


def test_every_key_is_explained():
    """An editor shows these texts beside the keys."""
    unexplained = [
        f"{name}.{key}"
        for name, part in [("File", schema()), *schema()["$defs"].items()]
        for key, field in part.get("properties", {}).items()
        if "description" not in field and name not in {"helpdesk", "check"}
    ]
    assert unexplained == []


def test_durations_are_written_as_people_write_them():
    assert schema()["$defs"]["Keep"]["properties"]["observations"]["default"] == "35d"
    assert schema()["$defs"]["Confirm"]["properties"]["retry"]["default"] == "15s"


def test_what_the_host_supplies_need_not_be_written():
    document = {
        "site": {"name": "Nodored"},
        "groups": [{"id": "hosting", "name": "Hosting"}],
        "servers": [
            {"id": "gye1", "group": "hosting", "host": "192.0.2.1", "checks": [{"tcp": {"port": 22}}, "ping"]}
        ],
    }
    assert faults(document) == []
