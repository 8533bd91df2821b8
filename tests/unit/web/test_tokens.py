"""Every way to cheat with an access token that the auditors' lists name."""

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from actors.auth import signing
from protocols.errors import Refusal
from protocols.tokens import AUDIENCE, ISSUER, LEEWAY
from storage.auth import PublicKey, Session
from web.tokens import Verifier, jwks

NOW = 1_700_000_000_000
SECONDS = NOW // 1000
SESSION = Session(id="s", user="u", agent="", address="", created_at=NOW, last_used_at=NOW, ends_at=NOW + 10**9)


class Forge:
    """Holds the real private key, so that each test spoils one thing only."""

    def __init__(self, folder: Path) -> None:
        path = signing.generate(folder, NOW)
        self.signer = signing.load(path)
        key = load_pem_private_key(path.read_bytes(), None)
        assert isinstance(key, Ed25519PrivateKey)
        self.key = key
        self.verifier = Verifier([self.signer.public])

    def token(self, claims: dict[str, Any] | None = None, without: str = "", **headers: Any) -> str:
        payload: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "u",
            "sid": "s",
            "jti": "j",
            "iat": SECONDS,
            "nbf": SECONDS,
            "exp": SECONDS + 600,
            **(claims or {}),
        }
        payload.pop(without, None)
        header = {"typ": "at+jwt", "kid": self.signer.public.kid, **headers}
        return jwt.encode(payload, self.key, algorithm="EdDSA", headers=header)

    def refused(self, token: str) -> bool:
        with pytest.raises(Refusal) as caught:
            self.verifier.verify(token, NOW)
        return caught.value.code == "unauthenticated"


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(tmp_path)


def test_a_genuine_token_is_believed(forge: Forge) -> None:
    for token in (forge.token(), forge.signer.sign(SESSION, "j", NOW, 600)[0], forge.token(typ="application/at+JWT")):
        claims = forge.verifier.verify(token, NOW)
        assert (claims.user, claims.session, claims.expires_at) == ("u", "s", SECONDS + 600)


def test_a_token_ends_with_its_session(forge: Forge) -> None:
    token, seconds = forge.signer.sign(SESSION, "j", SESSION.ends_at - 5_500, 600)
    assert seconds == 5
    assert forge.verifier.verify(token, SESSION.ends_at - 5_500).session == "s"


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"])
def test_no_claim_may_be_missing(forge: Forge, claim: str) -> None:
    assert forge.refused(forge.token(without=claim))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "another"},
        {"aud": "another"},
        {"sub": 7},
        {"sid": ["s"]},
        {"exp": SECONDS},
        {"exp": "tomorrow"},
        {"nbf": SECONDS + LEEWAY + 1},
        {"iat": SECONDS + LEEWAY + 1},
    ],
)
def test_no_claim_may_be_wrong(forge: Forge, claims: dict[str, Any]) -> None:
    assert forge.refused(forge.token(claims))


@pytest.mark.parametrize(
    "headers",
    [{"typ": "JWT"}, {"typ": None}, {"kid": "unknown"}, {"kid": ""}, {"crit": ["exp"]}, {"crit": ["x"], "x": 1}],
)
def test_no_header_may_be_wrong(forge: Forge, headers: dict[str, Any]) -> None:
    assert forge.refused(forge.token(**headers))


def test_a_token_cannot_bring_its_own_key_or_none(forge: Forge) -> None:
    other = Ed25519PrivateKey.generate()
    raw = other.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    own = dict(next(iter(jwks([PublicKey("own", raw)])["keys"])))
    claims = jwt.decode(forge.token(), options={"verify_signature": False})
    header = {"typ": "at+jwt", "kid": forge.signer.public.kid}
    assert forge.refused(jwt.encode(claims, other, algorithm="EdDSA", headers=header))
    assert forge.refused(jwt.encode(claims, other, algorithm="EdDSA", headers={**header, "kid": "own", "jwk": own}))
    assert forge.refused(jwt.encode(claims, "", algorithm="none", headers=header))


def test_the_public_key_is_no_shared_secret(forge: Forge) -> None:
    claims = jwt.decode(forge.token(), options={"verify_signature": False})
    header = {"typ": "at+jwt", "kid": forge.signer.public.kid}
    for secret in (forge.signer.public.x, urlsafe_b64encode(forge.signer.public.x)):
        assert forge.refused(jwt.encode(claims, secret, algorithm="HS256", headers=header))


def test_a_changed_payload_is_noticed(forge: Forge) -> None:
    head, body, signature = forge.token().split(".")
    claims = json.loads(urlsafe_b64decode(body + "=="))
    claims["sub"] = "somebody else"
    forged = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert forge.refused(f"{head}.{forged}.{signature}")


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "....", "x" * 5_000, "\ud800.b.c", "e30.e30.e30"])
def test_what_is_no_token_is_refused(forge: Forge, token: str) -> None:
    assert forge.refused(token)
    assert forge.verifier.knows(token)


@given(st.text(max_size=200))
def test_no_text_is_taken_for_a_token(text: str) -> None:
    with pytest.raises(Refusal):
        Verifier([PublicKey("k", os.urandom(32))]).verify(text, NOW)


def test_an_expired_token_still_says_whose_it_was(forge: Forge) -> None:
    token = forge.token({"exp": SECONDS})
    assert forge.refused(token)
    claims = forge.verifier.verify_expired_too(token, NOW)
    assert claims.expired(NOW)
    assert not claims.expired(NOW - 1)


def test_a_key_that_is_not_known_yet_is_told_apart(forge: Forge) -> None:
    assert forge.verifier.knows(forge.token())
    assert not forge.verifier.knows(forge.token(kid="newer"))


def test_the_published_keys_are_public_ones(forge: Forge) -> None:
    (key,) = jwks([forge.signer.public])["keys"]
    assert set(key) == {"kty", "crv", "alg", "use", "kid", "x"}
    assert urlsafe_b64decode(key["x"] + "=") == forge.signer.public.x
    assert jwt.PyJWK(dict(key)).key_id == forge.signer.public.kid
