"""What signs tokens, kept sealed in the store: a key with a public half (RS256), and a secret."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dashboard.sandbox.store import Store
from dashboard.vault import Vault

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

_NAME = "signing_key"
_SECRET_NAME = "token_secret"  # noqa: S105  # the name under which it is kept, not the secret
_BITS = 2048
_PUBLIC, _OWN = "RS256", "HS256"
#: The library would compare with the real clock, and the sandbox has one of its own.
_UNCHECKED = {f"verify_{name}": False for name in ("exp", "iat", "nbf", "aud", "iss")}


def new_key() -> RSAPrivateKey:
    """Make a key. It takes some 50 ms, now and then half a second."""
    from cryptography.hazmat.primitives.asymmetric import rsa  # only the first log-in pays for it

    return rsa.generate_private_key(public_exponent=65537, key_size=_BITS)


class SigningKey:
    """Signs and checks JWTs. The key is made at the first use and outlives a restart."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault
        self._lock = threading.Lock()
        self._found: RSAPrivateKey | None = None

    def sign(self, claims: dict[str, object]) -> str:
        """Return claims as a signed token."""
        headers = {"kid": str(self.public_jwk["kid"])}
        return str(_jwt().encode(claims, self._private, algorithm=_PUBLIC, headers=headers))

    def claims(self, token: str) -> dict[str, Any] | None:  # claims are free JSON
        """Return what a token says if this key signed it; its times are left to the caller."""
        return _decoded(token, self._public, _PUBLIC)

    @cached_property
    def public_jwk(self) -> dict[str, str]:
        """The public key as others need it to check a token."""
        numbers = self._public.public_numbers()
        key = {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
        # RFC 7638: the digest of exactly these members, in this order.
        digest = hashlib.sha256(json.dumps(key, separators=(",", ":")).encode()).digest()
        return key | {"kid": base64_of(digest), "use": "sig", "alg": _PUBLIC}

    @cached_property
    def _public(self) -> RSAPublicKey:
        return self._private.public_key()

    @property
    def _private(self) -> RSAPrivateKey:
        with self._lock:
            if self._found is None:
                self._found = self._open() or self._make()
            return self._found

    def _open(self) -> RSAPrivateKey | None:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_der_private_key

        sealed = self._store.meta(_NAME)
        if sealed is None:
            return None
        found = load_der_private_key(self._vault.open(sealed, bound_to=_NAME), password=None)
        assert isinstance(found, RSAPrivateKey)  # noqa: S101  # we wrote it
        return found

    def _make(self) -> RSAPrivateKey:
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        made = new_key()
        # Sealed by the vault, so the format needs no password of its own.
        plain = made.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        self._store.set_meta(_NAME, self._vault.seal(plain, bound_to=_NAME))
        return made


def kept_secret(store: Store, vault: Vault) -> bytes:
    """Return the secret of an instance; it is made at the first start.

    Raises
    ------
    VaultError
        If it was sealed with another key.
    """
    sealed = store.meta(_SECRET_NAME)
    if sealed is not None:
        return vault.open(sealed, bound_to=_SECRET_NAME)
    made = secrets.token_bytes(32)
    store.set_meta(_SECRET_NAME, vault.seal(made, bound_to=_SECRET_NAME))
    return made


def secret_signed(claims: dict[str, object], secret: bytes) -> str:
    """Return claims as a token that only the owner of the secret can check."""
    return str(_jwt().encode(claims, secret, algorithm=_OWN))


def secret_claims(token: str, secret: bytes) -> dict[str, Any] | None:  # claims are free JSON
    """Return what a token says if this secret signed it; its times are left to the caller."""
    return _decoded(token, secret, _OWN)


def _decoded(
    token: str, key: RSAPublicKey | bytes, algorithm: str
) -> dict[str, Any] | None:  # claims are free JSON
    jwt = _jwt()
    try:
        found: dict[str, Any] = jwt.decode(  # claims are free JSON
            token, key, algorithms=[algorithm], options=_UNCHECKED
        )
    except (jwt.PyJWTError, ValueError):
        return None
    return found


def base64_of(data: bytes) -> str:
    """Return bytes as JOSE writes them: base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return base64_of(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _jwt() -> ModuleType:
    import jwt as module  # 0.1 s that the start-up can do without

    return module
