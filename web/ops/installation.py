"""The front's way to the supervisor: the one place in web that knows of it."""

import asyncio
import logging
from typing import Final

import msgspec
from msgspec import Struct

from protocols.errors import Refusal
from protocols.ops import Action, ActorRow, SupervisorRow
from settings import Paths, Settings
from supervision.client import ControlError, NothingRunningError, Request, ask_in_loop, measure

WITHIN: Final = 2.0
"""Seconds for a status: the supervisor answers at once, or it hangs."""

_CODES: Final = {"unknown_actor": "not_found", "not_running": "conflict", "not_ready": "conflict"}

log: Final = logging.getLogger(__name__)


class Status(Struct, frozen=True):
    """What the supervisor tells of itself and of its children."""

    supervisor: SupervisorRow
    actors: list[ActorRow]


class Installation:
    """The supervisor of this installation, which may not be there: actors also run under systemd, or alone."""

    def __init__(self, settings: Settings, paths: Paths) -> None:
        self._paths = paths
        wanted = settings.supervision
        # The slowest of all actions rolls every copy of the front.
        self._patience = (wanted.start_wait + wanted.stop_timeout) * (settings.web.fronts + 1) + 60.0

    async def status(self, *, memory: bool) -> Status | None:
        """How everything is, or None when no supervisor answers. `memory` measures each process's, which costs."""
        try:
            answer = await ask_in_loop(self._paths, Request("status"), WITHIN)
            if memory:
                answer = await asyncio.to_thread(measure, answer)
            return msgspec.convert(answer, Status)
        except (NothingRunningError, ControlError, TimeoutError):
            return None
        except msgspec.DecodeError:
            # An upgrade is under way: the supervisor is of another version than this front.
            log.warning("the supervisor's answer is not understood")
            return None

    async def carry_out(self, action: Action, name: str) -> None:
        """Have it done; returns when it is. Raises Refusal."""
        try:
            await ask_in_loop(self._paths, Request(action, name), self._patience)
        except ControlError as error:
            raise Refusal(_CODES.get(error.code, "unavailable"), str(error)) from error
        except (NothingRunningError, TimeoutError) as error:
            raise Refusal("unavailable", "The supervisor does not answer.") from error
