"""What tests of the inventory use: a file to write, and the shortest text that is a configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from monitor.inventory import Configuration, load

SITE = "site: {name: Nodored}\n"
GROUPS = "groups: [{id: hosting, name: {es: Hosting compartido, en: Shared hosting}}]\n"
SERVERS = "servers: [{id: gye1, group: hosting, host: 192.0.2.10, checks: [ping]}]\n"

Loader = Callable[..., Configuration]


@pytest.fixture
def loaded(tmp_path: Path) -> Loader:
    """Load a text: either a whole one, or sections that take the place of the shortest ones."""

    def load_text(
        text: str = "", *, environment: Mapping[str, str] | None = None, **flags: object
    ) -> Configuration:
        path = tmp_path / "servers.yaml"
        sections = [
            section
            for section in (SITE, GROUPS, SERVERS)
            if section.partition(":")[0] + ":" not in _tops(text)
        ]
        path.write_text("".join(sections) + text, encoding="utf-8")
        return load(path, environment=environment or {}, **flags)  # type: ignore[arg-type]

    return load_text


def _tops(text: str) -> set[str]:
    return {line.partition(":")[0] + ":" for line in text.splitlines() if line[:1].isalpha()}


@pytest.fixture
def checks(loaded: Loader) -> Callable[[str], object]:
    """Load a file whose only server has these checks, and return their plans."""

    def plans(items: str, *, server: str = "", **more: object) -> object:
        text = f"servers:\n- id: gye1\n  group: hosting\n  host: 192.0.2.10\n{server}  checks:\n{items}"
        return loaded(text, **more).fleet.servers[0].checks

    return plans
