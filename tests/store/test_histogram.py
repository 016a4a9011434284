"""Response times in bins."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.store import histogram

TIMES = st.lists(st.integers(0, 3_600_000_000), min_size=1, max_size=200)
HISTOGRAMS = st.dictionaries(st.integers(0, 255), st.integers(1, 2**40)).map(Counter)


@given(TIMES, st.sampled_from([0.01, 0.5, 0.95, 1.0]))
def test_a_quantile_is_within_five_percent_of_the_truth(times, share):
    exact = sorted(times)[max(0, -(-int(share * 100) * len(times) // 100) - 1)]
    found = histogram.quantile(Counter(map(histogram.bin_of, times)), share)
    assert found is not None
    assert found == pytest.approx(exact, rel=0.05, abs=1)


@given(HISTOGRAMS)
def test_what_is_encoded_reads_back(counts):
    assert histogram.decode(histogram.encode(counts)) == counts


@given(HISTOGRAMS, HISTOGRAMS)
def test_encoded_histograms_add_up_in_either_order(one, other):
    merged = histogram.merge_encoded(histogram.encode(one), histogram.encode(other))
    assert merged == histogram.merge_encoded(histogram.encode(other), histogram.encode(one))
    assert histogram.decode(merged) == one + other


def test_no_looks_have_no_quantile():
    assert histogram.quantile({}, 0.5) is None


def test_a_day_of_looks_takes_few_bytes():
    looks = Counter(histogram.bin_of(20_000 + 37 * number % 9000) for number in range(86_400))
    assert len(histogram.encode(looks)) < 30
