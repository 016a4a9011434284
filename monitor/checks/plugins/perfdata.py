"""What plugins of Nagios print: a line for people, more lines, and figures behind a bar. Pure, and never surprised.

Written after the guidelines for the development of monitoring plugins. Figures become measures in base units; the bounds that
follow a figure are the plugin's business.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import islice

from monitor.observation import MEASURES_LIMIT, Measure

# So many characters and figures are read of what stands behind the bar.
_READ = 16 * 1024
_FIGURES_LIMIT = 4 * MEASURES_LIMIT
_NAME_LIMIT = 63
# Every repetition is bounded, or a line of quotes would be read again from each of them.
_LABELLED = re.compile(r"(?<!\S)(?:'((?:[^']|''){1,100})'|([^\s'=]{1,100}))=(\S{0,100})")
_VALUE = re.compile(r"([+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,3})?)([A-Za-z%]{0,8})")
_OTHER = re.compile(r"[^a-z0-9]+")
_UNITS = {
    "s": ("seconds", 1.0),
    "ms": ("seconds", 1e-3),
    "us": ("seconds", 1e-6),
    "ns": ("seconds", 1e-9),
    "%": ("percent", 1.0),
    **{
        f"{power}b": ("bytes", 1000.0**exponent)
        for exponent, power in enumerate(("", "k", "m", "g", "t", "p"))
    },
    **{f"{power}ib": ("bytes", 1024.0**exponent) for exponent, power in enumerate("kmgtp", 1)},
}


@dataclass(frozen=True, slots=True)
class Printed:
    """What a plugin printed: the line for people, everything for people, and its figures."""

    line: str
    text: str
    measures: tuple[Measure, ...]


def read_output(output: str) -> Printed:
    """Return what a plugin's output says. Nothing is refused: what is no figure is passed over."""
    first, *more = output.splitlines() or [""]
    line, _, figures = first.partition("|")
    words, bar = [line], False
    for one in more:
        # The figures of the long part begin at its first bar, and go on to the end.
        before, found, behind = ("", "", one) if bar else one.partition("|")
        bar = bar or bool(found)
        words += [before] if not bar or before else []
        figures += f" {behind}"
    return Printed(line=line.strip(), text="\n".join(words).strip(), measures=_measures(figures))


def name_of(label: str) -> str:
    """Return what a label is called as a measure: `/var/log` is `var_log`, the root of all files `root`."""
    name = _OTHER.sub("_", label.lower()).strip("_")
    if not name:
        return "root" if label.strip() == "/" else "value"
    return (name if name[0].isalpha() else f"m_{name}")[:_NAME_LIMIT].rstrip("_")


def _measures(figures: str) -> tuple[Measure, ...]:
    found: dict[str, Measure] = {}
    for quoted, plain, written in islice(_LABELLED.findall(figures[:_READ]), _FIGURES_LIMIT):
        figure = _figure(written)
        if figure is not None:
            name = _free(name_of(quoted.replace("''", "'") or plain), found)
            found[name] = Measure(name, *figure)
    return tuple(found.values())


def _figure(written: str) -> tuple[float, str] | None:
    """Return a figure in its base unit, None for `U` and whatever else is none."""
    found = _VALUE.match(written)
    if found is None:
        return None
    unit, factor = _UNITS.get(found[2].lower(), ("", 1.0))
    value = float(found[1].replace(",", ".")) * factor
    return (value, unit) if math.isfinite(value) else None


def _free(name: str, taken: dict[str, Measure]) -> str:
    """Return the name, with a number behind it when another label has taken it."""
    if name not in taken:
        return name
    numbered = (f"{name[: _NAME_LIMIT - 4]}_{number}" for number in range(2, _FIGURES_LIMIT + 2))
    return next(each for each in numbered if each not in taken)
