"""JSON that came from outside, and paths of RFC 9535 into it: both within bounds, so that neither can hold up a look."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any, NoReturn

from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError
from jsonpath.exceptions import JSONPathNameError
from jsonpath.function_extensions import ExpressionType, FilterFunction
from jsonpath.token import TOKEN_DDOT, TOKEN_EOF
from pydantic import AfterValidator, Field

from monitor.checks.options import patterns
from monitor.language.phrases import Phrase
from monitor.language.refusals import RefusalError

Json = dict[str, Any] | list[Any] | str | int | float | bool | None

PATH_LIMIT = 256
JSON_LIMIT = 256 * 1024
VALUES_LIMIT = 10_000
DEPTH_LIMIT = 32
_PLAIN = (str, int)


def read_json(text: str) -> Json:
    """Return the document that `text` is; ValueError says why it is none, or none that will be judged."""
    if len(text) > JSON_LIMIT:
        raise ValueError(f"it has more than {JSON_LIMIT // 1024} KiB")
    try:
        document: Json = json.loads(text.removeprefix("\ufeff"), parse_constant=_no_number)
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEPTH_LIMIT} levels") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    _bound(document)
    return document


def selected(path: str, document: Json) -> list[Json]:
    """Return the values that a path selects, in the order of the document. The path was accepted by `accepted` before."""
    if not isinstance(document, dict | list):
        return [document] if path == "$" else []
    try:
        return list(_compiled(path).findall(document))  # type: ignore[arg-type]
    except JSONPathError:
        return []


def names_of(path: str) -> tuple[str | int, ...] | None:
    """Return the names and indices of a path that selects one value at most; None for one that may select several."""
    compiled = _compiled(path)
    if not compiled.singular_query():
        return None
    steps: list[str | int] = []
    for segment in compiled.segments:
        selector = segment.selectors[0]
        step = getattr(selector, "name", getattr(selector, "index", None))
        if not isinstance(step, _PLAIN):
            return None
        steps.append(step)
    return tuple(steps)


def accepted(path: str) -> str:
    """Return the path if it is one of RFC 9535; otherwise RefusalError says what is wrong with it."""
    if len(path) > PATH_LIMIT:
        raise RefusalError("options.json_path.long", limit=PATH_LIMIT, length=len(path))
    if not path.startswith("$"):
        raise RefusalError("options.json_path.start", found=path)
    try:
        _compiled(path)
    except (JSONPathError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        raise RefusalError("options.json_path.form", found=path, reason=_reason(error)) from None
    if _descents(path) > 1:
        raise RefusalError("options.json_path.descents", found=path)
    return path


def _reason(error: Exception) -> Phrase:
    """Return where a path stops making sense; columns count characters from 1."""
    token = error.token if isinstance(error, JSONPathError) else None
    if token is None:
        return Phrase("options.json_path.unreadable")
    if token.kind == TOKEN_EOF:
        return Phrase("options.json_path.end")
    key = "options.json_path.function" if isinstance(error, JSONPathNameError) else "options.json_path.column"
    return Phrase(key, {"column": token.index + 1})


class _ByRe2(FilterFunction):
    """`match` and `search` of RFC 9535; a pattern that RE2 does not take matches nothing, as the standard wants it."""

    arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]  # noqa: RUF012 - the library declares it as a property
    return_type = ExpressionType.LOGICAL

    def __init__(self, *, whole: bool) -> None:
        self._matches = patterns.matches_whole if whole else patterns.found_in

    def __call__(self, value: object, pattern: object) -> bool:
        if not isinstance(value, str) or not isinstance(pattern, str):
            return False
        try:
            return self._matches(patterns.accepted(pattern), value)
        except ValueError:
            return False


class _Environment(JSONPathEnvironment):
    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        self.function_extensions |= {"match": _ByRe2(whole=True), "search": _ByRe2(whole=False)}


_ENVIRONMENT = _Environment(strict=True)


@lru_cache(maxsize=1024)
def _compiled(path: str) -> JSONPath:
    compiled = _ENVIRONMENT.compile(path)
    assert isinstance(compiled, JSONPath), "the standard knows no unions of paths"  # noqa: S101 - strict refuses them
    return compiled


def _descents(path: str) -> int:
    return sum(token.kind == TOKEN_DDOT for token in _ENVIRONMENT.lexer.tokenize(path))


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _bound(document: Json) -> None:
    """Refuse what is too large or too deep, with a ValueError; nothing is walked by recursion."""
    level: list[Json] = [document]
    count = 0
    for _ in range(DEPTH_LIMIT + 1):
        count += len(level)
        if count > VALUES_LIMIT:
            raise ValueError(f"it holds more than {VALUES_LIMIT} values")
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {DEPTH_LIMIT} levels")


def _inside(value: Json) -> Iterable[Json]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


Path = Annotated[str, Field(min_length=1), AfterValidator(accepted)]
"""A path into JSON in the options of a check."""
