"""The operator's page: what runs here, how it was the last quarter of an hour, and four things to do about it."""
