"""Start one process: a new session, clean signals, /dev/null to read, and exactly the descriptors it is to have."""

import os
import signal

from supervision.spec import ChildSpec

LISTEN_DESCRIPTOR = 3
"""Where the LISTEN_FDS protocol puts the first socket."""

# LISTEN_PID must be the pid of the process that takes the socket. Only the new process knows it, and exec keeps it.
_WITH_LISTENER = 'export LISTEN_PID="$$"; exec "$@"'

# Python ignores these in itself, and an ignored signal stays ignored across exec.
_DEFAULTED = (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGXFSZ)


def spawn(spec: ChildSpec, *, output: int, listener: int | None, notify: str | None) -> int:
    """The new process's pid. Call it from the main thread alone: a parent-death signal follows the starting thread.

    posix_spawn runs none of our code between fork and exec, so no lock of ours can be held there. Every descriptor
    but 0 to 3 is closed by exec. Raises OSError where the program cannot be run.
    """
    env = dict(spec.env)
    argv = list(spec.argv)
    actions: list[tuple[int, int, str, int, int] | tuple[int, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ]
    if notify is not None:
        env["NOTIFY_SOCKET"] = notify
    if spec.watchdog:
        env["WATCHDOG_USEC"] = str(round(spec.watchdog * 1_000_000))
    if spec.listener and listener is not None:
        env["LISTEN_FDS"] = "1"
        env["LISTEN_FDNAMES"] = "web"
        argv = ["/bin/sh", "-c", _WITH_LISTENER, spec.name, *argv]
        actions.append((os.POSIX_SPAWN_DUP2, listener, LISTEN_DESCRIPTOR))
    return os.posix_spawn(argv[0], argv, env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=_DEFAULTED)
