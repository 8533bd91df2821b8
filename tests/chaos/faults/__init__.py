"""The faults that are more than a signal or a bad network."""

from collections.abc import Sequence

from tests.chaos.fault import Fault

FAULTS: Sequence[Fault] = ()
