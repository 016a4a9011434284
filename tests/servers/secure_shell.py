"""A real SSH server (OpenSSH's sshd) on loopback, with keys that a test may change."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.servers.daemons import Daemon

_CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
LogLevel VERBOSE
MaxStartups 200
"""


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> str:
    """Make a key at `path` anew, its public half beside it, and return its fingerprint."""
    for old in (path, Path(f"{path}.pub")):
        old.unlink(missing_ok=True)
    bits = ["-b", "2048"] if kind == "rsa" else []
    command = ["ssh-keygen", "-q", "-t", kind, *bits, "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True, timeout=60)
    shown = subprocess.run(
        ["ssh-keygen", "-lf", f"{path}.pub"], check=True, timeout=60, capture_output=True, text=True
    )
    return shown.stdout.split()[1]


class SecureShell(Daemon):
    """Lets the user of this process in by key; `more` is put before everything else of its configuration."""

    def __init__(self, folder: Path, kinds: Sequence[str] = ("ed25519",), more: str = "") -> None:
        super().__init__(folder, "sshd")
        self._configuration = folder / "sshd_config"
        self._more = more
        self.fingerprints: dict[str, str] = {}
        for kind in kinds:
            self.take_key(kind)

    def take_key(self, kind: str) -> str:
        """Take a new host key of that kind with the next start, and return its fingerprint."""
        self.fingerprints[kind] = make_key(self._key(kind), kind)
        return self.fingerprints[kind]

    def let_in(self, path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
        """Make a key at `path` that is let in."""
        make_key(path, kind, passphrase)
        (self.folder / "authorized_keys").write_text(Path(f"{path}.pub").read_text())
        return path

    def command(self) -> Sequence[str]:
        keys = "".join(f"HostKey {self._key(kind)}\n" for kind in self.fingerprints)
        self._configuration.write_text(
            f"{self._more}\n{keys}{_CONFIGURATION.format(port=self.port, folder=self.folder)}"
        )
        if os.geteuid() == 0:
            # Where it shuts itself in before it knows whom it talks to.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        return ["/usr/sbin/sshd", "-D", "-e", "-f", str(self._configuration)]

    def _key(self, kind: str) -> Path:
        return self.folder / f"host_{kind}"
