"""Runs one program and sees to it that nothing of it is left: `python keeper.py PARENT SECONDS PROGRAM ARGUMENT...`.

A process of its own between us and a plugin. Whatever the plugin starts stays among its descendants, also what forks twice, or
leaves its session or its group: the kernel hands orphans to the nearest process that asked for them, and that is this one. When
the plugin ends, when we are told to (SIGTERM), or when the process that started us dies, everything below is killed, and only
then do we end, in the way the plugin ended; only that one bit of its exit status is turned, so that no failure of our own is ever
taken for a plugin's verdict. It knows nothing of the rest of the house, so that it starts quickly.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_MEBIBYTE = 1 << 20
TURNED = 0x40
"""The bit of an exit status that is turned."""
_UNTOLD = 126 ^ TURNED
# How long a plugin that is told to end may take to tidy up.
GRACE_S = 0.2
# How long is waited for what was killed before it is killed again; a process inside a dead file system may take for ever.
_PAUSES_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 16 * _MEBIBYTE,
    resource.RLIMIT_DATA: 1024 * _MEBIBYTE,
    resource.RLIMIT_NOFILE: 256,
    # Counted over everything that the account runs, this service included; root is not bound by it.
    resource.RLIMIT_NPROC: 2048,
}
# Nothing interrupts us: what happens is waited for.
_HEARD = {signal.SIGTERM, signal.SIGCHLD}


def main(arguments: Sequence[str]) -> None:
    """Run the program and end as it ended."""
    parent, seconds, *command = arguments
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    _stand_between(int(parent))
    plugin = os.fork()
    if plugin == 0:
        _become(command, int(seconds))
    status = _awaited(plugin)
    if status is None:
        _tell_to_end(plugin)
    _kill_all()
    _end_as(signal.SIGTERM if status is None else status)


def _stand_between(parent: int) -> None:
    """Be told when our parent dies, and get every orphan below us."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")


def _become(command: Sequence[str], seconds: int) -> None:
    """Turn into the program, in a session of its own, within its limits, and with the signals that programs expect."""
    try:
        os.setsid()
        for limit, most in {**_LIMITS, resource.RLIMIT_CPU: seconds}.items():
            hard = resource.getrlimit(limit)[1]
            bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(limit, (bound, bound))
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execv(command[0], list(command))  # noqa: S606 - no shell is what is wanted
    except (OSError, ValueError) as error:
        os.write(2, f"cannot run {command[0]}: {error}\n".encode())
    finally:
        os._exit(126)


def _awaited(plugin: int) -> int | None:
    """Return how the plugin ended, None when we are told to end first."""
    while True:
        if signal.sigwait(_HEARD) == signal.SIGTERM:
            return None
        while (ended := _collected()) is not None:
            if ended[0] == plugin:
                return ended[1]


def _tell_to_end(plugin: int) -> None:
    """Let the plugin's group tidy up for a moment."""
    with contextlib.suppress(OSError):
        os.killpg(plugin, signal.SIGTERM)
    until = time.monotonic() + GRACE_S
    while _anybody() and (left := until - time.monotonic()) > 0:
        signal.sigtimedwait({signal.SIGCHLD}, left)


def _kill_all() -> None:
    """Kill everything below us, again and again until nothing is left: what forks as fast as it can is stopped first."""
    passes = 0
    while _anybody():
        below = _descendants()
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid, group in below:
                with contextlib.suppress(OSError):
                    os.killpg(group, number)
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
        signal.sigtimedwait({signal.SIGCHLD}, _PAUSES_S[min(passes, len(_PAUSES_S) - 1)])
        passes += 1


def _anybody() -> bool:
    """Is there anybody below us? Who has ended is collected."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _collected() -> tuple[int, int] | None:
    """Return who has ended and how, None when nobody has."""
    pid, status = os.waitpid(-1, os.WNOHANG)
    return (pid, status) if pid else None


def _descendants() -> list[tuple[int, int]]:
    """Return process and group of everybody below us."""
    known: dict[int, tuple[int, int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib takes longer to load than all of this to run
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                known[int(name)] = _parent_and_group(name)
    below: set[int] = set()
    new = {os.getpid()}
    while new:
        new = {pid for pid, (parent, _) in known.items() if parent in new} - below
        below |= new
    # One that is about to leave our own group is killed by its own number alone.
    return [(pid, known[pid][1] if known[pid][1] != os.getpgrp() else pid) for pid in below]


def _parent_and_group(pid: str) -> tuple[int, int]:
    with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - as above
        # The name of a program stands in brackets and may hold anything, brackets included.
        fields = stat.read().rpartition(b")")[2].split()
    return int(fields[1]), int(fields[2])


def _end_as(status: int) -> None:
    """End as the plugin did: with its exit status, or by the signal that ended it."""
    if not os.WIFSIGNALED(status):
        os._exit(os.WEXITSTATUS(status) ^ TURNED)
    number = os.WTERMSIG(status)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.kill(os.getpid(), number)
    # A signal that cannot end us.
    os._exit(_UNTOLD)


if __name__ == "__main__":
    main(sys.argv[1:])
