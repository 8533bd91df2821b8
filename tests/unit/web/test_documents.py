"""The generated documents: whole, current, and about what is really served."""

import asyncio
import json
from pathlib import Path
from typing import Any, get_args

import pytest

from protocols import frames, ops
from protocols.errors import TABLE
from tests.support.schema import check, references, resolve
from web import asyncapi, documents, openapi
from web.routes import ROUTES

DOCS = Path(__file__).resolve().parents[3] / "docs" / "api"

HTTP: dict[str, Any] = json.loads(documents.openapi_json())
SOCKET: dict[str, Any] = json.loads(documents.asyncapi_json())


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
def test_the_kept_copies_are_current(name: str) -> None:
    generated = {"openapi": documents.openapi_json, "asyncapi": documents.asyncapi_json}[name]()
    assert (DOCS / f"{name}.json").read_bytes() == generated, "run: .venv/bin/python -m web.documents docs/api"


def test_the_writer_writes_what_is_served(tmp_path: Path) -> None:
    documents.write(tmp_path / "new")
    assert (tmp_path / "new" / "openapi.json").read_bytes() == documents.openapi_json()
    assert (tmp_path / "new" / "asyncapi.json").read_bytes() == documents.asyncapi_json()


@pytest.mark.parametrize("document", [HTTP, SOCKET], ids=["http", "socket"])
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = references(document)
    assert found
    for reference in found:
        resolve(reference, document)


@pytest.mark.parametrize("document", [HTTP, SOCKET], ids=["http", "socket"])
def test_no_schema_is_left_over(document: dict[str, Any]) -> None:
    named = {reference.rpartition("/")[2] for reference in references(document)}
    assert set(document["components"]["schemas"]) <= named


@pytest.mark.parametrize("document", [HTTP, SOCKET], ids=["http", "socket"])
def test_every_error_code_is_told(document: dict[str, Any]) -> None:
    assert document["x-error-codes"].keys() == TABLE.keys()
    assert document["x-error-codes"]["not_a_contact"] == {
        "status": 403,
        "message": TABLE["not_a_contact"].message,
        "final": True,
    }


def test_every_declared_route_is_described_and_can_answer() -> None:
    for route in ROUTES:
        operation = HTTP["paths"][route.path][route.method.lower()]
        assert operation["summary"], route.path
        good = [status for status in operation["responses"] if status < "300"]
        assert good, route.path
        for code in route.codes:
            assert code in operation["responses"][str(int(TABLE[code].status))]["x-codes"]


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for path in HTTP["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))


def test_only_what_needs_no_session_says_so() -> None:
    free = {
        (method, path)
        for path, operations in HTTP["paths"].items()
        for method, operation in operations.items()
        if operation.get("security") == []
    }
    declared = {(route.method.lower(), route.path) for route in ROUTES if route.who == "anyone"}
    assert free == declared | {("get", path) for path in openapi.OTHERS}


def test_a_query_becomes_parameters() -> None:
    operation = HTTP["paths"]["/api/v1/conversations/{id}/messages"]["get"]
    told = {parameter["name"]: parameter for parameter in operation["parameters"]}
    assert told["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    assert (told["before"]["schema"]["type"], told["before"]["required"]) == ("integer", False)
    assert (told["id"]["in"], told["id"]["required"]) == ("path", True)
    search = HTTP["paths"]["/api/v1/users"]["get"]["parameters"]
    assert {parameter["name"]: parameter["required"] for parameter in search} == {"q": True, "limit": False}


def test_every_frame_is_described_and_every_command_is_answered() -> None:
    assert set(asyncapi.REPLIES) == set(get_args(frames.ClientFrame))
    told = set(SOCKET["components"]["messages"])
    every = {*get_args(frames.ClientFrame), *get_args(frames.ServerFrame), frames.StoredOk, frames.SyncOk}
    operators = {ops.OpsClientFrame, *get_args(ops.OpsServerFrame)}
    assert told == {kind.__name__ for kind in every | operators}
    assert set(SOCKET["channels"]["socket"]["messages"]) == {kind.__name__ for kind in every}
    assert set(SOCKET["channels"]["operations"]["messages"]) == {kind.__name__ for kind in operators}
    pushed = {message["$ref"].rpartition("/")[2] for message in SOCKET["operations"]["push"]["messages"]}
    assert {"Hello", "Message", "Contact", "Resync"} < pushed
    assert not pushed & {"Send", "StoredOk", "SyncOk"}


def test_every_close_code_is_told() -> None:
    codes = {str(value) for name, value in vars(frames.Close).items() if name.isupper()}
    assert SOCKET["x-close-codes"].keys() == codes


def test_frames_fit_their_schemas() -> None:
    send = {"type": "send", "id": "1", "client_id": "c1", "to": "bob", "body": "hello"}
    schema = SOCKET["components"]["schemas"]["Send"]
    check(send, schema, SOCKET)
    for wrong in ({**send, "sender": "ann"}, {**send, "body": 5}, {**send, "to": "b b"}, {**send, "type": "edit"}):
        with pytest.raises(AssertionError):
            check(wrong, schema, SOCKET)


def test_documents_are_made_once() -> None:
    """They are answered from memory: nobody makes a front build them again and again."""

    async def bodies() -> list[Any]:
        answers = [await documents.serve_openapi(None) for _ in range(2)]  # type: ignore[arg-type]  # (not looked at)
        return [answer.body for answer in answers]

    first, second = asyncio.run(bodies())
    assert first is second
