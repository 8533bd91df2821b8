"""What an installation is told whose processes are to be the same ones all the time, however slow the machine is."""

from typing import Final

from tests.support.waiting import SCALE

PATIENT: Final = {"PARLEY_SUPERVISION__WATCHDOG": f"{30 * SCALE:g}"}
"""A process that gets no processor for ten seconds gives no sign of life either, and would be replaced."""
