"""Which language an address speaks: the path decides, and nothing else."""

from __future__ import annotations

from werkzeug.exceptions import NotFound
from werkzeug.routing import RequestRedirect

from monitor.fleet import Site
from monitor.language import LANGUAGES, Language
from web.reading import Reading

PREFIX = f"/<any({','.join(LANGUAGES)}):language>"


def both(rule: str) -> tuple[str, str]:
    """Return a rule at the bare path and below a language."""
    return rule, PREFIX + rule


def reading_for(site: Site, language: Language | None, path: str) -> Reading:
    """Return how to speak at `path`, whose prefix named `language` (None at the bare path).

    A language that the site does not have raises NotFound; the site's first one has a single address, the bare
    one, to which its prefixed form redirects.
    """
    first = site.languages[0]
    if language == first:
        raise RequestRedirect(path.removeprefix(f"/{language}") or "/")
    if language is not None and language not in site.languages:
        raise NotFound
    return Reading(language=language or first, site=site)


def language_of_path(path: str, site: Site) -> Language:
    """Return the language that a visitor of any path, even one that leads nowhere, is spoken to in."""
    prefix = path.split("/", 2)[1] if path.startswith("/") else ""
    return prefix if prefix in site.languages else site.languages[0]
