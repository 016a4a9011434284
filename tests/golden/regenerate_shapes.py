"""Write the JSON shapes of today as the golden ones: `python -m tests.golden.regenerate_shapes`. Read the difference."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from monitor.store.database import Database
from tests.actions.builders import Lookout
from tests.conftest import SteppingClock
from tests.station.test_shapes import GOLDEN, MADE, picture


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(Path(folder) / "vigia.db", owner=True)
        lookout = Lookout(database, SteppingClock(datetime(2026, 11, 22, 15, 0, tzinfo=UTC)))
        shapes = {**{name: make() for name, make in MADE.items()}, "status": picture(lookout)}
        database.close()
    GOLDEN.write_text(json.dumps(shapes, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
