"""The documents against the front that serves them: every address is described, and answers fit their schemas."""

from pathlib import Path
from typing import Any

from protocols.values import conversation_of
from tests.support.house import House, open_house
from tests.support.schema import Json, check, undeclared
from tests.support.tus import metadata
from tests.support.waiting import eventually

V1 = "/api/v1"
PAGES = {
    *("/", "/login", "/register", "/logout", "/chat", "/chat/{id}", "/contacts", "/settings", "/favicon.ico", "/ws"),
    *("/ops", "/ws/ops", "/sw.js"),
}


class Witness:
    """Sends requests, and checks each answer against what the document says of that operation and status."""

    def __init__(self, house: House, document: Json) -> None:
        self._house = house
        self._document = document
        self.seen: set[tuple[str, str, int]] = set()

    async def call(self, method: str, template: str, bearer: dict[str, str], body: Any = None, **names: str) -> Any:
        path = template.partition("?")[0]
        status, answer = await self._house.call(method, template.format(**names), body, **bearer)
        operation = self._document["paths"][path][method.lower()]
        assert str(status) in operation["responses"], f"{method} {path}: {status} is not foreseen"
        response = operation["responses"][str(status)]
        if answer is None:
            assert "content" not in response
        else:
            schema = response["content"]["application/json"]["schema"]
            check(answer, schema, self._document)
            assert undeclared(answer, schema, self._document) == set()
            if "error" in answer:
                assert answer["error"]["code"] in response["x-codes"], f"{method} {path}: {answer}"
        self.seen.add((method, path, status))
        return answer


async def test_every_address_is_described(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        _, document = await house.call("GET", f"{V1}/openapi.json")
        runner = house.front._server._runner
        assert runner is not None
        served = {
            (route.method, route.resource.canonical)
            for route in runner.app.router.routes()
            if route.resource is not None
        }
        described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
        assert described <= served
        # What can be read can be asked for without its body, which needs no words.
        served = {(method, path) for method, path in served if method != "HEAD"}
        rest = {path for _, path in served - described if not path.startswith("/static/")}
        assert rest <= PAGES, "what is neither a page nor described"


async def test_the_socket_is_described_where_it_is(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        status, document = await house.call("GET", f"{V1}/asyncapi.json")
        assert (status, document["channels"]["socket"]["address"]) == (200, "/ws")
        ann, bob = await house.person("ann"), await house.person("bob")
        await house.befriend(ann, bob)
        async with ann.socket() as socket, bob.socket() as other:
            frames = [("Hello", socket.hello)]
            await socket.send(type="send", id="1", client_id="c1", to=bob.id, body="hello")
            frames.append(("StoredOk", await socket.next("ok")))
            frames.append(("Message", await other.next("message")))
            await socket.send(type="sync", id="2", since="")
            frames.append(("SyncOk", await socket.next("ok")))
            await socket.send(type="send", id="3", client_id="c1", to=bob.id, body="other")
            frames.append(("ErrorFrame", await socket.next("error")))
            await socket.send(type="ping", id="4")
            frames.append(("Pong", await socket.next("pong")))
            await other.send(type="read", id="5", conversation=conversation_of(ann.id, bob.id), seq=1)
            frames.append(("Ok", await other.next("ok")))
            frames.append(("ReceiptFrame", await socket.next("receipt")))
            for method, path, body in (
                ("POST", "notices/test", None),
                ("POST", "notices/read", {"up_to": 2**53}),
                ("PATCH", "me/preferences", {"desktop": True}),
                ("PUT", f"contacts/{bob.id}/mute", {"seconds": 60}),
            ):
                await ann.call(method, f"{V1}/{path}", body)
            for name, kind in (
                ("NoticeFrame", "notice"),
                ("NoticesRead", "notices_read"),
                ("PreferencesFrame", "preferences"),
                ("MuteFrame", "mute"),
            ):
                frames.append((name, await socket.next(kind)))
            await ann.call("DELETE", f"{V1}/contacts/{bob.id}")
            frames.append(("Contact", await socket.next("contact")))
        for name, frame in frames:
            schema = document["components"]["schemas"][name]
            check(frame, schema, document, name)
            assert undeclared(frame, schema, document) == set()


async def notified(witness: Witness, mine: dict[str, str], other: str) -> None:
    """Everything about notices, presence, preferences and mutes."""
    await witness.call("POST", f"{V1}/notices/test", mine)
    await witness.call("POST", f"{V1}/notices/read", mine, {"up_to": 1})
    await witness.call("GET", f"{V1}/notices", mine)
    await witness.call("GET", f"{V1}/notices?since=0", mine)
    await witness.call("GET", f"{V1}/notices/decisions", mine)
    await witness.call("GET", f"{V1}/presence", mine)
    await witness.call("PATCH", f"{V1}/me/preferences", mine, {"quiet_from": "22:00"})
    await witness.call("PATCH", f"{V1}/me/preferences", mine, {"zone": "Nowhere"})
    mute = f"{V1}/contacts/{{user_id}}/mute"
    await witness.call("PUT", mute, mine, {"forever": True}, user_id=other)
    await witness.call("GET", f"{V1}/me/preferences", mine)
    await witness.call("DELETE", mute, mine, user_id=other)
    await witness.call("DELETE", mute, mine, user_id="nobody")


async def ready(house: House) -> str:
    """The id of the file that is, "" while none is."""
    found = await house.owners["file_chunker"].database.read(lambda tx: tx.uploads.ready("", 1))
    return found[0].id if found else ""


async def filed(house: House, witness: Witness, mine: dict[str, str], his: dict[str, str], other: str) -> None:
    """Everything about files whose answer is JSON, or an error."""
    told = {"Upload-Length": "10", "Upload-Metadata": metadata(filename="a", recipient=other)}
    await witness.call("POST", f"{V1}/files", {**mine, **told})
    tus = {**mine, "Tus-Resumable": "1.0.0", "Idempotency-Key": "k1", **told}
    await witness.call("POST", f"{V1}/files", tus)
    await witness.call("POST", f"{V1}/files", {**tus, "Upload-Length": "11"})
    (made,) = await house.owners["file_chunker"].database.read(lambda tx: tx.uploads.changes(0, 2))
    file = made.id
    one = f"{V1}/files/{{id}}"
    await witness.call("GET", f"{V1}/files?ids={file}", his)
    await witness.call("PUT", f"{one}/digest", mine, {"sha256": "0" * 64}, id=file)
    await witness.call("PUT", f"{one}/digest", mine, {"sha256": "1" * 64}, id=file)
    await witness.call("PUT", f"{one}/digest", his, {"sha256": "0" * 64}, id=file)
    await witness.call("PUT", f"{one}/digest", {**mine, "Idempotency-Key": "k1"}, {"sha256": "0" * 64}, id=file)
    await witness.call("POST", f"{V1}/files", {**tus, "Upload-Length": "0", "Idempotency-Key": "k2"})
    empty = await eventually(lambda: ready(house))
    await witness.call("PUT", f"{one}/digest", mine, {"sha256": "1" * 64}, id=empty)
    await witness.call("GET", f"{one}/preview", his, id=file)
    await witness.call("PATCH", one, mine, id=file)
    await witness.call("DELETE", one, his, id=file)
    await witness.call("GET", one, his, id=file)
    await witness.call("GET", one, his, id="elsewhere")


async def test_answers_are_what_the_document_says(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        _, document = await house.call("GET", f"{V1}/openapi.json")
        witness = Witness(house, document)
        ann, bob = await house.person("ann"), await house.person("bob")
        mine, his = ann.bearer, bob.bearer
        conversation = conversation_of(ann.id, bob.id)
        messages = f"{V1}/conversations/{{id}}/messages"

        await witness.call("GET", "/healthz", {})
        await witness.call("GET", "/readyz", {})
        await witness.call("GET", "/.well-known/jwks.json", {})
        await witness.call("GET", f"{V1}/me", mine)
        await witness.call("GET", f"{V1}/me", {})
        await witness.call("GET", f"{V1}/auth/sessions", mine)
        await witness.call("POST", f"{V1}/auth/login", {}, {"username": "ann", "password": "not hers at all"})
        await witness.call("POST", f"{V1}/auth/refresh", {}, {"refresh_token": ann.refresh})
        await witness.call("GET", f"{V1}/users?q=bob", mine)
        await witness.call("GET", f"{V1}/users?q=b", mine)
        asked = await witness.call("POST", f"{V1}/contacts/requests", mine, {"user_id": bob.id})
        await witness.call("GET", f"{V1}/contacts/requests", his)
        await witness.call("POST", f"{V1}/contacts/requests", mine, {"user_id": "nobody"})
        accept = f"{V1}/contacts/requests/{{id}}/accept"
        await witness.call("POST", accept, his, id=asked["request"]["id"])
        await witness.call("POST", accept, mine, id=asked["request"]["id"])
        await witness.call("POST", f"{V1}/contacts/requests", his, {"user_id": ann.id})
        await witness.call("GET", f"{V1}/contacts", mine)
        new = {"client_id": "c1", "body": "hello"}
        await witness.call("POST", messages, mine, new, id=conversation)
        await witness.call("POST", messages, mine, {**new, "body": "other"}, id=conversation)
        await witness.call("POST", messages, mine, {**new, "sender": bob.id}, id=conversation)
        await witness.call("GET", messages, his, id=conversation)
        await witness.call("GET", f"{messages}?since=0", his, id=conversation)
        await witness.call("GET", messages, his, id="elsewhere")
        await witness.call("GET", f"{V1}/conversations", his)
        await witness.call("GET", f"{V1}/sync", his)
        unread = f"{V1}/conversations/{{id}}/unread"
        await witness.call("PUT", unread, his, {"seq": 1}, id=conversation)
        await witness.call("PUT", unread, mine, {"seq": 1}, id=conversation)
        await notified(witness, mine, bob.id)
        await filed(house, witness, mine, his, bob.id)
        await witness.call("PUT", f"{V1}/contacts/{{user_id}}/block", mine, user_id=bob.id)
        await witness.call("POST", messages, his, {**new, "client_id": "c2"}, id=conversation)
        await witness.call("GET", f"{V1}/conversations", his)
        house.owners["router"].running.clear()
        house.owners["router"].beat("stopping")
        await witness.call("POST", messages, his, {**new, "client_id": "c3"}, id=conversation)
        await witness.call("PUT", unread, his, {"seq": 1}, id=conversation)
        house.owners["router"].running.set()

        assert {status for method, path, status in witness.seen if path == messages} == {
            200,
            201,
            202,
            400,
            403,
            404,
            409,
        }
        assert {status for _, path, status in witness.seen if path == unread} == {202, 204, 409}
