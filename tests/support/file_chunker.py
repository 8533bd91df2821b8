"""Run file_chunker: `python -m tests.support.file_chunker FOLDER`."""

from actors.file_chunker import FileChunker
from tests.support.served import serve

if __name__ == "__main__":
    serve(FileChunker)
