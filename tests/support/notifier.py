"""Run notifier: `python -m tests.support.notifier FOLDER`."""

from actors.notifier import Notifier
from tests.support.served import serve

if __name__ == "__main__":
    serve(Notifier)
