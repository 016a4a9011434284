"""Registries on loopback: RDAP over HTTP and WHOIS over TCP, with answers in the shapes that real ones send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.servers import peers

VERISIGN = """\
   Domain Name: {NAME}
   Registry Domain ID: 2336799_DOMAIN_COM-VRSN
   Registrar WHOIS Server: whois.registrar.test
   Updated Date: 2026-08-14T07:01:34Z
   Creation Date: 1995-08-14T04:00:00Z
   Registry Expiry Date: 2027-08-13T04:00:00Z
   Registrar: A Registrar, Inc.
   Domain Status: clientDeleteProhibited https://icann.org/epp#clientDeleteProhibited
   Domain Status: clientTransferProhibited https://icann.org/epp#clientTransferProhibited
   Name Server: NS1.NODORED.TEST
   DNSSEC: unsigned
>>> Last update of whois database: 2026-11-22T10:00:00Z <<<

NOTICE: The expiration date displayed in this record is the date the registrar's sponsorship of the
domain name registration in the registry is currently set to expire.
"""
NOMINET = """\

    Domain name:
        nodored.test

    Registration status:
        Registered until expiry date.

    Relevant dates:
        Registered on: 11-Jun-1998
        Expiry date:  13-Aug-2027
        Last updated:  12-May-2026
"""
REGISTRO_BR = "domain:      nodored.test\nowner:       Nodored\ncreated:     19990803 #185943\nexpires:     20270813\nstatus:      published\n"
CCTLD_RU = (
    "domain:        NODORED.TEST\nnserver:       ns1.nodored.test.\nstate:         REGISTERED, DELEGATED, VERIFIED\n"
    "created:       1997-09-23T09:45:07Z\npaid-till:     2027-08-13T21:00:00Z\nfree-date:     2027-09-14\n"
)
JPRS = "[Domain Name]                   NODORED.TEST\n[Expires on]                    2027/08/31\n[Status]                        Active\n"
FICORA = "domain.............: nodored.test\nstatus.............: Registered\nexpires............: 13.8.2027 14:00:00\n"
NASK = "DOMAIN NAME:           nodored.test\nrenewal date:          2027.08.13 12:00:00\nREGISTRAR: x\n"
TWNIC = "Domain Name: nodored.test\n   Record expires on 2027-08-13 (YYYY-MM-DD)\n"
TRABIS = "** Domain Name: nodored.test\nCreated on..............: 2001-Aug-23.\nExpires on..............: 2027-Aug-22.\n"
ISNIC = "domain:       nodored.test\ncreated:      January  8 1999\nexpires:      August  6 2027\n"
NIC_SPANISH = "Nombre de dominio: nodored.test\nEstado: Activo\nFecha de expiración: 13-ago-2027\n"
DENIC = "Domain: nodored.test\nStatus: connect\n"
IANA = """\
% IANA WHOIS server

refer:        {server}

domain:       TEST

organisation: Somebody
status:       ACTIVE
whois:        {server}
"""
UNREGISTERED = {
    "verisign": 'No match for domain "NODORED.TEST".\n>>> Last update of whois database: 2026-11-22T10:00:00Z <<<\n',
    "afilias": "NOT FOUND\n>>> Last update of WHOIS database\n",
    "denic": "Domain: nodored.test\nStatus: free\n",
    "ripe": "%% The database\n%ERROR:101: no entries found\n",
    "generic": "The domain nodored.test is available for registration.\n",
    "registry": "Domain not found.\n",
    "no object": "% No Object Found\n",
    "data": "No Data Found\n",
    "spanish": "El dominio no existe\n",
}


def rdap(name: str = "nodored.test", ends: str | None = "2027-08-13T04:00:00Z", *statuses: str) -> bytes:
    """Return an answer of RFC 9083 as the big registries send it."""
    events = [
        {"eventAction": "registration", "eventDate": "1995-08-14T04:00:00Z"},
        {"eventAction": "last changed", "eventDate": "2026-08-14T07:01:34Z"},
        {"eventAction": "last update of RDAP database", "eventDate": "2026-11-22T10:00:00Z"},
    ]
    if ends is not None:
        events.insert(1, {"eventAction": "expiration", "eventDate": ends})
    return json.dumps(
        {
            "objectClassName": "domain",
            "handle": "2336799_DOMAIN_COM-VRSN",
            "ldhName": name.upper(),
            "links": [{"rel": "self", "href": f"https://rdap.test/domain/{name}"}],
            "status": list(statuses) or ["client transfer prohibited"],
            "entities": [{"objectClassName": "entity", "roles": ["registrar"], "vcardArray": ["vcard", []]}],
            "events": events,
            "secureDNS": {"delegationSigned": False},
            "nameservers": [{"objectClassName": "nameserver", "ldhName": "NS1.NODORED.TEST"}],
            "rdapConformance": ["rdap_level_0", "icann_rdap_response_profile_1"],
        }
    ).encode()


def bootstrap(services: Mapping[str, str]) -> bytes:
    """Return a list of RDAP services as IANA publishes it."""
    return json.dumps(
        {
            "version": "1.0",
            "publication": "2026-11-01T00:00:00Z",
            "description": "RDAP bootstrap file for Domain Name System registrations",
            "services": [[[suffix], [url]] for suffix, url in services.items()],
        }
    ).encode()


@dataclass(slots=True)
class Registry:
    """One registry: `pages` by path are what its RDAP answers, `whois` is what its WHOIS says. Both keep who asked for what.

    A page is a status, headers and a body. Text for WHOIS may hold `{NAME}`; None hangs up without a word.
    """

    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    whois: str | None = None
    asked: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    rdap_port: int = 0
    whois_port: int = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.rdap_port}"

    @property
    def whois_server(self) -> str:
        return f"127.0.0.1:{self.whois_port}"

    def told(self, name: str, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer about a domain by RDAP."""
        self.pages[f"/domain/{name}"] = (status, headers, body)


@asynccontextmanager
async def registry(known: Registry) -> AsyncIterator[Registry]:
    """Serve a registry on two ports of loopback."""

    async def over_http(
        found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await found.head(reader)
        path = head.split(b" ")[1].decode()
        known.asked.append(path)
        status, headers, body = known.pages.get(path, (404, {}, b'{"errorCode": 404}'))
        lines = [f"HTTP/1.1 {status} Words", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await found.send(writer, "\r\n".join([*lines, "", ""]).encode() + body)

    async def over_whois(
        found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        query = (await reader.readline()).decode().strip()
        known.queries.append(query)
        if known.whois is not None:
            await found.send(writer, known.whois.replace("{NAME}", query.upper()).encode())

    async with peers.peer(over_http) as web, peers.peer(over_whois) as lines:
        known.rdap_port, known.whois_port = web.port, lines.port
        yield known
