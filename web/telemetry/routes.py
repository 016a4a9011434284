"""The addresses for machines: a scrape, a sign of life, and fitness to serve."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Sequence

from flask import Blueprint, Response, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import Forbidden

from web.picture import Picture
from web.reader import Reader

METRICS, ALIVE, READY = "/metrics", "/healthz", "/readyz"
DYNAMIC = frozenset({METRICS, ALIVE, READY})
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


def telemetry(reader: Reader, picture: Picture) -> Blueprint:
    """Return the addresses for machines over one reader."""
    room = Blueprint("telemetry", __name__)
    room.add_url_rule(METRICS, view_func=_metrics(reader, picture), endpoint="metrics")
    room.add_url_rule(ALIVE, view_func=_alive, endpoint="alive")
    room.add_url_rule(READY, view_func=_ready(reader), endpoint="ready")
    return room


def may_scrape(peer: str, headers: Headers, networks: Sequence[str]) -> bool:
    """May this peer read the metrics? Loopback and the networks of the configuration may.

    What came through a proxy on this machine only looks like loopback: a request that says so is judged as not being
    from here, and a proxy's own address counts only if it lies in a network that is allowed.
    """
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if address.is_loopback and not any(name in headers for name in _FORWARDED):
        return True
    return any(address in ipaddress.ip_network(network, strict=False) for network in networks)


def _metrics(reader: Reader, picture: Picture) -> Callable[[], Response]:
    def serve() -> Response:
        networks = picture.current().site.metrics_networks
        if not may_scrape(request.remote_addr or "", request.headers, networks):
            raise Forbidden
        metrics = reader.metrics()
        if "application/openmetrics-text" in request.headers.get("Accept", ""):
            return Response(metrics.openmetrics, content_type=OPENMETRICS)
        return Response(metrics.text, content_type=TEXT)

    return serve


def _alive() -> Response:
    return Response("ok\n", content_type="text/plain; charset=utf-8")


def _ready(reader: Reader) -> Callable[[], Response]:
    def serve() -> Response:
        readiness = reader.readiness()
        body = json.dumps({"ready": readiness.ok, "problems": readiness.problems}, ensure_ascii=False)
        return Response(body + "\n", status=200 if readiness.ok else 503, content_type="application/json")

    return serve
