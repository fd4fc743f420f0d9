"""Load the API key and the pipeline's own two keys.

From the environment, a local file, or a secret scope. Never logged, never an argument of a
process, never in a query plan.
"""

import base64
import binascii
import hashlib
import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from pipeline.core.cipher import KEY_BYTES, Keyring, keyring
from pipeline.settings import Keys

API_KEY: Final = "api_key"
ENCRYPTION_KEY: Final = "encryption_key"
HASHING_KEY: Final = "hashing_key"
NAMES: Final = (API_KEY, ENCRYPTION_KEY, HASHING_KEY)
DEFAULT_FILE: Final = "~/.config/customerio-pipeline/keys.json"


class KeysError(Exception):
    """A key is missing or not usable; the message says which, where, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """All that a job must keep to itself."""

    api_key: SecretStr
    payload_keys: Keyring
    hashing_key: bytes = field(repr=False)


def fingerprint(api_key: SecretStr | str) -> str:
    """The short public name of an API key: 8 hex digits of a hash that tells nothing about it."""
    text = api_key if isinstance(api_key, str) else api_key.get_secret_value()
    return hashlib.blake2b(text.encode(), digest_size=4, person=b"api-key-id").hexdigest()


def load_keys(keys: Keys) -> Secrets:
    """The keys from where the settings say.

    Raises:
        KeysError: one is missing, empty, or of a wrong length.
    """
    match keys.source:
        case "environment":
            found = {name: os.environ.get(_variable(name), "") for name in NAMES}
            where = "the environment"
            names = {name: _variable(name) for name in NAMES}
        case "file":
            path = Path(keys.file or DEFAULT_FILE).expanduser()
            found = read_file(path) | {
                name: os.environ[_variable(name)] for name in NAMES if _variable(name) in os.environ
            }
            where, names = str(path), {name: name for name in NAMES}
        case "scope":
            found = read_scope(keys.scope)
            where, names = f"secret scope {keys.scope}", {name: name for name in NAMES}
    for name in NAMES:
        if not found.get(name, "").strip():
            raise KeysError(_missing(name, names[name], where))
    encryption = [decode(key, ENCRYPTION_KEY, where) for key in found[ENCRYPTION_KEY].split(",")]
    return Secrets(
        api_key=SecretStr(found[API_KEY].strip()),
        payload_keys=keyring(*encryption),
        hashing_key=decode(found[HASHING_KEY], HASHING_KEY, where),
    )


def _variable(name: str) -> str:
    return f"PIPELINE_{name.upper()}"


def _missing(name: str, called: str, where: str) -> str:
    if name == API_KEY:
        return (
            f"{called} is missing in {where}: the write key of your Data Pipelines source in "
            "Customer.io (Integrations, your source, Settings); `pipeline key set` puts it there"
        )
    return f"{called} is missing in {where}: make the pipeline's own keys with `pipeline key init`"


def read_file(path: Path) -> dict[str, str]:
    """What a key file holds.

    Raises:
        KeysError: there is none, others can read it, or it is no JSON object.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise KeysError(f"{path}: others can read it (mode {mode:o}); run: chmod 600 {path}")
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise KeysError(
            f"{path}: there is no key file; make one with `pipeline key init`"
        ) from error
    except ValueError as error:
        raise KeysError(f"{path}: not readable as JSON") from error
    if not isinstance(content, dict):
        raise KeysError(f"{path}: expected a JSON object of keys")
    return {str(name): str(value) for name, value in content.items()}


def read_scope(scope: str | None) -> dict[str, str]:
    """Those of our secrets that the scope holds.

    Raises:
        KeysError: no scope is named, or it cannot be read.
    """
    if not scope:
        raise KeysError("keys.scope: name the Databricks secret scope that holds the keys")
    from databricks.sdk import WorkspaceClient  # noqa: PLC0415  slow to import, used here only
    from databricks.sdk.errors import NotFound  # noqa: PLC0415
    from databricks.sdk.errors.base import DatabricksError  # noqa: PLC0415

    client = WorkspaceClient()
    found = {}
    for name in NAMES:
        try:
            value = client.secrets.get_secret(scope, name).value or ""
        except NotFound:
            continue
        except DatabricksError as error:
            raise KeysError(
                f"secret scope {scope}: {name} can't be read ({type(error).__name__}); does this "
                "job's principal have READ on the scope?"
            ) from None
        found[name] = base64.b64decode(value).decode()
    return found


def decode(text: str, name: str, where: str) -> bytes:
    """A key from base64.

    Raises:
        KeysError: it is none, or of a wrong length.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeysError(
            f"{name} in {where}: expected {KEY_BYTES} bytes in base64; see `pipeline key init`"
        )
    return key
