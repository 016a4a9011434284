"""A real Redmine on loopback, of Debian's package, with its database in a folder of its own, and the people who work there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests

from tests.contracts.benches import Ability, Bench, Ground
from tests.servers.daemons import Daemon

PROGRAMS = ("/usr/share/redmine/config.ru", "/var/lib/redmine/Gemfile.lock")
_HOME = Path("/usr/share/redmine")
# What the package made at its installation: the schema, and the usual trackers, statuses, priorities and roles.
_FRESH = Path("/var/lib/dbconfig-common/sqlite3/redmine/instances/default/redmine_default")
_LOSSES = {
    "reference_field": (
        "UPDATE custom_fields SET type = 'UserCustomField' WHERE name = 'ExternalRef'",
        "UPDATE custom_fields SET type = 'IssueCustomField' WHERE name = 'ExternalRef'",
    ),
    "queue": (
        "UPDATE projects SET status = 9 WHERE identifier = 'soporte'",
        "UPDATE projects SET status = 1 WHERE identifier = 'soporte'",
    ),
    "priority": (
        "UPDATE enumerations SET active = 0 WHERE name = 'Urgent'",
        "UPDATE enumerations SET active = 1 WHERE name = 'Urgent'",
    ),
    "status": (
        "UPDATE issue_statuses SET is_closed = 0",
        "UPDATE issue_statuses SET is_closed = 1 WHERE name IN ('Closed', 'Rejected')",
    ),
    "credentials": (
        "UPDATE tokens SET value = 'nobodyskey' WHERE value = 'keyofvigia'",
        "UPDATE tokens SET value = 'keyofvigia' WHERE value = 'nobodyskey'",
    ),
}


class RedmineServer(Daemon):
    """One Redmine with the projects `soporte` and `comercial`, our account `vigia`, the technician `ana` and the customer `carla`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "redmine")
        self.database = folder / "redmine.db"
        _require_readable()
        shutil.copyfile(_FRESH, self.database)
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        boot = Path(__file__).with_name("redmine_boot.rb")
        return [str(_HOME / "bin/rails"), "runner", str(boot)]

    def environment(self) -> Mapping[str, str]:
        (webrick,) = Path("/usr/share/rubygems-integration/all/gems").glob("webrick-*/lib")
        return {
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "PORT": str(self.port),
            "X_DEBIAN_SITEID": "default",
            "RAILS_ENV": "production",
            "DATABASE_URL": f"sqlite3:{self.database}",
            # It serves itself by what is not in its own list of libraries.
            "RUBYOPT": f"-I{webrick}",
        }

    def close(self) -> None:
        self.stop()

    def run(self, sql: str, *values: object) -> None:
        """Change its database behind its back."""
        # By its own engine: a second one in our process would drop the locks of ours.
        work = "db = SQLite3::Database.new(ARGV[0]); db.busy_timeout(30_000); db.execute(ARGV[1], ARGV[2..])"
        command = ["ruby", "-rsqlite3", "-e", work, str(self.database), sql, *map(str, values)]
        subprocess.run(command, check=True, timeout=60)

    def ask(self, who: str, method: str, path: str, **fields: Any) -> Any:
        """Speak to it as one of its people; anything but a good answer fails the test."""
        answer = requests.request(
            method,
            f"{self.url}{path}",
            json=fields or None,
            headers={"X-Redmine-API-Key": f"keyof{who}"},
            timeout=60,
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None


class RedmineBench(Bench):
    """Redmine as the contract suite meets it; one server a session, every test with references of its own."""

    lacks: ClassVar[Mapping[Ability, str]] = {Ability.KEYS: "Redmine has no place for the key of an action"}

    def __init__(self, ground: Ground) -> None:
        self.server = ground.keeper.kept("redmine", RedmineServer)
        self.options: dict[str, Any] = {
            "url": self.server.url,
            "key": "keyofvigia",
            "project": "soporte",
            "departments": {"comercial": "comercial"},
        }
        self._lost: list[str] = []

    def close(self) -> None:
        for undo in self._lost:
            self.server.run(undo)

    def human_closes(self, ticket: str) -> None:
        self._change("ana", ticket, status_id=5)

    def human_answers(self, ticket: str, words: str) -> None:
        self._change("ana", ticket, notes=words)

    def human_notes(self, ticket: str, words: str) -> None:
        self._change("ana", ticket, notes=words, private_notes=True)

    def human_assigns(self, ticket: str, person: str) -> None:
        listed = self.server.ask("ana", "GET", "/projects/soporte/memberships.json")["memberships"]
        users = {each["user"]["name"].split()[0].lower(): each["user"]["id"] for each in listed}
        self._change("ana", ticket, assigned_to_id=users[person])

    def human_deletes(self, ticket: str) -> None:
        self.server.ask("ana", "DELETE", f"/issues/{ticket}.json")

    def human_merges(self, ticket: str, into: str) -> None:
        relation = {"issue_to_id": int(into), "relation_type": "duplicates"}
        self.server.ask("ana", "POST", f"/issues/{ticket}/relations.json", relation=relation)
        self.human_closes(ticket)

    def customer_opens(self, subject: str, department: str) -> str:
        issue = {"project_id": department, "tracker_id": 3, "subject": subject, "description": "¿Qué pasa?"}
        return str(self.server.ask("carla", "POST", "/issues.json", issue=issue)["issue"]["id"])

    def customer_writes(self, ticket: str, words: str) -> None:
        self._change("carla", ticket, notes=words)

    def ages(self, ticket: str, by: timedelta) -> None:
        sql = "UPDATE issues SET created_on = datetime(created_on, ?) WHERE id = ?"
        self.server.run(sql, f"-{int(by.total_seconds())} seconds", int(ticket))

    def messages(self, ticket: str) -> list[tuple[str, bool, str]]:
        issue = self.server.ask("ana", "GET", f"/issues/{ticket}.json?include=journals")["issue"]
        opening = (issue["author"]["name"], False, issue["description"])
        notes = [
            (each["user"]["name"], each["private_notes"], each["notes"])
            for each in issue["journals"]
            if each["notes"]
        ]
        return [opening, *notes]

    def lose(self, what: str) -> None:
        sql, undo = _LOSSES[what]
        self._lost.append(undo)
        self.server.run(sql)

    def _change(self, who: str, ticket: str, **fields: Any) -> None:
        self.server.ask(who, "PUT", f"/issues/{ticket}.json", issue=fields)


def _require_readable() -> None:
    if os.access(_FRESH, os.R_OK):
        return
    reason = f"{_FRESH} may not be read: it belongs to root and www-data"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
