"""Access tokens as a front sees them: verified with auth's public keys, never signed. Pure.

A token proves who its bearer was when it was signed. Whether its session still lives is read from auth's database.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Any, Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocols.errors import Refusal
from protocols.tokens import ALGORITHM, AUDIENCE, CLAIMS, ISSUER, LEEWAY, TYPE
from storage.auth import PublicKey

_LONGEST: Final = 4_096


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a genuine token says. Times are Unix seconds."""

    user: str = msgspec.field(name="sub")
    session: str = msgspec.field(name="sid")
    issued_at: int = msgspec.field(name="iat")
    not_before: int = msgspec.field(name="nbf")
    expires_at: int = msgspec.field(name="exp")

    def expired(self, now: int) -> bool:
        """`now` in Unix milliseconds."""
        return now >= self.expires_at * 1000


class Verifier:
    """Believes tokens that one of some keys signed. Make a new one when a token names a key that it does not know."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        self._keys = {key.kid: Ed25519PublicKey.from_public_bytes(key.x) for key in keys}

    def knows(self, token: str) -> bool:
        """Whether the key that the token names is here. A token that cannot be read names none that is missing."""
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        # A ValueError comes of bytes in a header that are no text.
        except (jwt.PyJWTError, ValueError):
            return True
        return not isinstance(kid, str) or kid in self._keys

    def verify(self, token: str, now: int) -> Claims:
        """The claims of a genuine token that is good at `now` (Unix ms). Raises Refusal("unauthenticated")."""
        claims = self.verify_expired_too(token, now)
        if claims.expired(now):
            raise Refusal("unauthenticated")
        return claims

    def verify_expired_too(self, token: str, now: int) -> Claims:
        """As `verify`, but a token that was good once is good enough.

        For sessions that live while auth is down and nobody can refresh, and to tell a browser that was signed in.
        """
        if len(token) > _LONGEST:
            raise Refusal("unauthenticated")
        try:
            header = jwt.get_unverified_header(token)
            # The type is compared as media types are, without regard to case (RFC 9068, 4).
            if str(header.get("typ", "")).lower().removeprefix("application/") != TYPE:
                raise Refusal("unauthenticated")
            key = self._keys.get(header.get("kid", ""))
            if key is None:
                raise Refusal("unauthenticated")
            payload = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # The library would compare times with a clock of its own; ours is injected.
                options={"require": list(CLAIMS), "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
            claims = msgspec.convert(payload, Claims)
        except (jwt.PyJWTError, msgspec.ValidationError, TypeError, ValueError) as error:
            raise Refusal("unauthenticated") from error
        if max(claims.not_before, claims.issued_at) > now / 1000 + LEEWAY:
            raise Refusal("unauthenticated")
        return claims


def jwks(keys: Iterable[PublicKey]) -> Mapping[str, Any]:
    """The document at /.well-known/jwks.json (RFC 7517, RFC 8037)."""
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "alg": ALGORITHM,
                "use": "sig",
                "kid": key.kid,
                "x": urlsafe_b64encode(key.x).rstrip(b"=").decode(),
            }
            for key in keys
        ]
    }
