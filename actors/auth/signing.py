"""The keys that sign access tokens: one file each among the secrets, the newest signs."""

import hashlib
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from protocols.tokens import ALGORITHM, AUDIENCE, ISSUER, TYPE
from settings import SettingsError
from settings.secret_files import create, read
from storage.keys import PublicKey
from storage.sessions import Session

_FILES: Final = "signing-*.pem"


class Signer:
    """One private key. `public` is its other half, as it is kept in the database."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = PublicKey(_thumbprint(raw), raw)

    def sign(self, session: Session, token_id: str, now: int, ttl: int) -> tuple[str, int]:
        """(an access token for a session, the seconds that it is good for): `ttl`, or less if the session ends first.

        `now` is in Unix milliseconds.
        """
        seconds = max(1, min(ttl, (session.ends_at - now) // 1000))
        issued = now // 1000
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": session.user,
            "sid": session.id,
            "jti": token_id,
            "iat": issued,
            "nbf": issued,
            "exp": issued + seconds,
        }
        headers = {"typ": TYPE, "kid": self.public.kid}
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers=headers), seconds


def newest(secrets: Path, now: int) -> Signer:
    """The newest key; at the first start one is made. Raises SettingsError when its file cannot be used."""
    files = sorted(secrets.glob(_FILES))
    if not files:
        files = [generate(secrets, now)]
    return load(files[-1])


def generate(secrets: Path, now: int) -> Path:
    """A new private key's file. Its name begins with the time (Unix ms), so that names sort by age."""
    path = secrets / f"signing-{now:015d}.pem"
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    create(path, pem.decode("ascii"))
    return path


def load(path: Path) -> Signer:
    """Raises SettingsError when the file is open to others or holds no such key."""
    try:
        key = load_pem_private_key(read(path).encode(), password=None)
    except (ValueError, TypeError) as error:
        raise SettingsError(str(path), f"is not a private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(str(path), "is not an Ed25519 key")
    return Signer(key)


def _thumbprint(raw: bytes) -> str:
    """RFC 7638: names a key by what it is."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    return _base64url(hashlib.sha256(msgspec.json.encode(members)).digest())


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
