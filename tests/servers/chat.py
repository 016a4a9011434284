"""A real chat server (Prosody) on loopback that speaks XMPP, in clear and with STARTTLS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.servers.certificates import NAME, Files
from tests.servers.daemons import Daemon

_CONFIGURATION = """
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
modules_enabled = {{ "tls", "saslauth", "disco" }}
modules_disabled = {{ "s2s" }}
authentication = "internal_hashed"
log = {{ info = "*console" }}
VirtualHost "{name}"
  ssl = {{ certificate = "{files.certificate}", key = "{files.key}" }}
"""


class Chat(Daemon):
    """Knows the domain `NAME` and nobody in it."""

    def __init__(self, folder: Path, files: Files) -> None:
        super().__init__(folder, "prosody")
        self._configuration = folder / "prosody.cfg.lua"
        self._configuration.write_text(
            _CONFIGURATION.format(folder=folder, port=self.port, files=files, name=NAME)
        )

    def command(self) -> Sequence[str]:
        return ["prosody", "-F", "--config", str(self._configuration)]
