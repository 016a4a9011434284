"""A real mail server (Dovecot) on loopback: submission, local delivery, IMAP and POP3, in clear, with STARTTLS and inside TLS."""

from __future__ import annotations

import grp
import imaplib
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.journeys.house import free_port
from tests.servers.certificates import Files
from tests.servers.daemons import Daemon

USER = "alice"
PASSWORD = "hunter2-and-more"
ADDRESS = f"{USER}@ok.test"

_CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = /dev/stderr
listen = 127.0.0.1
hostname = ok.test
protocols = imap pop3 lmtp submission
default_login_user = {login}
default_internal_user = {internal}
default_internal_group = {internal_group}
ssl = {ssl}
ssl_cert = <{files.certificate}
ssl_key = <{files.key}
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = scheme=plain username_format=%n {folder}/users
}}
userdb {{
  driver = static
  args = uid={owner} gid={owner_group} home={folder}/mail/%n allow_all_users=yes
}}
first_valid_uid = 1
first_valid_gid = 0
mail_location = maildir:{folder}/mail/%n
namespace inbox {{
  inbox = yes
  mailbox Junk {{
    auto = create
  }}
}}
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {daemon.port}
  }}
  inet_listener imaps {{
    port = {daemon.imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {daemon.pop3}
  }}
  inet_listener pop3s {{
    port = {daemon.pop3s}
    ssl = yes
  }}
}}
service submission-login {{
  chroot =
  inet_listener submission {{
    port = {daemon.submission}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {daemon.lmtp}
  }}
}}
{more}
"""


class Dovecot(Daemon):
    """One user with an inbox and a mailbox for junk. What is submitted is handed on to `relay`, a port of loopback.

    It runs as whoever runs the tests; root's mail belongs to nobody, as no mail may be root's own. Its sockets need short paths, and
    nobody a folder that is open to him.
    """

    def __init__(self, files: Files | None, *, relay: int = 1, more: str = "") -> None:
        folder = Path(tempfile.mkdtemp(prefix="dovecot"))
        super().__init__(folder, "dovecot")
        self.imaps, self.pop3, self.pop3s, self.submission, self.lmtp = (free_port() for _ in range(5))
        me, mine = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
        root = os.geteuid() == 0
        owner, owner_group = ("nobody", "nogroup") if root else (me, mine)
        (folder / "mail").mkdir()
        folder.chmod(0o755)
        if root:
            shutil.chown(folder / "mail", owner, owner_group)
        (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
        nothing = Files(Path("/dev/null"), Path("/dev/null"), Path("/dev/null"))
        configuration = _CONFIGURATION.format(
            folder=folder,
            daemon=self,
            files=files or nothing,
            ssl="yes" if files else "no",
            login="dovenull" if root else me,
            internal="dovecot" if root else me,
            internal_group="dovecot" if root else mine,
            owner=owner,
            owner_group=owner_group,
            relay=relay,
            more=more,
        )
        (folder / "dovecot.conf").write_text(configuration)

    def command(self) -> Sequence[str]:
        return ["dovecot", "-F", "-c", str(self.folder / "dovecot.conf")]

    def stop(self, *, keep: bool = False) -> None:
        """End it, and throw its mail away unless it is to start again."""
        super().stop()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def letters(self, mailbox: str = "INBOX") -> list[str]:
        """Return what lies in a mailbox, each message as a text."""
        folder = self.folder / "mail" / USER
        folder = folder if mailbox == "INBOX" else folder / f".{mailbox}"
        return sorted(
            letter.read_text(errors="replace")
            for name in ("new", "cur")
            for letter in (folder / name).glob("*")
        )

    @contextmanager
    def client(self) -> Iterator[imaplib.IMAP4]:
        """Lend a client of the library's that has logged in."""
        with imaplib.IMAP4("127.0.0.1", self.port) as client:
            client.login(USER, PASSWORD)
            yield client

    def put(self, letter: bytes, mailbox: str = "INBOX") -> None:
        """Lay a message into a mailbox."""
        with self.client() as client:
            assert client.append(mailbox, "", "", letter)[0] == "OK"

    def empty(self, mailbox: str = "INBOX") -> None:
        """Throw away what lies in a mailbox."""
        with self.client() as client:
            if client.select(mailbox)[1] != [b"0"]:
                client.store("1:*", "+FLAGS", "(\\Deleted)")
                client.expunge()
