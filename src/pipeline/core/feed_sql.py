"""One SQL expression of a feed: parsed, and refused when it could not give the same twice.

A message's id must be the same after a crash, and so must what it says: a repeated micro-batch
evaluates each expression again. Functions of the moment, of chance, of the session or of the
file read are therefore refused by name here; `source.check` asks Spark about the rest.
"""

from collections.abc import Iterator
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

DIALECT: Final = "databricks"

NON_DETERMINISTIC: Final = frozenset(
    {
        "ai_query", "current_catalog", "current_database", "current_date", "current_metastore",
        "current_recipient", "current_role", "current_schema", "current_time",
        "current_timestamp", "current_timezone", "current_user", "current_version", "curdate",
        "getdate", "http_request", "input_file_block_length", "input_file_block_start",
        "input_file_name", "is_account_group_member", "is_member", "java_method", "localtime",
        "localtimestamp", "monotonically_increasing_id", "now", "rand", "randn", "random",
        "randstr", "reflect", "secret", "session_user", "shuffle", "sleep",
        "spark_partition_id", "try_reflect", "try_secret", "uniform", "user", "uuid",
        "version",
    }
)  # fmt: skip
"""Functions that may answer differently when a micro-batch is repeated."""

_BARE: Final = frozenset({"localtimestamp", "current_version", "session_user"})
"""Functions that are called without parentheses and that sqlglot takes for a column."""

_MOMENTS: Final = frozenset({"now", "today", "tomorrow", "yesterday"})
"""Words that a typed literal such as `timestamp 'now'` turns into the moment of the query."""

_MANY_ROWS: Final = (exp.AggFunc, exp.Window, exp.UDTF, exp.Explode, exp.Posexplode, exp.Inline)


def parse_expression(text: str) -> exp.Expr:
    """The tree of one deterministic SQL expression over one row.

    Raises:
        ValueError: it does not parse, is more than one, or may not be used in a feed.
    """
    try:
        statements = sqlglot.parse(f"SELECT {text}\n", read=DIALECT)
    except SqlglotError as error:
        raise ValueError(f"does not parse as SQL: {_first_line(error)}") from error
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    select = statements[0] if len(statements) == 1 else None
    if not isinstance(select, exp.Select) or len(select.expressions) != 1:
        raise ValueError("must be exactly one SQL expression")
    if any(value for name, value in select.args.items() if name != "expressions"):
        raise ValueError("must be one SQL expression, not a query")
    tree: exp.Expr = select.expressions[0]
    for problem in _problems(tree):
        raise ValueError(problem)
    return tree


def _problems(tree: exp.Expr) -> Iterator[str]:
    if isinstance(tree, exp.Alias):
        yield "must not give a name (AS): the name is the key in the mapping"
    for node in tree.walk():
        if isinstance(node, exp.Query):
            yield "must not contain a subquery"
        elif isinstance(node, exp.Star):
            yield "must name its columns: * would change with the table"
        elif isinstance(node, exp.Placeholder | exp.Parameter):
            yield "must not contain a parameter"
        elif isinstance(node, _MANY_ROWS):
            yield f"must be about one row and give one value: {node.key} does not"
        elif name := _non_deterministic(node):
            yield f"must give the same each time: {name} does not"


def _non_deterministic(node: exp.Expr) -> str | None:
    """The name of what is not deterministic about *node* itself."""
    if isinstance(node, exp.Cast):
        word = node.this.name.strip().lower() if node.this.is_string else ""
        return f"the moment '{word}'" if word in _MOMENTS else None
    if isinstance(node, exp.Column) and not node.table and node.name.lower() in _BARE:
        return node.name.lower()
    if not isinstance(node, exp.Func):
        return None
    names = [node.name] if isinstance(node, exp.Anonymous) else [*node.sql_names(), node.key]
    return next((name.lower() for name in names if name.lower() in NON_DETERMINISTIC), None)


def _first_line(error: SqlglotError) -> str:
    """What sqlglot says, without its terminal colours and the quoted line."""
    return str(error).splitlines()[0].split("\x1b")[0].strip()
