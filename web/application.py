"""The showing side put together: a Flask application, and the byte cache in front of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from web.cache import ByteCache
from web.feeds.routes import feed_addresses
from web.heartbeats import Heartbeats, Inbox
from web.i18n import language_of_path
from web.picture import Picture
from web.public.routes import public_pages, shell
from web.public.support_routes import support_addresses
from web.reader import Reader
from web.reading import Reading
from web.security import protect
from web.telemetry.routes import DYNAMIC, telemetry

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = logging.getLogger(__name__)

BODY_LIMIT = 256 * 1024
_SOON_S = "5"
# A new installation has published nothing yet, so nothing can be called missing.
_NOT_YET = 503
_PLAIN = (
    "La página no está disponible en este momento. Vuelva a intentarlo en unos segundos.\n"
    "The page is not available at the moment. Please try again in a few seconds.\n"
)


def create_app(reader: Reader) -> Flask:
    """Return the application over a reader; starts no thread and opens no file."""
    return _application(reader, Picture(reader))


def create_server_application(reader: Reader, inbox: Inbox | None = None) -> WSGIApplication:
    """Return the application as it is served: with its answers kept as bytes until the picture changes.

    Heartbeats report to `inbox`, in front of everything else; without one there is no such address.
    """
    picture = Picture(reader)
    app = _application(reader, picture)
    cache = ByteCache(
        app.wsgi_app, version=picture.version, monotonic=reader.clock.monotonic, dynamic=DYNAMIC
    )
    return cache if inbox is None else Heartbeats(cache, inbox)


def _application(reader: Reader, picture: Picture) -> Flask:
    app = Flask("web", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=BODY_LIMIT)
    # Left on, these would answer with redirects to whatever host the visitor claims to have asked.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.register_blueprint(public_pages(reader, picture))
    app.register_blueprint(feed_addresses(picture))
    app.register_blueprint(support_addresses(picture))
    app.register_blueprint(telemetry(reader, picture))
    app.register_error_handler(HTTPException, lambda error: _refused(error, picture))
    app.after_request(lambda response: protect(response, picture.latest.site.url if picture.latest else ""))
    return app


def _refused(error: HTTPException, picture: Picture) -> AnyResponse:
    """Answer what cannot be served with a page that helps on; Flask has logged our own faults before this."""
    code = error.code or 500
    if code < 400:
        return error.get_response()
    try:
        response = _page_about(code, picture)
    except Exception:
        log.exception("the page about a fault cannot be shown either")
        response = Response(
            _PLAIN, status=503, content_type="text/plain; charset=utf-8", headers={"Retry-After": _SOON_S}
        )
    if "Allow" in (headers := error.get_response().headers):
        response.headers["Allow"] = headers["Allow"]
    return response


def _page_about(code: int, picture: Picture) -> Response:
    snapshot = picture.current()
    if code == 404 and snapshot.heard_at is None:
        code = _NOT_YET
    reading = Reading(language=language_of_path(request.path, snapshot.site), site=snapshot.site)
    body = render_template("error.html", kind=_kind(code), **shell(snapshot, reading, "/"))
    response = Response(body, status=code, content_type="text/html; charset=utf-8")
    if code == _NOT_YET:
        response.headers["Retry-After"] = _SOON_S
    return response


def _kind(code: int) -> str:
    """Return which of the texts about a refusal fits a status."""
    named = {403: "forbidden", 405: "method", _NOT_YET: "starting"}
    return named.get(code, "broken" if code >= 500 else "missing")
