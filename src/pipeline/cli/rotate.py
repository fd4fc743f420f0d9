"""Rotate the key that payloads are encrypted with; the jobs go on meanwhile."""

from typing import Annotated

import typer

from pipeline.cli.options import LOCAL, Conf
from pipeline.core.cipher import keyring
from pipeline.keys import ENCRYPTION_KEY, KeysError, decode, load_keys
from pipeline.settings import load_settings

app = typer.Typer()
Wait = Annotated[float, typer.Option(help="Seconds to wait for drain to do it.", min=0)]


@app.command("rotate")
def key_rotate(conf: Conf = LOCAL) -> None:
    """Make a new encryption key and put it before the older ones, which stay to read with."""
    from pipeline.keys.store import held, new_key, place, put  # noqa: PLC0415

    keys = load_settings(conf).keys
    older = held(keys).get(ENCRYPTION_KEY, "").strip()
    if not older:
        raise KeysError(f"{place(keys)}: there is no {ENCRYPTION_KEY} yet; run: pipeline key init")
    new = new_key()
    put(keys, {ENCRYPTION_KEY: f"{new},{older}"})
    current = keyring(decode(new, ENCRYPTION_KEY, place(keys))).current
    typer.echo(
        f"{place(keys)}: new payloads get key {current} within {keys.reload.total_seconds():.0f} "
        "s; then run: pipeline key re-encrypt"
    )


@app.command("re-encrypt")
def key_re_encrypt(conf: Conf = LOCAL, wait: Wait = 300) -> None:
    """Let drain encrypt stored payloads of older keys with the current one."""
    from pipeline.operations.reencrypt import in_use, re_encrypt  # noqa: PLC0415  Spark is slow
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings, spark = load_settings(conf), active_session()
    current = load_keys(settings.keys).payload_keys.current
    answer = re_encrypt(spark, settings, current, seconds=wait)
    typer.echo(": ".join(answer) if answer else f"no answer within {wait:g} s; is drain running?")
    for key, rows in sorted(in_use(spark, settings).items()):
        typer.echo(f"key {key}: {rows:,} payloads{' (current)' if key == current else ''}")
    raise typer.Exit(0 if answer is not None and answer[0] == "applied" else 1)


@app.command("retire")
def key_retire(conf: Conf = LOCAL) -> None:
    """Remove older encryption keys, where no stored payload needs them any more."""
    from pipeline.keys.store import held, place, put  # noqa: PLC0415
    from pipeline.operations.reencrypt import in_use  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.audit import audit  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings, spark = load_settings(conf), active_session()
    ring = load_keys(settings.keys).payload_keys
    older = {key: n for key, n in in_use(spark, settings).items() if key != ring.current}
    if older:
        told = ", ".join(f"{key} ({rows:,} payloads)" for key, rows in sorted(older.items()))
        raise KeysError(f"still needed: {told}; run: pipeline key re-encrypt")
    current = held(settings.keys)[ENCRYPTION_KEY].split(",")[0].strip()
    put(settings.keys, {ENCRYPTION_KEY: current})
    retired = sorted(set(ring.keys) - {ring.current})
    audit(spark, settings, "cli", "key.retired", {"keys": retired, "current": ring.current})
    typer.echo(f"{place(settings.keys)}: retired {', '.join(retired) or 'nothing'}")
