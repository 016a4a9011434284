"""A process that ends with the one that started it, and the lock that lets only one watch run."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from monitor.errors import AlreadyRunningError, RefusedError

SUPERVISOR = "VIGIA_SUPERVISOR"
_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when `parent` ends, even by kill -9; exit now if it is gone already.

    Linux keeps the promise; elsewhere only the check at the start is made.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(f"the process {parent} that started this one is gone")


def follow_supervisor() -> None:
    """Die with `vigia run` when it started this process; one that was started alone stays."""
    supervisor = os.environ.get(SUPERVISOR)
    if supervisor is not None:
        die_with_parent(int(supervisor))


@contextmanager
def only_watch(data: Path) -> Iterator[None]:
    """Hold the data directory's lock; the kernel frees it however the holder ends.

    Raises AlreadyRunningError while another process holds it, RefusedError where nothing can be written.
    """
    with _lock_file(data) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunningError(
                f"another watch works on {data}: stop it first, or give this one a data directory of its own (--data)"
            ) from error
        yield


def _lock_file(data: Path) -> TextIO:
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (data / "watch.lock").open("a")
    except OSError as error:
        raise RefusedError(
            f"{data} cannot be used as data directory ({error.strerror}): make it writable for this user, or name "
            "another with --data, VIGIA_DATA or `data:`"
        ) from error
