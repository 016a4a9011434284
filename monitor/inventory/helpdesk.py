"""From the `helpdesk` mapping to the options of its kind, whatever kinds there are."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from monitor.inventory.complaints import Part, complaints, wrong, wrong_word
from monitor.inventory.faults import Finding, Path
from monitor.language.phrases import Plain, phrase
from monitor.tickets import KINDS
from monitor.tickets.port import HelpdeskOptions

BASE: Path = ("helpdesk",)
DEFAULT_KIND = "desk"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenHelpdesk:
    """A kind and its options, references filled."""

    kind: str
    options: HelpdeskOptions


def choose_helpdesk(value: Plain, written: Plain) -> ChosenHelpdesk | list[Finding]:
    """Return the helpdesk that `value` describes, or everything that is wrong with it.

    `written` is the same with its references unfilled, which is all that a sentence may quote. None stands for
    the built-in desk.
    """
    if value is None:
        return ChosenHelpdesk(kind=DEFAULT_KIND, options=KINDS[DEFAULT_KIND].options())
    if not isinstance(value, dict):
        return [Finding(path=BASE, said=wrong(written, phrase("expected.mapping")))]
    kind = _kind(value)
    if not isinstance(kind, str) or kind not in KINDS:
        return [Finding(path=(*BASE, "kind"), said=wrong_word(_kind(written), tuple(KINDS)))]
    options = {key: inner for key, inner in value.items() if key != "kind"}
    model = KINDS[kind].options
    try:
        return ChosenHelpdesk(kind=kind, options=model.model_validate(options))
    except ValidationError as error:
        part = Part(model=model, written=written, base=BASE, also=frozenset({"kind"}))
        return list(complaints(error, part))


def _kind(written: Plain) -> Plain:
    return written.get("kind", DEFAULT_KIND) if isinstance(written, dict) else written
