"""Delete what an installation has made at its private broker, as a mistaken operator might."""

from actors.runtime import topology
from settings import Paths
from settings.endpoint import Endpoint
from settings.model import Broker
from tests.support.rabbitmqctl import rabbitmqctl

HOST = Endpoint(port=0).virtual_host
NAMES = Broker()
"""The settings that names are derived from: those of config.toml."""

_PUSHES = """
Exchange = rabbit_misc:r(<<"{host}">>, exchange, <<"{exchange}">>),
Queues = lists:usort([element(4, Binding) || Binding <- rabbit_binding:list_for_source(Exchange)]),
[rabbit_amqqueue:with(Queue, fun(Q) -> rabbit_amqqueue:delete(Q, false, false, <<"tests">>) end)
    || Queue <- Queues], length(Queues).
"""
_EXCHANGE = 'rabbit_exchange:delete(rabbit_misc:r(<<"{host}">>, exchange, <<"{exchange}">>), false, <<"tests">>).'


async def delete_mailbox(paths: Paths, actor: str) -> None:
    """And all mail that is in it. Raises AssertionError when there is none, or no broker."""
    await rabbitmqctl(paths, "delete_queue", "-p", HOST, topology.mailbox(NAMES, actor))


async def delete_push_queues(paths: Paths) -> int:
    """Of all fronts; returns how many there were. They are exclusive, so only the node itself may do that."""
    return int(await _evaluate(paths, _PUSHES))


async def delete_exchange(paths: Paths) -> None:
    """The one through which owners reach the fronts, and with it all that is bound to it."""
    assert await _evaluate(paths, _EXCHANGE) == "ok"


async def _evaluate(paths: Paths, expression: str) -> str:
    filled = expression.format(host=HOST, exchange=topology.fronts(NAMES))
    return (await rabbitmqctl(paths, "eval", filled)).strip()
