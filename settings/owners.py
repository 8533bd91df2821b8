"""The one list of actors that own a database and a mailbox, in the order in which they are started."""

OWNERS = ("auth", "contacts", "router", "notifier", "file_chunker")
