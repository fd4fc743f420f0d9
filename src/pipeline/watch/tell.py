"""Tell somebody: an alert as a POST to a webhook, for Slack or for anything that takes JSON."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, assert_never

import aiohttp

from pipeline.log import logger
from pipeline.tables.alerts import Alert

Kind = Literal["slack", "generic"]
TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


def body(kind: Kind, target: str, one: Alert, runbook: str) -> dict[str, Any]:
    """What is posted. Alerts hold counts and names of feeds, nothing personal."""
    match kind:
        case "generic":
            return {
                "target": target,
                "alert": one.alert,
                "state": one.state or "found",
                "severity": one.severity,
                "feed": one.feed,
                "metric": one.metric,
                "value": one.value,
                "expected": one.expected,
                "detail": one.detail,
                "runbook": runbook,
            }
        case "slack":
            recovered = one.state == "recovered"
            word = "recovered" if recovered else one.severity.upper()
            subject = one.feed or "pipeline"
            text = f"[{target}] {word}: {one.alert} of {subject}"
            more = [] if recovered else [one.detail, f"<{runbook}|What to do>"]
            lines = [f"*{text}*", *more]
            return {
                "text": text,
                "blocks": [
                    {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(lines)}}
                ],
            }
        case _:
            assert_never(kind)


def post(url: str, bodies: Sequence[Mapping[str, Any]]) -> int:
    """Post each, in order, until one is not taken; how many were."""
    return asyncio.run(_post(url, bodies))


async def _post(url: str, bodies: Sequence[Mapping[str, Any]]) -> int:
    taken = 0
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        for one in bodies:
            try:
                async with session.post(url, json=one, allow_redirects=False) as answer:
                    if answer.status >= 300:  # noqa: PLR2004  any answer but success
                        logger().warning("webhook.refused", status=answer.status)
                        return taken
            except (aiohttp.ClientError, TimeoutError) as error:
                logger().warning("webhook.failed", error=type(error).__name__)
                return taken
            taken += 1
    return taken
