"""The whole way from a path to a configuration, or to everything that is wrong with the file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from monitor.fleet import CheckPlan
from monitor.identifiers import ServerId
from monitor.inventory import faults, model
from monitor.inventory.assembling import Bound, fleet_of, settings_of
from monitor.inventory.complaints import Part, complaints
from monitor.inventory.document import Document, UnreadableError, read_document
from monitor.inventory.faults import ENOUGH, ConfigurationError, Fault, Finding, Marks, Place, refuse
from monitor.inventory.fields import Host, split_listen
from monitor.inventory.helpdesk import ChosenHelpdesk, choose_helpdesk
from monitor.inventory.plans import Ground, plan
from monitor.inventory.references import Secrets
from monitor.inventory.relations import relations
from monitor.inventory.settings import Configuration
from monitor.inventory.source import decode, read_bytes
from monitor.inventory.walking import EACH, fill, items, replaced
from monitor.language.phrases import Plain, found, phrase

LISTEN = "VIGIA_LISTEN"
_LISTEN_REFERENCE = re.compile(r"(?<!\$)\$\{VIGIA_LISTEN\}")
_DEFAULT_LISTEN = "127.0.0.1:8080"
_STAND_IN_PORT = 8080
_CHECKS_DEPTH = 4
# Stands in for a host that is refused already, so that the checks below it are judged by themselves.
_ANY_HOST = "host.invalid"
_HOST: TypeAdapter[str] = TypeAdapter(Host)


def load(
    path: Path, *, environment: Mapping[str, str], listen: str | None = None, data: Path | None = None
) -> Configuration:
    """Return the configuration in a file, or raise ConfigurationError with everything that is wrong with it.

    `listen` and `data` are what flags or the environment said; they count more than the file. `${VIGIA_LISTEN}` in any
    text becomes the address bound, which the caller puts into `environment`, else the one that is configured.
    """
    content = read_bytes(path)
    document = _document(path, decode(path, content))
    address = _address(path, document.value, environment, listen)
    secrets = Secrets({**environment, LISTEN: address}, path.parent)
    written = replaced(document.value, lambda text: _LISTEN_REFERENCE.sub(address, text))
    value, unfilled = fill(written, secrets, _is_within_checks)
    draft = _draft(value, written, secrets)
    # Names that came from references are compared, and told, by their references.
    related = islice(relations(replaced(value, secrets.hide), document.marks), ENOUGH)
    findings = [*document.findings, *unfilled, *draft.findings, *related]
    if findings or draft.file is None or draft.helpdesk is None:
        raise refuse(str(path), document.marks, findings)
    bound = Bound(listen=listen or draft.file.listen, address=address, data=data or Path(draft.file.data))
    return Configuration(
        fleet=fleet_of(draft.file, draft.checks, bound),
        settings=settings_of(draft.file, draft.helpdesk, bound),
        path=path,
        digest=hashlib.sha256(content).hexdigest(),
        secrets=secrets,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """What became of the parts of the file; a part that is None has findings."""

    file: model.File | None
    checks: tuple[tuple[CheckPlan, ...], ...]
    helpdesk: ChosenHelpdesk | None
    findings: tuple[Finding, ...]


def _document(path: Path, text: str) -> Document:
    try:
        document = read_document(text)
    except UnreadableError as error:
        raise refuse(str(path), Marks(Place(0, 0)), error.findings) from None
    if document.value is None:
        raise ConfigurationError([Fault(file=str(path), line=0, column=0, key="", said=phrase("file.empty"))])
    if not isinstance(document.value, dict):
        said = phrase("wrong", found=found(document.value), expected=phrase("expected.file"))
        raise refuse(str(path), document.marks, [Finding(path=(), said=said)])
    return document


def _draft(value: Plain, written: Plain, secrets: Secrets) -> _Draft:
    findings: list[Finding] = []
    file = None
    try:
        file = model.File.model_validate(value)
    except ValidationError as error:
        findings += complaints(error, Part(model=model.File, written=written))
    helpdesk = choose_helpdesk(_entry(value, "helpdesk"), _entry(written, "helpdesk"))
    if isinstance(helpdesk, list):
        findings += helpdesk
    checks, wrong = _checks(value, secrets)
    return _Draft(
        file=file,
        checks=checks,
        helpdesk=helpdesk if isinstance(helpdesk, ChosenHelpdesk) else None,
        findings=(*findings, *wrong),
    )


def _checks(value: Plain, secrets: Secrets) -> tuple[tuple[tuple[CheckPlan, ...], ...], list[Finding]]:
    """Return the plans of every server in the order of the file, and what is wrong with any check."""
    defaults = _defaults(value)
    findings: list[Finding] = []
    servers: list[tuple[CheckPlan, ...]] = []
    for path, server in items(value, "servers", EACH):
        if len(findings) >= ENOUGH:
            break
        ground = Ground(
            server=ServerId(str(_entry(server, "id"))),
            host=_host(server),
            defaults=defaults,
            secrets=secrets,
            shared=_shared(value),
        )
        plans: list[CheckPlan] = []
        for below, item in items(server, "checks", EACH):
            planned = plan(item, (*path, *below), ground)
            if isinstance(planned, CheckPlan):
                plans.append(planned)
            else:
                findings += planned
        servers.append(tuple(plans))
    return tuple(servers), findings


def _defaults(value: Plain) -> model.Defaults:
    """Return the defaults of the file; wrong ones are told with the file and count as ours here."""
    try:
        return model.Defaults.model_validate(_entry(value, "defaults") or {})
    except ValidationError:
        return model.Defaults()


def _shared(value: Plain) -> Mapping[str, Mapping[str, Plain]]:
    """Return what the file says of all checks of a kind; wrong words are told with the file."""
    try:
        plugins = model.Plugins.model_validate(_entry(value, "plugins") or {})
    except ValidationError:
        return {}
    return {"nagios": {"folders": list(plugins.folders)}} if plugins.folders else {}


def _host(server: Plain) -> str:
    host = _entry(server, "host")
    if host is None:
        return ""
    try:
        return _HOST.validate_python(host, strict=True)
    except ValidationError:
        return _ANY_HOST


def _entry(value: Plain, key: str) -> Plain:
    return value.get(key) if isinstance(value, dict) else None


def _is_within_checks(path: faults.Path) -> bool:
    """Options of checks keep their references: they go into the journal, and secrets do not."""
    return len(path) >= _CHECKS_DEPTH and path[0] == "servers" and path[2] == "checks"


def _address(path: Path, value: Plain, environment: Mapping[str, str], listen: str | None) -> str:
    """Return the address that `${VIGIA_LISTEN}` stands for; a flag that names none raises ConfigurationError."""
    if listen is not None and not _is_listen_address(listen):
        said = phrase("listen", found=found(listen))
        raise ConfigurationError([Fault(file=str(path), line=0, column=0, key="--listen", said=said)])
    candidates = (environment.get(LISTEN), listen, _entry(value, "listen"))
    chosen = next(
        (word for word in candidates if isinstance(word, str) and _is_listen_address(word)), _DEFAULT_LISTEN
    )
    # Which port the system will choose is known once the socket is bound; until then any real one keeps checks valid.
    host, _, port = chosen.rpartition(":")
    return f"{host}:{int(port) or _STAND_IN_PORT}"


def _is_listen_address(word: str) -> bool:
    try:
        split_listen(word)
    except ValueError:
        return False
    return True
