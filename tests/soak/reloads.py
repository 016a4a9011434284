"""Reload after reload under load, and no look is lost or doubled: `python -m tests.soak.reloads [RELOADS]`.

Sixty checks are looked at every second while the file changes again and again: a server comes and goes, another one changes its timeout. An nginx
notes every look. Checks that nobody touched are to be asked once an interval from the first to the last, as if nothing had happened.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.journeys.house import House, wait_for
from tests.soak.farm import Farm, fleet, gaps, watched

CHECKS = 60
EVERY_S = 1.0
# A turn is missed when the next look comes more than half an interval late, and doubled when it comes that early.
_HALF = EVERY_S / 2


def reload(folder: Path, times: int) -> dict[str, float]:
    """Return what became of the looks at untouched checks while the file was applied `times` over."""
    farm = Farm(folder / "farm")
    farm.start()
    try:
        with watched(folder / "house", _file(farm, 0)) as house:
            wait_for(lambda: len(farm.looks()) >= CHECKS, what="the first look at every check")
            threading.Event().wait(2 * EVERY_S)
            began = _now(farm)
            for turn, number in zip(cycle((1, 2, 3)), range(1, times + 1), strict=False):
                house.config.write_text(_file(farm, turn))
                house.signal(signal.SIGHUP)
                wait_for(lambda number=number: _applied(house) >= number, what=f"reload {number}")  # type: ignore[misc]
            ended = _now(farm)
            looks = {path: moments for path, moments in farm.looks().items() if path.startswith("/kept")}
    finally:
        farm.stop()
    between = [gap for moments in looks.values() for gap in gaps(moments, began, ended)]
    return {
        "reloads": times,
        "seconds": round(ended - began, 1),
        "looks": sum(began <= moment <= ended for moments in looks.values() for moment in moments),
        "missed": sum(gap > EVERY_S + _HALF for gap in between),
        "doubled": sum(gap < EVERY_S - _HALF for gap in between),
        "checks that are no longer looked at": CHECKS - len(looks),
        "longest gap, s": round(max(between, default=0.0), 3),
    }


def _file(farm: Farm, turn: int) -> str:
    checks = [f"{{http: 'http://127.0.0.1:{farm.http}/kept{number}'}}" for number in range(CHECKS)]
    more = [f"{{http: {{url: 'http://127.0.0.1:{farm.http}/changed', timeout: {turn + 1}s}}}}"]
    if turn % 2:
        more.append(f"{{http: 'http://127.0.0.1:{farm.http}/comes-and-goes'}}")
    return fleet([*checks, *more], every=f"{EVERY_S:g}s", timeout="1s")


def _applied(house: House) -> int:
    return house.log.read_text().count("applied ")


def _now(farm: Farm) -> float:
    return max(moments[-1] for moments in farm.looks().values())


def main(arguments: list[str]) -> int:
    """Print what was seen as one line of JSON; the exit status is 1 when a look was lost or doubled."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        found = reload(folder, int(arguments[0]) if arguments else 200)
    print(json.dumps(found))
    return 1 if found["missed"] or found["doubled"] or found["checks that are no longer looked at"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
