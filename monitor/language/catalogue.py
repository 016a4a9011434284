"""Texts by key, from one set of gettext catalogues for page, feeds, mail and tickets.

A key is a symbol such as `status.major_outage`; both catalogues hold every key. Placeholders are
`{name}` and are filled by plain substitution, so that a text from outside is never read as a template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

Language = str
Texts = Mapping[str, str]

LANGUAGES: tuple[Language, ...] = ("es", "en")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def text(key: str, language: Language, /, **values: object) -> str:
    """Return the text of `key` with its placeholders filled.

    With a value named `count`, the plural form that the language asks for is taken.
    An unknown key raises KeyError: a missing text is a defect, not something to show.
    """
    form = messages(language)[key]
    if isinstance(form, tuple):
        form = form[0 if values.get("count") == 1 else 1]
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), form)


def in_every_language(key: str, /, **values: object) -> dict[Language, str]:
    """Return the text of `key` in each language that we speak."""
    return {language: text(key, language, **values) for language in LANGUAGES}


@cache
def messages(language: Language) -> Mapping[str, str | tuple[str, ...]]:
    """Return every text of one language by its key; a key that stands twice raises ValueError."""
    # A process that only looks says nothing.
    from babel.messages.pofile import read_po  # noqa: PLC0415

    found: dict[str, str | tuple[str, ...]] = {}
    folder = resources.files("monitor.language") / "catalogues" / language
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        with path.open("rb") as stream:
            catalogue = read_po(stream, locale=language)
        for message in catalogue:
            if not message.id:
                continue
            key = message.id[0] if isinstance(message.id, list | tuple) else message.id
            if key in found:
                raise ValueError(f"the text {key!r} stands twice in the catalogues of {language!r}")
            if message.string:
                found[key] = message.string if isinstance(message.string, str) else tuple(message.string)
    return found
