"""What the documentation says, as the tests of it see it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_WORD = re.compile(r"[A-Za-z0-9_$][A-Za-z0-9_$-]*")


def pages() -> list[Path]:
    """Return every text that newcomers and operators read."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def code_of(*paths: Path) -> str:
    """Return everything on these pages that is set as code: only that tells how a name is written."""
    return "\n".join(found for path in paths if path.exists() for found in _CODE.findall(path.read_text()))


def names_in(code: str) -> set[str]:
    """Return every word of a piece of code."""
    return set(_WORD.findall(code))


def properties(schema: object) -> set[str]:
    """Return the name of every property anywhere in a JSON Schema."""
    if isinstance(schema, list):
        return {name for each in schema for name in properties(each)}
    if not isinstance(schema, dict):
        return set()
    held = schema.get("properties")
    found = set(held) if isinstance(held, dict) else set()
    return found | {name for each in schema.values() for name in properties(each)}
