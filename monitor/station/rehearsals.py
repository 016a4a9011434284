"""The JSON shape of a rehearsal, beside those of `monitor.station.shapes`."""

from __future__ import annotations

from datetime import timedelta

from monitor.rehearsal.alarms import Alarm
from monitor.rehearsal.comparing import Difference, Rehearsal, Side
from monitor.station.shapes import Shape, instant


def rehearsal_shape(rehearsal: Rehearsal) -> Shape:
    """Return both sides in figures, where they differ, and what could not be judged anew."""
    unlike = rehearsal.unlike
    return {
        "since": instant(rehearsal.since),
        "until": instant(rehearsal.until),
        "servers": rehearsal.servers,
        "checks": rehearsal.checks,
        "looks": rehearsal.looks,
        "in_force": _side(rehearsal.in_force),
        "proposed": _side(rehearsal.proposed),
        "differences": [_difference(each) for each in rehearsal.differences],
        "not_judged": {
            "only_in_force": [str(check) for check in unlike.only_in_force],
            "only_proposed": [str(check) for check in unlike.only_proposed],
        },
        "looked_at_otherwise": [
            {"check": str(check), "keys": list(keys)} for check, keys in unlike.looks.items()
        ],
    }


def _side(side: Side) -> Shape:
    return {
        "incidents": len(side.incidents),
        "reopened": sum(alarm.reopened > 0 for alarm in side.incidents),
        "warnings": len(side.warnings),
        "failures": len(side.delays),
        "delay_seconds": {"median": _seconds(side.median_delay), "worst": _seconds(side.worst_delay)},
        "flapping": [
            {
                "check": str(phase.check),
                "started_at": instant(phase.started_at),
                "ended_at": instant(phase.ended_at),
            }
            for phase in side.flapping
        ],
    }


def _difference(difference: Difference) -> Shape:
    return {
        "what": difference.what,
        "server": difference.first.incident.servers[0],
        "audience": difference.first.incident.audience,
        "in_force": [_alarm(alarm) for alarm in difference.in_force],
        "proposed": [_alarm(alarm) for alarm in difference.proposed],
    }


def _alarm(alarm: Alarm) -> Shape:
    incident = alarm.incident
    return {
        "checks": [str(check) for check in incident.checks],
        "impact": alarm.worst,
        "started_at": instant(incident.started_at),
        "opened_at": instant(incident.opened_at),
        "ended_at": instant(incident.ended_at),
        "resolved_at": instant(incident.resolved_at),
        "reopened": alarm.reopened,
    }


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()
