"""notifier follows the logs of the others, decides who should know, and can say why."""

from actors.notifier.actor import Notifier

__all__ = ["Notifier"]
