"""A least and a most that a figure is held to."""

from __future__ import annotations

import math
import re
from typing import Annotated, Self

from pydantic import Field, model_validator

from monitor.checks.contract import Options
from monitor.language.refusals import RefusalError

Figure = Annotated[float, Field(allow_inf_nan=False)]
Scalar = bool | int | Figure | str

# float() reads more than databases write: underscores, blanks, digits of other scripts.
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


class Bounds(Options):
    """What a figure is held to."""

    min: Figure | None = Field(default=None, description="Less than this is too little.")
    max: Figure | None = Field(default=None, description="More than this is too much.")

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.min is None and self.max is None:
            raise RefusalError("options.bounds.none")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise RefusalError("options.bounds.crossed", min=f"{self.min:g}", max=f"{self.max:g}")
        return self

    def breach(self, figure: float) -> str | None:
        """Return in words what is wrong with a figure, None when it lies within; what is no number never does."""
        if self.min is not None and not figure >= self.min:
            return f"{figure:g}, expected at least {self.min:g}"
        if self.max is not None and not figure <= self.max:
            return f"{figure:g}, expected at most {self.max:g}"
        return None


def number_of(text: str) -> float | None:
    """Return the number that a text writes, None when it writes none."""
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None
