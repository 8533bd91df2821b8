"""What pages are told of an upload."""

from msgspec import json

from protocols.files import UploadState
from protocols.mail import Push
from protocols.rendering import file_frame


def told(upload: UploadState) -> Push:
    """For its sender and its recipient, as it is now."""
    # Nobody is in contact with himself; should it be so once, he is told once.
    return Push(to=list(dict.fromkeys((upload.owner, upload.recipient))), frame=json.encode(file_frame(upload)))
