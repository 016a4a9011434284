"""What a monitoring plugin says: any program that keeps to the contract of Nagios, by its exit status and its first line."""

from __future__ import annotations

import os
import re
import signal
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from monitor.checks.contract import DEFAULT_TIMEOUT, Kind, Look, Options, OwnFaultError, Tools
from monitor.checks.options.shell import word
from monitor.checks.plugins.perfdata import read_output
from monitor.checks.plugins.running import ENVIRONMENT, OUTPUT_LIMIT, Ran, run
from monitor.health.words import Service
from monitor.language.refusals import RefusalError
from monitor.observation import EXCERPT_LIMIT, Cause, Outcome

FOLDERS = (
    "/usr/lib/nagios/plugins",
    "/usr/lib64/nagios/plugins",
    "/usr/lib/monitoring-plugins",
    "/usr/local/lib/nagios/plugins",
    "/usr/local/nagios/libexec",
)
"""Where Debian, Red Hat, Arch and those who compile put their plugins."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
_MACRO = re.compile(r"\$[A-Z0-9_]+\$")
_ARGUMENT_LIMIT = 4096
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_OUTCOMES = {
    0: (Outcome.OK, None),
    1: (Outcome.WARN, Cause.STATUS),
    2: (Outcome.DOWN, Cause.STATUS),
    3: (Outcome.UNKNOWN, Cause.OWN),
}


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise RefusalError("options.plugin.command", found=value)
    name, *arguments = value
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RefusalError("options.plugin.name", found=name)
    return (name, *map(_argument, arguments))


def _argument(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RefusalError("options.plugin.argument", found=value)
    text = str(value)
    if "\0" in text or len(text) > _ARGUMENT_LIMIT:
        raise RefusalError("options.plugin.long", limit=_ARGUMENT_LIMIT)
    if macro := _MACRO.search(text):
        raise RefusalError("options.plugin.macro", reason=macro[0])
    return text


_ANY_WORD = {"anyOf": [{"type": "string"}, {"type": "number"}]}
Command = Annotated[
    tuple[str, ...],
    BeforeValidator(_words),
    WithJsonSchema({"type": "array", "items": _ANY_WORD, "minItems": 1}),
]


def _folder(text: str) -> str:
    if not text.startswith("/") or "\0" in text:
        raise RefusalError("options.path", found=text)
    return text


Folder = Annotated[str, Field(max_length=1024), AfterValidator(_folder)]


class NagiosOptions(Options):
    """What a `nagios` check takes."""

    command: Command = Field(
        description="The name of a plugin and its arguments, such as [check_load, -w, 8, -c, 16]."
    )
    folders: tuple[Folder, ...] = Field(
        default=FOLDERS,
        strict=False,
        min_length=1,
        description="The folders in which plugins may lie, the first that has it wins; `plugins.folders` of the file if left out.",
    )

    @model_validator(mode="after")
    def _names_a_plugin(self) -> Self:
        plugin_path(self.command[0], self.folders)
        return self


@dataclass(frozen=True, slots=True)
class NagiosCheck:
    """A look that runs a plugin and believes what it says."""

    options: NagiosOptions

    @property
    def target(self) -> str:
        return self.options.command[0]

    async def look(self, tools: Tools, deadline: float) -> Look:
        del tools
        name, *arguments = self.options.command
        try:
            path = plugin_path(name, self.options.folders)
        except RefusalError as error:
            raise OwnFaultError(Cause.OWN, str(error)) from error
        return judged(await run([path, *arguments], deadline))

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        del look
        name, *arguments = self.options.command
        settings = " ".join(f"{key}={value}" for key, value in ENVIRONMENT.items())
        path = _path_or_name(name, self.options.folders)
        words = " ".join(word(one) for one in (path, *arguments))
        return f"cd / && env -i {settings} timeout {max(1, round(timeout.total_seconds()))} {words}"


def plugin_path(name: str, folders: Sequence[str]) -> str:
    """Return the path of a plugin that may be run; RefusalError says what is wrong.

    The file and the folder it lies in, links followed, belong to root or to us, and nobody else may write there: whoever could
    would have our rights.
    """
    found = next((path for folder in folders if _is_file(path := Path(folder, name))), None)
    if found is None:
        raise _missing(name, folders)
    real = found.resolve()
    for path in (found.parent, real.parent, real):
        status = path.stat()
        if status.st_uid not in (0, os.getuid()) or status.st_mode & _WRITABLE_BY_OTHERS:
            raise RefusalError("options.plugin.owner", path=str(path))
    if not os.access(real, os.X_OK):
        raise RefusalError("options.plugin.run", path=str(real))
    return str(found)


def judged(ran: Ran) -> Look:
    """Return the look that a plugin's end comes to."""
    printed = read_output(ran.output)
    text = "\n".join(filter(None, (printed.text, ran.errors.strip())))[:EXCERPT_LIMIT]
    line = printed.line or ran.errors.partition("\n")[0].strip()
    if ran.status in _OUTCOMES:
        outcome, cause = _OUTCOMES[ran.status]
        found = line or "it printed nothing"
        return Look(outcome=outcome, cause=cause, found=found, excerpt=text, measures=printed.measures)
    outcome, cause = (Outcome.DOWN, Cause.TIMEOUT_TOTAL) if ran.late else (Outcome.UNKNOWN, Cause.OWN)
    found = f"{_end(ran)}: {line}" if line else _end(ran)
    return Look(outcome=outcome, cause=cause, found=found, excerpt=text)


def _end(ran: Ran) -> str:
    """Return in words how a plugin ended that did not end as plugins do."""
    if ran.status is None:
        return "not done in time" if ran.late else f"it printed more than {OUTPUT_LIMIT // 1024} KiB"
    return (
        f"it ended with status {ran.status}" if ran.status >= 0 else f"it was ended by {_signal(-ran.status)}"
    )


def _signal(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # A folder that we may not enter holds nothing for us.
        return False


def _missing(name: str, folders: Sequence[str]) -> RefusalError:
    there = [folder for folder in folders if Path(folder).is_dir()]
    if not there:
        return RefusalError("options.plugin.folders", found=name, folders=", ".join(folders))
    near = get_close_matches(name, _names(there), 1)
    if near:
        return RefusalError("options.plugin.near", found=name, folders=", ".join(there), nearest=near[0])
    return RefusalError("options.plugin.far", found=name, folders=", ".join(there))


def _names(folders: Iterable[str]) -> list[str]:
    try:
        return sorted({name for folder in folders for name in os.listdir(folder)})  # noqa: PTH208 - names are all that is wanted
    except OSError:
        return []


def _path_or_name(name: str, folders: Sequence[str]) -> str:
    try:
        return plugin_path(name, folders)
    except RefusalError:
        return name


def _short(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return {"command": [value]}
    if isinstance(value, list):
        return {"command": value}
    raise RefusalError("options.short.plugin", found=value)


def _complete(options: dict[str, Any], _host: str) -> dict[str, Any]:
    return options


def _service(_options: NagiosOptions) -> Service:
    return Service.NETWORK


KIND = Kind(
    name="nagios",
    options=NagiosOptions,
    build=NagiosCheck,
    complete=_complete,
    short=_short,
    service=_service,
)
