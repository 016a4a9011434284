"""What a model takes at a path: its keys, and whether a value there is secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from monitor.inventory.faults import Path

_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|authorization|cookie|^key$|api_?key$", re.IGNORECASE
)


def keys_of(model: type[BaseModel], path: Path = ()) -> frozenset[str]:
    """Return the keys that the mapping at `path` takes; empty when no model of ours stands there."""
    return frozenset(key for found in _models_at(model, path) for key in _fields(found))


def is_secret(model: type[BaseModel], path: Path) -> bool:
    """Must the value at `path` never be shown? The type of its field says so, or the name of a key on the way."""
    if any(isinstance(step, str) and _SECRET_KEY.search(step) for step in path):
        return True
    here: list[type[BaseModel]] = [model]
    for step in path:
        fields = [field for found in here for field in [_fields(found).get(str(step))] if field]
        if any(_mentions_secret(field.annotation) for field in fields):
            return True
        here = [found for field in fields for found in _models(field.annotation)] or here
    return False


def _models_at(model: type[BaseModel], path: Path) -> list[type[BaseModel]]:
    here, of_a_mapping = [model], False
    for step in path:
        if isinstance(step, int):
            continue
        if of_a_mapping:
            of_a_mapping = False
            continue
        fields = [field for found in here for field in [_fields(found).get(step)] if field]
        here = [found for field in fields for found in _models(field.annotation)]
        of_a_mapping = any(_is_mapping(field.annotation) for field in fields)
    return here


def _is_mapping(annotation: Any) -> bool:
    """Are the values below names of somebody's own choice?"""
    if get_origin(annotation) in (Union, UnionType):
        return any(_is_mapping(inner) for inner in get_args(annotation))
    return get_origin(annotation) is dict


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _mentions_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_mentions_secret(inner) for inner in get_args(annotation))
