"""A page over a reader in memory, as it is rendered and as it is served."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lxml import html
from werkzeug.test import Client, TestResponse

from tests.conftest import SteppingClock
from tests.web.builders import MemoryReader, series
from tests.web.scenes import fine
from web.application import create_app, create_server_application


@pytest.fixture
def reader(clock: SteppingClock) -> MemoryReader:
    return MemoryReader(clock, fine(), times=(series(),))


@pytest.fixture
def visit(reader: MemoryReader) -> Client:
    """Visits pages that are rendered anew each time."""
    return create_app(reader).test_client()


@pytest.fixture
def served(reader: MemoryReader) -> Client:
    """Visits pages through the byte cache."""
    return Client(create_server_application(reader))


@pytest.fixture
def page(visit: Client) -> Callable[[str], html.HtmlElement]:
    """Gives the parsed page at a path, which has to answer with 200."""

    def parsed(path: str) -> html.HtmlElement:
        answer: TestResponse = visit.get(path)
        assert answer.status_code == 200, path
        return html.document_fromstring(answer.text)

    return parsed
