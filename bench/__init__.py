"""Figures of this machine: `python -m bench`, or `make bench`. Real processes, real broker, real sockets."""
