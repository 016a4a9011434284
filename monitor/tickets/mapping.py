"""Our priorities and departments as a product calls them, both ways."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.tickets.port import HelpdeskOptions, Priority


class Scale:
    """How a product counts the four priorities. Where it has fewer, what it shows is read as the most urgent of ours that it may be."""

    def __init__(self, defaults: Mapping[Priority, str], overrides: Mapping[Priority, str | int]) -> None:
        self._theirs = {ours: str(overrides.get(ours, defaults[ours])) for ours in Priority}

    @property
    def words(self) -> tuple[str, ...]:
        """Every word of the product that may be sent, the least urgent first, each once."""
        return tuple(dict.fromkeys(self._theirs.values()))

    def theirs(self, priority: Priority) -> str:
        """Return the product's word for a priority of ours."""
        return self._theirs[priority]

    def ours(self, word: object) -> Priority:
        """Return our priority for a word of the product; one that we never send counts as normal."""
        known = [ours for ours, theirs in self._theirs.items() if theirs.casefold() == str(word).casefold()]
        return known[-1] if known else Priority.NORMAL


class Places:
    """Where tickets of each department lie: its queue, group or number at the product."""

    def __init__(self, options: HelpdeskOptions, own: str | int) -> None:
        """Take the mapping of `options`; `own` serves the configured department and all that are not mapped."""
        self._own = str(own)
        self._mapped = {ours: str(theirs) for ours, theirs in options.departments.items()}
        self._followed = {options.department: self.of(options.department), **self._mapped}

    @property
    def followed(self) -> Mapping[str, str]:
        """The product's name of every department that is followed, by our id of it."""
        return self._followed

    def of(self, department: str) -> str:
        """Return where tickets of one of our departments go."""
        return self._mapped.get(department, self._own)

    def department(self, place: object) -> str | None:
        """Return our department of a place; None if its tickets are none of our business."""
        known = (ours for ours, theirs in self._followed.items() if theirs == str(place))
        return next(known, None)
