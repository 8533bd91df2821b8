"""What an access token claims, shared by auth, which signs it, and the front, which verifies it (RFC 9068).

The claims: `sub` the person, `sid` the session, `jti` the token's own id, `iss`, `aud`, and `iat`, `nbf`, `exp` in
Unix seconds.
"""

from typing import Final

ALGORITHM: Final = "EdDSA"
TYPE: Final = "at+jwt"
ISSUER: Final = "parley"
AUDIENCE: Final = "parley-front"
CLAIMS: Final = ("exp", "iat", "nbf", "sub", "jti", "sid", "aud", "iss")
LEEWAY: Final = 30
"""Seconds by which two clocks may differ."""
