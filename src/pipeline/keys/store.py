"""Put keys where the jobs read them: a file of mode 600, or a Databricks secret scope."""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from pipeline.core.cipher import KEY_BYTES
from pipeline.keys import (
    API_KEY,
    DEFAULT_FILE,
    ENCRYPTION_KEY,
    HASHING_KEY,
    KeysError,
    read_file,
    read_scope,
)
from pipeline.settings import Keys

PRIVATE = 0o600


def place(keys: Keys) -> str:
    """Where keys are put, in words.

    Raises:
        KeysError: nothing can be put into the environment of a process that is yet to start.
    """
    match keys.source:
        case "file":
            return str(_file(keys))
        case "scope":
            return f"secret scope {keys.scope}"
        case "environment":
            raise KeysError(
                "keys.source is environment: set PIPELINE_API_KEY, PIPELINE_ENCRYPTION_KEY and "
                "PIPELINE_HASHING_KEY there yourself, or choose file or scope in the settings"
            )


def held(keys: Keys) -> Mapping[str, str]:
    """What is there now, by name; never shown."""
    if keys.source == "scope":
        return read_scope(keys.scope)
    place(keys)
    return read_file(_file(keys)) if _file(keys).exists() else {}


def put(keys: Keys, new: Mapping[str, str]) -> None:
    """Put these keys there; the others stay.

    Raises:
        KeysError: there is no such scope, or it may not be written.
    """
    if keys.source == "scope":
        _put_scope(str(keys.scope), new)
    else:
        place(keys)
        write_file(_file(keys), {API_KEY: "", **held(keys), **new})


def init(keys: Keys) -> tuple[str, ...]:
    """Make those of the pipeline's own two keys that are missing; their names.

    What is there stays: the hashing key must never change, or ids of repeats would differ.
    """
    there = held(keys)
    made = tuple(name for name in (ENCRYPTION_KEY, HASHING_KEY) if not there.get(name))
    if made or keys.source == "file":
        put(keys, {name: new_key() for name in made})
    return made


def init_file(path: Path) -> tuple[str, ...]:
    """The same for a key file at *path*."""
    return init(Keys(source="file", file=str(path)))


def new_key() -> str:
    """A random key, in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def write_file(path: Path, content: Mapping[str, str]) -> None:
    """Write a key file that nobody else can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(dict(content), file, indent=2)
    beside.replace(path)


def _file(keys: Keys) -> Path:
    return Path(keys.file or DEFAULT_FILE).expanduser()


def _put_scope(scope: str, new: Mapping[str, str]) -> None:
    from databricks.sdk import WorkspaceClient  # noqa: PLC0415  slow to import, used here only
    from databricks.sdk.errors import NotFound  # noqa: PLC0415
    from databricks.sdk.errors.base import DatabricksError  # noqa: PLC0415

    client = WorkspaceClient()
    for name, value in new.items():
        try:
            client.secrets.put_secret(scope, name, string_value=value)
        except NotFound:
            raise KeysError(
                f"secret scope {scope}: there is no such scope; the bundle's deploy makes it"
            ) from None
        except DatabricksError as error:
            raise KeysError(
                f"secret scope {scope}: {name} can't be written ({type(error).__name__}); you need "
                "WRITE or MANAGE on the scope"
            ) from None
