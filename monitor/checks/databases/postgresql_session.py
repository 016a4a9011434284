"""A query over pg8000, on a socket that is lent to it. Imported only when somebody logs in: not every installation has the library."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections import defaultdict

from pg8000.core import CoreConnection, scramp  # type: ignore[import-untyped]
from pg8000.exceptions import DatabaseError, InterfaceError  # type: ignore[import-untyped]

from monitor.checks.databases.postgresql_messages import ROUNDS_LIMIT, rounds_of
from monitor.checks.databases.rows import Rows, gathered
from monitor.checks.databases.sql import CannotLogInError, Question, RefusedError, UnreadableError

# What the library raises over bytes that are not what they should be.
_UNREADABLE = (struct.error, ValueError, LookupError, AssertionError, ArithmeticError, scramp.ScramException)
# The ways of logging in that it has a part for, and the one that shows the password to whoever asks.
_KNOWN = frozenset({0, 3, 5, 10, 11, 12})
_IN_CLEAR, _CHALLENGE = 3, 11


def ask(sock: socket.socket, question: Question, *, secured: bool) -> Rows:
    """Log in and return what the query gives, no rows without one; `secured` tells whether the bytes run inside TLS.

    Raises RefusedError, CannotLogInError or UnreadableError.
    """
    session = None
    try:
        session = _Session(sock, question, secured=secured)
        return _asked(session, question) if question.query else Rows((), None, 0)
    except DatabaseError as error:
        raise _judged(error) from error
    except (InterfaceError, *_UNREADABLE) as error:
        raise UnreadableError(str(error)[:80] or type(error).__name__) from error
    finally:
        if session is not None:
            with contextlib.suppress(InterfaceError):
                session.close()


class _Session(CoreConnection):  # type: ignore[misc]  # the library has no types
    """A connection that gives its password to nobody who asks for it in clear, and its time to nobody who asks for much."""

    def __init__(self, sock: socket.socket, question: Question, *, secured: bool) -> None:
        self._secured = secured
        super().__init__(
            question.login.user,
            database=question.database or None,
            password=question.login.password,
            ssl_context=False,
            application_name="vigia",
            sock=sock,
        )
        # Values stay text: what they are held to says what they mean.
        self.pg_types: defaultdict[int, type[str]] = defaultdict(lambda: str)

    def handle_AUTHENTICATION_REQUEST(self, data: bytes, context: object) -> None:  # noqa: N802 - the library's name
        code = int.from_bytes(data[:4], "big")
        if code not in _KNOWN:
            raise CannotLogInError(f"it asks for a login of kind {code}, which is not known here")
        if code == _IN_CLEAR and not self._secured:
            raise CannotLogInError("it asks for the password in clear, outside of TLS")
        if code == _CHALLENGE and rounds_of(data[4:]) > ROUNDS_LIMIT:
            raise UnreadableError(f"it wants the password stirred {rounds_of(data[4:])} times")
        super().handle_AUTHENTICATION_REQUEST(data, context)


def _asked(session: _Session, question: Question) -> Rows:
    milliseconds = max(1, round(1000 * question.seconds))
    session.execute_simple("BEGIN READ ONLY")
    session.execute_simple(f"SET LOCAL statement_timeout = {milliseconds}")
    context = session.execute_unnamed(question.query)
    columns = [str(column["name"]) for column in context.columns or ()]
    return gathered(columns, context.rows or ())


def _judged(error: DatabaseError) -> Exception:
    fields = error.args[0] if error.args else None
    if not isinstance(fields, dict) or not fields.get("M"):
        return UnreadableError("a refusal without words")
    severity = fields.get("V") or fields.get("S") or "ERROR"
    return RefusedError(str(fields.get("C", "")), f"{severity}: {fields['M']}")
