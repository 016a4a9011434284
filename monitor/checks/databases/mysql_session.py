"""A query over PyMySQL, on a socket that is lent to it. Imported only when somebody logs in: not every installation has the library."""

from __future__ import annotations

import contextlib
import io
import socket
import struct
from typing import IO, TYPE_CHECKING, Any, NoReturn, cast

from pymysql import err
from pymysql.connections import Connection
from pymysql.converters import encoders

from monitor.checks.databases.mysql_packets import Greeted, Greeting, capabilities, packet
from monitor.checks.databases.rows import Rows, gathered
from monitor.checks.databases.sql import CannotLogInError, Question, RefusedError, UnreadableError

if TYPE_CHECKING:
    _Connection = Connection[Any]
else:
    _Connection = Connection

# What the library raises by itself, not because the server said so, has a number of two thousand and something.
_OF_THE_LIBRARY = range(2000, 3000)
# What it raises over bytes that are not what they should be.
_UNREADABLE = (struct.error, ValueError, LookupError, AssertionError, ArithmeticError)


def ask(sock: socket.socket, greeted: Greeted, question: Question) -> Rows:
    """Log in and return what the query gives, no rows without one.

    Raises RefusedError, CannotLogInError or UnreadableError.
    """
    session = _Session(greeted, question)
    try:
        session.connect(sock)
        return _asked(session, greeted.greeting, question) if question.query else Rows((), None, 0)
    except err.MySQLError as error:
        raise _judged(error) from error
    except RuntimeError as error:
        # So the library says that it lacks a part of its own.
        raise CannotLogInError(str(error)) from error
    except _UNREADABLE as error:
        raise UnreadableError(type(error).__name__) from error
    finally:
        with contextlib.suppress(err.MySQLError):
            session.close()


class _Refused:
    """Ways of logging in that show the password, or nearly, to whoever asks for them."""

    def __init__(self, session: _Connection) -> None:
        del session

    def authenticate(self, _packet: object) -> NoReturn:
        raise CannotLogInError("it asks for the password in clear, or nearly so")


class _Session(_Connection):
    """A connection that was greeted, and secured, by ourselves before."""

    _rfile: IO[bytes] | None
    _result: Any
    _next_seq_id: int

    def __init__(self, greeted: Greeted, question: Question) -> None:
        super().__init__(
            user=question.login.user,
            password=question.login.password.encode(),
            database=question.database or None,
            charset="utf8mb4",
            # Values stay text: what they are held to says what they mean.
            conv=cast("Any", encoders),
            ssl_disabled=True,
            defer_connect=True,
            auth_plugin_map={
                "mysql_clear_password": _Refused,
                "mysql_old_password": _Refused,
                "dialog": _Refused,
            },
        )
        self.client_flag = capabilities(secured=greeted.secured, database=bool(question.database))
        self._greeted = greeted
        self._secure = greeted.secured

    def _get_server_information(self) -> None:
        answers, self._rfile = self._rfile, io.BytesIO(packet(self._greeted.payload, 0))
        try:
            super()._get_server_information()  # type: ignore[misc]  # its types leave it out
        finally:
            self._rfile = answers
        # Asking for TLS was a packet of its own.
        self._next_seq_id += int(self._greeted.secured)

    def _force_close(self) -> None:
        answers, self._rfile = self._rfile, None
        super()._force_close()  # type: ignore[misc]  # as above
        # Left to itself it would keep the socket open until it is collected.
        if answers is not None:
            answers.close()


def _asked(session: _Session, greeting: Greeting, question: Question) -> Rows:
    # Servers older than this setting think as long as they like.
    with contextlib.suppress(err.MySQLError):
        session.query(_patience(greeting, question.seconds))
    session.query("START TRANSACTION READ ONLY")
    session.query(question.query)
    result = session._result  # noqa: SLF001 - a cursor would fill in parameters, and mistake every % for one
    return gathered([str(column[0]) for column in result.description or ()], result.rows or ())


def _patience(greeting: Greeting, seconds: float) -> str:
    if "mariadb" in greeting.version.lower():
        return f"SET SESSION max_statement_time = {seconds:.3f}"
    return f"SET SESSION max_execution_time = {max(1, round(1000 * seconds))}"


def _judged(error: err.MySQLError) -> Exception:
    code, words = (*error.args, "", "")[:2]
    if not isinstance(code, int):
        return UnreadableError(str(code)[:80])
    if code in _OF_THE_LIBRARY:
        # 2059 and 2061: a way of logging in that it has no part for.
        return CannotLogInError(str(words)) if code in {2059, 2061} else UnreadableError(str(words)[:80])
    return RefusedError(str(code), str(words))
