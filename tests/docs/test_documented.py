"""What a user can name stands in the documentation, and what stands there exists."""

from __future__ import annotations

import re
import subprocess

import click
import pytest

from monitor.checks import KINDS as CHECKS
from monitor.cli import cli
from monitor.inventory import schema
from monitor.metrics import CHECK_FAMILIES, SNAPSHOT_FAMILIES
from monitor.metrics.instruments import Instruments
from monitor.tickets import KINDS as HELPDESKS
from tests.docs.reading import DOCS, ROOT, code_of, names_in, pages, properties

METRICS = {
    *Instruments(version="", engine="").names(),
    *(family.name for family in (*CHECK_FAMILIES, *SNAPSHOT_FAMILIES)),
}


def commands(group: click.Group = cli, before: tuple[str, ...] = ("vigia",)) -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        path = (*before, name)
        if isinstance(command, click.Group):
            found |= commands(command, path)
        else:
            found[" ".join(path)] = command
    return found


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_every_kind_of_check_is_documented_with_its_options(kind):
    named = names_in(code_of(DOCS / "checks.md"))
    assert {kind, *properties(CHECKS[kind].options.model_json_schema())} - named == set()


@pytest.mark.parametrize("kind", sorted(HELPDESKS))
def test_every_helpdesk_is_documented_with_its_keys(kind):
    named = names_in(code_of(DOCS / "tickets.md", DOCS / "configuration.md", DOCS / "desk.md"))
    assert {kind, *properties(HELPDESKS[kind].options.model_json_schema())} - named == set()


def test_every_key_of_the_configuration_is_documented():
    told = ("configuration.md", "checks.md", "tickets.md", "desk.md")
    named = names_in(code_of(*(DOCS / page for page in told)))
    assert properties(schema()) - {"$schema"} - named == set()


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_is_documented_with_its_options(command):
    text = code_of(DOCS / "commands.md")
    assert re.search(rf"\b{command}\b", text)
    options = {
        name
        for each in commands()[command].params
        if isinstance(each, click.Option)
        for name in each.opts
        if name[:2] == "--"
    }
    assert {option for option in options if option not in text} == set()


def test_every_command_in_the_documentation_exists():
    known = {*commands(), *(" ".join(path.split()[:2]) for path in commands())}
    for page in pages():
        for line in re.findall(r"(?:^|`|\$ )(vigia(?: [a-z]+)+)", code_of(page), re.MULTILINE):
            words = line.split()
            assert " ".join(words[:3]) in known or " ".join(words[:2]) in known, f"{page.name}: {line}"


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_every_metric_is_documented(metric):
    assert metric in names_in(code_of(DOCS / "metrics.md"))


def test_every_metric_in_the_documentation_exists():
    named = {name for page in pages() for name in names_in(code_of(page)) if name.startswith("vigia_")}
    # Zammad's attribute for our reference is named after us, and is no metric.
    named.discard("vigia_reference")
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in named} - METRICS == set()


def test_every_make_target_in_the_documentation_is_on_the_menu():
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {
        "run",
        "test",
        "check",
        "fuzz",
        "bench",
        "demo",
        "soak",
        "lock",
        "clean",
        "help",
        "environment",
    } == targets
    for page in pages():
        called = re.findall(r"(?:^|`|sudo )make (?:-C \S+ )?([a-z]+)", code_of(page), re.MULTILINE)
        assert set(called) <= targets, page.name


@pytest.mark.system("promtool")
def test_the_alerts_of_the_documentation_are_rules_that_prometheus_takes(tmp_path):
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / "metrics.md").read_text(), re.DOTALL)
    rules = tmp_path / "rules.yml"
    rules.write_text(next(block for block in blocks if block.startswith("groups:")))
    verdict = subprocess.run(
        ["promtool", "check", "rules", str(rules)], capture_output=True, text=True, timeout=60, check=False
    )
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_every_link_between_pages_leads_somewhere():
    for page in pages():
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if "://" not in link and not link.startswith("mailto:"):
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_page_can_be_reached_from_the_index():
    linked = {
        (DOCS / link).resolve() for link in re.findall(r"\]\(([^)#\s]+\.md)", (DOCS / "index.md").read_text())
    }
    assert set(DOCS.rglob("*.md")) - {DOCS / "index.md"} - linked == set()


def test_the_documentation_speaks_of_nothing_but_the_project():
    """Paths of one developer's machine mean nothing to a reader."""
    foreign = re.compile(r"/" + r"work/|\.\./" + r"shared|/" + r"root/|/home/[a-z]")
    for page in pages():
        assert not foreign.search(page.read_text()), page.name
