"""Lists in pages: one query and one cut for every list that a person has of their own. Pure."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from protocols.errors import Refusal
from protocols.values import PAGE_MOST, Id

T = TypeVar("T")

Limit = Annotated[int, Meta(ge=1, le=PAGE_MOST)]


class Page(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`limit`: most entries; without it the list comes whole. `after`: the id of the last entry of the page before."""

    limit: Limit | None = None
    after: Id | None = None


class Newest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`limit`: most entries of a list that is bounded anyway, the newest first; without it all of them."""

    limit: Limit | None = None


def cut(entries: Sequence[T], page: Page, name: Callable[[T], str]) -> tuple[list[T], bool]:
    """(the entries of a page, whether there are more behind them).

    Raises Refusal("invalid") when `after` is none of them: the list has changed, and has to be read from the start.
    """
    start = 0
    if page.after is not None:
        start = next((at for at, entry in enumerate(entries, 1) if name(entry) == page.after), 0)
        if not start:
            raise Refusal("invalid", fields={"after": "There is no such entry; start from the beginning."})
    end = len(entries) if page.limit is None else start + page.limit
    return list(entries[start:end]), end < len(entries)
