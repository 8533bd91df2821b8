"""One process of the load generator: `python -m bench.worker`. Reads orders from standard input, answers on output."""

import asyncio
import gc
import resource
import sys
import time
from typing import BinaryIO

import uvloop

from bench.device import Device, DeviceError
from bench.orders import (
    LENGTH,
    Answer,
    Chat,
    Close,
    Closed,
    Failed,
    Log,
    Open,
    Opened,
    Order,
    ReadUp,
    Settle,
    Told,
    decode_order,
    framed,
)
from bench.reading import read_up
from bench.wire import WireError

ANSWERED_WITHIN = 60.0


class Worker:
    """Some of the people, each with one device."""

    def __init__(self) -> None:
        self._devices: dict[str, Device] = {}

    async def carry_out(self, order: Order) -> Answer:
        match order:
            case Open():
                return await self._open(order)
            case Chat():
                return await self._chat(order)
            case Settle():
                return await self._settle(order)
            case ReadUp():
                return await read_up(order)
            case Close():
                for device in self._devices.values():
                    device.close()
                self._devices.clear()
                return Closed()

    async def _open(self, order: Open) -> Opened:
        began = time.perf_counter()
        turn = asyncio.Semaphore(order.at_once)

        async def one(device: Device) -> None:
            async with turn:
                await device.open(order.port)

        fresh = [Device(guest) for guest in order.guests]
        self._devices.update((device.user, device) for device in fresh)
        await asyncio.gather(*map(one, fresh))
        return Opened(began, time.perf_counter())

    async def _chat(self, order: Chat) -> Told:
        # What is measured is the chat: collecting cycles would stop this process in the midst of it.
        gc.collect()
        gc.disable()
        try:
            for sending in order.sendings:
                if sending.shown:
                    self._devices[sending.to].on_shown = self._devices[sending.sender].go_on
            await asyncio.sleep(order.start - time.perf_counter())
            for sending in order.sendings:
                self._devices[sending.sender].begin(sending, order.stop, time.perf_counter())
            within = order.stop - time.perf_counter() + ANSWERED_WITHIN
            counts = [await self._devices[sending.sender].answered(within) for sending in order.sendings]
        finally:
            gc.enable()
        return Told({sending.to: count for sending, count in zip(order.sendings, counts, strict=True)})

    async def _settle(self, order: Settle) -> Log:
        for name, count in order.receivers.items():
            await self._devices[name].showed(count, order.within)
        sent, shown = [], {}
        for name, device in self._devices.items():
            typed, seen = device.take(order.before)
            sent += typed
            if name in order.receivers:
                shown[name] = seen
        return Log(sent, shown)


async def serve(orders: BinaryIO, answers: BinaryIO) -> None:
    """Carry out one order after the other until whoever gives them is gone."""
    worker = Worker()
    while head := await asyncio.to_thread(orders.read, LENGTH):
        body = await asyncio.to_thread(orders.read, int.from_bytes(head, "big"))
        try:
            answer = await worker.carry_out(decode_order(body))
        except (DeviceError, WireError, OSError) as error:
            # TimeoutError is an OSError, without a text of its own.
            answer = Failed(f"{type(error).__name__}: {error}")
        answers.write(framed(answer))
        answers.flush()


def main() -> None:
    """End with the input: whoever gave the orders has ended then, too."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(serve(sys.stdin.buffer, sys.stdout.buffer))


if __name__ == "__main__":
    main()
