"""file_chunker: the owner of uploads, and the only writer of the blobs that they become."""

from actors.file_chunker.actor import FileChunker

__all__ = ["FileChunker"]
