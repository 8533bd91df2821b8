"""The sockets' contract as an AsyncAPI document, generated from the frames, the close codes and the error table."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

import msgspec
from msgspec import Struct

from protocols import frames, ops
from protocols.values import FRAME_BYTES
from web.openapi import REFERENCES, Json, error_codes

SOCKET: Final = "/ws"
OPS_SOCKET: Final = "/ws/ops"

STORED: Final = (frames.StoredOk, frames.ErrorFrame)
PLAIN: Final = (frames.Ok, frames.ErrorFrame)

REPLIES: Final[Mapping[type[Struct], tuple[type[Struct], ...]]] = {
    frames.Send: STORED,
    frames.Edit: STORED,
    frames.Delete: STORED,
    frames.React: STORED,
    frames.Read: PLAIN,
    frames.Delivered: PLAIN,
    frames.Typing: (),
    frames.Attention: (),
    frames.Sync: (frames.SyncOk, frames.ErrorFrame),
    frames.Ping: (frames.Pong,),
}
"""What answers each frame of a client: exactly one of these, with the same `id`; where there is none, nothing."""

CLOSE_CODES: Final[Mapping[int, str]] = {
    frames.Close.RESTART: "This front restarts: come back, with jitter.",
    frames.Close.RESEND: "Come back, and send again from the first command without an answer, in order.",
    frames.Close.POLICY: "Frames that nobody understands, again and again.",
    frames.Close.TOO_BIG: f"A frame has more than {FRAME_BYTES} bytes.",
    frames.Close.SESSION_OVER: "The session has ended: sign in again.",
    frames.Close.TOO_FAST: "Too many frames.",
}

DESCRIPTION: Final = (
    f"JSON text frames over a WebSocket at {SOCKET}, subprotocol {frames.SUBPROTOCOL} (required). Signed in by cookie "
    "with an allowed Origin, or by Bearer. A client's command has an `id` of its own and gets exactly one `ok` or "
    "`error`; without `id`, where it may be left out, it is answered by an error at most. The `ok` of a send comes "
    "when the message is on disk. The socket that sent gets the `ok`, the sender's other sockets get the `message`."
)

OPS_DESCRIPTION: Final = (
    "How everything is, every second, for operators: `history` first, then `overview` again and again, and `log` while "
    "the client follows one. For everybody else there is nothing here."
)


def document() -> Json:
    """The whole document. The application is the server: it receives a client's frames and sends its own."""
    replies = [reply for answers in REPLIES.values() for reply in answers]
    kinds = list(dict.fromkeys([*REPLIES, *replies, *get_args(frames.ServerFrame)]))
    asked: list[type[Struct]] = [ops.Follow]
    told = list(get_args(ops.OpsServerFrame))
    every = [*kinds, *asked, *told]
    _, schemas = msgspec.json.schema_components(every, ref_template=REFERENCES)
    # An error answers a frame whose `id` could not be read, too.
    pushed = [kind for kind in kinds if kind not in REPLIES and kind not in replies] + [frames.ErrorFrame]
    operations = {f"receive{kind.__name__}": _receive("socket", kind, REPLIES[kind]) for kind in REPLIES}
    operations |= {f"receive{kind.__name__}": _receive("operations", kind) for kind in asked}
    first = "What the server tells by itself; `hello` is the first frame of every socket."
    operations["push"] = _push("socket", pushed, first)
    operations["pushOperations"] = _push("operations", told, "How everything was, is, and what is logged.")
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Parley's sockets", "version": "1", "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {
            "socket": _channel(SOCKET, frames.SUBPROTOCOL, kinds),
            "operations": {
                **_channel(OPS_SOCKET, ops.SUBPROTOCOL, [*asked, *told]),
                "description": OPS_DESCRIPTION,
            },
        },
        "operations": operations,
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in every},
            "schemas": dict(sorted(schemas.items())),
        },
        "x-close-codes": {str(code): meaning for code, meaning in CLOSE_CODES.items()},
        "x-error-codes": error_codes(),
    }


def _channel(address: str, subprotocol: str, kinds: Sequence[type[Struct]]) -> Json:
    headers = {
        "type": "object",
        "properties": {"Sec-WebSocket-Protocol": {"type": "string", "const": subprotocol}},
        "required": ["Sec-WebSocket-Protocol"],
    }
    return {
        "address": address,
        "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in kinds},
        "bindings": {"ws": {"method": "GET", "headers": headers}},
    }


def _message(kind: type[Struct]) -> Json:
    tag: Any = kind.__struct_config__.tag
    message: Json = {
        "name": tag,
        "title": kind.__name__,
        "payload": {"$ref": REFERENCES.format(name=kind.__name__)},
    }
    return message


def _push(channel: str, kinds: Sequence[type[Struct]], summary: str) -> Json:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [_in_channel(channel, kind) for kind in kinds],
    }


def _receive(channel: str, kind: type[Struct], replies: Sequence[type[Struct]] = ()) -> Json:
    operation: Json = {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [_in_channel(channel, kind)],
    }
    if replies:
        operation["reply"] = {
            "channel": {"$ref": f"#/channels/{channel}"},
            "messages": [_in_channel(channel, reply) for reply in replies],
        }
    return operation


def _in_channel(channel: str, kind: type[Struct]) -> Json:
    return {"$ref": f"#/channels/{channel}/messages/{kind.__name__}"}
