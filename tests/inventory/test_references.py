from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import VigiaError
from monitor.inventory import ConfigurationError, Secrets, load


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "panel").write_text("frase muy secreta\n")
    return Secrets({"TOKEN": "t0k3n/+value", "HOST": "gye1.example.com", "PIN": "12"}, tmp_path)


def test_a_reference_is_filled_wherever_it_stands_in_a_text(secrets: Secrets):
    assert secrets.fill("https://${HOST}/?key=${TOKEN}") == "https://gye1.example.com/?key=t0k3n/+value"


def test_a_file_beside_the_configuration_is_read_without_its_last_line_end(secrets: Secrets):
    assert secrets.fill("file:secrets/panel") == "frase muy secreta"


def test_an_absolute_path_is_taken_as_it_is(secrets: Secrets, tmp_path: Path):
    assert secrets.fill(f"file:{tmp_path}/secrets/panel") == "frase muy secreta"


def test_two_dollars_stand_for_the_characters_themselves(secrets: Secrets):
    assert secrets.fill("$${TOKEN} $${a b} $5") == "${TOKEN} ${a b} $5"


def test_a_value_that_looks_like_a_reference_is_not_filled_again(tmp_path: Path):
    secrets = Secrets({"OUTER": "${INNER}", "INNER": "no"}, tmp_path)
    assert secrets.fill("${OUTER}") == "${INNER}"


@pytest.mark.parametrize(
    "text", ["${NONE}", "${}", "${TOKEN", "${a-b}", "file:none", "file:secrets", "file:a\0b", "file:"]
)
def test_what_cannot_be_filled_is_refused_by_name(secrets: Secrets, text: str):
    with pytest.raises(VigiaError):
        secrets.fill(text)


@pytest.mark.parametrize(
    ("content", "word"), [(b"", "empty"), (b"\n", "empty"), (b"\xff\xfe", "UTF-8"), (b"x" * 70_000, "64 KiB")]
)
def test_a_file_that_is_no_secret_is_refused(secrets: Secrets, tmp_path: Path, content: bytes, word: str):
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(VigiaError, match=word):
        secrets.fill("file:bad")


def test_what_was_filled_is_hidden_again_also_in_its_form_within_a_url(secrets: Secrets):
    secrets.fill("${TOKEN}")
    secrets.fill("file:secrets/panel")
    shown = secrets.hide("t0k3n/+value, t0k3n%2F%2Bvalue and frase%20muy%20secreta")
    assert shown == "${TOKEN}, ${TOKEN} and file:secrets/panel"


def test_a_secret_that_begins_with_another_is_hidden_whole(tmp_path: Path):
    secrets = Secrets({"A": "secreto", "B": "secreto-mayor"}, tmp_path)
    secrets.fill("${A}${B}")
    assert secrets.hide("secreto-mayor secreto") == "${B} ${A}"


def test_a_value_of_two_letters_is_no_secret(secrets: Secrets):
    secrets.fill("${PIN}")
    assert secrets.hide("127.0.0.1:8012") == "127.0.0.1:8012"


def test_a_secret_does_not_show_in_the_representation(secrets: Secrets):
    secrets.fill("${TOKEN}")
    assert "t0k3n" not in repr(secrets)


def test_a_changed_environment_counts_from_the_next_load(tmp_path: Path):
    environment = {"TOKEN": "before"}
    secrets = Secrets(environment, tmp_path)
    environment["TOKEN"] = "after"
    assert secrets.fill("${TOKEN}") == "before"


@given(value=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=8, max_size=400))
def test_a_refused_secret_is_never_quoted(value: str, tmp_path_factory: pytest.TempPathFactory):
    """Neither whole nor the part that a sentence would cut it to, in any place of the file."""
    secret = f"qzxj{value}\n"
    folder = tmp_path_factory.mktemp("secret")
    (folder / "file").write_text(secret + "\n")
    path = folder / "servers.yaml"
    path.write_text(
        """
site: {name: Nodored, url: '${SECRET}', timezone: '${SECRET}'}
listen: '${SECRET}'
resolver: {servers: ['file:file'], reference: '${SECRET}'}
groups: [{id: '${SECRET}', name: '${SECRET}'}]
servers:
  - id: gye1
    group: '${SECRET}'
    host: '${SECRET}'
    depends_on: ['${SECRET}']
    checks:
      - http: {url: 'https://${SECRET}/', headers: {Authorization: '${SECRET}'}, method: '${SECRET}'}
      - tcp: '${SECRET}:22'
      - tls: {name: x, ca: '${SECRET}', family: '${SECRET}'}
windows: [{id: w, servers: ['${SECRET}'], rule: '${SECRET}', lasts: '${SECRET}', title: x}]
helpdesk: {kind: webhook, url: '${SECRET}', secret: '${SECRET}', language: '${SECRET}', timeout: '${SECRET}'}
notify: {operators: ['${SECRET}']}
metrics: {allow: ['${SECRET}']}
"""
    )
    with pytest.raises(ConfigurationError) as caught:
        load(path, environment={"SECRET": secret})
    report = caught.value.report("en") + caught.value.report("es")
    assert "qzxj" not in report


def test_a_name_from_a_reference_is_told_by_its_reference(tmp_path: Path):
    path = tmp_path / "servers.yaml"
    path.write_text(
        """
site: {name: Nodored}
groups: [{id: '${GROUP}', name: Hosting}, {id: '${GROUP}', name: Hosting}]
servers:
  - {id: gye1, group: '${OTHER}', host: 192.0.2.1, depends_on: ['${OTHER}'], checks: [ping]}
  - {id: gye2, group: '${GROUP}', host: 192.0.2.1, checks: [ping]}
helpdesk: {kind: '${OTHER}', department: '${OTHER}'}
support: {departments: [{id: soporte, name: Soporte}]}
"""
    )
    with pytest.raises(ConfigurationError) as caught:
        load(path, environment={"GROUP": "grupo-secreto", "OTHER": "otro-secreto"})
    report = str(caught.value)
    assert "secreto" not in report
    assert 'there is no group "${OTHER}"' in report
    assert len(caught.value.faults) == 5
