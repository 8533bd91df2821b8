"""`python -m tests.simulation`: live many seeds, or one of them with a trace of all that happened."""

import argparse
import sys
from collections.abc import Sequence

from tests.simulation.plan import plan
from tests.simulation.sweep import sweep
from tests.simulation.world import run


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 every promise was kept, 1 one was not, 2 usage."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=_range, default=range(1_000), metavar="FIRST:END", help="which (0:1000)")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--trace", action="store_true", help="say what happened, and give it a mark to compare by")
    args = parser.parse_args(arguments)
    seeds = args.seeds if args.seed is None else range(args.seed, args.seed + 1)
    if args.trace:
        for seed in seeds:
            result = run(seed, traced=True)
            _say(str(plan(seed)), *result.trace, *result.broken, f"mark {result.mark}")
        return 0
    found = sweep(seeds, lambda seed, broken: _say(f"seed {seed}:", *(f"  {sentence}" for sentence in broken)))
    _say(str(found))
    return 1 if found.broken else 0


def _range(text: str) -> range:
    first, _, end = text.partition(":")
    return range(int(first), int(end))


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
