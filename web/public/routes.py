"""The addresses of the pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from monitor.identifiers import IncidentId
from monitor.language import Language
from monitor.status.snapshot import ServerView, Snapshot
from web.assets import asset_path, find_asset
from web.i18n import both, reading_for
from web.picture import Picture, is_public
from web.public import happenings
from web.public.favicon import favicon
from web.public.history import month_page, parse_month
from web.public.overview import head, overview, server_names
from web.public.server import server_page
from web.public.standing import overall
from web.public.support import support_page
from web.public.support_routes import told_of
from web.reader import Reader
from web.reading import Reading
from web.security import BRIEFLY, FOR_EVER, PUBLIC

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


def public_pages(reader: Reader, picture: Picture) -> Blueprint:
    """Return the pages over one reader."""
    pages = Blueprint("public", __name__)
    views: dict[str, Callable[..., str]] = {
        "/": _overview,
        "/servers/<server>": lambda snapshot, reading, server: _server(reader, snapshot, reading, server),
        "/incidents/<incident>": lambda snapshot, reading, incident: _incident(
            reader, snapshot, reading, incident
        ),
        "/windows/<window>": _window,
        "/support": _support,
        "/history/<month>": lambda snapshot, reading, month: _month(reader, snapshot, reading, month),
    }
    for rule, view in views.items():
        for address in both(rule):
            pages.add_url_rule(address, endpoint=_endpoint(address), view_func=_page(picture, view))
    for address in both("/history"):
        pages.add_url_rule(address, endpoint=_endpoint(address), view_func=_newest(picture))
    pages.add_url_rule("/favicon.svg", view_func=_favicon(picture), endpoint="favicon")
    pages.add_url_rule("/robots.txt", view_func=_robots, endpoint="robots")
    pages.add_url_rule("/static/<name>", view_func=_asset, endpoint="asset")
    return pages


def shell(snapshot: Snapshot, reading: Reading, address: str) -> dict[str, Any]:
    """Return what the frame of every page needs; `address` is the page's own, without its language."""
    site = snapshot.site
    return {
        "reading": reading,
        "say": reading.say,
        "site": site,
        "snapshot": snapshot,
        "head": head(snapshot, reading),
        "address": address,
        "others": [
            Reading(language=language, site=site)
            for language in site.languages
            if language != reading.language
        ],
        "asset_path": asset_path,
        "contacts": [
            (reading.told(office.name).text, office.email) for office in snapshot.departments if office.email
        ],
    }


def _page(picture: Picture, view: Callable[..., str]) -> Callable[..., Response]:
    def serve(language: Language | None = None, **names: str) -> Response:
        snapshot = picture.current()
        reading = reading_for(snapshot.site, language, request.path)
        return _kept(view(snapshot, reading, **names), "text/html; charset=utf-8")

    return serve


def _overview(snapshot: Snapshot, reading: Reading) -> str:
    page = overview(snapshot, reading)
    return render_template("overview.html", page=page, **shell(snapshot, reading, "/"))


def _server(reader: Reader, snapshot: Snapshot, reading: Reading, name: str) -> str:
    server = _server_of(snapshot, name)
    page = server_page(server, reader.response_times(server.id), snapshot, reading)
    return render_template("server.html", page=page, **shell(snapshot, reading, f"/servers/{server.id}"))


def _incident(reader: Reader, snapshot: Snapshot, reading: Reading, name: str) -> str:
    incident = reader.incident(IncidentId(name)) if _ULID.fullmatch(name) else None
    if incident is None or not is_public(incident):
        raise NotFound
    card = happenings.incident_card(incident, server_names(snapshot), reading)
    return render_template(
        "incident.html", page=card, **shell(snapshot, reading, f"/incidents/{incident.id}")
    )


def _window(snapshot: Snapshot, reading: Reading, window: str) -> str:
    known = (*snapshot.active_windows, *snapshot.upcoming_windows, *snapshot.past_windows)
    found = next((one for one in known if one.id == window), None)
    if found is None:
        raise NotFound
    card = happenings.window_card(found, server_names(snapshot), reading)
    return render_template("window.html", page=card, **shell(snapshot, reading, f"/windows/{found.id}"))


def _support(snapshot: Snapshot, reading: Reading) -> str:
    page = support_page(told_of(snapshot), snapshot, reading)
    return render_template("support.html", page=page, **shell(snapshot, reading, "/support"))


def _month(reader: Reader, snapshot: Snapshot, reading: Reading, name: str) -> str:
    month = parse_month(name, reading.day(snapshot.generated_at))
    if month is None:
        raise NotFound
    page = month_page(month, reader.month(*month), snapshot, reading)
    return render_template("history.html", page=page, **shell(snapshot, reading, f"/history/{name}"))


def _newest(picture: Picture) -> Callable[..., AnyResponse]:
    def serve(language: Language | None = None) -> AnyResponse:
        snapshot = picture.current()
        reading = reading_for(snapshot.site, language, request.path)
        return redirect(reading.path(f"/history/{reading.day(snapshot.generated_at):%Y-%m}"))

    return serve


def _favicon(picture: Picture) -> Callable[[], Response]:
    return lambda: _kept(favicon(overall(picture.current())), "image/svg+xml")


def _robots() -> Response:
    return _kept("User-agent: *\nAllow: /\n", "text/plain; charset=utf-8")


def _asset(name: str) -> Response:
    asset = find_asset(name)
    if asset is None:
        raise NotFound
    response = Response(asset.body, content_type=asset.content_type)
    response.headers["Cache-Control"] = FOR_EVER if asset.name == name else BRIEFLY
    return response


def _kept(body: str, content_type: str) -> Response:
    response = Response(body, content_type=content_type)
    response.headers["Cache-Control"] = PUBLIC
    return response


def _server_of(snapshot: Snapshot, name: str) -> ServerView:
    found = next((server for server in snapshot.servers() if server.id == name), None)
    if found is None or not _NAME.fullmatch(name):
        raise NotFound
    return found


def _endpoint(address: str) -> str:
    return re.sub(r"\W+", "_", address).strip("_") or "overview"
