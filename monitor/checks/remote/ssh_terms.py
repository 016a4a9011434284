"""What an SSH session is asked for and what comes of it, in terms that need no client library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TYPES: Mapping[str, tuple[str, ...]] = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"),
}
"""The types of host keys, each with the ways to sign with it, the better first."""


class SessionError(Exception):
    """The session came to nothing; the argument says why in a few words."""


class DisagreementError(SessionError):
    """The server offers nothing that is spoken here."""


class RefusedLoginError(SessionError):
    """The server does not let us in."""


class EndedError(SessionError):
    """The server hung up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who logs in: by the private key in a file, opened by a passphrase if it is locked, or by password."""

    user: str
    key: str | None = None
    passphrase: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a session is for.

    `ours` and `theirs` are the banners that were exchanged, `types` the types of host keys, the preferred first. `login` is used only
    with a server whose key is among `known`, or with any when none is known.
    """

    ours: str
    theirs: str
    types: tuple[str, ...]
    known: frozenset[str]
    login: Credentials | None = None


@dataclass(frozen=True, slots=True)
class HostKey:
    """The key that a server proved to have, and the types of all the keys that it offers."""

    type: str
    fingerprint: str
    offered: frozenset[str]
