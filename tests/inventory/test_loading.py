from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, TypeAdapter

from monitor.checks import KINDS
from monitor.checks.building import build
from monitor.fleet import Fleet, PlannedWindow
from monitor.health.state import Attempts
from monitor.health.words import CheckImpact, Service
from monitor.inventory import ConfigurationError, ResolverChoice, load
from monitor.tickets import KINDS as HELPDESKS
from tests.inventory.conftest import Loader

CONFIG = Path(__file__).parents[2] / "config"
SECRETS = {
    "HELPDESK_SECRET": "lo-que-nadie-sabe",
    "PANEL_TOKEN": "ficha-secreta",
    "VIGIA_OPS_URL": "json://ops.example.com",
}
Plans = Callable[..., tuple]


def test_the_shipped_file_needs_nothing_from_outside():
    loaded = load(CONFIG / "servers.yaml", environment={})
    assert [str(plan.key) for plan in loaded.fleet.checks()] == [
        "vigia/http",
        "vigia/tcp",
        "vigia/load",
        "vigia/memory",
        "vigia/disk",
    ]


def test_the_shipped_file_follows_the_address_that_was_bound():
    loaded = load(
        CONFIG / "servers.yaml", environment={"VIGIA_LISTEN": "127.0.0.1:40123"}, listen="127.0.0.1:0"
    )
    http, tcp, *_ = loaded.fleet.checks()
    assert http.options["url"] == "http://127.0.0.1:40123/healthz"
    assert (tcp.options["host"], tcp.options["port"]) == ("127.0.0.1", 40123)
    assert loaded.fleet.site.url == "http://127.0.0.1:40123"
    assert loaded.settings.listen_port == 0


def test_a_port_that_the_system_will_choose_is_no_fault_of_a_check(loaded: Loader):
    """Before anything is bound, as in `vigia validate`, a real port stands in."""
    text = "listen: '[::1]:0'\nservers: [{id: gye1, group: hosting, checks: [tcp: '${VIGIA_LISTEN}']}]\n"
    configuration = loaded(text)
    assert configuration.fleet.checks()[0].options == {"host": "::1", "port": 8080}
    assert configuration.settings.listen_port == 0


def test_the_shipped_file_leads_to_no_address_but_loopback():
    loaded = load(CONFIG / "servers.yaml", environment={})
    for plan in loaded.fleet.checks():
        assert (
            build(plan.kind, plan.options, loaded.secrets)
            .target.removeprefix("http://")
            .startswith(("127.0.0.1", "localhost"))
        )


def test_the_example_uses_every_key_and_is_right():
    loaded = load(CONFIG / "examples/hosting.yaml", environment=SECRETS)
    assert [server.id for server in loaded.fleet.servers] == [
        "router-uio",
        "gye1",
        "gye2",
        "dns1",
        "monitoreo",
    ]
    assert len(loaded.fleet.checks()) == 21
    assert loaded.settings.helpdesk_kind == "webhook"


def test_defaults_hold_where_nothing_is_said(checks: Plans):
    (plan,) = checks("  - ping\n")
    assert (plan.every, plan.timeout) == (timedelta(seconds=60), timedelta(seconds=10))
    assert plan.policy.confirm == Attempts(attempts=3, retry=timedelta(seconds=15))
    assert plan.policy.recover == Attempts(attempts=2, retry=timedelta(seconds=15))
    assert plan.impact is CheckImpact.OUTAGE


def test_a_check_overrides_each_figure_by_itself(loaded: Loader):
    plan = (
        loaded(
            """
defaults: {every: 2m, confirm: {attempts: 5, retry: 20s}, recover: {retry: 40s}}
servers:
- {id: gye1, group: hosting, host: 192.0.2.1, checks: [{tcp: {port: 22, timeout: 3s, confirm: {retry: 7s}, recover: {attempts: 4}}}]}
"""
        )
        .fleet.servers[0]
        .checks[0]
    )
    assert (plan.every, plan.timeout) == (timedelta(minutes=2), timedelta(seconds=3))
    assert plan.policy.confirm == Attempts(attempts=5, retry=timedelta(seconds=7))
    assert plan.policy.recover == Attempts(attempts=4, retry=timedelta(seconds=40))


def test_a_server_overrides_when_its_incidents_resolve_and_reopen(loaded: Loader):
    text = """
defaults: {resolve_after: 1m, reopen_within: 2m}
servers:
- {id: a, group: hosting, host: 192.0.2.1, checks: [ping]}
- {id: b, group: hosting, host: 192.0.2.1, checks: [ping], resolve_after: 5m, reopen_within: 0s}
"""
    a, b = loaded(text).fleet.servers
    assert (a.resolve_after, a.reopen_within) == (timedelta(minutes=1), timedelta(minutes=2))
    assert (b.resolve_after, b.reopen_within) == (timedelta(minutes=5), timedelta(0))


def test_a_check_is_written_alone_short_or_with_options(checks: Plans):
    plans = checks(
        """
  - ping
  - ping: {name: other}
  - tls:
  - tcp: 22
  - http: https://gye1.example.com/
  - tcp: {name: smtp, host: mail.example.com, port: 25}
"""
    )
    assert [str(plan.key) for plan in plans] == [
        "gye1/ping",
        "gye1/other",
        "gye1/tls",
        "gye1/tcp",
        "gye1/http",
        "gye1/smtp",
    ]
    assert plans[0].options == {"host": "192.0.2.10"}
    assert plans[5].options == {"host": "mail.example.com", "port": 25}


def test_a_check_belongs_to_the_service_of_its_kind_unless_it_says_otherwise(checks: Plans):
    plans = checks("  - tcp: 3306\n  - http: {name: panel, service: panel}\n  - ping: {impact: none}\n")
    assert [plan.service for plan in plans] == [Service.DATABASES, Service.PANEL, Service.NETWORK]
    assert plans[2].impact is CheckImpact.NONE


def test_options_of_a_plan_are_what_the_kind_builds_from(checks: Plans):
    for plan in checks("  - ping\n  - host\n  - tls: 993\n  - http: {expect: {status: [200, 3xx]}}\n"):
        assert KINDS[plan.kind].options.model_validate(plan.options)


def test_flags_count_more_than_the_file(loaded: Loader, tmp_path: Path):
    text = "listen: 127.0.0.1:9000\ndata: elsewhere\n"
    by_file = loaded(text).settings
    by_flag = loaded(text, listen="[::1]:9001", data=tmp_path).settings
    assert (by_file.listen_host, by_file.listen_port, by_file.data) == ("127.0.0.1", 9000, Path("elsewhere"))
    assert (by_flag.listen_host, by_flag.listen_port, by_flag.data) == ("::1", 9001, tmp_path)


def test_a_flag_that_is_no_address_is_told_as_the_flag(loaded: Loader):
    with pytest.raises(ConfigurationError, match='--listen: found the text "8080"'):
        loaded(listen="8080")


@pytest.mark.parametrize(
    ("listen", "url"),
    [("0.0.0.0:8080", "http://127.0.0.1:8080"), ("[::]:80", "http://127.0.0.1:80"), ("[::1]:80", "http://[::1]:80"), ("vigia.example:80", "http://vigia.example:80")],
)  # fmt: skip
def test_links_lead_to_the_listen_address_when_the_site_has_none(loaded: Loader, listen: str, url: str):
    assert loaded(listen=listen).fleet.site.url == url


def test_links_never_hold_two_slashes(loaded: Loader):
    assert (
        loaded("site: {name: N, url: 'https://estado.example.com/'}\n").fleet.site.url
        == "https://estado.example.com"
    )


def test_a_text_without_languages_is_the_same_in_all(loaded: Loader):
    assert loaded("groups: [{id: hosting, name: Hosting}]\n").fleet.groups[0].name == {
        "es": "Hosting",
        "en": "Hosting",
    }


def test_a_page_in_one_language_has_its_words_everywhere(loaded: Loader):
    text = "site: {name: N, languages: [en]}\ngroups: [{id: hosting, name: {en: Hosting}}]\n"
    assert loaded(text).fleet.groups[0].name == {"es": "Hosting", "en": "Hosting"}


def test_secrets_of_checks_stay_references_and_are_filled_where_the_look_is_made(
    checks: Plans, loaded: Loader
):
    configuration = load(CONFIG / "examples/hosting.yaml", environment=SECRETS)
    panel = next(plan for plan in configuration.fleet.checks() if plan.key.check == "panel")
    assert panel.options["headers"] == {"Authorization": "Bearer ${PANEL_TOKEN}"}
    assert configuration.secrets.fill("${PANEL_TOKEN}") == "ficha-secreta"
    assert "ficha-secreta" not in TypeAdapter(Fleet).dump_json(configuration.fleet).decode()


def test_secrets_elsewhere_are_filled_and_never_shown():
    configuration = load(CONFIG / "examples/hosting.yaml", environment=SECRETS)
    assert configuration.settings.operators == (SecretStr("json://ops.example.com"),)
    assert configuration.settings.helpdesk.fallback == (SecretStr("json://ops.example.com"),)
    for secret in SECRETS.values():
        assert secret not in repr(configuration)


def test_a_secret_may_stand_in_a_file_beside_the_configuration(loaded: Loader, tmp_path: Path):
    (tmp_path / "ops").write_text("json://ops.example.com\n")
    assert loaded("notify: {operators: ['file:ops']}\n").settings.operators == (
        SecretStr("json://ops.example.com"),
    )


def test_the_built_in_desk_is_the_default(loaded: Loader):
    settings = loaded().settings
    assert settings.helpdesk_kind == "desk"
    assert isinstance(settings.helpdesk, HELPDESKS["desk"].options)


def test_departments_windows_and_networks_reach_the_fleet(loaded: Loader):
    fleet = loaded(
        """
support: {departments: [{id: soporte, name: Soporte, email: soporte@example.com}]}
windows: [{id: backups, servers: [gye1], rule: every day 02:00, lasts: 2h, title: Respaldos}]
metrics: {allow: [10.0.0.0/8, 192.0.2.7]}
"""
    ).fleet
    assert [(each.id, each.name["en"], each.email) for each in fleet.departments] == [("soporte", "Soporte", "soporte@example.com")]  # fmt: skip
    assert fleet.windows == (
        PlannedWindow(
            id="backups",
            servers=("gye1",),
            lasts=timedelta(hours=2),
            title={"es": "Respaldos", "en": "Respaldos"},
            rule="every day 02:00",
        ),
    )
    assert fleet.site.metrics_networks == ("10.0.0.0/8", "192.0.2.7/32")


def test_the_resolver_is_the_systems_unless_it_is_chosen(loaded: Loader):
    assert loaded().settings.resolver is None
    chosen = loaded("resolver: {servers: [192.0.2.53, '[2001:db8::53]:5353'], reference: example.net}\n")
    assert chosen.settings.resolver == ResolverChoice(
        servers=("192.0.2.53", "[2001:db8::53]:5353"), reference="example.net"
    )


def test_sentinels_and_the_mark_of_a_demonstration_are_kept(loaded: Loader):
    configuration = loaded(
        "sentinels: [{ping: 192.0.2.3}, {dns: {name: example.net, server: 192.0.2.2}}]\ndemo: true\n"
    )
    assert configuration.settings.sentinels == (
        {"ping": "192.0.2.3"},
        {"dns": {"name": "example.net", "server": "192.0.2.2"}},
    )
    assert configuration.fleet.site.demo


def test_the_digest_is_that_of_the_file(loaded: Loader):
    configuration = loaded()
    assert configuration.digest == hashlib.sha256(configuration.path.read_bytes()).hexdigest()


def test_the_same_file_gives_the_same_fleet(loaded: Loader):
    assert loaded().fleet == loaded().fleet


def test_a_fleet_survives_the_journal():
    fleet = load(CONFIG / "examples/hosting.yaml", environment=SECRETS).fleet
    adapter = TypeAdapter(Fleet)
    assert adapter.validate_json(adapter.dump_json(fleet)) == fleet


def test_a_thousand_servers_are_read(tmp_path: Path):
    path = tmp_path / "servers.yaml"
    servers = "".join(
        f"- {{id: s{n}, group: g, host: 192.0.2.1, checks: [ping, tcp: 22]}}\n" for n in range(1000)
    )
    path.write_text(f"site: {{name: N}}\ngroups: [{{id: g, name: G}}]\nservers:\n{servers}")
    assert len(load(path, environment={}).fleet.checks()) == 2000


def test_a_kind_that_only_warns_never_keeps_its_server_from_being_wholly_out(checks: Plans):
    plans = checks("  - tcp: 22\n  - host\n  - host: {name: disk, disk: {warn: 90}, impact: degraded}\n")
    assert [plan.impact for plan in plans] == [CheckImpact.OUTAGE, CheckImpact.NONE, CheckImpact.DEGRADED]
