"""What a changed file would change, told thing by thing."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from monitor.errors import RefusedError
from monitor.inventory.changes import Change, Detail, What, changes, is_drastic, require_meant, retired
from tests.inventory.conftest import Loader


def servers(*names: str, checks: str = "[ping]") -> str:
    rows = "".join(
        f"- {{id: {name}, group: hosting, host: 192.0.2.10, checks: {checks}}}\n" for name in names
    )
    return f"servers:\n{rows}"


def test_the_same_file_changes_nothing(loaded: Loader):
    fleet = loaded().fleet
    assert changes(fleet, loaded().fleet) == ()


def test_before_anything_was_applied_everything_is_new(loaded: Loader):
    found = changes(None, loaded().fleet)
    assert {change.what for change in found} == {What.ADDED}
    assert [(change.kind, change.name) for change in found] == [
        ("group", "hosting"),
        ("server", "gye1"),
        ("check", "gye1/ping"),
    ]


def test_servers_come_and_go(loaded: Loader):
    before, after = loaded(servers("gye1", "gye2")).fleet, loaded(servers("gye1", "uio1")).fleet
    assert [(change.what, change.kind, change.name) for change in changes(before, after)] == [
        (What.ADDED, "server", "uio1"),
        (What.RETIRED, "server", "gye2"),
        (What.ADDED, "check", "uio1/ping"),
        (What.RETIRED, "check", "gye2/ping"),
    ]
    assert retired(before, after) == ("gye2",)


def test_a_check_tells_each_field_as_people_write_it(loaded: Loader):
    before = loaded(servers("gye1", checks="[{tcp: {port: 25, every: 60s}}]")).fleet
    after = loaded(
        servers("gye1", checks="[{tcp: {port: 587, every: 90s, confirm: {attempts: 5, retry: 10s}}}]")
    ).fleet
    assert changes(before, after) == (
        Change(
            what=What.CHANGED,
            kind="check",
            name="gye1/tcp",
            details=(
                Detail(field="port", before="25", after="587"),
                Detail(field="every", before="1m", after="90s"),
                Detail(field="confirm", before="3 looks, 15s apart", after="5 looks, 10s apart"),
            ),
        ),
    )


def test_a_secret_is_told_as_its_reference(loaded: Loader):
    plain = "[{http: {url: 'http://192.0.2.10/', bearer: '${TOKEN}'}}]"
    secret = {"TOKEN": "hunter2hunter2", "OTHER": "correct-horse"}
    before = loaded(servers("gye1", checks=plain), environment=secret).fleet
    after = loaded(servers("gye1", checks=plain.replace("TOKEN", "OTHER")), environment=secret).fleet
    (change,) = changes(before, after)
    assert change.details == (Detail(field="bearer", before="${TOKEN}", after="${OTHER}"),)


@pytest.mark.parametrize(
    ("before", "after", "drastic"),
    [
        (10, 8, False),  # exactly a fifth
        (10, 7, True),
        (2, 1, False),  # more than a fifth, but one alone
        (2, 0, True),
        (4, 2, True),
        (100, 80, False),
        (100, 79, True),
    ],
)
def test_many_that_go_at_once_are_a_matter_for_a_person(loaded: Loader, before, after, drastic):
    old = loaded(servers(*(f"server{number}" for number in range(before)))).fleet
    new = loaded(servers(*(f"server{number}" for number in range(before - after, before)), "other")).fleet
    assert is_drastic(old, new) is drastic
    with pytest.raises(RefusedError, match="vigia apply") if drastic else nullcontext():
        require_meant(old, new)
    assert not is_drastic(None, new)
