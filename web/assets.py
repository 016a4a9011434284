"""The page's own files, under names that change with their content, so that they may be kept for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_NAMES = ("vigia.css", "vigia.js")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file: `name` carries a digest of its content."""

    name: str
    body: bytes
    content_type: str


@cache
def assets() -> Mapping[str, Asset]:
    """Return every file by its plain name; read once, at first use."""
    return {name: _asset(name) for name in _NAMES}


def asset_path(name: str) -> str:
    """Return where a file is served: /static/vigia.1f2e3d4c.css."""
    return f"/static/{assets()[name].name}"


def find_asset(requested: str) -> Asset | None:
    """Return the file that a requested name means, whichever version it asks for.

    A page that was kept from before an upgrade names a digest of the past; today's file serves it better than none.
    """
    stem, _, rest = requested.partition(".")
    suffix = rest.rpartition(".")[2]
    return assets().get(f"{stem}.{suffix}")


def _asset(name: str) -> Asset:
    body = (resources.files("web") / "static" / name).read_bytes()
    digest = hashlib.blake2b(body, digest_size=6).hexdigest()
    stem, _, suffix = name.rpartition(".")
    return Asset(name=f"{stem}.{digest}.{suffix}", body=body, content_type=_TYPES[f".{suffix}"])
