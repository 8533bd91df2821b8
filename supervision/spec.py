"""Child specs: what the supervisor is told to run, as data that is validated before anything starts."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

RestartType = Literal["permanent", "transient", "temporary"]
"""OTP's: permanent comes back always, transient after a failure only, temporary never."""

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}(\.[1-9][0-9]?)?$")]


MARK = "PARLEY_INSTALLATION"
"""In the environment of every child: the run directory, by which a new supervisor knows what an old one left."""


class SpecError(Exception):
    """Specs that contradict themselves or each other; the text says which and how."""


class ChildSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One child process. Times are in seconds.

    `order` decides about start (ascending) and stop (descending); equal numbers start and stop together.
    `waited_for`: whether the start waits for this child's READY before it goes on.
    `listener`: whether the child gets the listening socket as file descriptor 3.
    `notify`: whether the child speaks sd_notify; one that does not counts as ready as soon as it runs.
    `watchdog`: longest silence of a ready child before it is replaced; 0 for a child that sends no signs of life.
    `start_timeout`: longest silence of a child that is not ready yet; 0 waits for ever.
    """

    name: Name
    argv: tuple[str, ...]
    env: Mapping[str, str]
    restart: RestartType = "permanent"
    order: int = 0
    waited_for: bool = True
    stop_timeout: float = 10.0
    listener: bool = False
    notify: bool = True
    watchdog: float = 0.0
    start_timeout: float = 0.0

    @property
    def actor(self) -> str:
        """The name without the number of a copy: `front` for `front.2`."""
        return self.name.partition(".")[0]

    def copy(self, number: int) -> "ChildSpec":
        """The spec of copy `number` (from 1) of an actor that runs several times; argv names the copy too."""
        name = f"{self.actor}.{number}"
        return replace(self, name=name, argv=tuple(name if part == self.name else part for part in self.argv))


def validate(specs: Iterable[ChildSpec]) -> tuple[ChildSpec, ...]:
    """All specs in the order of their start. Raises SpecError before anything was started."""
    ordered = tuple(sorted(specs, key=lambda spec: spec.order))
    seen: set[str] = set()
    for spec in ordered:
        if spec.name in seen:
            raise SpecError(f"{spec.name}: two children have this name")
        seen.add(spec.name)
        _check(spec)
    return ordered


def _check(spec: ChildSpec) -> None:
    if not spec.argv or not spec.argv[0].startswith("/"):
        raise SpecError(f"{spec.name}: argv must begin with the absolute path of a program")
    if any("\0" in part for part in (*spec.argv, *spec.env, *spec.env.values())):
        raise SpecError(f"{spec.name}: a NUL byte in argv or env")
    if any(not key or "=" in key for key in spec.env):
        raise SpecError(f"{spec.name}: an empty name or one with '=' in env")
    if spec.stop_timeout <= 0:
        raise SpecError(f"{spec.name}: stop_timeout must be above 0")
    if spec.watchdog < 0 or spec.start_timeout < 0:
        raise SpecError(f"{spec.name}: watchdog and start_timeout must not be negative")
    if (spec.watchdog or spec.start_timeout) and not spec.notify:
        raise SpecError(f"{spec.name}: a watchdog needs a child that speaks sd_notify")
