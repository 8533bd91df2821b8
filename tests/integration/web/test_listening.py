"""Where a front listens: its own address, a port that is taken, TLS."""

import datetime as dt
import ipaddress
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from actors.front import Front
from actors.runtime import Environment
from settings import Paths, SettingsError
from tests.support.house import LocalPost, open_house
from tests.support.node import installation
from tests.support.people import make_people


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody signed but its own key: (certificate, key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


async def test_a_front_speaks_tls_itself(tmp_path: Path) -> None:
    public, private = certificate(tmp_path)
    web: dict[str, object] = {"tls_certificate": str(public), "tls_key": str(private)}
    async with open_house(tmp_path / "data", web=web) as house:
        trusting = ssl.create_default_context(cafile=str(public))
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as http,
            http.get(f"{house.url.replace('http:', 'https:')}/healthz") as answer,
        ):
            assert answer.status == 200
            assert "Strict-Transport-Security" in answer.headers


async def front(folder: Path, **web: object) -> Front:
    """A front in an installation where auth was once, and nobody is now."""
    settings = installation(folder, web=web)
    environment = Environment(settings, Paths.of(settings))
    environment.paths.databases.mkdir(parents=True)
    await make_people(environment.paths.databases)
    return Front(environment, LocalPost(environment, {}, "front.1"))


async def test_a_port_in_use_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        one = await front(tmp_path, port=taken.getsockname()[1])
        with pytest.raises(SettingsError, match=r"web\.port: 127\.0\.0\.1:\d+ is in use"):
            await one.start([])
        await one.drain()


async def test_a_certificate_that_cannot_be_read_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    one = await front(tmp_path, tls_certificate="missing.pem", tls_key="missing.pem")
    with pytest.raises(SettingsError, match=r"web\.tls_certificate: cannot be used"):
        await one.start([])
    await one.drain()


async def test_a_front_listens_where_the_settings_say_and_serves_before_any_owner_is_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    one = await front(tmp_path, port=port)
    await one.start([])
    try:
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{port}/readyz") as answer:
                assert (answer.status, (await answer.json())["status"]) == (503, "starting")
            async with http.get(f"http://127.0.0.1:{port}/login") as answer:
                assert answer.status == 200
            async with http.get(f"http://127.0.0.1:{port}/api/v1/me", headers={"Authorization": "Bearer x"}) as answer:
                assert (answer.status, (await answer.json())["error"]["code"]) == (401, "unauthenticated")
    finally:
        await one.drain()
