"""The faults that are more than a signal or a bad network."""

from collections.abc import Sequence

from tests.chaos.fault import Fault
from tests.chaos.faults.clocks import BentClocks
from tests.chaos.faults.deletions import DeletedExchange, DeletedMailbox, DeletedPushQueues
from tests.chaos.faults.disk import FullDisk
from tests.chaos.faults.memory import MemoryAlarm
from tests.chaos.faults.triples import TripleSends

FAULTS: Sequence[Fault] = (
    MemoryAlarm(),
    FullDisk(),
    BentClocks(),
    DeletedMailbox(),
    DeletedPushQueues(),
    DeletedExchange(),
    TripleSends(),
)
