"""A real directory (OpenLDAP's slapd) of a few people on loopback, in clear, with StartTLS and inside TLS."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.journeys.house import free_port
from tests.servers.certificates import Files
from tests.servers.daemons import Daemon

BASE = "dc=example,dc=test"
ADMIN = f"cn=admin,{BASE}"
PASSWORD = "hunter2-and-more"

_PEOPLE = ("ana", "berta", "carla")
_CONFIGURATION = """
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
TLSCACertificateFile {files.ca}
TLSCertificateFile {files.certificate}
TLSCertificateKeyFile {files.key}
{more}
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw {password}
directory {folder}/database
maxsize 10485760
"""
_ENTRIES = """
dn: {base}
objectClass: dcObject
objectClass: organization
dc: example
o: Example
"""
_PERSON = """
dn: cn={name},{base}
objectClass: person
cn: {name}
sn: Loja
"""


class Directory(Daemon):
    """Three people below `BASE`; `more` is added to the configuration of the whole server."""

    def __init__(self, folder: Path, files: Files, more: str = "") -> None:
        super().__init__(folder, "slapd")
        self.secured_port = free_port()
        self._configuration = folder / "slapd.conf"
        (folder / "database").mkdir()
        self._configuration.write_text(
            _CONFIGURATION.format(
                folder=folder, files=files, more=more, base=BASE, admin=ADMIN, password=PASSWORD
            )
        )
        entries = _ENTRIES.format(base=BASE) + "".join(
            _PERSON.format(name=name, base=BASE) for name in _PEOPLE
        )
        subprocess.run(
            ["/usr/sbin/slapadd", "-f", str(self._configuration)],
            input=entries.encode(),
            check=True,
            timeout=60,
            capture_output=True,
        )

    def command(self) -> Sequence[str]:
        urls = f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.secured_port}"
        return ["slapd", "-f", str(self._configuration), "-h", urls, "-d", "0"]
