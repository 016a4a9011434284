"""The JSON Schema of the configuration file for editors, made from the models that validate it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter

from monitor.checks import KINDS as CHECKS
from monitor.checks.contract import Kind
from monitor.checks.options.durations import format_duration
from monitor.inventory.helpdesk import DEFAULT_KIND
from monitor.inventory.model import CheckCommon, File
from monitor.tickets import KINDS as HELPDESKS
from monitor.tickets.port import HelpdeskKind

_ISO_DURATION = re.compile(r"P[0-9DTHMS.]+")
_DURATION = TypeAdapter(timedelta)
_SHORT_FORM = {"type": ["string", "integer"], "description": "The short form of this kind."}


def schema() -> dict[str, Any]:
    """Return the schema; an editor that reads it completes keys and marks what `vigia validate` would refuse."""
    definitions: dict[str, Any] = {}
    whole = _of(File, definitions)
    kinds = _kinds(definitions)
    definitions["check"] = {"anyOf": [_bare_kinds(), *kinds]}
    definitions["helpdesk"] = {"anyOf": _helpdesks(definitions)}
    definitions["Server"]["properties"]["checks"]["items"] = {"$ref": "#/$defs/check"}
    whole["properties"]["helpdesk"] = {
        "$ref": "#/$defs/helpdesk",
        "description": File.model_fields["helpdesk"].description,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Vigía: what is watched",
        **whole,
        "$defs": dict(sorted(definitions.items())),
    }


def _bare_kinds() -> dict[str, Any]:
    return {"enum": [kind.name for kind in CHECKS.values() if kind.bare]}


def _kinds(definitions: dict[str, Any]) -> list[dict[str, Any]]:
    common = _of(CheckCommon, definitions)["properties"]
    return [_kind(kind, common, definitions) for kind in CHECKS.values()]


def _kind(kind: Kind, common: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    options = _of(kind.options, definitions)
    options["properties"] = {**common, **options["properties"]}
    # What the server's host supplies need not be written.
    supplied = kind.complete({}, "host.invalid")
    options["required"] = [key for key in options.get("required", []) if key not in supplied]
    forms = [options, _SHORT_FORM, *([{"type": "null"}] if kind.bare else [])]
    return {
        "type": "object",
        "properties": {kind.name: {"anyOf": forms}},
        "required": [kind.name],
        "additionalProperties": False,
    }


def _helpdesks(definitions: dict[str, Any]) -> list[dict[str, Any]]:
    return [_helpdesk(kind, definitions) for kind in HELPDESKS.values()]


def _helpdesk(kind: HelpdeskKind, definitions: dict[str, Any]) -> dict[str, Any]:
    options = _of(kind.options, definitions)
    name = {"const": kind.name, "description": "The helpdesk product."}
    options["properties"] = {"kind": name, **options["properties"]}
    if kind.name != DEFAULT_KIND:
        options["required"] = ["kind", *options.get("required", [])]
    return options


def _of(model: type[BaseModel], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one model; the parts that it refers to join the definitions."""
    own = _tidied(model.model_json_schema(by_alias=True))
    for name, part in own.pop("$defs", {}).items():
        if definitions.setdefault(name, part) != part:
            raise ValueError(f"two models are called {name!r}: the schema could not tell them apart")
    return cast("dict[str, Any]", own)


def _tidied(part: Any) -> Any:
    """Leave out the titles that pydantic makes of names, and write durations as the file does."""
    if isinstance(part, list):
        return [_tidied(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    kept = {
        key: _tidied(inner)
        for key, inner in part.items()
        if not (key == "title" and isinstance(inner, str)) and not (key == "default" and inner in (None, ""))
    }
    if "pattern" in kept and _ISO_DURATION.fullmatch(str(kept.get("default", ""))):
        kept["default"] = format_duration(_DURATION.validate_python(kept["default"]))
    return kept
