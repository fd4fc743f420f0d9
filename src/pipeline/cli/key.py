"""The keys: made and put here, never shown."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import LOCAL, Conf
from pipeline.keys import API_KEY, DEFAULT_FILE, KeysError, fingerprint
from pipeline.settings import Keys, load_settings

app = typer.Typer(no_args_is_help=True, help="The API key and the pipeline's own keys.")
File = Annotated[
    Path | None, typer.Option(help=f"A key file instead of what --conf says, as {DEFAULT_FILE}.")
]
ConfOrFile = Annotated[Path | None, typer.Option("--conf", help="Settings file of the target.")]


@app.command("init")
def key_init(conf: ConfOrFile = None, file: File = None) -> None:
    """Make the encryption and the hashing key where the settings say; what is there stays."""
    from pipeline.keys.store import init, place  # noqa: PLC0415  beside the others' commands

    keys = _keys(conf, file)
    made = init(keys)
    typer.echo(f"{place(keys)}: {'made ' + ' and '.join(made) if made else 'nothing to make'}")


@app.command("set")
def key_set(conf: Conf = LOCAL, file: File = None) -> None:
    """Put the API key where the settings say, from a prompt that shows nothing, or from stdin."""
    from pipeline.keys.store import held, place, put  # noqa: PLC0415

    keys = _keys(conf, file)
    before = held(keys).get(API_KEY, "").strip()
    new = _asked(f"API key for {place(keys)}")
    put(keys, {API_KEY: new})
    was = f"; it was {fingerprint(before)}" if before and before != new else ""
    typer.echo(f"{place(keys)}: API key {fingerprint(new)}{was}")
    if was:
        typer.echo(
            f"running jobs take it within {keys.reload.total_seconds():.0f} s; the audit log says "
            "when (pipeline audit list --action key.changed)"
        )


def _asked(prompt: str) -> str:
    text = typer.prompt(prompt, hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    new = str(text).strip()
    if not new or any(c.isspace() or not c.isprintable() for c in new):
        raise KeysError(
            "the API key is empty or has a space in it: copy the write key of your Data Pipelines "
            "source (Integrations, your source, Settings)"
        )
    return new


def _keys(conf: Path | None, file: Path | None) -> Keys:
    """Where to: a file that was named, or what the settings say; without both, the usual file."""
    if file is not None or conf is None:
        return Keys(source="file", file=str(file or DEFAULT_FILE))
    return load_settings(conf).keys
