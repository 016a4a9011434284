"""Operators are told through Apprise, which knows a hundred services by their URLs."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from pydantic import SecretStr

from monitor.errors import VigiaError
from monitor.subscribers.port import Message, Tone

if TYPE_CHECKING:
    import apprise

# These act on the machine that we run on instead of telling somebody: not what a service account should do.
LOCAL_SCHEMES = frozenset(
    {
        "file",
        "dbus",
        "glib",
        "gio",
        "gnome",
        "kde",
        "qt",
        "macosx",
        "windows",
        "syslog",
        "growl",
        "memory",
        "serial",
    }
)
_WITHIN = timedelta(seconds=25)
_TYPES = {Tone.ALARM: "failure", Tone.WARNING: "warning", Tone.RELIEF: "success"}


class ChannelError(VigiaError):
    """A channel's URL cannot be used; the text names its scheme and never the URL, which holds secrets."""


class AppriseMessenger:
    """Speaks to one URL."""

    def __init__(self, url: SecretStr) -> None:
        """Prepare it; a URL that cannot be used raises ChannelError."""
        self._speaker = _speaker(url.get_secret_value())

    def tell(self, message: Message) -> bool:
        """Say it; return whether the service took it."""
        answer = self._speaker.notify(
            title=message.title,
            body=message.body,
            notify_type=_TYPES[message.tone],
            body_format="text",
            timeout=_WITHIN.total_seconds(),
        )
        return bool(answer)


def messengers(urls: Iterable[SecretStr]) -> Mapping[str, AppriseMessenger]:
    """Return who speaks to each of the URLs, by the names under which they are put on record."""
    return {name_of(url.get_secret_value()): AppriseMessenger(url) for url in urls}


def name_of(url: str) -> str:
    """Return a name that is always the same for a URL and holds no secrets: its scheme and a digest."""
    return f"{_scheme(url)}-{sha256(url.encode()).hexdigest()[:8]}"


def check_url(url: str) -> str:
    """Return the scheme of a URL that operators can be told by, or raise ChannelError."""
    _speaker(url)
    return _scheme(url)


def _scheme(url: str) -> str:
    return url.partition(":")[0].strip().lower()


def _speaker(url: str) -> apprise.Apprise:
    scheme = _scheme(url)
    if scheme in LOCAL_SCHEMES:
        raise ChannelError(f"operators cannot be told by {scheme}://, which only reaches the machine itself")
    # Five megabytes that only those pay for who are told by it.
    import apprise  # noqa: PLC0415

    asset = apprise.AppriseAsset(
        app_id="Vigia", app_desc="Vigia", async_mode=False, storage_mode=apprise.PersistentStoreMode.MEMORY
    )
    speaker = apprise.Apprise(asset=asset)
    with warnings.catch_warnings():
        # Its plugins are imported at the first use, and some of them import what Python has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        known = speaker.add(url)
    if not known:
        raise ChannelError(
            f"an Apprise URL that starts with {scheme[:20]!r} cannot be used: see its documentation"
        )
    return speaker
