"""From configured options to a check that is ready to look, and that never shows the secrets it was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from monitor.checks import KINDS
from monitor.checks.contract import (
    DEFAULT_TIMEOUT,
    Check,
    Kind,
    Look,
    Options,
    OwnFaultError,
    Secrets,
    TargetFaultError,
    Tools,
)
from monitor.errors import NotFoundError, RefusedError
from monitor.language.phrases import phrase
from monitor.language.refusals import RefusalError
from monitor.observation import Cause


def build(kind: str, options: Mapping[str, Any], secrets: Secrets) -> Check:
    """Return the check that `options` describe, its references filled.

    `options` are complete (see `Kind.complete`) and JSON-like. An unknown kind raises NotFoundError; options that the filled
    references make impossible raise RefusedError, which names the option and never the secret.
    """
    if kind not in KINDS:
        raise NotFoundError(f"there is no kind of check {kind!r}; there are {', '.join(KINDS)}")
    registered = KINDS[kind]
    # What is refused as it is written may be quoted; what its references stand for may not.
    written = registered.build(_validated(registered, options, _told))
    filled = _filled(options, secrets)
    # Nearly no check has a secret, and fifty thousand of them twice would be a hundred megabytes.
    check = (
        written if filled == options else registered.build(_validated(registered, filled, _told_of_filled))
    )
    return _Discreet(check=check, written=written, secrets=secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Discreet:
    """A check that looks with its secrets and speaks with their references.

    `written` is the same check as it stands in the configuration: what it shows can be pasted into a shell that has the
    secrets. What came back from outside may echo a secret and is searched for it.
    """

    check: Check
    written: Check
    secrets: Secrets

    @property
    def target(self) -> str:
        return self.secrets.hide(self.written.target)

    async def look(self, tools: Tools, deadline: float) -> Look:
        try:
            look = await self.check.look(tools, deadline)
        except TargetFaultError as fault:
            look = fault.look
        except OwnFaultError as fault:
            raise OwnFaultError(fault.look.cause or Cause.OWN, self.secrets.hide(str(fault))) from None
        if not (look.found or look.excerpt or look.via):
            return look
        hide = self.secrets.hide
        return replace(
            look, found=hide(look.found), excerpt=hide(look.excerpt), via=tuple(hide(url) for url in look.via)
        )

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        return self.secrets.hide(self.written.reproduce(look, timeout))


def _filled(value: Any, secrets: Secrets) -> Any:
    if isinstance(value, str):
        return secrets.fill(value)
    if isinstance(value, Mapping):
        return {key: _filled(inner, secrets) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(inner, secrets) for inner in value]
    return value


def _validated(kind: Kind, options: Mapping[str, Any], tell: Callable[[ErrorDetails], str]) -> Options:
    try:
        return kind.options.model_validate(dict(options))
    except ValidationError as error:
        faults = (
            f"{'.'.join(str(part) for part in fault['loc'])}: {tell(fault)}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise RefusedError(
            f"the options of this {kind.name} check cannot be used: {'; '.join(faults)}"
        ) from None


def _told(fault: ErrorDetails) -> str:
    return fault["msg"].removeprefix("Value error, ")


def _told_of_filled(fault: ErrorDetails) -> str:
    refusal, shown = fault.get("ctx", {}).get("error"), phrase("found.filled_below")
    if not isinstance(refusal, ValueError):
        return _told(fault)
    said = refusal.said_of(shown) if isinstance(refusal, RefusalError) else None
    return (said or phrase("refused", found=shown)).say("en")
