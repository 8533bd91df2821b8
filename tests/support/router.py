"""Run router: `python -m tests.support.router FOLDER`."""

from actors.router import Router
from tests.support.served import serve

if __name__ == "__main__":
    serve(Router)
