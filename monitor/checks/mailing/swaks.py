"""The shell lines that offer a mail server an envelope or a message, which curl cannot do without sending it."""

from __future__ import annotations

from datetime import timedelta

from monitor.checks.contract import Look
from monitor.checks.mailing.smtp_session import SmtpServer
from monitor.checks.options.shell import joined, word
from monitor.checks.options.targets import bracketed


def swaks_line(server: SmtpServer, look: Look | None, timeout: timedelta) -> str:
    """Return the beginning of a swaks line to the server that a look talked to."""
    goal = look.address if look is not None and look.address is not None else server.host
    words = [
        f"swaks --server {word(bracketed(goal))} --port {server.at_port} --ehlo {word(server.greets_as)}"
    ]
    words += [f"--timeout {max(1, round(timeout.total_seconds()))}"]
    words += [] if server.family == "any" else [f"-{server.family[-1]}"]
    if server.at_once:
        words += ["--tls-on-connect"]
    elif server.starttls is not False:
        words += ["--tls" if server.starttls else "--tls-optional-strict"]
    return " ".join(words)


def swaks_login(server: SmtpServer) -> list[str]:
    """Return the words by which swaks logs in, the password kept out of what it prints."""
    if server.login is None:
        return []
    user, password = joined(server.login.user), joined(server.login.password)
    return [f"--auth-user {user} --auth-password {password} --auth-hide-password"]
