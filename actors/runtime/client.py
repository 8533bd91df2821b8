"""Post for a short-lived process, such as a command of the command line."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from actors.runtime.amqp import AmqpBroker
from actors.runtime.broker import Subscriptions
from actors.runtime.environment import Environment
from actors.runtime.postroom import PostRoom
from protocols.errors import Refusal
from settings.endpoint import broker_url, broker_user

CONNECT_WITHIN = 5.0


@asynccontextmanager
async def open_broker(environment: Environment, user: str, post: PostRoom | None = None) -> AsyncIterator[AmqpBroker]:
    """A connection for a while. Raises Refusal("unavailable") when there is none within 5 s."""
    settings, paths = environment.settings, environment.paths
    broker = AmqpBroker(
        settings.broker,
        name=f"{user}.{os.getpid()}",
        user=broker_user(settings, user),
        url=lambda: broker_url(settings, paths, user),
        subscriptions=Subscriptions(on_reply=post.replied, on_down=post.lost) if post else Subscriptions(),
        random=random.random,
    )
    running = asyncio.create_task(broker.run())
    try:
        if not await broker.wait_up(CONNECT_WITHIN):
            raise Refusal("unavailable", "The broker cannot be reached.")
        yield broker
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def open_post(environment: Environment, user: str) -> AsyncIterator[PostRoom]:
    """Post that asks; what it tells is not awaited. Raises Refusal("unavailable") as open_broker does."""
    post = PostRoom(environment, user)
    async with open_broker(environment, user, post) as broker:
        post.attach(broker)
        yield post
