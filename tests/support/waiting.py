"""Wait until something is so, with a deadline. `within` is in seconds, scaled by PARLEY_TEST_SCALE on slow machines."""

import asyncio
import inspect
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

SCALE = float(os.environ.get("PARLEY_TEST_SCALE", "1"))
STEP = 0.01


@overload
async def eventually(predicate: Callable[[], Awaitable[T]], within: float = 5.0) -> T: ...
@overload
async def eventually(predicate: Callable[[], T], within: float = 5.0) -> T: ...
async def eventually(predicate: Callable[[], Any], within: float = 5.0) -> Any:
    """The predicate's first true answer. It may be a plain or an async function; an AssertionError counts as no."""
    deadline = time.monotonic() + within * SCALE
    while True:
        try:
            answer = predicate()
            value = await answer if inspect.isawaitable(answer) else answer
            failure = None
        except AssertionError as error:
            value, failure = None, error
        if value:
            return value
        if time.monotonic() > deadline:
            raise _late(predicate, within, value) from failure
        await asyncio.sleep(STEP)


def eventually_sync(predicate: Callable[[], T], within: float = 5.0) -> T:
    """As `eventually`, for tests without an event loop."""
    deadline = time.monotonic() + within * SCALE
    pause = threading.Event()
    while True:
        try:
            value: T | None = predicate()
            failure = None
        except AssertionError as error:
            value, failure = None, error
        if value:
            return value
        if time.monotonic() > deadline:
            raise _late(predicate, within, value) from failure
        pause.wait(STEP)


def _late(predicate: object, within: float, value: object) -> AssertionError:
    name = getattr(predicate, "__qualname__", repr(predicate))
    return AssertionError(f"{name} was not true within {within * SCALE:.1f} s; its last answer: {value!r}")
