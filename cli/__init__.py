"""The command line: one module a group of commands, each with `add_parser(subparsers)` and a `run(args) -> int`."""
