"""The addresses about support that are no pages: a sentence for mail templates, and data for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, Response, request
from markupsafe import escape
from werkzeug.exceptions import NotFound

from monitor.language import Language
from monitor.status.snapshot import Snapshot
from monitor.status.support import SupportView
from web.i18n import both, reading_for
from web.picture import Picture
from web.public.support import sentence_of, support_shape
from web.security import PUBLIC


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A form that the sentence comes in."""

    suffix: str
    content_type: str
    write: Callable[[str], str]


_FORMS = (
    _Form(
        suffix="txt", content_type="text/plain; charset=utf-8", write=lambda said: f"{said}\n" if said else ""
    ),
    _Form(
        suffix="html",
        content_type="text/html; charset=utf-8",
        write=lambda said: f"<p>{escape(said)}</p>\n" if said else "",
    ),
)


def support_addresses(picture: Picture) -> Blueprint:
    """Return the addresses over one picture."""
    room = Blueprint("support", __name__)
    for form in _FORMS:
        for number, rule in enumerate(both(f"/support/answer-time/<department>.{form.suffix}")):
            room.add_url_rule(rule, endpoint=f"{form.suffix}_{number}", view_func=_sentence(picture, form))
    room.add_url_rule("/api/v1/support.json", endpoint="json", view_func=lambda: _data(picture.current()))
    return room


def told_of(snapshot: Snapshot) -> SupportView:
    """Return what there is to tell of support; raises NotFound if there is nothing."""
    if snapshot.support is None or not snapshot.support.is_told:
        raise NotFound
    return snapshot.support


def _sentence(picture: Picture, form: _Form) -> Callable[..., Response]:
    def serve(department: str, language: Language | None = None) -> Response:
        snapshot = picture.current()
        reading = reading_for(snapshot.site, language, request.path)
        said = sentence_of(told_of(snapshot), department, reading)
        if said is None:
            raise NotFound
        return _kept(form.write(said), form.content_type)

    return serve


def _data(snapshot: Snapshot) -> Response:
    shape = support_shape(told_of(snapshot), snapshot)
    return _kept(json.dumps(shape, ensure_ascii=False) + "\n", "application/json")


def _kept(body: str, content_type: str) -> Response:
    response = Response(body, content_type=content_type)
    response.headers["Cache-Control"] = PUBLIC
    return response
