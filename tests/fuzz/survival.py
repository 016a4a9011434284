"""What a parser of foreign bytes has to survive."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "10000"))


def survives(*inputs: SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with so many inputs; `make fuzz` asks for more of them than the tests do."""

    def wrapped(test: Callable[..., None]) -> Callable[..., None]:
        tried = settings(
            max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
        )(given(*inputs)(test))
        return pytest.mark.timeout(max(600, EXAMPLES // 10))(tried)

    return wrapped
