"""Keep messages in a folder while the API can't be reached: encrypted, in order.

A file holds the messages of one request.
A file is removed when its request was accepted, so that a process that is killed between the two
repeats at most that one request, with the same message ids. One process at a time has the folder.
A file that fails although the destination is well says so in its first line: how often, and why.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from pydantic_core import from_json

from pipeline.client.message import Message
from pipeline.core.batch import Lane, pack
from pipeline.core.cipher import NONCE_BYTES, Keyring, TamperedError, decrypt, encrypt

WAITING: Final = ".spool"
REFUSED: Final = ".refused"
DAMAGED: Final = ".damaged"
DEAD: Final = ".dead"
"""Calls that failed by themselves too often. Renamed to `.spool` they are tried again."""
SUFFIXES: Final = (WAITING, REFUSED, DAMAGED, DEAD)
PART: Final = ".part"
"""A file that is being written; what a killed process left of one counts for nothing."""
LOCK: Final = "lock"
FORMAT: Final = 1


class SpoolError(Exception):
    """The spool can't be used; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolFile:
    """One request's messages, as its first line tells without a key."""

    path: Path
    calls: int
    key_id: str
    written_at: str
    attempts: int = 0
    """How often it failed while the destination took others."""
    reason: str | None = None
    """Why, the last time."""

    @property
    def state(self) -> str:
        """waiting, refused, damaged or dead."""
        return "waiting" if self.path.suffix == WAITING else self.path.suffix.removeprefix(".")


class Spool:
    """A folder of messages; usable within its context, by one process at a time."""

    def __init__(self, folder: Path, keys: Keyring | None) -> None:
        if keys is None:
            raise SpoolError(
                f"{folder}: a spool keeps personal data, so it needs the pipeline's encryption key:"
                " make one with `pipeline key init` and use from_settings(), or give keys=..."
            )
        self.folder = folder.expanduser()
        self._keys = keys
        self._lock: int | None = None
        self._waiting: list[SpoolFile] = []
        self._number = 0

    def __enter__(self) -> Self:
        """Take the folder, and look what is in it.

        Raises:
            SpoolError: another process has it, or a key is missing.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._release()
            raise SpoolError(
                f"{self.folder}: another process uses this spool; wait for its end, or give this"
                " one a folder of its own"
            ) from None
        except OSError as error:
            self._release()
            raise SpoolError(f"{self.folder}: can't be used as a spool: {error.strerror}") from None
        try:
            self._look()
        except SpoolError:
            self._release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Let others have the folder."""
        self._release()

    @property
    def calls(self) -> int:
        """Messages that wait."""
        return sum(file.calls for file in self._waiting)

    @property
    def waiting(self) -> tuple[SpoolFile, ...]:
        """The files that are to be sent, oldest first."""
        return tuple(self._waiting)

    def oldest(self) -> SpoolFile | None:
        """What is to be sent first."""
        return self._waiting[0] if self._waiting else None

    def add(self, messages: Sequence[Message], batch_bytes: int) -> None:
        """Put messages at the end, a file for each request that they will make."""
        for request in requests(messages, batch_bytes):
            self._number += 1
            self._waiting.append(self._write(f"{self._number:016d}{WAITING}", request))

    def read(self, file: SpoolFile) -> list[Message] | None:
        """The messages of a file; none where it was changed, and it is set aside."""
        try:
            return read(file.path, self._keys)
        except TamperedError:
            self._aside(file, DAMAGED)
            return None

    def settle(
        self,
        file: SpoolFile,
        left: Sequence[Message],
        *,
        attempts: int = 0,
        reason: str | None = None,
    ) -> SpoolFile | None:
        """Keep of a waiting file only what is *left*, and how often that failed by itself."""
        place = self._waiting.index(file)
        if not left:
            file.path.unlink()
            self._sync()
            del self._waiting[place]
            return None
        if len(left) < file.calls or (attempts, reason) != (file.attempts, file.reason):
            name = file.path.name
            self._waiting[place] = self._write(name, left, attempts=attempts, reason=reason)
        return self._waiting[place]

    def keep_dead(self, message: Message, attempts: int, reason: str) -> None:
        """Keep a call that failed by itself too often; nothing sends it again by itself."""
        self._number += 1
        self._write(f"{self._number:016d}{DEAD}", [message], attempts=attempts, reason=reason)

    def keep_refused(self, messages: Sequence[Message], batch_bytes: int) -> None:
        """Keep messages that were refused; nothing sends them again."""
        for request in requests(messages, batch_bytes):
            self._number += 1
            self._write(f"{self._number:016d}{REFUSED}", request)

    def _look(self) -> None:
        found = listed(self.folder)
        self._waiting = [file for file in found if file.state == "waiting"]
        self._number = max((int(file.path.stem) for file in found), default=0)
        missing = sorted({file.key_id for file in self._waiting} - self._keys.keys.keys())
        if missing:
            raise SpoolError(
                f"{self.folder}: was written with key {', '.join(missing)}, which is not at hand;"
                " add the older key to the keys of this target"
            )
        for part in self.folder.glob(f"*{PART}"):
            part.unlink()

    def _write(
        self,
        name: str,
        messages: Sequence[Message],
        *,
        attempts: int = 0,
        reason: str | None = None,
    ) -> SpoolFile:
        """Write one request's messages, whole or not at all."""
        header: dict[str, Any] = {
            "format": FORMAT,
            "key": self._keys.current,
            "calls": len(messages),
            "alone": messages[0].alone,
            "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        if attempts:
            header |= {"attempts": attempts, "reason": reason}
        line = json.dumps(header).encode()
        calls = b"\n".join(message.body for message in messages)
        payload = encrypt(
            self._keys, _bound(name, line), messages[0].envelope, calls, os.urandom(NONCE_BYTES)
        )
        path = self.folder / name
        part = path.with_suffix(PART)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(line + b"\n" + payload)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        self._sync()
        return told(path, line)

    def _aside(self, file: SpoolFile, suffix: str) -> None:
        file.path.rename(file.path.with_suffix(suffix))
        self._sync()
        self._waiting.remove(file)

    def _sync(self) -> None:
        """Make names in the folder last."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def listed(folder: Path) -> list[SpoolFile]:
    """What is in a spool's folder, oldest first; needs no key and takes no lock.

    Raises:
        SpoolError: a file is none of a spool's.
    """
    found = [path for path in folder.expanduser().glob("*") if path.suffix in SUFFIXES]
    files = []
    for path in sorted(found):
        try:
            with path.open("rb") as file:
                files.append(told(path, file.readline()))
        except FileNotFoundError:
            continue  # sent meanwhile
    return files


def told(path: Path, line: bytes) -> SpoolFile:
    """What a file's first line says."""
    try:
        header = json.loads(line)
        if header["format"] != FORMAT:
            raise SpoolError(
                f"{path}: format {header['format']}, this version reads {FORMAT}; use the version"
                " that wrote it"
            )
        return SpoolFile(
            path=path,
            calls=int(header["calls"]),
            key_id=str(header["key"]),
            written_at=str(header["written_at"]),
            attempts=int(header.get("attempts", 0)),
            reason=header.get("reason"),
        )
    except (ValueError, KeyError, TypeError):
        raise SpoolError(f"{path}: is no file of a spool; move it elsewhere") from None


def read(path: Path, keys: Keyring) -> list[Message]:
    """The messages of a file.

    Raises:
        TamperedError: it was changed, or has another file's name.
        KeyMissingError: it was written with a key that is not at hand.
    """
    line, _, payload = path.read_bytes().partition(b"\n")
    header = json.loads(line)
    envelope, calls = decrypt(keys, header["key"], _bound(path.name, line), payload)
    return [_message(body, envelope, alone=header["alone"]) for body in calls.split(b"\n")]


def requests(messages: Sequence[Message], batch_bytes: int) -> Iterator[list[Message]]:
    """The messages of each request, in order, packed as the streams pack theirs."""
    envelopes: dict[bytes, int] = {}
    lane = Lane(
        sizes=np.array([len(message.body) + 1 for message in messages], dtype=np.int64),
        envelopes=np.array(
            [envelopes.setdefault(message.envelope, len(envelopes)) for message in messages],
            dtype=np.int32,
        ),
        alone=np.array([message.alone for message in messages], dtype=np.bool_),
    )
    for batch in pack(lane, tuple(envelopes), batch_bytes):
        run = [messages[place] for place in batch.places.tolist()]
        yield from ([message] for message in run) if batch.alone else [run]


def _bound(name: str, line: bytes) -> str:
    """Ties a file's content to its place and its first line; a refused one is never sent."""
    place = Path(name)
    name = name if place.suffix == REFUSED else f"{place.stem}{WAITING}"
    return f"spool/{name}/{line.decode()}"


def _message(body: bytes, envelope: bytes, *, alone: bool) -> Message:
    call = from_json(body)
    return Message(
        id=call["messageId"],
        call_type=call["type"],
        event=call.get("event"),
        alone=alone,
        names=(),
        envelope=envelope,
        body=body,
    )
