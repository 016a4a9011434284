"""Write the expected reports of the broken configurations anew: `python -m tests.golden.regenerate_configuration`.

Read the difference before it is committed: these sentences are what an operator sees.
"""

from __future__ import annotations

from pathlib import Path

from monitor.inventory import ConfigurationError, load

FOLDER = Path(__file__).parent / "configuration"
ENVIRONMENT = {
    "EMPTY": "",
    "IMPOSSIBLE_HOST": "un host imposible",
    "SHORT": "uno",
    "LONG_SECRET": "s\n" * 90,
}


def broken_files() -> list[Path]:
    return sorted(FOLDER.glob("*.yaml"))


def report_of(path: Path) -> str:
    """Return the report about a broken file in both languages, its folder left out."""
    try:
        load(path, environment=ENVIRONMENT)
    except ConfigurationError as error:
        reports = "\n\n".join(error.report(language) for language in ("en", "es"))
        return reports.replace(str(path), path.name) + "\n"
    raise AssertionError(f"{path.name} is not broken")


if __name__ == "__main__":
    for broken in broken_files():
        broken.with_suffix(".txt").write_text(report_of(broken), encoding="utf-8")
