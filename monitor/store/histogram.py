"""Response times as a small logarithmic histogram: p50 and p95 of a day without keeping its looks.

A bin is an eighth of a doubling of the time in microseconds, so that a quantile is at most some 5 % from the truth
over the whole range from a microsecond to an hour. Stored as pairs: the bin as one byte, its count as a varint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import ceil, log2

Histogram = Mapping[int, int]

_BINS_PER_DOUBLING = 8
_LAST_BIN = 255


def bin_of(took_us: int) -> int:
    """Return the bin that a time belongs to; 0 for less than a microsecond, 255 for an hour and more."""
    return 0 if took_us < 1 else min(_LAST_BIN, 1 + int(_BINS_PER_DOUBLING * log2(took_us)))


def quantile(histogram: Histogram, share: float) -> float | None:
    """Return the time in microseconds that `share` (0.0 to 1.0) of the looks did not exceed, None without looks."""
    wanted = ceil(share * sum(histogram.values()))
    for bin_, count in sorted(histogram.items()):
        wanted -= count
        if wanted <= 0:
            return _middle(bin_)
    return None


def encode(histogram: Histogram) -> bytes:
    """Return a histogram as bytes, bins in ascending order; equal histograms give equal bytes."""
    return b"".join(bytes((bin_,)) + _varint(count) for bin_, count in sorted(histogram.items()))


def decode(data: bytes) -> Counter[int]:
    """Return the histogram that `encode` wrote."""
    found: Counter[int] = Counter()
    position = 0
    while position < len(data):
        bin_ = data[position]
        count, position = _read_varint(data, position + 1)
        found[bin_] += count
    return found


def merge_encoded(one: bytes, other: bytes) -> bytes:
    """Return the sum of two encoded histograms; SQL knows it as `merge_histograms`."""
    return encode(decode(one) + decode(other))


def _middle(bin_: int) -> float:
    return 0.0 if bin_ == 0 else float(2 ** ((bin_ - 0.5) / _BINS_PER_DOUBLING))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while data[position] > 0x7F:
        number |= (data[position] & 0x7F) << shift
        shift += 7
        position += 1
    return number | data[position] << shift, position + 1
