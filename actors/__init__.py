"""The actors. `python -m actors NAME` runs one, alone; the runtime is what every one of them is."""
