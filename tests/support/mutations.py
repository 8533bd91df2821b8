"""Messages that are nearly right: valid ones of every type, changed in ways that a seed decides. Pure."""

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct, inspect, msgpack

Tree = Any
Encode = Callable[[Tree], bytes]

DEEP: Final = 3_000
LARGE: Final = (8_000, 8_001, 20_000, 65_536)
NUMBERS: Final[Sequence[Tree]] = (
    -1, 0, 1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 1.5, -0.0, 1e308, math.inf, math.nan,
)  # fmt: skip
WORDS: Final[Sequence[str]] = (
    "", " ", "\x00", "a\x00b", "null", "'; DROP TABLE message; --", "../../etc/passwd", "%00", "{{7*7}}", "<script>",
    "\u202eright to left", "e\u0301" * 40, "👩‍👩‍👧‍👦" * 9, "\ufeff", "\uffff", "İ", "ﷺ" * 64, "x" * 65, "-" * 64,
)  # fmt: skip
"""Text that people have found trouble with elsewhere."""


def sample(kind: type[Struct], known: Mapping[str, Tree]) -> dict[str, Tree]:
    """A valid message of a type, as plain values. `known`: what fields of certain names hold."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    tree: dict[str, Tree] = {}
    if info.tag_field is not None:
        tree[info.tag_field] = info.tag
    for field in info.fields:
        tree[field.encode_name] = known.get(field.encode_name, _value(field.type, known))
    msgspec.convert(tree, kind)
    return tree


_PLAIN: Final[Mapping[type, Tree]] = {inspect.IntType: 1, inspect.BoolType: True, inspect.BytesType: b"x"}


def _value(info: inspect.Type, known: Mapping[str, Tree]) -> Tree:
    if type(info) in _PLAIN:
        return _PLAIN[type(info)]
    match info:
        case inspect.StrType(pattern=pattern):
            return _text(pattern or "")
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.ListType(item_type=item):
            return [_value(item, known)]
        case inspect.StructType(cls=cls):
            return sample(cls, known)
        case inspect.UnionType(types=types):
            return _value(next(one for one in types if not isinstance(one, inspect.NoneType)), known)
        case _:
            raise AssertionError(f"there is no sample of {info}")


def _text(pattern: str) -> str:
    if "{64}" in pattern:
        return "0" * 64
    return "" if "?$" in pattern else "x"


class Mutator:
    """`encode` makes bytes of a tree of plain values; some mutations are of the tree, some of the bytes."""

    def __init__(self, dice: random.Random, encode: Encode, tags: Sequence[str]) -> None:
        self._dice = dice
        self._encode = encode
        self._tags = tags

    def mutated(self, tree: Tree) -> bytes:
        """The tree, changed once to three times, as bytes. It is not changed itself."""
        copied = msgpack.decode(msgpack.encode(tree))
        for _ in range(self._dice.choice((1, 1, 2, 3))):
            copied = self._dice.choice(_OF_TREES)(self._dice, copied, self._tags)
        raw = self._encode(copied)
        return self._dice.choice(_OF_BYTES)(self._dice, raw) if self._dice.random() < 0.2 else raw


def to_json(tree: Tree) -> bytes:
    """As a browser might, and as none would: NaN, and halves of surrogates, as they are."""
    return json.dumps(tree, ensure_ascii=False).encode("utf-8", "surrogatepass")


def to_msgpack(tree: Tree) -> bytes:
    return msgpack.encode(tree)


# Of trees.


def _places(tree: Tree, levels: int = 4) -> list[tuple[Tree, Any]]:
    """Every (container, key) in the upper levels of a tree."""
    if isinstance(tree, dict):
        own: list[tuple[Tree, Any]] = [(tree, key) for key in tree]
    elif isinstance(tree, list):
        own = [(tree, at) for at in range(len(tree))]
    else:
        return []
    if not levels:
        return own
    return own + [place for container, key in own for place in _places(container[key], levels - 1)]


def _replaced(dice: random.Random, tree: Tree, value: Tree) -> Tree:
    places = _places(tree)
    if not places:
        return value
    container, key = dice.choice(places)
    container[key] = value
    return tree


def _number(dice: random.Random, tree: Tree, _: Sequence[str]) -> Tree:
    return _replaced(dice, tree, dice.choice(NUMBERS))


def _word(dice: random.Random, tree: Tree, _: Sequence[str]) -> Tree:
    return _replaced(dice, tree, dice.choice(WORDS))


def _other_type(dice: random.Random, tree: Tree, _: Sequence[str]) -> Tree:
    return _replaced(
        dice, tree, dice.choice((None, True, False, [], {}, [[]], {"": {}}, [None] * 300, {"type": "send"}))
    )


def _large(dice: random.Random, tree: Tree, _: Sequence[str]) -> Tree:
    return _replaced(dice, tree, dice.choice(("x", "é")) * dice.choice(LARGE))


def _nested(dice: random.Random, tree: Tree, _: Sequence[str]) -> Tree:
    deep: Tree = 1
    for _level in range(dice.choice((5, 100, 900))):
        deep = [deep] if dice.random() < 0.5 else {"a": deep}
    return _replaced(dice, tree, deep)


def _without(dice: random.Random, tree: Tree, _: Sequence[str]) -> Tree:
    places = _places(tree)
    if places:
        container, key = dice.choice(places)
        del container[key]
    return tree


def _with_more(dice: random.Random, tree: Tree, _: Sequence[str]) -> Tree:
    if isinstance(tree, dict):
        tree[dice.choice(("extra", "sender", "person", "seq", "__class__", ""))] = dice.choice(WORDS)
    return tree


def _renamed(dice: random.Random, tree: Tree, _: Sequence[str]) -> Tree:
    if isinstance(tree, dict) and tree:
        key = dice.choice(list(tree))
        tree[str(key).upper() or "_"] = tree.pop(key)
    return tree


def _tagged(dice: random.Random, tree: Tree, tags: Sequence[str]) -> Tree:
    return _replaced(dice, tree, dice.choice(tags))


def _wrapped(dice: random.Random, tree: Tree, _: Sequence[str]) -> Tree:
    return dice.choice(([tree], [tree, tree], {"type": tree}, {"items": [tree]}, "text", 7, None))


_OF_TREES: Final = (
    _number, _number, _word, _word, _other_type, _large, _nested, _without, _with_more, _renamed, _tagged, _wrapped,
)  # fmt: skip


# Of bytes.


def _flipped(dice: random.Random, raw: bytes) -> bytes:
    changed = bytearray(raw)
    for _ in range(dice.randint(1, 4)):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(7)
    return bytes(changed)


def _cut_short(dice: random.Random, raw: bytes) -> bytes:
    return raw[: dice.randrange(len(raw))]


def _stuttering(dice: random.Random, raw: bytes) -> bytes:
    at = dice.randrange(len(raw))
    return raw[:at] + raw[max(0, at - 9) :]


def _doubled(_: random.Random, raw: bytes) -> bytes:
    return raw + raw


def _noise(dice: random.Random, raw: bytes) -> bytes:
    at = dice.randrange(len(raw))
    return raw[:at] + dice.randbytes(dice.randint(1, 30)) + raw[at:]


def _marked(_: random.Random, raw: bytes) -> bytes:
    return b"\xef\xbb\xbf" + raw


def _bottomless(_: random.Random, __: bytes) -> bytes:
    return b"[" * DEEP


_OF_BYTES: Final = (_flipped, _flipped, _cut_short, _cut_short, _stuttering, _doubled, _noise, _marked, _bottomless)
