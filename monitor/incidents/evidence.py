"""What a technician wants to know of one failing check, gathered from a change or from what is held."""

from __future__ import annotations

from monitor.health.state import Health, Transition
from monitor.incidents.incident import CheckEvidence
from monitor.language import Language, text
from monitor.observation import Outcome


def seen(evidence: CheckEvidence, language: Language) -> str:
    """Return what was found, the cause in words first: "tiene un certificado que vence pronto (detalle técnico: …)"."""
    if evidence.cause is None:
        return text("cause.none", language, found=evidence.found) if evidence.found else ""
    words = text(f"cause.{evidence.cause}", language)
    return text("cause.detail", language, cause=words, found=evidence.found) if evidence.found else words


def evidence_of(transition: Transition, kind: str) -> CheckEvidence:
    """Return the evidence of the look that confirmed a change; `kind` is the name of the check's kind."""
    look = transition.observation
    return CheckEvidence(
        check=transition.check,
        kind=kind,
        outcome=look.outcome,
        cause=look.cause,
        found=look.found,
        failing_since=transition.since,
        last_ok_at=transition.last_ok_at,
        looked_at=look.started_at,
        took_ms=look.took_ms,
        address=look.address,
        phases=look.phases,
        excerpt=look.excerpt,
        reproduce=look.reproduce,
        via=look.via,
    )


def held_evidence(health: Health, kind: str, reproduce: str = "", via: tuple[str, ...] = ()) -> CheckEvidence:
    """Return what is held of a check that was confirmed to fail earlier, without the look's phases and excerpt.

    Raises ValueError for a check of which nothing is confirmed: there is nothing to show for it.
    """
    if health.since is None or health.looked_at is None:
        raise ValueError(f"nothing is confirmed of {health.check}")
    return CheckEvidence(
        check=health.check,
        kind=kind,
        outcome=health.outcome or Outcome.UNKNOWN,
        cause=health.cause,
        found=health.found,
        failing_since=health.since,
        last_ok_at=health.last_ok_at,
        looked_at=health.looked_at,
        took_ms=health.took_ms,
        reproduce=reproduce,
        via=via,
    )
