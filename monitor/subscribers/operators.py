"""Operators are told through Apprise, which knows a hundred services by their URLs."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import SecretStr

from monitor.errors import VigiaError
from monitor.subscribers.port import Message, Reach, Tone

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
_EACH_WITHIN = timedelta(seconds=25)
_REMEMBERED = 1000
_TYPES = {Tone.ALARM: "failure", Tone.WARNING: "warning", Tone.RELIEF: "success"}


class ChannelError(VigiaError):
    """A channel's URL cannot be used; the text names its scheme and never the URL, which holds secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One URL, ready to speak."""

    scheme: str
    speaker: apprise.Apprise


class AppriseMessenger:
    """Speaks to every URL by itself, so that one that fails does not make the others hear everything twice."""

    def __init__(self, urls: Sequence[SecretStr]) -> None:
        """Prepare the channels; a URL that cannot be used raises ChannelError."""
        self._lines = tuple(_line(url.get_secret_value()) for url in urls)
        self._reached: OrderedDict[str, set[int]] = OrderedDict()

    def tell(self, message: Message) -> Reach:
        """Say it to every URL that has not heard it yet; what was heard is forgotten with the process."""
        if not self._lines:
            return Reach.NOBODY_ASKED
        reached = self._reached.setdefault(message.key, set())
        for place, line in enumerate(self._lines):
            if place not in reached and _say(line, message):
                reached.add(place)
        if len(reached) < len(self._lines):
            self._forget_oldest()
            return Reach.FAILED
        del self._reached[message.key]
        return Reach.EVERYBODY

    def _forget_oldest(self) -> None:
        while len(self._reached) > _REMEMBERED:
            self._reached.popitem(last=False)


def check_url(url: str) -> str:
    """Return the scheme of a URL that operators can be told by, or raise ChannelError."""
    return _line(url).scheme


def _say(line: _Line, message: Message) -> bool:
    answer = line.speaker.notify(
        title=message.title,
        body=message.body,
        notify_type=_TYPES[message.tone],
        body_format="text",
        timeout=_EACH_WITHIN.total_seconds(),
    )
    return bool(answer)


def _line(url: str) -> _Line:
    scheme = url.partition(":")[0].strip().lower()
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
    return _Line(scheme=scheme, speaker=speaker)
