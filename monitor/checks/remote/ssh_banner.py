"""What an SSH server says of itself before anything is secret (RFC 4253, section 4.2), and how its key is written down."""

from __future__ import annotations

import re
from dataclasses import dataclass

LINES_LIMIT = 50
"""A server may say so much to people before it names its protocol."""

FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_BANNER = re.compile(r"SSH-([0-9]{1,3}\.[0-9]{1,3})-([!-~]{1,255})(?: [ -~]*)?")
_MARK = b"SSH-"
_SPOKEN = frozenset({"2.0", "1.99"})


class NotSshError(ValueError):
    """What came is no SSH, or none that is still spoken; the argument says what it is instead."""


@dataclass(frozen=True, slots=True)
class Banner:
    """The line in which a server names its protocol and itself, without its end."""

    line: str
    software: str


def is_banner(line: bytes) -> bool:
    """Is this the line that names the protocol, rather than one for people before it?"""
    return line.startswith(_MARK)


def parse_banner(line: bytes) -> Banner:
    """Return what the line that names the protocol says; raises NotSshError."""
    text = line.decode(errors="replace")
    found = _BANNER.fullmatch(text)
    if found is None:
        raise NotSshError(f"names its protocol in no way that can be read: {text[:80]!r}")
    if found[1] not in _SPOKEN:
        raise NotSshError(f"speaks SSH {found[1]}, which nobody speaks any more")
    return Banner(line=text, software=found[2])
