"""A WHMCS of our own, as its API is documented: strict about what it is asked, loose about how it answers.

Every answer of the API is HTTP 200 but those of its door; numbers are texts, times are local, what people write is kept escaped, lists
come 25 at a time, and a search finds what is merely alike.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from monitor.tickets.port import Priority
from tests.contracts.benches import Ability, Bench, Ground
from tests.servers.answering import Answered, Answering, Asked

IDENTIFIER, SECRET = "D4j1dKYE3g40VROOPCGyJ9zRwP0ADJIv", "a secret of thirty-two characters"
ZONE = "America/Guayaquil"
_COMMON = {"identifier", "secret", "action", "responsetype", "accesskey"}
_FIELDS = {
    "OpenTicket": "deptid subject message clientid name email priority admin noemail markdown",
    "AddTicketReply": "ticketid message markdown clientid adminusername name email status noemail",
    "AddTicketNote": "ticketid message markdown",
    "UpdateTicket": "ticketid deptid status subject priority flag removeFlag",
    "GetTickets": "limitstart limitnum deptid clientid email status subject ignore_dept_assignments",
    "GetTicket": "ticketid repliessort",
    "GetSupportDepartments": "ignore_dept_assignments",
    "GetSupportStatuses": "deptid",
    "GetAdminDetails": "",
    "GetAdminUsers": "roleid email include_disabled",
}
WRITING = frozenset({"OpenTicket", "AddTicketReply", "AddTicketNote", "UpdateTicket"})


class RefusedError(Exception):
    """What the API answers instead of a result."""


@dataclass
class Said:
    id: int
    date: str
    message: str
    admin: str = ""
    internal: bool = False
    name: str = ""


@dataclass
class Ticket:
    id: int
    deptid: str
    subject: str
    priority: str
    status: str
    name: str
    email: str
    date: str
    lastreply: str
    flag: str = "0"
    merged: str = "0"
    said: list[Said] = field(default_factory=list)


class Whmcs(Answering):
    """One installation in the zone of `ZONE`; its clock is `now`."""

    def __init__(self, now: Callable[[], datetime], zone: str = ZONE) -> None:
        self.now = now
        self.zone = ZoneInfo(zone)
        self.secret = SECRET
        self.departments = {"1": "Ventas", "2": "Soporte"}
        self.statuses = ["Open", "Answered", "Customer-Reply", "On Hold", "In Progress", "Closed"]
        # Those that our administrator is assigned to; what it is shown by itself is of these.
        self.assigned = {"1"}
        self.admins = {"1": ("vigia", "Vigía", "Robot"), "2": ("ana", "Ana", "Paz")}
        self.forbidden: set[str] = set()
        self.ignores_updates = False
        self.tickets: list[Ticket] = []
        self.calls: list[tuple[str, dict[str, str]]] = []
        self._count = 0
        super().__init__()

    def answer(self, asked: Asked) -> Answered:
        assert (asked.method, asked.path, asked.query) == ("POST", "/includes/api.php", [])
        fields = dict(parse_qsl(asked.body.decode(), keep_blank_values=True))
        action = fields.get("action", "")
        if (fields.get("identifier"), fields.get("secret")) != (IDENTIFIER, self.secret):
            return Answered(403, {"result": "error", "message": "Authentication Failed"})
        if action in self.forbidden:
            message = f'Invalid Permissions: API action "{action.lower()}" is not allowed'
            return Answered(403, {"result": "error", "message": message})
        if action not in _FIELDS:
            return Answered(200, {"result": "error", "message": "Command Not Found"})
        try:
            unknown = fields.keys() - _COMMON - set(_FIELDS[action].split())
            if unknown or fields.get("responsetype") != "json":
                raise AssertionError(f"{action} takes no {sorted(unknown)}")
            self.calls.append((action, fields))
            return Answered(200, {"result": "success", **getattr(self, f"on_{action.lower()}")(fields)})
        except RefusedError as error:
            return Answered(200, {"result": "error", "message": str(error)})

    def local(self) -> str:
        return f"{self.now().astimezone(self.zone):%Y-%m-%d %H:%M:%S}"

    def ticket(self, number: str) -> Ticket:
        found = next((each for each in self.tickets if str(each.id) == number), None)
        if found is None:
            raise RefusedError("Ticket ID Not Found")
        return found

    def say(
        self, ticket: Ticket, message: str, *, admin: str = "", internal: bool = False, name: str = ""
    ) -> None:
        """Write a message; one that is not internal moves the date of the last reply."""
        self._count += 1
        number = self._count if ticket.said else 0
        kept = html.escape(message, quote=True)
        ticket.said.append(Said(number, self.local(), kept, admin, internal, name))
        if not internal:
            ticket.lastreply = self.local()

    def fullname(self, username: str) -> str:
        for login, first, last in self.admins.values():
            if login == username:
                return f"{first} {last}"
        raise RefusedError("Admin User Not Found")

    def on_openticket(self, fields: Mapping[str, str]) -> dict[str, Any]:
        for key, name in (("subject", "Subject"), ("message", "Message")):
            if not fields.get(key):
                raise RefusedError(f"{name} is required")
        if fields.get("deptid") not in self.departments:
            raise RefusedError("Department ID not found")
        if not fields.get("name") or "@" not in fields.get("email", ""):
            raise RefusedError("Name and email address are required if not a client")
        priority = fields.get("priority", "Medium")
        # As documented for updates; here a word that it does not know is kept as the default, and nothing is said of it.
        kept = priority if priority in ("Low", "Medium", "High") else "Medium"
        ticket = Ticket(
            id=len(self.tickets) + 1,
            deptid=fields["deptid"],
            subject=html.escape(fields["subject"], quote=True),
            priority=kept,
            status="Open",
            name=fields["name"],
            email=fields["email"],
            date=self.local(),
            lastreply=self.local(),
        )
        self.tickets.append(ticket)
        self.say(ticket, fields["message"], name=fields["name"])
        return {"id": str(ticket.id), "tid": f"{516757 + ticket.id}", "c": "KPqH7yG3"}

    def on_addticketreply(self, fields: Mapping[str, str]) -> dict[str, Any]:
        ticket = self._writable(fields)
        if "adminusername" not in fields:
            raise RefusedError("Name and email address are required if not a client")
        self._status(fields.get("status", "Answered"))
        self.say(ticket, fields["message"], admin=self.fullname(fields["adminusername"]))
        ticket.status = fields.get("status", "Answered")
        return {}

    def on_addticketnote(self, fields: Mapping[str, str]) -> dict[str, Any]:
        self.say(self._writable(fields), fields["message"], admin=self.fullname("vigia"), internal=True)
        return {}

    def on_updateticket(self, fields: Mapping[str, str]) -> dict[str, Any]:
        ticket = self.ticket(fields["ticketid"])
        if fields.get("priority", "Low") not in ("Low", "Medium", "High"):
            raise RefusedError("Invalid Ticket Priority. Valid priorities are: Low,Medium,High")
        self._status(fields.get("status", "Open"))
        for key in ("status", "priority", "subject"):
            if key in fields and not self.ignores_updates:
                setattr(ticket, key, fields[key])
        return {"ticketid": str(ticket.id)}

    def on_gettickets(self, fields: Mapping[str, str]) -> dict[str, Any]:
        shown = self._shown(fields)
        found = [each for each in self.tickets if each.deptid in shown and self._meets(each, fields)]
        found.sort(key=lambda ticket: (ticket.lastreply, ticket.id), reverse=True)
        start, limit = int(fields.get("limitstart", "0")), min(int(fields.get("limitnum", "25")), 25)
        page = found[start : start + limit]
        return {
            "totalresults": str(len(found)),
            "startnumber": start,
            "numreturned": len(page),
            "tickets": {"ticket": [self._listed(each, "id") for each in page]} if page else "",
        }

    def on_getticket(self, fields: Mapping[str, str]) -> dict[str, Any]:
        ticket = self.ticket(fields["ticketid"])
        replies = [each for each in ticket.said if not each.internal]
        notes = [each for each in ticket.said if each.internal]
        return {
            **self._listed(ticket, "ticketid"),
            "replies": {
                "reply": [
                    {
                        "replyid": str(each.id),
                        "name": each.name,
                        "date": each.date,
                        "message": each.message.replace("\n", "\r\n"),
                        "attachment": "",
                        "admin": each.admin,
                    }
                    for each in replies
                ]
            },
            "notes": {
                "note": [
                    {"noteid": str(each.id), "date": each.date, "message": each.message, "admin": each.admin}
                    for each in notes
                ]
            }
            if notes
            else "",
        }

    def on_getsupportdepartments(self, fields: Mapping[str, str]) -> dict[str, Any]:
        shown = self._shown(fields)
        listed = [{"id": key, "name": name} for key, name in self.departments.items() if key in shown]
        return {"totalresults": len(listed), "departments": {"department": listed}}

    def on_getsupportstatuses(self, _fields: Mapping[str, str]) -> dict[str, Any]:
        listed = [{"title": title, "count": 0} for title in self.statuses]
        return {"totalresults": len(listed), "statuses": {"status": listed}}

    def on_getadmindetails(self, _fields: Mapping[str, str]) -> dict[str, Any]:
        return {"adminid": "1", "name": self.fullname("vigia"), "departments": ",1,"}

    def on_getadminusers(self, _fields: Mapping[str, str]) -> dict[str, Any]:
        listed = [
            {"id": number, "username": login, "firstname": first, "lastname": last}
            for number, (login, first, last) in self.admins.items()
        ]
        return {"count": len(listed), "admin_users": listed}

    def _writable(self, fields: Mapping[str, str]) -> Ticket:
        ticket = self.ticket(fields["ticketid"])
        if not fields.get("message"):
            raise RefusedError("Message is required")
        return ticket

    def _status(self, status: str) -> None:
        if status not in self.statuses:
            raise RefusedError(f"Invalid Ticket Status. Valid statuses are: {','.join(self.statuses)}")

    def _shown(self, fields: Mapping[str, str]) -> set[str]:
        return set(self.departments) if fields.get("ignore_dept_assignments") == "true" else self.assigned

    def _meets(self, ticket: Ticket, fields: Mapping[str, str]) -> bool:
        alike = fields.get("subject", "")[:12].lower()
        return (
            alike in ticket.subject.lower()
            and fields.get("deptid", ticket.deptid) == ticket.deptid
            and fields.get("email", ticket.email) == ticket.email
            and fields.get("status", ticket.status) == ticket.status
        )

    def _listed(self, ticket: Ticket, key: str) -> dict[str, Any]:
        return {
            key: str(ticket.id),
            "tid": f"{516757 + ticket.id}",
            "deptid": ticket.deptid,
            "userid": "0",
            "name": ticket.name,
            "email": ticket.email,
            "cc": "",
            "date": ticket.date,
            "subject": ticket.subject,
            "status": ticket.status,
            "priority": ticket.priority,
            "admin": "",
            "lastreply": ticket.lastreply,
            "flag": ticket.flag,
            "merged_ticket_id": ticket.merged,
        }


class WhmcsBench(Bench):
    """The fake with one administrator beside us, and the customers."""

    lacks: ClassVar[Mapping[Ability, str]] = {Ability.KEYS: "WHMCS knows no keys of actions"}
    counts: ClassVar[Mapping[Priority, Priority]] = {Priority.HIGH: Priority.URGENT}

    def __init__(self, ground: Ground) -> None:
        self.whmcs = Whmcs(ground.tools.now)
        self.options: dict[str, Any] = {
            "url": self.whmcs.url,
            "identifier": IDENTIFIER,
            "secret": SECRET,
            "department_id": 2,
            "time_zone": ZONE,
            "admin_username": "vigia",
        }

    def close(self) -> None:
        self.whmcs.close()

    def human_closes(self, ticket: str) -> None:
        self.whmcs.ticket(ticket).status = "Closed"

    def human_answers(self, ticket: str, words: str) -> None:
        found = self.whmcs.ticket(ticket)
        self.whmcs.say(found, words, admin="Ana Paz")
        found.status = "Answered"

    def human_notes(self, ticket: str, words: str) -> None:
        self.whmcs.say(self.whmcs.ticket(ticket), words, admin="Ana Paz", internal=True)

    def human_assigns(self, ticket: str, person: str) -> None:
        logins = {login: number for number, (login, _, _) in self.whmcs.admins.items()}
        self.whmcs.ticket(ticket).flag = logins[person]

    def human_deletes(self, ticket: str) -> None:
        self.whmcs.tickets.remove(self.whmcs.ticket(ticket))

    def human_merges(self, ticket: str, into: str) -> None:
        gone, kept = self.whmcs.ticket(ticket), self.whmcs.ticket(into)
        kept.said += gone.said[1:]
        gone.status, gone.merged = "Closed", into

    def customer_opens(self, subject: str, department: str) -> str:
        numbers = {"soporte": "2", "comercial": "1"}
        fields = {
            "deptid": numbers[department],
            "subject": subject,
            "message": "No funciona.",
            "name": "Luz",
            "email": "luz@example.com",
        }
        return str(self.whmcs.on_openticket(fields)["id"])

    def customer_writes(self, ticket: str, words: str) -> None:
        found = self.whmcs.ticket(ticket)
        self.whmcs.say(found, words, name="Luz")
        found.status = "Customer-Reply"

    def ages(self, ticket: str, by: timedelta) -> None:
        found = self.whmcs.ticket(ticket)
        found.date = f"{datetime.fromisoformat(found.date) - by:%Y-%m-%d %H:%M:%S}"

    def messages(self, ticket: str) -> list[tuple[str, bool, str]]:
        said = self.whmcs.ticket(ticket).said
        return [(each.admin or each.name, each.internal, html.unescape(each.message)) for each in said]

    def lose(self, what: str) -> None:
        match what:
            case "queue":
                del self.whmcs.departments["2"]
            case "status":
                self.whmcs.statuses.remove("Closed")
            case "credentials":
                self.whmcs.secret = "another secret since today"
            case _:
                raise NotImplementedError(what)

    def writes(self, method: str, path: str, body: bytes) -> bool:
        return dict(parse_qsl(body.decode())).get("action") in WRITING
