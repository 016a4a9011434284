"""Whatever a server's account may have to say has words in every language."""

from __future__ import annotations

import pytest

from monitor.health.words import Why
from monitor.incidents.decision import QuietReason
from monitor.language import LANGUAGES, text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", QuietReason)
def test_every_reason_to_be_quiet_has_words(reason, language):
    assert text(f"explain.quiet.{reason}", language, parents="router-uio", until="12:00:00")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("why", Why)
def test_every_reason_of_a_status_has_words(why, language):
    assert text(f"explain.because.{why}", language, parents="router-uio")
