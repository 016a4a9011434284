"""Real database servers on loopback, small, with a certificate of the test's own and a few accounts."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.certificates import Files
from tests.servers.daemons import Daemon

USER, PASSWORD = "vigia", "hunter2-and-more"


class Mariadb(Daemon):
    """A MariaDB server with the user `vigia`, who may read the table `fleet.servers` (gye1 with 3 checks, uio1 with 5)."""

    def __init__(self, folder: Path, files: Files, *options: str) -> None:
        super().__init__(folder, "mariadbd")
        self.socket = folder / "socket"
        self._data = folder / "data"
        self._options = (
            f"--ssl-ca={files.ca}",
            f"--ssl-cert={files.certificate}",
            f"--ssl-key={files.key}",
            *options,
        )
        install = ["mariadb-install-db", "--no-defaults", *_as_root(), f"--datadir={self._data}"]
        self._run([*install, "--auth-root-authentication-method=normal", "--skip-test-db"])

    def command(self) -> Sequence[str]:
        return [
            "mariadbd",
            "--no-defaults",
            *_as_root(),
            f"--datadir={self._data}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'pid'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--log-warnings=4",
            "--innodb-buffer-pool-size=8M",
            "--key-buffer-size=1M",
            *self._options,
        ]

    def environment(self) -> Mapping[str, str]:
        # Several of them at once would trip over each other's temporary tables in the common folder.
        return {"TMPDIR": str(self.folder)}

    def fill(self) -> None:
        """Make the user and the table; the server runs."""
        self.run(f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'")
        self.run(
            "CREATE DATABASE fleet; CREATE TABLE fleet.servers (name TEXT, checks INT, note BLOB);"
            "INSERT INTO fleet.servers VALUES ('gye1', 3, NULL), ('uio1', 5, x'00ff')"
        )
        self.run(f"GRANT ALL ON fleet.* TO '{USER}'@'%'")

    def run(self, sql: str) -> str:
        """Run statements as the administrator and return what they answer."""
        return self._run(
            [
                "mariadb",
                "--no-defaults",
                f"--socket={self.socket}",
                "-uroot",
                "-N",
                "--delimiter=//",
                "-e",
                sql,
            ]
        )

    def _run(self, command: Sequence[str]) -> str:
        environment = {**os.environ, **self.environment()}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
        return done.stdout


@contextmanager
def postgresql_folder() -> Iterator[Path]:
    """Lend a folder that the account of PostgreSQL may pass, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="vigia-postgresql-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


class Postgresql(Daemon):
    """A PostgreSQL server with the user `vigia`, who may read the table `servers` of the database `fleet`.

    It refuses to run as root, and then runs as the account that Debian made for it. The folder must let that account pass: one of
    pytest's own does not, for pytest closes them to others whenever it starts.
    """

    def __init__(self, folder: Path, files: Files, *options: str) -> None:
        super().__init__(folder, "postgres")
        (self._programs,) = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
        self._account = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._data = folder / "data"
        self._options = options
        self._data.mkdir(mode=0o700)
        self.log.touch()
        secret = folder / "password"
        secret.write_text(PASSWORD)
        for path in (self._data, secret):
            os.chown(path, self._account.pw_uid, self._account.pw_gid)
        self._run(
            "initdb",
            "-D",
            str(self._data),
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
            f"--pwfile={secret}",
            "--no-sync",
        )
        for name, source in (("server.crt", files.certificate), ("server.key", files.key)):
            target = self._data / name
            target.write_bytes(source.read_bytes())
            target.chmod(0o600)
            os.chown(target, self._account.pw_uid, self._account.pw_gid)

    def command(self) -> Sequence[str]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "ssl": "on",
            "fsync": "off",
            "shared_buffers": "2MB",
            **dict(option.split("=", 1) for option in self._options),
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [*self._as_account(), str(self._programs / "postgres"), "-D", str(self._data), *words]

    def fill(self) -> None:
        """Make the user and the table; the server runs."""
        self.run(f"CREATE USER {USER} PASSWORD '{PASSWORD}'")
        self.run(f"CREATE DATABASE fleet OWNER {USER}")
        self.run(
            "CREATE TABLE servers (name text, checks int, fine bool, note bytea);"
            "INSERT INTO servers VALUES ('gye1', 3, true, NULL), ('uio1', 5, false, 'x')",
            database="fleet",
        )
        self.run(f"GRANT ALL ON servers TO {USER}", database="fleet")

    def run(self, sql: str, database: str = "postgres") -> str:
        """Run statements as the administrator and return what they answer."""
        return self._run(
            "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-AtXc", sql, database
        )

    def _listens(self) -> bool:
        if not super()._listens():
            return False
        ready = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, timeout=60, check=False).returncode == 0

    def _run(self, program: str, *words: str) -> str:
        done = subprocess.run(
            [*self._as_account(), str(self._programs / program), *words],
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "PGPASSWORD": PASSWORD, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _as_account(self) -> list[str]:
        if os.getuid() == self._account.pw_uid:
            return []
        uid, gid = str(self._account.pw_uid), str(self._account.pw_gid)
        return ["setpriv", "--reuid", uid, "--regid", gid, "--clear-groups"]


class Redis(Daemon):
    """A Redis server; `options` are those of its command line."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder, "redis")
        self._options = options

    def command(self) -> Sequence[str]:
        fixed = ["--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        at = [] if "--tls-port" in self._options else ["--port", str(self.port)]
        return ["redis-server", *fixed, *at, *(option.format(port=self.port) for option in self._options)]

    def environment(self) -> Mapping[str, str]:
        return {"LC_ALL": "C.UTF-8"}


class Memcached(Daemon):
    """A memcached server; `options` are those of its command line."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder, "memcached")
        self._options = options

    def command(self) -> Sequence[str]:
        account = ["-u", "root"] if os.getuid() == 0 else []
        return ["memcached", "-l", "127.0.0.1", "-p", str(self.port), *account, "-m", "8", *self._options]


def _as_root() -> list[str]:
    return ["--user=root"] if os.getuid() == 0 else []
