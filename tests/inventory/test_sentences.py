"""Every sentence of the room exists in both languages, and none is left over."""

from __future__ import annotations

import re
from pathlib import Path

import monitor
from monitor.language import LANGUAGES
from monitor.language.catalogue import messages

HOUSE = Path(monitor.__file__).parent
WORDED = re.compile(r'"(?:configuration\.)?([a-z_0-9]+(?:\.[a-z_0-9]+)*)"')


def test_every_sentence_is_used_and_every_used_one_exists():
    code = "\n".join(path.read_text(encoding="utf-8") for path in sorted(HOUSE.rglob("*.py")))
    mentioned = set(WORDED.findall(code))
    mentioned |= {f"{word}.{form}" for word in mentioned for form in ("near", "far")}
    for language in LANGUAGES:
        known = {
            key.removeprefix("configuration.")
            for key in messages(language)
            if key.startswith("configuration.")
        }
        assert known - mentioned == set()
        dotted = set(re.findall(r'[^a-z_]phrase\(\s*"([a-z_0-9.]+)"', code))
        assert dotted - known == set()
