"""Write the report of every wrong option of every kind anew: `python -m tests.golden.regenerate_options [KIND ...]`.

Each option gets values that its schema refuses, and each kind what only sentences of its own refuse. Read the difference
before it is committed: these sentences are what an operator sees.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from monitor.checks import KINDS
from monitor.inventory import ConfigurationError, load
from tests.golden.refused_options import REFUSED

FOLDER = Path(__file__).parent / "options"
ENVIRONMENT = {"SECRET": "hunter2", "A": "aaaa"}
# Plugins that a nagios check might run, with their rights.
_PLUGINS = {"check_load": 0o755, "check_open": 0o777, "check_plain": 0o644}
# What stands for an option that has to be there, by its name; the host of the server does for the others.
_NEEDED: Mapping[str, Any] = {
    "command": ["check_load"],
    "dn": "cn=probe,dc=example",
    "domain": "example.net",
    "file": "/etc/vigia/probe.pem",
    "from": "probe@example.net",
    "imap": {"login": {"user": "probe", "password": "${SECRET}"}},
    "json": "$.status",
    "login": {"user": "probe", "password": "${SECRET}"},
    "password": "${SECRET}",
    "path": "$.status",
    "port": 22,
    "query": "up",
    "smtp": {},
    "url": "https://www.example/",
    "user": "probe",
    "zone": "bl.example",
}
_WRONG: Mapping[str, tuple[Any, ...]] = {
    "string": (7, ""),
    "boolean": ("perhaps",),
    "integer": ("many",),
    "number": ("many",),
    "array": (7, []),
    "object": (7, {"no_such_key": 1}),
}
_BEYOND = {"minimum": -1, "maximum": 1, "exclusiveMinimum": 0, "exclusiveMaximum": 0}
_NAME = "any"
_SHOWN = 160

Place = tuple[str | int, ...]
Schema = Mapping[str, Any]


def reports_of(kind: str) -> str:
    """Return what is said about everything that a kind does not take, in both languages."""
    given = itertools.chain(_against_the_schema(kind), ((repr(one), one) for one in REFUSED.get(kind, ())))
    return "\n".join(f"{_cut(title)}\n{_report({kind: options})}" for title, options in given)


def _against_the_schema(kind: str) -> Iterator[tuple[str, Any]]:
    whole = KINDS[kind].options.model_json_schema(by_alias=True)
    for path, part in _options(whole, whole):
        for value in _wrong(part, whole):
            yield f"{'.'.join(map(str, path))}: {value!r}", _least(whole, whole, path, value)


def _options(part: Schema, whole: Schema, path: Place = ()) -> Iterator[tuple[Place, Schema]]:
    """Yield every option below `part` with its schema, mappings and lists before what they hold."""
    for form in _forms(part, whole):
        for step, held in _held(form):
            yield (*path, step), held
            yield from _options(held, whole, (*path, step))


def _held(form: Schema) -> Iterator[tuple[str | int, Schema]]:
    yield from form.get("properties", {}).items()
    yield from ((_NAME, named) for named in form.get("patternProperties", {}).values())
    if isinstance(form.get("additionalProperties"), Mapping):
        yield _NAME, form["additionalProperties"]
    if "items" in form:
        yield 0, form["items"]


def _forms(part: Schema, whole: Schema) -> list[Schema]:
    """Return what a value may be: what a reference points to, each of several forms, but not nothing."""
    if "$ref" in part:
        return _forms(whole["$defs"][part["$ref"].rpartition("/")[2]], whole)
    if "anyOf" in part:
        return [form for each in part["anyOf"] for form in _forms(each, whole)]
    return [] if part.get("type") == "null" else [part]


def _wrong(part: Schema, whole: Schema) -> Iterator[Any]:
    """Yield values that the schema refuses, each once."""
    judge = jsonschema.Draft202012Validator({**part, "$defs": whole.get("$defs", {})})
    forms = _forms(part, whole)
    values = [value for form in forms for value in _misfits(form)] + ([[]] if len(forms) > 1 else [])
    yield from (
        value for at, value in enumerate(values) if value not in values[:at] and not judge.is_valid(value)
    )


def _misfits(form: Schema) -> Iterator[Any]:
    if "enum" in form or "const" in form:
        yield "nothing-like-it"
        return
    yield from _WRONG.get(form.get("type", ""), ())
    yield from (form[bound] + step for bound, step in _BEYOND.items() if bound in form)
    if "maxLength" in form:
        yield "x" * (form["maxLength"] + 1)
    if "patternProperties" in form:
        yield {"No Name": {}}


def _least(part: Schema, whole: Schema, path: Place, value: Any) -> Any:
    """Return the least that holds `value` at `path` and otherwise what has to be there."""
    if not path:
        return value
    step, *rest = path
    form, held = next(
        (form, held) for form in _forms(part, whole) for name, held in _held(form) if name == step
    )
    inner = _least(held, whole, tuple(rest), value)
    if step == 0:
        return [inner]
    return {name: _NEEDED[name] for name in form.get("required", ()) if name in _NEEDED} | {step: inner}


def _report(check: dict[str, Any]) -> str:
    server = {"id": "gye1", "group": "hosting", "host": "192.0.2.10", "checks": [check]}
    document = {
        "site": {"name": "Nodored"},
        "groups": [{"id": "hosting", "name": "Hosting"}],
        "servers": [server],
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, rights in _PLUGINS.items():
            plugin = Path(folder, name)
            plugin.touch()
            plugin.chmod(rights)
        document["plugins"] = {"folders": [folder]}
        file = Path(folder) / "servers.yaml"
        file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
        try:
            load(file, environment=ENVIRONMENT)
        except ConfigurationError as error:
            said = {language: error.report(language) for language in ("en", "es")}
        else:
            return "  accepted\n"
    return "".join(
        f"  {language}: {line.replace(str(file), 'servers.yaml').replace(folder, '/plugins')}\n"
        for language, report in said.items()
        for line in report.splitlines()
    )


def _cut(title: str) -> str:
    return title if len(title) <= _SHOWN else title[:_SHOWN] + "…"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or KINDS:
        (FOLDER / f"{name}.txt").write_text(reports_of(name), encoding="utf-8")
