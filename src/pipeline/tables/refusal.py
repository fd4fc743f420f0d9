"""Why the pipeline's tables cannot be used."""


class TablesError(Exception):
    """The tables cannot be used; the message has the command to run."""
