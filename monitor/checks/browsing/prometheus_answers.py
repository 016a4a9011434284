"""What Prometheus answers to a query, and what its samples are held to: pure, over text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from monitor.checks.browsing.json_paths import Json, read_json
from monitor.checks.contract import Verdict
from monitor.checks.options.bounds import Bounds
from monitor.observation import Cause, Measure, Outcome

Empty = Literal["down", "ok", "unknown"]

# What is quoted of a series or of the server's words in one line of fact.
_QUOTED = 120
_NO_DATA = "the query gives no data"


class AnswerError(ValueError):
    """What was answered is no answer that can be judged; the argument says why."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of an instant vector and the labels of its series, as `{instance="gye1", job="node"}`; `{}` for a scalar."""

    labels: str
    value: float


def read_answer(text: str) -> tuple[Sample, ...]:
    """Return the samples of an answer to an instant query; anything else raises AnswerError."""
    try:
        answer = read_json(text)
    except ValueError as error:
        raise AnswerError(f"answers what cannot be read: {error}") from None
    if not isinstance(answer, dict):
        raise AnswerError("does not answer as Prometheus does")
    if answer.get("status") == "error":
        raise AnswerError(f"{_words(answer.get('errorType'))}: {_words(answer.get('error'))}")
    data = answer.get("data")
    if answer.get("status") != "success" or not isinstance(data, dict):
        raise AnswerError("does not answer as Prometheus does")
    return _samples(data.get("resultType"), data.get("result"))


def judge_samples(
    samples: Sequence[Sample], expect: Bounds | None, warn: Bounds | None, empty: Empty
) -> Verdict | None:
    """Return what is wrong with the samples, or None when every one of them is as expected; the worst decides."""
    if not samples:
        return _judge_nothing(empty)
    for outcome, bounds in ((Outcome.DOWN, expect), (Outcome.WARN, warn)):
        wrong = [] if bounds is None else _breaches(samples, bounds)
        if wrong:
            more = f" ({len(wrong)} of {len(samples)} series)" if len(samples) > 1 else ""
            return Verdict(outcome, Cause.CONTENT, f"{wrong[0]}{more}")
    return None


def measures_of(samples: Sequence[Sample]) -> tuple[Measure, ...]:
    """Return the value of a single sample as `value`; of several how many there are, the least and the most."""
    if not samples:
        return ()
    values = [sample.value for sample in samples]
    if len(values) == 1:
        return (Measure("value", values[0]),)
    return (
        Measure("series", len(values)),
        Measure("lowest", min(values)),
        Measure("highest", max(values)),
    )


def _samples(kind: Json, result: Json) -> tuple[Sample, ...]:
    if kind == "scalar":
        return (Sample("{}", _value(result)),)
    if kind != "vector" or not isinstance(result, list):
        raise AnswerError(f"gives {_words(kind)}, and only an instant vector or a scalar can be judged")
    return tuple(map(_sample, result))


def _sample(one: Json) -> Sample:
    if not isinstance(one, dict) or not isinstance(one.get("metric"), dict):
        raise AnswerError("does not answer as Prometheus does")
    if "value" not in one:
        raise AnswerError("gives histograms, and only figures can be judged")
    return Sample(_labels(one["metric"]), _value(one["value"]))


def _value(pair: Json) -> float:
    written = pair[1] if isinstance(pair, list) and len(pair) == 2 else None
    try:
        return float(written if isinstance(written, str) else "no number")
    except ValueError:
        raise AnswerError("does not answer as Prometheus does") from None


def _labels(metric: dict[str, Json]) -> str:
    name = _words(metric["__name__"]) if "__name__" in metric else ""
    others = ", ".join(f'{key}="{value}"' for key, value in metric.items() if key != "__name__")
    return f"{name}{{{others}}}"


def _breaches(samples: Sequence[Sample], bounds: Bounds) -> list[str]:
    """Return in words what is wrong with each sample that lies outside, the farthest first."""
    wrong = [
        (_distance(sample.value, bounds), f"{sample.labels[:_QUOTED]} is {breach}".removeprefix("{} is "))
        for sample in samples
        if (breach := bounds.breach(sample.value)) is not None
    ]
    return [words for _, words in sorted(wrong, key=lambda one: one[0], reverse=True)]


def _distance(value: float, bounds: Bounds) -> float:
    over = max(
        (value - bounds.max if bounds.max is not None else 0.0),
        (bounds.min - value if bounds.min is not None else 0.0),
    )
    # What is no number at all is farther away than any.
    return float("inf") if over != over else over  # noqa: PLR0124 - so a number is told from none


def _judge_nothing(empty: Empty) -> Verdict | None:
    if empty == "ok":
        return None
    if empty == "down":
        return Verdict(Outcome.DOWN, Cause.CONTENT, _NO_DATA)
    return Verdict(Outcome.UNKNOWN, Cause.OWN, f"{_NO_DATA}: look at its series, or say what `empty` means")


def _words(value: Json) -> str:
    return " ".join(str(value).split())[:_QUOTED]
