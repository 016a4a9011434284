"""What is said about options that a kind does not take, word for word."""

from __future__ import annotations

import re

import pytest

from monitor.checks import KINDS
from monitor.language.catalogue import messages
from tests.golden.regenerate_options import FOLDER, reports_of

SAID = re.compile(r"^  (en|es): servers\.yaml(?::\d+:\d+)?: (.*)$", re.MULTILINE)
PLACEHOLDER = re.compile(r"\\\{[a-z_]+\\\}")
# Parts of sentences, which are said within others; half a character no file can hold, and what RE2 may say one day it does not say yet.
PARTS = ("options.cron.field.", "options.pattern.character", "options.pattern.other")


def told(language: str) -> str:
    return "\n".join(
        sentence
        for path in sorted(FOLDER.glob("*.txt"))
        for spoken, sentence in SAID.findall(path.read_text(encoding="utf-8"))
        if spoken == language
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_wrong_options_of_a_kind_are_told_in_exactly_these_words(kind: str):
    reports = reports_of(kind)
    assert reports == (FOLDER / f"{kind}.txt").read_text(encoding="utf-8")
    assert "accepted" not in reports
    assert "hunter2" not in re.sub(r"^\S.*$", "", reports, flags=re.MULTILINE)


def test_no_file_is_of_a_kind_that_there_is_not():
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(KINDS)


def test_what_is_said_in_spanish_is_not_what_is_said_in_english():
    assert set(told("es").splitlines()) & set(told("en").splitlines()) == set()


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_sentence_about_options_is_told_somewhere(language: str):
    everything = told(language)
    sentences = {
        key: PLACEHOLDER.sub(".+", re.escape(sentence))
        for key, sentence in messages(language).items()
        if key.startswith("options.") and not key.startswith(PARTS) and isinstance(sentence, str)
    }
    assert [key for key, sentence in sentences.items() if not re.search(sentence, everything)] == []
