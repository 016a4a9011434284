"""A hosting panel in small: a login with a hidden token and a session cookie, a dashboard behind it, and an API that hands out tokens.

It is a real Flask application on a real server, so that sessions, redirects and forms are what they are in the wild.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import Flask, Response, abort, redirect, request, session
from werkzeug.serving import make_server

USER, PASSWORD = "demo", "correct horse & battery"

_LOGIN = """<!doctype html><title>Ingresar</title><form method="post">
<input type="hidden" name="csrf" value="{token}"><input name="user"><input name="pass" type="password"></form>{said}"""


@dataclass(slots=True)
class Panel:
    """A running panel, what it was asked for, and a switch that breaks what lies behind the login."""

    url: str = ""
    broken: bool = False
    asked: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)


@contextmanager
def panel() -> Iterator[Panel]:
    """Run a panel on a free port of loopback."""
    found = Panel()
    server = make_server("127.0.0.1", 0, _application(found), threaded=True)
    found.url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _application(found: Panel) -> Flask:
    app = Flask("panel")
    app.secret_key = secrets.token_bytes(16)

    @app.before_request
    def note() -> None:
        found.asked.append(f"{request.method} {request.path}")

    def new_token() -> str:
        # With letters that mean something in HTML, in URLs and in shells.
        found.tokens.append(f"{secrets.token_hex(12)}+/=&'\"$")
        return found.tokens[-1]

    @app.get("/login")
    def form() -> str:
        session["csrf"] = new_token()
        return _LOGIN.format(token=session["csrf"].replace("&", "&amp;").replace('"', "&quot;"), said="")

    @app.post("/login")
    def login() -> Response | tuple[str, int]:
        if request.form.get("csrf") != session.get("csrf"):
            return "the form has expired", 403
        if (request.form.get("user"), request.form.get("pass")) != (USER, PASSWORD):
            return _LOGIN.format(token=session["csrf"], said="wrong password"), 200
        session["user"] = USER
        return redirect("/dashboard")

    @app.get("/dashboard")
    def dashboard() -> tuple[str, int] | Response:
        if "user" not in session:
            return redirect("/login")
        if found.broken:
            return f"Fatal error in session {session['csrf']}", 500
        return "Bienvenido, demo. Disk: 42 GB", 200

    @app.post("/api/login")
    def api_login() -> dict[str, object] | tuple[dict[str, object], int]:
        given = request.get_json() if request.is_json else request.form
        if (given.get("user"), given.get("pass")) != (USER, PASSWORD):
            return {"status": 0, "message": "login_failed"}, 401
        session["token"] = f"/cpsess{secrets.randbelow(10**10):010d}"
        found.tokens.append(session["token"])
        return {"status": 1, "security_token": session["token"]}

    @app.get("/<token>/frontend/index.html")
    def frontend(token: str) -> str:
        if session.get("token") != f"/{token}":
            abort(401)
        return "Tools"

    return app
