"""What an `http` check takes: one request, or several steps one after the other."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urljoin, urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from monitor.checks.browsing import json_paths
from monitor.checks.browsing.expectations import AnswerExpectation, AnyJson, Expectation, Headers
from monitor.checks.browsing.placeholders import NAME, placeholders
from monitor.checks.browsing.redirects import clean_url
from monitor.checks.contract import HttpVersion, Options
from monitor.checks.options import patterns
from monitor.checks.options.targets import REFERENCE, is_address, split_host_port
from monitor.language.refusals import RefusalError

_LEADING = ("http://", "https://")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_BEARER = re.compile(r"[^\x00-\x20\x7f]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SENT_LIMIT = 64 * 1024

Method = Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]


def _url(text: str) -> str:
    if not REFERENCE.search(text):
        return clean_url(text)
    if not text.startswith((*_LEADING, "${")):
        raise RefusalError("options.url.form", found=text)
    return text


def _step_url(text: str) -> str:
    plain = REFERENCE.sub("reference", NAME.sub("name", text))
    if _SCHEME.match(plain) and not plain.startswith(_LEADING):
        raise RefusalError("options.step.url", found=text)
    clean_url(plain if plain.startswith(_LEADING) else urljoin("http://host.invalid/", plain))
    if any(NAME.search(part) for part in urlsplit(text)[:2]):
        raise RefusalError("options.step.placeholder", found=text)
    return text


def _proxy(text: str) -> str:
    if REFERENCE.search(text):
        return text
    if "@" in text:
        raise RefusalError("options.proxy.user")
    try:
        parts = urlsplit(text)
        fit = parts.scheme == "http" and parts.path in {"", "/"} and not parts.query
        split_host_port(parts.netloc)
    except ValueError:
        fit = False
    if not fit:
        raise RefusalError("options.proxy.form", found=text)
    return text


def _version(value: object) -> object:
    """Return how HTTP's version is written, also where YAML read a number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _credential(text: str) -> str:
    if _CONTROL.search(text):
        raise RefusalError("options.one_line")
    return text


def _user(text: str) -> str:
    if ":" in REFERENCE.sub("", text):
        raise RefusalError("options.http.user")
    return _credential(text)


def _token(text: str) -> str:
    if not _BEARER.fullmatch(text):
        raise RefusalError("options.http.bearer")
    return text


class HttpUser(Options):
    """A user and a password."""

    user: Annotated[str, AfterValidator(_user)] = Field(min_length=1, description="The user's name.")
    password: Annotated[str, AfterValidator(_credential)] = Field(description="The password, as a reference.")


class HttpCertificate(Options):
    """A client certificate."""

    file: str = Field(
        min_length=1, description="The file of the certificate and what leads to its issuer (PEM)."
    )
    key: str | None = Field(
        default=None, min_length=1, description="The file of its private key; the same file if left out."
    )
    password: str | None = Field(
        default=None, min_length=1, description="What opens an encrypted key, as a reference."
    )


class HttpSent(Options):
    """What one request says."""

    model_config = ConfigDict(serialize_by_alias=True)

    method: Method | None = Field(
        default=None, description="The method to ask with; GET, or POST when something is sent."
    )
    headers: Headers = Field(
        default_factory=dict,
        description="Headers to send; secrets as references. They stay with the origin they are meant for.",
    )
    body: str | None = Field(default=None, max_length=_SENT_LIMIT, description="A text to send.")
    form: dict[str, str] | None = Field(
        default=None, description="Fields of a form to send, as a browser does."
    )
    document: AnyJson = Field(default=None, alias="json", description="A JSON document to send.")

    @property
    def sends(self) -> bool:
        """Is there anything to send?"""
        return not (self.body is None and self.form is None and self.document is None)

    @property
    def asked_by(self) -> Method:
        """The method to ask with."""
        return self.method or ("POST" if self.sends else "GET")

    @model_validator(mode="after")
    def _sends_one_thing(self) -> Self:
        given = [self.body is not None, self.form is not None, self.document is not None]
        if sum(given) > 1:
            raise RefusalError("options.http.sent")
        if self.method == "HEAD" and any(given):
            raise RefusalError("options.http.head")
        return self


class HttpCapture(Options):
    """Where a value is found that later steps send: exactly one of them."""

    model_config = ConfigDict(serialize_by_alias=True)

    path: json_paths.Path | None = Field(
        default=None, alias="json", description="A path into the JSON body; the first value there."
    )
    header: str | None = Field(default=None, min_length=1, description="The name of a header.")
    matches: patterns.Pattern | None = Field(
        default=None, description="A pattern of RE2 with one group, in the first 64 KiB of the body."
    )
    cookie: str | None = Field(default=None, min_length=1, description="The name of a cookie that was set.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [one for one in (self.path, self.header, self.matches, self.cookie) if one is not None]
        if len(given) != 1:
            raise RefusalError("options.capture.one")
        if self.matches is not None and patterns.groups_of(self.matches) != 1:
            raise RefusalError("options.capture.group", found=self.matches)
        return self


CaptureName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]


class HttpStep(HttpSent):
    """One request of several."""

    url: Annotated[str, AfterValidator(_step_url)] = Field(
        description="Where to ask: an address, or a path at the check's own."
    )
    expect: AnswerExpectation = Field(
        default_factory=AnswerExpectation, description="What the answer is held to."
    )
    capture: dict[CaptureName, HttpCapture] = Field(
        default_factory=dict,
        max_length=20,
        description="Values to take from the answer, by the name that later steps write in braces.",
    )

    @property
    def uses(self) -> frozenset[str]:
        """The names that this step writes in braces."""
        return placeholders([self.url, self.body, self.form, self.document, list(self.headers.values())])


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


# What most checks expect is one and the same for fifty thousand of them.
_PLAIN = Expectation()


class HttpOptions(HttpSent):
    """What an `http` check takes."""

    url: Annotated[str, AfterValidator(_url)] = Field(
        description="The address to ask, http or https; http://<the server's host>/ if left out."
    )
    basic: HttpUser | None = Field(default=None, description="User and password for the origin of `url`.")
    bearer: Annotated[str, AfterValidator(_token)] | None = Field(
        default=None, description="A bearer token for the origin of `url`, as a reference."
    )
    expect: Expectation = Field(default_factory=lambda: _PLAIN, description="What the answer is held to.")
    steps: Annotated[tuple[HttpStep, ...], BeforeValidator(_listed)] = Field(
        default=(),
        max_length=20,
        description="Requests one after the other, cookies kept between them, each with expectations of its own.",
    )
    follow: bool = Field(default=True, description="Follow redirects, each hop resolved and judged anew.")
    redirects: int = Field(default=5, ge=0, le=10, description="How many redirects are followed at most.")
    version: Annotated[HttpVersion, BeforeValidator(_version)] = Field(
        default="1.1", description="1.1; 2: HTTP/2 must be spoken; auto: whichever the server prefers."
    )
    family: Literal["any", "ipv4", "ipv6", "both"] = Field(
        default="any", description="Which addresses to use: any, ipv4, ipv6, or both, judged apart."
    )
    proxy: Annotated[str, AfterValidator(_proxy)] | None = Field(
        default=None, description="An HTTP proxy to go through, http://host:port."
    )
    proxy_auth: HttpUser | None = Field(default=None, description="User and password for the proxy.")
    cert: HttpCertificate | None = Field(
        default=None, description="A client certificate to show to the origin of `url`."
    )
    ca: str | None = Field(
        default=None,
        min_length=1,
        description="A file of CA certificates (PEM) to trust instead of the system's.",
    )
    verify: bool = Field(default=True, description="Whether a bad certificate counts as a fault.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        credentials = [self.basic, self.bearer, _named(self.headers, "authorization")]
        if sum(one is not None for one in credentials) > 1:
            raise RefusalError("options.http.credentials")
        if self.proxy_auth is not None and self.proxy is None:
            raise RefusalError("options.proxy.none")
        if self.version == "2" and self.url.startswith("http:"):
            raise RefusalError("options.http.version")
        self._judges_families_apart()
        return self

    def _judges_families_apart(self) -> None:
        if self.family != "both":
            return
        if self.proxy is not None:
            raise RefusalError("options.http.family_of_proxy")
        if not REFERENCE.search(self.url) and is_address(urlsplit(self.url).hostname or ""):
            raise RefusalError("options.http.family_of_address")

    @model_validator(mode="after")
    def _steps_fit(self) -> Self:
        if not self.steps:
            return self
        elsewhere = Expectation(within=self.expect.within, certificate=self.expect.certificate)
        if self.sends or self.method is not None or self.expect != elsewhere:
            raise RefusalError("options.step.beside")
        used: frozenset[str] = frozenset()
        for number, step in reversed(list(enumerate(self.steps, start=1))):
            unused = step.capture.keys() - used
            if unused:
                raise RefusalError("options.step.unused", name=min(unused), step=number)
            used |= step.uses
        return self


def _named(headers: dict[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name), None)
