"""What pages are told of an upload."""

from msgspec import json

from protocols.files import UploadState
from protocols.frames import FileFrame
from protocols.mail import Push


def told(upload: UploadState) -> Push:
    """For its sender and its recipient, as it is now."""
    frame = FileFrame(
        id=upload.id,
        state=upload.state,
        offset=upload.offset,
        size=upload.size,
        active=upload.active,
        verified=upload.verified,
        reason=upload.reason,
    )
    # Nobody is in contact with himself; should it be so once, he is told once.
    return Push(to=list(dict.fromkeys((upload.owner, upload.recipient))), frame=json.encode(frame))
