"""Entry bodies as JSON and back; the version is written beside each."""

from __future__ import annotations

from pydantic import TypeAdapter

from monitor.journal.entries import BODIES, Body, Kind

VERSION = 1


_ADAPTERS: dict[type[Body], TypeAdapter[Body]] = {body: TypeAdapter(body) for body in set(BODIES.values())}


def encode(body: Body) -> str:
    """Return a body as one line of JSON, keys in the order of the fields."""
    return _ADAPTERS[type(body)].dump_json(body).decode()


def decode(kind: Kind, version: int, text: str) -> Body:
    """Return the body that `text` holds; a version newer than ours raises ValueError."""
    if version > VERSION:
        raise ValueError(f"entry version {version} is newer than this program knows ({VERSION})")
    return _ADAPTERS[BODIES[kind]].validate_json(text)
