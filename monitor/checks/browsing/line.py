"""The shell line that repeats an `http` look with curl, secrets left as references."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from urllib.parse import quote_plus, urljoin

from monitor.checks.browsing import json_paths
from monitor.checks.browsing.expectations import AnswerExpectation
from monitor.checks.browsing.options import HttpCapture, HttpOptions, HttpSent, HttpStep
from monitor.checks.browsing.placeholders import NAME
from monitor.checks.browsing.redirects import REDIRECTS, Hop, origin_of
from monitor.checks.contract import Look
from monitor.checks.options.shell import header, joined, word
from monitor.checks.options.targets import REFERENCE, bracketed, is_address

# Prints the group, read as a browser reads it: a page writes `&` as `&amp;`.
_FOUND = (
    "BEGIN {$p = shift} if (/$p/) {$_ = $1; s/&quot;/\\x22/g; s/&lt;/</g; s/&gt;/>/g; "
    "s/&#(\\d+);/chr $1/ge; s/&#x([0-9a-f]+);/chr hex $1/gie; s/&amp;/&/g; print}"
)
Names = frozenset[str]
_NONE: Names = frozenset()
_VERSIONS = {"1.1": "--http1.1", "2": "--http2", "auto": "--http2"}


def line(options: HttpOptions, look: Look | None, timeout: timedelta) -> str:
    """Return one curl call; for several steps all of them, joined so that each follows only when it could be asked."""
    if options.steps:
        return _walk(options, look, timeout)
    words = [*_usual(options, options.expect, timeout), *_family(options, look), *_output(options.expect)]
    # Cookies are kept on the way, so curl must keep them too.
    words += ["-b ''"] if look is not None and look.via else []
    words += [*_credentials(options), *_sent(options), *_pinned(options, look), word(options.url)]
    whole = f"{' '.join(words)}  # expect {_expected(options.expect)}"
    if options.family == "both" and look is None:
        return (
            f"for family in 4 6; do {whole.partition('  #')[0]}; done  # expect {_expected(options.expect)}"
        )
    return whole


def _usual(options: HttpOptions, expect: AnswerExpectation, timeout: timedelta) -> list[str]:
    words = ["curl -sS", _VERSIONS[options.version], f"-m {max(0.001, timeout.total_seconds()):g}"]
    follows = options.follow and not any(map(expect.allows, REDIRECTS))
    words += [f"-L --max-redirs {options.redirects}"] if follows else []
    words += [f"--cacert {word(options.ca)}"] if options.ca else []
    words += [] if options.verify else ["-k"]
    words += _through(options)
    return words


def _through(options: HttpOptions) -> list[str]:
    if options.proxy is None:
        return []
    user = options.proxy_auth
    return [
        f"--noproxy '' -x {word(options.proxy)}",
        *([f"-U {joined(user.user, ':', user.password)}"] if user is not None else []),
    ]


def _credentials(options: HttpOptions) -> list[str]:
    words = []
    if options.cert is not None:
        words += [f"--cert {word(options.cert.file)}"]
        words += [f"--key {word(options.cert.key)}"] if options.cert.key else []
        words += [f"--pass {joined(options.cert.password)}"] if options.cert.password else []
    if options.basic is not None:
        words += [f"-u {joined(options.basic.user, ':', options.basic.password)}"]
    if options.bearer is not None:
        words += [f"-H {joined('Authorization: Bearer ', options.bearer)}"]
    return words


def _family(options: HttpOptions, look: Look | None) -> list[str]:
    if options.family == "both":
        if look is None:
            return ["-$family"]
        return [] if look.address is None else ["-6" if ":" in look.address else "-4"]
    return [] if options.family == "any" else [f"-{options.family[-1]}"]


def _output(expect: AnswerExpectation) -> list[str]:
    """Show the head, and the body where the verdict hangs on it."""
    return ["-i"] if expect.of_the_body else ["-o /dev/null -D -"]


def _sent(sent: HttpSent, names: Names = _NONE) -> list[str]:
    """Return what makes curl say the same. Captured names in braces become variables of the shell."""
    words = _headers(sent.headers, names)
    named = {name.lower() for name in sent.headers}
    if sent.form is not None:
        words += [
            f"--data-urlencode {joined(f'{_field(name, names)}=', _variables(value, names))}"
            for name, value in sent.form.items()
        ] or ["--data-raw ''"]
    elif sent.document is not None:
        words += [] if "content-type" in named else ["-H 'Content-Type: application/json'"]
        words += [f"--data-raw {joined(_variables(json.dumps(sent.document), names))}"]
    elif sent.body is not None:
        words += [] if "content-type" in named else ["-H 'Content-Type: text/plain; charset=utf-8'"]
        words += [f"--data-raw {joined(_variables(sent.body, names))}"]
    return [*words, *_method(sent)]


def _headers(headers: Mapping[str, str], names: Names = _NONE) -> list[str]:
    # By `X:` curl means a header that it shall leave away.
    return [
        f"-H {header(name, _variables(value, names)) if value else word(f'{name};')}"
        for name, value in headers.items()
    ]


def _method(sent: HttpSent) -> list[str]:
    if sent.asked_by in {"POST", "PUT", "PATCH"} and not sent.sends:
        # As a browser does, a POST becomes a GET on its way; `-X POST` would stay one.
        return ["--data-raw ''", *([] if sent.asked_by == "POST" else [f"-X {sent.asked_by}"])]
    if sent.asked_by == ("POST" if sent.sends else "GET"):
        return []
    return ["-I"] if sent.asked_by == "HEAD" else [f"-X {sent.asked_by}"]


def _field(name: str, names: Names) -> str:
    """Return the name of a field as curl wants it: encoded, but for what the shell fills in."""
    known = [match for match in NAME.finditer(name) if match[1] in names]
    ends = [0, *(place for match in known for place in match.span()), len(name)]
    return "".join(
        f"${name[start:end]}" if number % 2 else quote_plus(name[start:end])
        for number, (start, end) in enumerate(pairwise(ends))
    )


def _variables(text: str, names: Names) -> str:
    return NAME.sub(lambda match: f"${match[0]}" if match[1] in names else match[0], text)


def _expected(expect: AnswerExpectation) -> str:
    return " or ".join(expect.status)


def _pinned(options: HttpOptions, look: Look | None) -> list[str]:
    """Return the option that leads curl to the address that was looked at; a literal, or a host in a reference, needs none."""
    if look is None or look.address is None or options.proxy is not None:
        return []
    last = look.via[-1] if look.via else options.url
    if REFERENCE.search(last):
        return []
    hop = Hop(url=last)
    if is_address(hop.host):
        return []
    return [f"--resolve {word(f'{hop.host}:{hop.port}:{bracketed(look.address)}')}"]


def _walk(options: HttpOptions, look: Look | None, timeout: timedelta) -> str:
    """Return all steps, in a folder of their own that holds the cookies and goes away in the end."""
    calls: list[str] = []
    names = _NONE
    for step in options.steps:
        url, at_home = _place(options.url, step.url)
        words = [*_usual(options, step.expect, timeout), *_family(options, look)]
        words += ["-b jar -c jar -D head -o body", *(_at_home(options, step, look) if at_home else [])]
        words += [*_sent(step, names), word(_variables(url, names))]
        calls += [" ".join(words), "cat head body" if step.expect.of_the_body else "cat head"]
        calls += [_assigned(name, capture) for name, capture in step.capture.items()]
        names |= step.capture.keys()
    expected = ", then ".join(_expected(step.expect) for step in options.steps)
    return f'(cd "$(mktemp -d)" && trap \'rm -r "$PWD"\' EXIT && {" && ".join(calls)})  # expect {expected}'


def _at_home(options: HttpOptions, step: HttpStep, look: Look | None) -> list[str]:
    """Return what goes along with every step at the check's own origin."""
    named = {name.lower() for name in step.headers}
    common = {name: value for name, value in options.headers.items() if name.lower() not in named}
    pinned = [] if look is not None and look.via else _pinned(options, look)
    return [*_credentials(options), *_headers(common), *pinned]


def _place(base: str, written: str) -> tuple[str, bool]:
    """Return the address of a step, and whether it lies at the check's own origin; neither has its references filled."""
    if written.startswith(("http://", "https://")):
        known = not REFERENCE.search(base + written)
        return written, known and origin_of(NAME.sub("name", written)) == origin_of(base)
    if not base.startswith(("http://", "https://")):
        return base.rstrip("/") + written, True
    # A name at the beginning stands for a path from the root, as far as a shell can tell.
    rooted = f"/{written}" if NAME.match(written) else written
    joined_up = urljoin(base, rooted)
    return joined_up.replace(rooted, written, 1) if rooted != written else joined_up, True


def _assigned(name: str, capture: HttpCapture) -> str:
    if capture.path is not None and json_paths.names_of(capture.path) is None:
        return f"cat body && echo {word(f'{name}, which is {capture.path}:')} && read -r {name}"
    return f'{name}="$({_capture(capture)})"'


def _capture(capture: HttpCapture) -> str:
    if capture.cookie is not None:
        return f"awk -v name={word(capture.cookie)} '$6 == name {{print $7}}' jar"
    if capture.header is not None:
        name = word(capture.header.lower() + ":")
        return f"tr -d '\\r' <head | awk -v name={name} 'tolower($1) == name {{sub(/^[^:]*: */, \"\"); print}}' | tail -n 1"
    if capture.path is not None:
        steps = json_paths.names_of(capture.path) or ()
        return f"jq -r {word('.' + ''.join(f'[{json.dumps(step)}]' for step in steps))} body"
    return f"perl -0777 -ne '{_FOUND}' {word(capture.matches or '')} body"
