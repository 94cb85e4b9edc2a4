"""Authenticated encryption at rest (AES-256-GCM), for the sandbox's store and the run store.

A leaf module: it imports nothing of ours, so that the sandbox, which stands alone, may use it too.
The key protects copies of the data files; it is no protection against the same operating-system
user, who can read the key as well.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12


class VaultError(Exception):
    """The key is missing, malformed, or not the one the data was written with."""


class Vault:
    """Seals and opens byte strings bound to a name (the associated data)."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise VaultError(f"the key must be {KEY_BYTES} bytes long, it has {len(key)}")
        self._aead = AESGCM(key)

    def seal(self, plain: bytes, *, bound_to: str) -> bytes:
        """Encrypt `plain`; only `open(..., bound_to=<the same>)` reads it again."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, bound_to.encode())

    def open(self, sealed: bytes, *, bound_to: str) -> bytes:
        """Decrypt what `seal` made.

        Raises
        ------
        VaultError
            If the key, the binding or the bytes are not the ones it was sealed with.
        """
        try:
            return self._aead.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to.encode()
            )
        except (InvalidTag, ValueError) as exc:
            raise VaultError("this data was not written with this key") from exc


def load_key(path: Path, *, from_environment: str = "", may_create: bool) -> bytes:
    """Return the key: from the environment (base64) if given, else from `path`.

    Parameters
    ----------
    path
        File of the key, mode 0600. Written once, when `may_create` is true and it is absent.
    from_environment
        Base64 text of 32 bytes; empty to use the file.
    may_create
        True only when there is no data yet: a lost key is refused, never replaced by a new one.

    Raises
    ------
    VaultError
        If the key is lost or malformed.
    """
    if from_environment:
        return _decode(from_environment, "the key in the environment")
    if path.exists():
        return _decode(path.read_text(encoding="ascii", errors="replace"), f"the key in {path}")
    if not may_create:
        raise VaultError(
            f"the key {path} is missing, but data written with it exists. "
            "Put the key back, or move the data folder away to begin anew."
        )
    key = secrets.token_bytes(KEY_BYTES)
    # Written beside and renamed: a crash never leaves half a key.
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(key))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return key


def _decode(text: str, what: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise VaultError(f"{what} is not valid base64") from exc
    if len(key) != KEY_BYTES:
        raise VaultError(f"{what} must hold {KEY_BYTES} bytes, it holds {len(key)}")
    return key
