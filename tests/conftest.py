"""Fixtures that several rooms of the tests share."""

import os
from collections.abc import Iterator
from typing import Any, Final

import pytest

from settings import Paths, Settings
from supervision import broker
from tests.support.common_node import CommonNode, common_node
from tests.support.node import running_node
from tests.support.sharing import Sharing

COMMON_NODE: Final = pytest.StashKey[CommonNode]()
FOLDER: Final = "parley_common_node"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    config.stash[COMMON_NODE] = CommonNode()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput[FOLDER] = str(node.config.stash[COMMON_NODE].folder)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    return Sharing(config, log, config.stash[COMMON_NODE].want)


def pytest_unconfigure(config: pytest.Config) -> None:
    common = config.stash.get(COMMON_NODE, None)
    if common is not None:
        common.close()


@pytest.fixture(scope="session")
def broker_node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, Paths]]:
    """A RabbitMQ node for the whole run: (settings, paths), good for `settings.endpoint.broker_url`.

    Tests of other workers use it at the same time, so whoever changes more of it than names of their own starts one.

    Where RabbitMQ is missing the test is skipped on a laptop and fails under CI=true.
    """
    if broker.program() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(broker.MISSING)
        pytest.skip(broker.MISSING)
    told = getattr(request.config, "workerinput", {})
    if FOLDER in told:
        yield common_node(told[FOLDER])
        return
    with running_node(tmp_path_factory.mktemp("node")) as node:
        yield node.settings, node.paths
