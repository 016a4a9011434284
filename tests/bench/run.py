"""Runs the benches one after the other: `python tests/bench/run.py [WORD...]` runs those whose name holds a word."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def main(words: list[str]) -> int:
    """Run the chosen benches, then print one table of what ran; 1 if any failed."""
    benches = [
        path
        for path in sorted(HERE.glob("bench_*.py"))
        if not words or any(word in path.stem for word in words)
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    rows = []
    for bench in benches:
        name = bench.stem.removeprefix("bench_")
        print(f"\n== {name}", flush=True)
        began = time.monotonic()
        code = subprocess.run([sys.executable, str(bench)], cwd=ROOT, env=environment, check=False).returncode
        rows.append((name, time.monotonic() - began, code))
    print(f"\n{'bench':<12}{'seconds':>9}  result")
    for name, took, code in rows:
        print(f"{name:<12}{took:>9.1f}  {'ok' if code == 0 else f'failed ({code})'}")
    return int(not rows or any(code for _, _, code in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
