"""Drills: simulated people chat with a real installation while it is killed, and every message is accounted for.

The same people serve the demonstrations, the benchmarks and the end-to-end tests.
"""
