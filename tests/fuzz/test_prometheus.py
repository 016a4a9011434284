"""What a Prometheus may answer."""

from __future__ import annotations

import contextlib
import json

from hypothesis import strategies as st

from monitor.checks.browsing.prometheus_answers import AnswerError, judge_samples, measures_of, read_answer
from monitor.checks.options.bounds import Bounds
from tests.fuzz.mutating import any_json, mutated
from tests.fuzz.survival import survives

_ANSWERS = (
    (
        '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[1.5,"1"]},'
        '{"metric":{},"value":[1.5,"NaN"]}]}}'
    ),
    '{"status":"success","data":{"resultType":"scalar","result":[1.5,"+Inf"]}}',
    '{"status":"error","errorType":"bad_data","error":"invalid parameter"}',
)
_JSON = any_json(
    ["status", "data", "resultType", "result", "metric", "value", "__name__"],
    ["success", "vector", "scalar", "error"],
).map(json.dumps)


@survives(st.text(max_size=200) | mutated(_ANSWERS) | _JSON)
def test_any_answer_is_judged_or_refused(text: str) -> None:
    with contextlib.suppress(AnswerError):
        samples = read_answer(text)
        measures_of(samples)
        for empty in ("down", "ok", "unknown"):
            verdict = judge_samples(samples, Bounds(min=0, max=1), Bounds(max=0.5), empty)
            assert verdict is None or verdict.found


def test_what_servers_send_is_understood() -> None:
    first, second = map(read_answer, _ANSWERS[:2])
    assert [one.labels for one in first] == ['up{job="a"}', "{}"]
    assert second[0].value == float("inf")
