"""Write the published schema anew: `python -m tests.golden.regenerate_schema`."""

from __future__ import annotations

import json
from pathlib import Path

from monitor.inventory import schema

PUBLISHED = Path(__file__).parents[2] / "config/servers.schema.json"

if __name__ == "__main__":
    PUBLISHED.write_text(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
