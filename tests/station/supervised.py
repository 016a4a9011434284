"""A supervisor with children that do little, in a process of its own.

Run as `python -m tests.station.supervised FOLDER CHILD...`: each CHILD is `steady`, `stubborn` or `refusing`. A child
writes its number to FOLDER/CHILD, and appends a line to FOLDER/CHILD.hup when it is told to read anew.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from monitor.station.lifeline import follow_supervisor
from monitor.station.supervisor import REFUSED, Programme, child_environment, python, supervise


def main(folder: Path, *names: str) -> int:
    programmes = [
        Programme(
            name=name,
            arguments=python("tests.station.supervised", "--child", str(folder), name),
            environment=child_environment(),
            reads_anew=name != "other",
        )
        for name in names
    ]
    return supervise(programmes)


def child(folder: Path, name: str) -> int:
    follow_supervisor()
    if name == "refusing":
        return REFUSED
    signal.signal(signal.SIGHUP, lambda *_: _note(folder / f"{name}.hup"))
    fresh = folder / f"{name}.new"
    fresh.write_text(str(os.getpid()))
    fresh.replace(folder / name)
    while True:
        signal.pause()


def _note(path: Path) -> None:
    with path.open("a") as file:
        file.write("hup\n")


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[0] == "--child":
        sys.exit(child(Path(words[1]), words[2]))
    sys.exit(main(Path(words[0]), *words[1:]))
