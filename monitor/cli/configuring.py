"""validate and doctor: is the configuration right, is the installation sound."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.common import (
    bound_configuration,
    clock,
    config_option,
    configuration,
    data_option,
    json_option,
    print_json,
    print_table,
)
from monitor.inventory import ConfigurationError, Fault
from monitor.station.doctor import Finding, Verdict, examine


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@config_option
@json_option
def validate(file: Path | None, config: Path, *, as_json: bool) -> int:
    """Check a configuration file; every fault is shown with its place and remedy."""
    path = file or config
    try:
        loaded = configuration(path)
    except ConfigurationError as error:
        if as_json:
            print_json({"valid": False, "faults": [_fault(fault) for fault in error.faults]})
        else:
            click.echo(str(error), err=True)
        return 1
    servers, checks = len(loaded.fleet.servers), len(loaded.fleet.checks())
    if as_json:
        print_json({"valid": True, "servers": servers, "checks": checks, "faults": []})
    else:
        click.echo(f"{path} is valid: {servers} servers, {checks} checks")
    return 0


def _fault(fault: Fault) -> dict[str, object]:
    return {
        "file": str(fault.file),
        "line": fault.line,
        "column": fault.column,
        "key": fault.key,
        "message": fault.message,
    }


@click.command()
@config_option
@data_option
@json_option
def doctor(config: Path, data: Path | None, *, as_json: bool) -> int:
    """Examine this installation and say what to mend; exit status 1 if something is broken."""
    findings = examine(lambda: bound_configuration(config, data), clock)
    if as_json:
        print_json([_finding(finding) for finding in findings])
    else:
        print_table(
            "Examination",
            ("", "what", "found"),
            ((_MARKS[finding.verdict], finding.subject, finding.detail) for finding in findings),
            nothing="Nothing to examine.",
        )
    return 1 if any(finding.verdict is Verdict.BROKEN for finding in findings) else 0


_MARKS = {Verdict.FINE: "fine", Verdict.WARNING: "warning", Verdict.BROKEN: "BROKEN"}


def _finding(finding: Finding) -> dict[str, object]:
    return {"subject": finding.subject, "verdict": finding.verdict, "detail": finding.detail}
