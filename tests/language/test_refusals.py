"""A refusal says what was found and what would do, and never more than may be shown."""

from __future__ import annotations

from monitor.language.phrases import Phrase, phrase
from monitor.language.refusals import RefusalError

HIDDEN = phrase("found.filled", written='"${HOST}"')


def test_its_own_text_is_the_english_sentence():
    refusal = RefusalError("configuration.host", found="a b")
    assert str(refusal) == 'found the text "a b"; expected a name or an address, without scheme, port or path'
    assert refusal.said.say("es").startswith(
        'se encontró el texto "a b"; se espera un nombre o una dirección'
    )


def test_a_value_that_is_left_out_is_not_shown():
    said = str(RefusalError("configuration.host"))
    assert said.startswith("found a value that is not shown because it is secret")


def test_a_value_that_references_stand_for_is_shown_by_them():
    said = RefusalError("configuration.host", found="hunter2 a").said_of(HIDDEN)
    assert said is not None
    assert said.say("en").startswith('found what "${HOST}" stands for; expected a name')


def test_nothing_is_said_without_the_value_where_more_was_made_from_it():
    assert RefusalError("options.pattern.form", found="(", reason="missing )").said_of(HIDDEN) is None
    assert RefusalError("configuration.zone.near", found="gmt", nearest="GMT").said_of(HIDDEN) is None


def test_a_reason_is_said_in_the_language_of_the_sentence_and_on_one_line_too():
    reason = Phrase("options.pattern.other", {"words": "no\nsuch thing"})
    refusal = RefusalError("options.pattern.form", found="(", reason=reason)
    assert str(refusal).endswith('does not take this pattern: the library says "no\\nsuch thing"')
    assert refusal.said.say("es").endswith('RE2 no acepta este patrón: la biblioteca dice "no\\nsuch thing"')


def test_a_fact_stays_on_one_line_and_shows_neither_user_nor_password():
    refusal = RefusalError("options.header.value", header="a\nb https://probe:hun@ter2@a.test/")
    assert "header a\\nb https://***@a.test/ holds" in str(refusal)
