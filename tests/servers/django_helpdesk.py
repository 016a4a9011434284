"""A real django-helpdesk on loopback, in an environment of its own, and the people who work there through its pages."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import timedelta
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from typing import Any, ClassVar

import requests

from tests.contracts.benches import Ability, Bench, Ground
from tests.servers.daemons import Daemon

_HOME = Path(__file__).parents[1] / ".system/django-helpdesk"
_SITE = Path(__file__).with_name("helpdesk_site")
_PYTHON = _HOME / "environment/bin/python"
_FRESH = _HOME / "fresh.db"
# What tools/django-helpdesk makes.
PROGRAMS = (str(_PYTHON), str(_HOME / ".installed"))
CUSTOMER = "carla@nodored.example"
_EXECUTE = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], 30); c.execute(*[sys.argv[2], sys.argv[3:]]); c.commit()"
_LOSSES = {
    "reference_field": (
        "UPDATE helpdesk_customfield SET name = 'gone' WHERE name = 'external_ref'",
        "UPDATE helpdesk_customfield SET name = 'external_ref' WHERE name = 'gone'",
    ),
    "queue": (
        "UPDATE helpdesk_queue SET title = 'Gone' WHERE slug = 'soporte'",
        "UPDATE helpdesk_queue SET title = 'Soporte' WHERE slug = 'soporte'",
    ),
    "credentials": (
        "UPDATE authtoken_token SET key = 'nobodyskey' WHERE key = 'keyofvigia'",
        "UPDATE authtoken_token SET key = 'keyofvigia' WHERE key = 'nobodyskey'",
    ),
}


class DjangoHelpdeskServer(Daemon):
    """One django-helpdesk with the queues Soporte and Comercial, our account `vigia`, the technician `ana` and the customer `carla`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "django-helpdesk")
        self.database = folder / "helpdesk.db"
        shutil.copyfile(_FRESH, self.database)
        self.start()
        self._pages = requests.Session()
        self._sign_in()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        return [str(_PYTHON), "-m", "django", "runserver", "--noreload", f"127.0.0.1:{self.port}"]

    def environment(self) -> Mapping[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "settings",
            "HELPDESK_DATABASE": str(self.database),
            "PYTHONPATH": str(_SITE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
        }

    def close(self) -> None:
        self._pages.close()
        self.stop()

    def run(self, sql: str, *values: object) -> None:
        """Change its database behind its back; a second engine in our process would drop the locks of ours."""
        command = [str(_PYTHON), "-c", _EXECUTE, str(self.database), sql, *map(str, values)]
        subprocess.run(command, check=True, timeout=60)

    def ticket(self, ticket: str) -> dict[str, Any]:
        """Return a ticket as the technician reads it over the interface."""
        return self.ask("GET", f"/api/tickets/{ticket}/")

    def ask(self, method: str, path: str, who: str = "ana", **fields: Any) -> Any:
        """Speak to the interface as one of its people."""
        headers = {"Authorization": f"Token keyof{who}"}
        answer = requests.request(
            method, f"{self.url}{path}", json=fields or None, headers=headers, timeout=60
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def open_as_customer(self, **fields: Any) -> str:
        """Fill in the form that is there for everybody; return the number of the ticket."""
        with requests.Session() as browser:
            browser.get(f"{self.url}/tickets/submit/", timeout=60)
            self._send(browser, "/tickets/submit/", priority=3, submitter_email=CUSTOMER, **fields)
        newest = self.ask("GET", "/api/user_tickets/?page_size=1", who="carla")["results"][0]
        assert newest["title"] == fields["title"]
        return str(newest["id"])

    def submit(self, path: str, **fields: Any) -> None:
        """Send a form of its pages as the technician does."""
        self._send(self._pages, path, **fields)

    def _send(self, browser: requests.Session, path: str, **fields: Any) -> None:
        answer = browser.post(
            f"{self.url}{path}",
            data={**fields, "csrfmiddlewaretoken": browser.cookies.get("csrftoken", "")},
            timeout=60,
            allow_redirects=False,
        )
        assert answer.status_code == 302, f"{path}: {answer.status_code} {answer.text[:3000]}"

    def receive(self, queue: str, message: EmailMessage) -> str:
        """Let a mail arrive; return the number of its ticket."""
        done = subprocess.run(
            [str(_PYTHON), str(_SITE / "receive.py"), queue],
            env=dict(self.environment()),
            input=message.as_string(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def _sign_in(self) -> None:
        self._pages.get(f"{self.url}/login/", timeout=60)
        self.submit("/login/", username="ana", password="hunter2-of-ana")


class DjangoHelpdeskBench(Bench):
    """django-helpdesk as the contract suite meets it; one server a session, every test with references of its own."""

    lacks: ClassVar[Mapping[Ability, str]] = {
        Ability.KEYS: "django-helpdesk has no place for the key of an action"
    }

    def __init__(self, ground: Ground) -> None:
        self.server = ground.keeper.kept("djangohelpdesk", DjangoHelpdeskServer)
        self.options: dict[str, Any] = {
            "url": self.server.url,
            "token": "keyofvigia",
            "queue": "Soporte",
            "submitter": "vigia@nodored.example",
            "departments": {"comercial": "Comercial"},
        }
        self._lost: list[str] = []

    def close(self) -> None:
        for undo in self._lost:
            self.server.run(undo)

    def human_closes(self, ticket: str) -> None:
        self._update(ticket, new_status=4)

    def human_answers(self, ticket: str, words: str) -> None:
        self._update(ticket, comment=words, public="1")

    def human_notes(self, ticket: str, words: str) -> None:
        self._update(ticket, comment=words)

    def human_assigns(self, ticket: str, person: str) -> None:
        self._update(ticket, owner={"vigia": 1, "ana": 2}[person])

    def human_deletes(self, ticket: str) -> None:
        self.server.submit(f"/tickets/{ticket}/delete/")

    def human_merges(self, ticket: str, into: str) -> None:
        self.server.submit(f"/tickets/merge?tickets={ticket}&tickets={into}", chosen_ticket=into)

    def customer_opens(self, subject: str, department: str) -> str:
        queue = {"soporte": 1, "comercial": 2}[department]
        return self.server.open_as_customer(queue=queue, title=subject, body="¿Qué pasa?")

    def customer_writes(self, ticket: str, words: str) -> None:
        self.server.receive("soporte", _mail(f"Re: [soporte-{ticket}]", words))

    def ages(self, ticket: str, by: timedelta) -> None:
        shift = f"-{int(by.total_seconds())} seconds"
        self.server.run(
            "UPDATE helpdesk_followup SET date = datetime(date, ?) WHERE ticket_id = ?", shift, int(ticket)
        )

    def messages(self, ticket: str) -> list[tuple[str, bool, str]]:
        people = {1: "vigia", 2: "ana"}
        return [
            (people.get(each["user"], "carla"), not each["public"], each["comment"])
            for each in self.server.ticket(ticket)["followup_set"]
            if each["comment"]
        ]

    def lose(self, what: str) -> None:
        if what not in _LOSSES:
            # Its priorities and statuses stand in the settings that it was started with.
            raise NotImplementedError(what)
        sql, undo = _LOSSES[what]
        self._lost.append(undo)
        self.server.run(sql)

    def writes(self, method: str, path: str, body: bytes) -> bool:
        del path, body
        return method not in ("GET", "OPTIONS")

    def _update(self, ticket: str, **fields: Any) -> None:
        """Send the form of a ticket's page, which holds everything that is not changed as well."""
        present = self.server.ticket(ticket)
        kept = {
            "queue": present["queue"],
            "title": present["title"],
            "submitter_email": present["submitter_email"],
            "priority": present["priority"],
            "custom_external_ref": present["custom_external_ref"] or "",
            "new_status": present["status"],
            "owner": present["assigned_to"] or 0,
        }
        self.server.submit(f"/tickets/{ticket}/update/", **{**kept, **fields})


def _mail(subject: str, words: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"Carla Paredes <{CUSTOMER}>"
    message["To"] = "soporte@nodored.example"
    message["Subject"] = subject
    message["Message-ID"] = make_msgid(domain="nodored.example")
    message.set_content(words)
    return message
