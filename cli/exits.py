"""What the command line's exit codes mean, and the exceptions that carry them."""

DONE = 0
FAILED = 1
USAGE = 2
NOTHING_RUNNING = 3
CONFIGURATION = 78
INTERRUPTED = 130


class CommandError(Exception):
    """A command that cannot be carried out: one sentence with the next step to take, and an exit code."""

    def __init__(self, sentence: str, code: int = FAILED) -> None:
        super().__init__(sentence)
        self.code = code
