"""A real Request Tracker 5 on loopback with a database of its own, and the people who work and ask there."""

from __future__ import annotations

import json
import os
import quopri
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import requests

from tests.contracts.benches import Ability, Bench, Ground
from tests.servers.daemons import Daemon

SERVER = "/usr/share/request-tracker5/libexec/rt-server"
NEEDED = (SERVER, "rt-setup-database-5", "sqlite3")
PASSWORD = "a password that is long enough"
# What counts in production; for tests that ask for many things, a login may cost less.
STRONG, QUICK = 12, 4

# Not in UTC: what RT writes and takes in its own zone must not be taken for something else.
_CONFIGURATION = """
Set($rtname, 'test'); Set($Organization, 'test.invalid'); Set($WebDomain, '127.0.0.1');
Set($WebPort, {port}); Set($WebPath, ''); Set($WebBaseURL, 'http://127.0.0.1:{port}');
Set($Timezone, 'America/Guayaquil'); Set($BcryptCost, {cost});
Set($DatabaseType, 'SQLite'); Set($DatabaseName, '{folder}/rtdb'); Set($DatabaseUser, ''); Set($DatabasePassword, '');
Set($MailCommand, 'testfile'); Set($LogToSyslog, undef); Set($LogToSTDERR, 'error');
Set(%PriorityAsString, Default => [Low => 0, Medium => 50, High => 80, Urgent => 100]);
$RT::MasonDataDir = '{folder}/mason'; $RT::MasonSessionDir = '{folder}/sessions';
1;
"""
_SEED = """
@Queues = ({{Name => 'Soporte'}}, {{Name => 'Ventas'}}, {{Name => 'Redes', Description => 'has no field of ours'}});
@Users = (
  (map {{ {{Name => $_, EmailAddress => "$_\\@nodored.test", Password => '{password}', Privileged => 1}} }} qw(vigia ana luis)),
  (map {{ {{Name => $_, EmailAddress => "$_\\@cliente.test", Password => '{password}', Privileged => 0}} }} qw(eva socio)),
);
@CustomFields = (
  {{Name => 'ExternalRef', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket', ApplyTo => ['Soporte', 'Ventas']}},
  {{Name => 'Servers', Type => 'FreeformMultiple', LookupType => 'RT::Queue-RT::Ticket', ApplyTo => ['Soporte']}},
);
@ACL = (
  (map {{ {{GroupDomain => 'SystemInternal', GroupType => 'Privileged', Right => $_}} }} qw(
    SeeQueue ShowTicket ShowTicketComments CreateTicket ReplyToTicket CommentOnTicket ModifyTicket OwnTicket TakeTicket
    DeleteTicket SeeCustomField ModifyCustomField)),
  (map {{ {{GroupDomain => 'SystemInternal', GroupType => 'Everyone', Right => $_}} }} qw(SeeQueue CreateTicket ReplyToTicket ShowTicket)),
);
1;
"""
_TOKEN = """
use lib '/usr/share/request-tracker5/lib'; use RT; RT::LoadConfig(); RT::Init();
my $user = RT::User->new(RT->SystemUser); $user->Load('vigia');
my (undef, undef, $token) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $user->id, Description => 'vigia');
print $token;
"""


class RequestTracker(Daemon):
    """RT with three queues, a user of ours, two technicians and two customers; `root` with the password `password`."""

    def __init__(self, folder: Path, *, cost: int = QUICK) -> None:
        super().__init__(folder, "rt")
        self.database = folder / "rtdb"
        (folder / "conf.d").mkdir()
        (folder / "mason").mkdir()
        (folder / "sessions").mkdir()
        (folder / "RT_SiteConfig.pm").write_text(
            _CONFIGURATION.format(port=self.port, folder=folder, cost=cost)
        )
        (folder / "seed.pl").write_text(_SEED.format(password=PASSWORD))
        # No program of the machine may ask anybody anything, nor find a setting of somebody else.
        setup = ["rt-setup-database-5", "--skip-create", "--dba", "", "--dba-password", ""]
        self._run([*setup, "--prompt-for-dba-password=0", "--action", "init"])
        self._run([*setup, "--prompt-for-dba-password=0", "--action", "insert", "--datafile", "seed.pl"])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def options(self) -> dict[str, Any]:
        """What stands below `helpdesk:` for it."""
        return {
            "url": self.url,
            "user": "vigia",
            "password": PASSWORD,
            "queue": "Soporte",
            "departments": {"comercial": "Ventas"},
        }

    def environment(self) -> Mapping[str, str]:
        """Let it find our settings alone, and leave its mail in the folder."""
        return {
            "RT_SITE_CONFIG": str(self.folder / "RT_SiteConfig.pm"),
            "RT_SITE_CONFIG_DIR": str(self.folder / "conf.d"),
            "TMPDIR": str(self.folder),
        }

    def command(self) -> Sequence[str]:
        address = ["--host", "127.0.0.1", "--port", str(self.port)]
        return [SERVER, "--server", "Starlet", *address, "--max-workers", "3"]

    def token(self) -> str:
        """Return a new token of our user."""
        return self._run(["perl", "-e", _TOKEN])

    def close(self) -> None:
        self.stop()

    def ask(self, who: str, method: str, path: str, content: object = None) -> Any:
        """Ask as one of its users; whatever is no success raises."""
        password = "password" if who == "root" else PASSWORD
        answer = requests.request(
            method, f"{self.url}/REST/2.0{path}", json=content, auth=(who, password), timeout=30
        )
        answer.raise_for_status()
        return answer.json()

    def write(self, who: str, ticket: str, way: str, words: str) -> None:
        content = {"Content": words, "ContentType": "text/plain"}
        self.ask(who, "POST", f"/ticket/{ticket}/{way}", content)

    def change(self, ticket: str, who: str = "ana", **fields: object) -> list[str]:
        """Set fields of a ticket; return what RT says to it."""
        said: list[str] = self.ask(who, "PUT", f"/ticket/{ticket}", fields)
        return said

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """Ask or change its database beside it."""
        said = self._run(["sqlite3", "-json", "-cmd", ".timeout 30000", str(self.database), statement])
        rows: list[dict[str, Any]] = json.loads(said or "[]")
        return rows

    def _run(self, command: Sequence[str]) -> str:
        environment = {**self.environment(), "PATH": f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"}
        program = shutil.which(command[0], path=environment["PATH"]) or command[0]
        done = subprocess.run(
            [program, *command[1:]],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


def started(folder: Path) -> RequestTracker:
    """Return an RT that answers."""
    server = RequestTracker(folder)
    server.start()
    return server


def messages(rt: RequestTracker, ticket: str) -> list[tuple[str, bool, str]]:
    """Return author, internal and body of everything written on a ticket, oldest first."""
    rows = rt.sql(
        "SELECT Users.Name AS author, Type AS kind, CAST(Content AS TEXT) AS body, ContentEncoding AS coding"  # noqa: S608 - a number
        " FROM Transactions"
        " JOIN Attachments ON Attachments.TransactionId = Transactions.id"
        " JOIN Users ON Users.id = Transactions.Creator"
        f" WHERE ObjectType = 'RT::Ticket' AND ObjectId = {int(ticket)}"
        " AND Type IN ('Create', 'Correspond', 'Comment') ORDER BY Transactions.id, Attachments.id"
    )
    return [(row["author"], row["kind"] == "Comment", _decoded(row["body"], row["coding"])) for row in rows]


class RtBench(Bench):
    """One RT for all tests of a session; what a test takes from it comes back when the test is over."""

    lacks: ClassVar[Mapping[Ability, str]] = {Ability.KEYS: "RT does whatever it is asked, as often as it is"}

    def __init__(self, ground: Ground) -> None:
        self.rt = ground.keeper.kept("rt", started)
        self.options: dict[str, Any] = self.rt.options
        self._lost: list[str] = []

    def close(self) -> None:
        for statement in self._lost:
            self.rt.sql(statement)

    def human_closes(self, ticket: str) -> None:
        self.rt.change(ticket, Status="resolved")

    def human_answers(self, ticket: str, words: str) -> None:
        self.rt.write("ana", ticket, "correspond", words)

    def human_notes(self, ticket: str, words: str) -> None:
        self.rt.write("ana", ticket, "comment", words)

    def human_assigns(self, ticket: str, person: str) -> None:
        self.rt.change(ticket, Owner=person)

    def human_deletes(self, ticket: str) -> None:
        self.rt.change(ticket, Status="deleted")

    def human_merges(self, ticket: str, into: str) -> None:
        self.rt.change(ticket, MergeInto=into)

    def customer_opens(self, subject: str, department: str) -> str:
        queue = {"soporte": "Soporte", "comercial": "Ventas"}[department]
        content = {
            "Queue": queue,
            "Subject": subject,
            "Content": "No funciona.",
            "ContentType": "text/plain",
            "Requestor": "eva@cliente.test",
        }
        return str(self.rt.ask("eva", "POST", "/ticket", content)["id"])

    def customer_writes(self, ticket: str, words: str) -> None:
        self.rt.write("eva", ticket, "correspond", words)

    def ages(self, ticket: str, by: timedelta) -> None:
        seconds = int(by.total_seconds())
        self.rt.sql(
            f"UPDATE Tickets SET Created = datetime(Created, '-{seconds} seconds') WHERE id = {int(ticket)}"  # noqa: S608 - numbers
        )

    def messages(self, ticket: str) -> list[tuple[str, bool, str]]:
        return messages(self.rt, ticket)

    def lose(self, what: str) -> None:
        table, column, value, where = {
            "reference_field": ("CustomFields", "Disabled", "1", "Name = 'ExternalRef'"),
            "queue": ("Queues", "Disabled", "1", "Name = 'Soporte'"),
            "credentials": ("Users", "Password", "'*NO-PASSWORD*'", "Name = 'vigia'"),
            # A priority is a number to RT, and it knows all of them; which statuses it has it tells nobody.
        }.get(what) or _nothing(what)
        [row] = self.rt.sql(f"SELECT {column} AS present FROM {table} WHERE {where}")  # noqa: S608 - constants above
        present = row["present"]
        self._lost.append(f"UPDATE {table} SET {column} = '{present}' WHERE {where}")  # noqa: S608
        self.rt.sql(f"UPDATE {table} SET {column} = {value} WHERE {where}")  # noqa: S608


def _decoded(body: str, coding: str) -> str:
    return quopri.decodestring(body.encode()).decode() if coding == "quoted-printable" else body


def _nothing(what: str) -> tuple[str, str, str, str]:
    raise NotImplementedError(what)
