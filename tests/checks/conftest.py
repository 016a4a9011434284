"""What looks are tested with."""

from __future__ import annotations

import pytest

from tests.servers.certificates import Certificates, make_certificates, wall_time


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"), wall_time())
