"""The private RabbitMQ node: everything it needs, written into data/broker, and the spec of its process.

Checked with RabbitMQ 3.10.8 on OTP 25. All three ports (AMQP, Erlang distribution, epmd) are bound to loopback.
"""

import base64
import hashlib
import json
import os
import secrets
import shutil
import socket
from pathlib import Path
from stat import S_IMODE
from typing import TypeVar

import msgspec

from settings import Paths, Settings, SettingsError
from settings.endpoint import Endpoint, endpoint_file
from settings.paths import is_word
from settings.secret_files import BROKER_USERS, create, secret
from supervision import ports
from supervision.spec import MARK, ChildSpec

T = TypeVar("T")

NAME = "broker"

PROGRAMS = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),)
"""Where distributions put the script that runs as any user; the one in /usr/sbin insists on root or its own user."""

MISSING = (
    "RabbitMQ is not installed: install rabbitmq-server 3.10 or newer (`make setup` does it on Debian, given root or "
    "sudo), or set PARLEY_BROKER__URL to the address of a broker that runs already"
)

# The broker's child is one process group with one fate: epmd (which tells rabbitmqctl where the node is) belongs to
# the node and is killed with it. $PPID is compared because the supervisor may have died before setpriv took effect.
# It works in its own folder, because Mnesia writes what it knows of a crash into the one where it works.
_SCRIPT = """\
[ "$PPID" = "$PARLEY_SUPERVISOR_PID" ] && cd "$HOME" || exit 75
"$1" --pdeathsig KILL -- "$2" -address 127.0.0.1 -port "$ERL_EPMD_PORT" &
exec "$3"
"""

# As it starts, a node asks every module of these applications for its attributes, and so loads a thousand modules, one
# by one: each load copies the table of all functions. By applications it takes 2.4 s of a processor instead of 4.4
# (3.10.8); all in one go would leave the node with 80 MiB more, for good. A node of another version loads what is not
# named here as it always did. There is no white space in it, and no quote: ERL_AFLAGS would be split there.
# Before that it forgets ERL_AFLAGS: to be sure of epmd it starts another machine for a moment, which needs none of it.
_APPLICATIONS = (
    "amqp10_common,asn1,aten,compiler,credentials_obfuscation,crypto,cuttlefish,enough,gen_batch_server,inets,jsx,"
    "kernel,mnesia,observer_cli,os_mon,osiris,public_key,ra,rabbit,rabbit_common,rabbitmq_prelaunch,ranch,recon,sasl,"
    "seshat,ssl,stdlib,stdout_formatter,syntax_tools,syslog,sysmon_handler,systemd,tools,xmerl"
)
_LOAD = (
    "os:unsetenv([$E,$R,$L,$_,$A,$F,$L,$A,$G,$S]),"
    "catch([code:ensure_modules_loaded([list_to_atom(filename:rootname(filename:basename(File)))"
    "||File<-filelib:wildcard(filename:join(Folder,[$*,$.,$b,$e,$a,$m]))])"
    f"||Application<-[{_APPLICATIONS}],Folder<-[code:lib_dir(Application,ebin)],is_list(Folder)])."
)


HANGING = 60
"""Seconds, more than 10, after which a node whose machine does not turn is killed: by Erlang's own watchdog `heart`, a
process beside it that it writes to. To beat, a node needs neither disk nor connection, so one that is only slow, or has
raised an alarm, beats on. Whoever asked it by AMQP instead would leave a warning in its log each time."""


class Node(msgspec.Struct, frozen=True):
    """What data/broker/node.json keeps: the name is bound to the database, the ports are kept while they are free."""

    name: str
    distribution_port: int
    epmd_port: int


def program() -> Path | None:
    """The node's start script, or None where RabbitMQ is not installed."""
    for path in PROGRAMS:
        if path.exists():
            return path
    # Other distributions and the generic archive put the script on the PATH itself.
    found = shutil.which("rabbitmq-server")
    return Path(found) if found and found != "/usr/sbin/rabbitmq-server" else None


def spec(settings: Settings, paths: Paths, supervisor_pid: int) -> ChildSpec:
    """Write the node's files anew and say how to start it. Call it before each start, while the node is not running.

    Raises SettingsError when RabbitMQ is not installed, and OSError when data/broker cannot be written: a disk that is
    full now may have room at the next try.
    """
    server, setpriv, epmd = program(), shutil.which("setpriv"), shutil.which("epmd")
    if server is None or epmd is None:
        raise SettingsError("broker.url", MISSING)
    if setpriv is None:
        raise SettingsError("broker.url", "the private broker needs setpriv (package util-linux)")
    node = _write(settings, paths)
    return ChildSpec(
        name=NAME,
        order=10,
        argv=(setpriv, "--pdeathsig", "KILL", "--", "/bin/sh", "-c", _SCRIPT, "broker", setpriv, epmd, str(server)),
        env={**_environment(paths, node), MARK: str(paths.run), "PARLEY_SUPERVISOR_PID": str(supervisor_pid)},
        # Actors are ready without a broker, so their start does not wait for the slowest child.
        waited_for=False,
        stop_timeout=10.0,
    )


def _write(settings: Settings, paths: Paths) -> Node:
    paths.make()
    for folder in (paths.broker, paths.broker / "mnesia"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # One of the last crash is enough: they are large, and a full disk makes many.
    for core in paths.broker.glob("MnesiaCore.*"):
        core.unlink(missing_ok=True)
    if (link := _folder(paths)) != paths.broker:
        link.unlink(missing_ok=True)
        link.symlink_to(paths.broker)
    cookie = paths.broker / ".erlang.cookie"
    if not cookie.exists():
        create(cookie, secrets.token_hex(24))
    cookie.chmod(0o400)
    endpoint, node = _addresses(paths)
    files = {
        "rabbitmq.conf": configuration(settings, paths, endpoint),
        "advanced.config": "[{kernel, [{inet_dist_use_interface, {127,0,0,1}}]}].\n",
        "enabled_plugins": "[].\n",
        "definitions.json": json.dumps(definitions(settings, paths, endpoint.virtual_host), indent=1),
        # Present and empty, so that the script does not look for one in /etc.
        "rabbitmq-env.conf": "",
        "node.json": msgspec.json.encode(node).decode(),
    }
    for name, text in files.items():
        replace_file(paths.broker / name, text)
    # Last: whoever reads the endpoint finds a node that is configured for it.
    replace_file(endpoint_file(paths), msgspec.json.encode(endpoint).decode())
    return node


def _folder(paths: Paths) -> Path:
    """data/broker by a name without blanks, quotes and the like.

    The node has a shell ask how full its disk is, and does not quote the folder. So it would watch no disk, or wait
    before it starts for the end of a quotation.
    """
    return paths.broker if is_word(paths.broker) else paths.run / NAME


def replace_file(path: Path, text: str) -> None:
    """Put a file of mode 0600 in place in one step: a reader sees the old text or the new one, never a part.

    One that is so already is left alone, so that a full disk keeps nobody from starting. Raises OSError.
    """
    if _holds(path, text):
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        # Or a power cut may leave the name with nothing behind it, and nobody knows any more which node's the data are.
        os.fsync(descriptor)
    draft.replace(path)


def _holds(path: Path, text: str) -> bool:
    try:
        # One that came back from somewhere else may be open to others.
        return not S_IMODE(path.stat().st_mode) & 0o077 and path.read_bytes() == text.encode()
    except FileNotFoundError:
        return False


def configuration(settings: Settings, paths: Paths, endpoint: Endpoint) -> str:
    """rabbitmq.conf of the private node."""
    return f"""\
listeners.tcp.1 = 127.0.0.1:{endpoint.port}
num_acceptors.tcp = 4
load_definitions = {_folder(paths) / "definitions.json"}
vm_memory_high_watermark.absolute = {settings.broker.memory_mib}MiB
disk_free_limit.absolute = 64MB
raft.wal_max_size_bytes = 64000000
log.file = false
log.console = true
log.console.level = warning
"""


def definitions(settings: Settings, paths: Paths, virtual_host: str) -> dict[str, object]:
    """One user a name, each with the run of this installation's own names in its virtual host, and no guest."""
    own = rf"^({settings.broker.namespace}\.|amq\.gen)"
    return {
        "vhosts": [{"name": virtual_host}],
        "users": [
            {
                "name": user,
                "password_hash": password_hash(secret(paths, f"broker-{user}")),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "",
            }
            for user in BROKER_USERS
        ],
        "permissions": [
            {
                "user": user,
                "vhost": virtual_host,
                "configure": own,
                # The default exchange reaches a queue by its name; permissions call it amq.default.
                "write": rf"{own}|^amq\.default$",
                "read": own,
            }
            for user in BROKER_USERS
        ],
    }


def password_hash(password: str) -> str:
    """RabbitMQ's salted SHA-256: base64(salt + sha256(salt + password)).

    The salt is derived, not random, so that unchanged passwords give unchanged definitions, which the node skips.
    The passwords are 256 random bits: nobody guesses them from a hash, whatever its salt.
    """
    raw = password.encode()
    salt = hashlib.sha256(b"salt:" + raw).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + raw).digest()).decode()


def _addresses(paths: Paths) -> tuple[Endpoint, Node]:
    """The kept addresses, with a new port wherever somebody else took one meanwhile."""
    endpoint = _kept(endpoint_file(paths), Endpoint) or Endpoint(port=0)
    node = _kept(paths.broker / "node.json", Node) or Node(f"parley-{secrets.token_hex(4)}@localhost", 0, 0)
    amqp, distribution, epmd = _free_ports((endpoint.port, node.distribution_port, node.epmd_port))
    return (
        msgspec.structs.replace(endpoint, port=amqp),
        msgspec.structs.replace(node, distribution_port=distribution, epmd_port=epmd),
    )


def _kept(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise SettingsError(str(path), f"is damaged ({error}); restore it from a backup") from error


def _free_ports(wanted: tuple[int, ...]) -> list[int]:
    """A free loopback port for each wanted one: that one where possible (0: any)."""
    found: list[int] = []
    for port in wanted:
        with ports.bind(port, {*wanted} - {port} | {*found}) or _refuse() as one:
            found.append(int(one.getsockname()[1]))
    return found


def _refuse() -> socket.socket:
    raise SettingsError("broker.url", "no free port on 127.0.0.1 for the private broker")


def _environment(paths: Paths, node: Node) -> dict[str, str]:
    """The node's whole environment: nothing of ours is inherited, so no stray RABBITMQ_* or ERL_* changes it."""
    base = _folder(paths)
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(base),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(node.epmd_port),
        "ERL_CRASH_DUMP_SECONDS": "0",
        "HEART_BEAT_TIMEOUT": str(HANGING),
        # Without a command to run afterwards, it would leave the node that hangs alone.
        "HEART_COMMAND": ":",
        "ERL_AFLAGS": f"-eval {_LOAD}",
        "RABBITMQ_NODENAME": node.name,
        "RABBITMQ_DIST_PORT": str(node.distribution_port),
        "RABBITMQ_CONF_ENV_FILE": str(base / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(base / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(base / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(base / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(base / "mnesia"),
        "RABBITMQ_LOG_BASE": str(base / "log"),
        "RABBITMQ_LOGS": "-",
        # Few schedulers that never spin: a chat's broker idles most of the time beside the actors it serves.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-heart +S 2:2 +SDcpu 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
    }
