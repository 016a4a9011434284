"""What every answer tells the browser not to do."""

from __future__ import annotations

from flask import Response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PUBLIC = "public, max-age=5, stale-while-revalidate=30, stale-if-error=86400"
FOR_EVER = "public, max-age=31536000, immutable"
BRIEFLY = "public, max-age=60"
NEVER = "no-store"
_YEAR = "max-age=31536000"
ALWAYS = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


def protect(response: Response, site_url: str) -> Response:
    """Return the response with the headers that hold everywhere; what says nothing of keeping is not kept."""
    for name, value in ALWAYS:
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", NEVER)
    if site_url.startswith("https://"):
        response.headers["Strict-Transport-Security"] = _YEAR
    return response
