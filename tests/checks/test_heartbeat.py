"""The options of a heartbeat as they are written in the file: what they mean, and what is refused."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.checks import KINDS, is_passive
from monitor.checks.building import build
from monitor.checks.contract import OwnFaultError
from monitor.checks.heartbeat import schedule_of
from monitor.fleet import CheckPlan
from monitor.health.heartbeat import Schedule
from monitor.health.words import CheckImpact, Service
from monitor.identifiers import CheckKey, ServerId
from monitor.inventory import Configuration, ConfigurationError, load
from monitor.journal.encoding import encode
from monitor.journal.entries import InventoryApplied
from monitor.station.heartbeats import derived_token, digests, tokens
from monitor.store.heartbeats import digest_of
from tests.servers.looking import NO_SECRETS

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FILE = """
site: {{name: Nodored, timezone: America/Guayaquil}}
defaults: {{every: 2m, confirm: {{attempts: 4, retry: 20s}}, recover: {{attempts: 5}}}}
groups: [{{id: hosting, name: Hosting}}]
servers:
- id: gye1
  group: hosting
  checks:
  - {check}
"""


def loaded(folder: Path, check: str, **environment: str) -> Configuration:
    path = folder / "servers.yaml"
    path.write_text(FILE.format(check=check), encoding="utf-8")
    return load(path, environment=environment)


def planned(folder: Path, check: str, **environment: str) -> CheckPlan:
    [plan] = loaded(folder, check, **environment).fleet.checks()
    return plan


def refusal(folder: Path, check: str, **environment: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        loaded(folder, check, **environment)
    return str(raised.value)


def schedule(plan: CheckPlan) -> Schedule:
    return schedule_of(plan.options, plan.every, "America/Guayaquil")


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("heartbeat", Schedule(every=2 * MINUTE, grace=MINUTE, zone="America/Guayaquil")),
        ("heartbeat: 24h", Schedule(every=DAY, grace=HOUR, zone="America/Guayaquil")),
        (
            'heartbeat: "0 3 * * *"',
            Schedule(every=2 * MINUTE, grace=10 * MINUTE, cron="0 3 * * *", zone="America/Guayaquil"),
        ),
        (
            'heartbeat: "@daily"',
            Schedule(every=2 * MINUTE, grace=10 * MINUTE, cron="@daily", zone="America/Guayaquil"),
        ),
        (
            "heartbeat: {name: nightly-backup, every: 24h, grace: 2h, impact: degraded, service: files}",
            Schedule(every=DAY, grace=2 * HOUR, zone="America/Guayaquil"),
        ),
        (
            'heartbeat: {cron: "0  3 * * mon-fri", zone: Europe/Madrid, grace: 0s, within: 90m}',
            Schedule(
                every=2 * MINUTE,
                grace=timedelta(0),
                cron="0 3 * * mon-fri",
                zone="Europe/Madrid",
                within=90 * MINUTE,
            ),
        ),
    ],
)
def test_what_is_written_is_when_it_has_to_report(tmp_path: Path, check: str, expected: Schedule):
    assert schedule(planned(tmp_path, check)) == expected


def test_the_interval_of_the_short_form_is_that_of_the_plan(tmp_path: Path):
    assert planned(tmp_path, "heartbeat: 24h").every == DAY


def test_one_missed_report_and_one_that_comes_are_believed_unless_the_file_says_otherwise(tmp_path: Path):
    usual = planned(tmp_path, "heartbeat: 24h").policy
    assert (usual.confirm.attempts, usual.recover.attempts) == (1, 1)
    assert usual.confirm.retry == timedelta(seconds=20)
    wanted = planned(tmp_path, "heartbeat: {every: 24h, confirm: {attempts: 2}}").policy
    assert (wanted.confirm.attempts, wanted.recover.attempts) == (2, 1)


def test_a_missed_job_degrades_its_server_and_takes_it_not_out(tmp_path: Path):
    plan = planned(tmp_path, "heartbeat: 24h")
    assert (plan.impact, plan.service) == (CheckImpact.DEGRADED, Service.NETWORK)
    named = planned(tmp_path, "heartbeat: {every: 24h, impact: outage, service: files}")
    assert (named.impact, named.service) == (CheckImpact.OUTAGE, Service.FILES)


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        ('heartbeat: {every: 24h, cron: "0 3 * * *"}', "every and cron are both given"),
        ("heartbeat: {every: 24h, zone: UTC}", "zone is the zone of a crontab line, and there is none"),
        ('heartbeat: {cron: "0 3 * *"}', "with 4 fields; expected the five of a crontab line"),
        ('heartbeat: {cron: "0 3 * * mond"}', 'did you mean "mon"?'),
        ('heartbeat: {cron: "0 3 31 2 *"}', "never comes due"),
        ('heartbeat: "@dayly"', 'did you mean "@daily"?'),
        ('heartbeat: {cron: "0 3 * * *", zone: America/Guayaqil}', 'did you mean "America/Guayaquil"?'),
        ('heartbeat: {cron: "0 3 * * *", zone: guayaquil}', 'did you mean "America/Guayaquil"?'),
        ('heartbeat: {cron: "0 3 * * *", zone: "+02:00"}', 'found the text "+02:00", which is no time zone'),
        ("heartbeat: {every: 24}", "24 has no unit; write 24s, 24m, 24h or 24d"),
        ("heartbeat: {every: daily}", "expected a whole number with its unit"),
        ("heartbeat: {every: 500ms}", "allowed is 1s to 366d"),
        ("heartbeat: daily", "expected a whole number with its unit"),
        ("heartbeat: 24", "the short form of heartbeat is an interval (24h) or a crontab line"),
        ("heartbeat: {every: 1h, grace: 367d}", "allowed is at most 366d"),
        ("heartbeat: {every: 1h, within: 0s}", "longer than nothing"),
        ("heartbeat: {every: 1h, grce: 1h}", 'did you mean "grace"?'),
        (
            "heartbeat: {every: 1h, token: abcdefghijklmnopqrstuvwxyz}",
            '"token" is a secret: write it as a reference',
        ),
        (
            'heartbeat: {every: 1h, token: "${SHORT}"}',
            "expected a token of 16 to 128 letters, digits, hyphens and underscores",
        ),
        ('heartbeat: {every: 1h, token: "${UNFIT}"}', "expected a token of 16 to 128 letters"),
        ('heartbeat: {every: 1h, token: "${NONE}"}', "NONE"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(tmp_path: Path, check: str, sentence: str):
    told = refusal(tmp_path, check, SHORT="hunter2", UNFIT="a token/with a slash")
    assert sentence in told
    assert "hunter2" not in told
    assert "abcdefghij" not in told
    assert "a slash" not in told


def test_a_secret_of_the_file_is_a_token_and_stays_out_of_the_journal(tmp_path: Path):
    secret = "0123456789-abcdefghij"
    (tmp_path / "token").write_text(f"{secret}x\n", encoding="utf-8")
    configuration = loaded(
        tmp_path,
        'heartbeat: {every: 1h, token: "${TOKEN}"}\n  - heartbeat: {name: b, every: 1h, token: "file:token"}',
        TOKEN=secret,
    )
    plans = configuration.fleet.checks()
    assert list(tokens(plans, configuration.secrets, "key").values()) == [secret, f"{secret}x"]
    assert secret not in encode(InventoryApplied(fleet=configuration.fleet))
    check = build(plans[0].kind, plans[0].options, configuration.secrets)
    assert secret not in check.target + check.reproduce()


def test_a_token_that_is_not_given_follows_from_the_secret_of_the_installation(tmp_path: Path):
    configuration = loaded(tmp_path, "heartbeat: 1h\n  - ping: 192.0.2.1")
    check = CheckKey(ServerId("gye1"), "heartbeat")
    token = derived_token("key", check)
    assert tokens(configuration.fleet.checks(), configuration.secrets, "key") == {check: token}
    assert digests(configuration.fleet.checks(), configuration.secrets, "key") == {check: digest_of(token)}


def test_it_is_the_one_kind_that_nobody_looks_at():
    assert [name for name in KINDS if is_passive(name)] == ["heartbeat"]
    check = build("heartbeat", {"every": "1h"}, NO_SECRETS)
    with pytest.raises(OwnFaultError, match="reports by itself"):
        asyncio.run(check.look(None, 0.0))  # type: ignore[arg-type] # it asks nobody
