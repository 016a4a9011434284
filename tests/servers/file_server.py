"""A real file server (vsftpd) on loopback, in clear, with AUTH TLS or inside TLS, that knows anonymous by a password."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.servers.certificates import Files
from tests.servers.daemons import Daemon

PASSWORD = "hunter2@and.more"

_CONFIGURATION = """
listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
run_as_launching_user=YES
seccomp_sandbox=NO
anonymous_enable=YES
local_enable=NO
anon_root={root}
secure_email_list_enable=YES
email_password_file={folder}/passwords
ftpd_banner=Files of the test
xferlog_enable=NO
{more}
"""
_SECURED = """
ssl_enable=YES
allow_anon_ssl=YES
rsa_cert_file={files.certificate}
rsa_private_key_file={files.key}
"""


class FileServer(Daemon):
    """Lists `root`; `more` is added to the configuration."""

    def __init__(self, folder: Path, files: Files | None = None, more: str = "") -> None:
        super().__init__(folder, "vsftpd")
        self.root = folder / "root"
        (self.root / "pub").mkdir(parents=True)
        (self.root / "empty place").mkdir()
        for name in ("a", "b", ".hidden"):
            (self.root / "pub" / name).write_text(name)
        # It lets nobody in where everybody may write.
        self.root.chmod(0o555)
        (folder / "passwords").write_text(f"{PASSWORD}\n")
        secured = "" if files is None else _SECURED.format(files=files)
        self._configuration = folder / "vsftpd.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(port=self.port, root=self.root, folder=folder, more=secured + more)
        )

    def command(self) -> Sequence[str]:
        return ["vsftpd", str(self._configuration)]
