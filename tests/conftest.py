"""Fixtures that several rooms of the tests share."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from settings import Paths, Settings
from supervision import broker
from tests.support.node import running_node
from tests.support.sharing import Sharing


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    return Sharing(config, log)


@pytest.fixture(scope="session")
def broker_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Paths]]:
    """A private RabbitMQ node for the whole run: (settings, paths), good for `settings.endpoint.broker_url`.

    Where RabbitMQ is missing the test is skipped on a laptop and fails under CI=true.
    """
    if broker.program() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(broker.MISSING)
        pytest.skip(broker.MISSING)
    with running_node(tmp_path_factory.mktemp("node")) as node:
        yield node.settings, node.paths
