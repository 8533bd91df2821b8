"""What every actor is: declaration, mailbox, dispatch, timers, lifecycle. Knows no actor by name."""

from actors.runtime.declaration import Actor, Answer, Effect, Mail, every, handles, handles_batch
from actors.runtime.environment import Environment
from actors.runtime.post import Asker, Post

__all__ = ["Actor", "Answer", "Asker", "Effect", "Environment", "Mail", "Post", "every", "handles", "handles_batch"]
