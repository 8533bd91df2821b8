"""Run the example of docs/writing-an-actor.md: `python -m tests.support.counter FOLDER`."""

from examples.counter import Counter
from tests.support.served import serve


class BorrowedName(Counter):
    """The tests' node has the product's users only; the example's own name would have none."""

    name = "router"


if __name__ == "__main__":
    serve(BorrowedName)
