"""Child processes kept alive: specs as data, a pure restart policy, the private broker, and the control socket."""
