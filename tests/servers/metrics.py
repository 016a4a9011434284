"""A real Prometheus on loopback that scrapes itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.servers.daemons import Daemon

_CONFIGURATION = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: itself
    static_configs: [{{targets: ["127.0.0.1:{port}"], labels: {{server: gye1}}}}]
"""


class Prometheus(Daemon):
    """A Prometheus server; `up` is 1 for itself soon after its start."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "prometheus")
        (folder / "prometheus.yml").write_text(_CONFIGURATION.format(port=self.port))

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        return [
            "prometheus",
            f"--config.file={self.folder}/prometheus.yml",
            f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
