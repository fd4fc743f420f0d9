"""Logs: dotted event names with ids and counts. For people on a terminal, JSON elsewhere."""

import logging
import sys
from typing import Any

import structlog


def set_up(level: int = logging.INFO) -> None:
    """Configure structlog once, at the start of a process. Tracebacks come without locals."""
    terminal = sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer(
            exception_formatter=structlog.dev.RichTracebackFormatter(show_locals=False)
        )
        if terminal
        else structlog.processors.JSONRenderer()
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not terminal:
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # the one that is there then
    )


def logger(**bound: object) -> Any:
    """A logger with *bound* values on each event."""
    return structlog.get_logger().bind(**bound)
