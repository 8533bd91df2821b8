"""Frames in one piece, beside those of the library one by one."""

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import WSMsgType
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_websocket import WebSocketWriter

from web.framing import text_frames


@pytest.mark.parametrize("lengths", [[], [0, 1, 125], [126, 65_535], [65_536, 3]])
async def test_frames_in_one_piece_are_those_of_the_library(lengths: list[int]) -> None:
    texts = [b"x" * length for length in lengths]
    written: list[bytes] = []
    transport: Any = Mock(spec=asyncio.Transport)
    transport.write.side_effect = written.append
    transport.is_closing.return_value = False
    writer = WebSocketWriter(BaseProtocol(asyncio.get_running_loop()), transport)
    for text in texts:
        await writer.send_frame(text, WSMsgType.TEXT)
    assert text_frames(texts) == b"".join(written)
