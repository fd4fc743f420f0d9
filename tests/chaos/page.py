"""Write the measured table of docs/promises.md from build/chaos.json: `python -m chaos.page`."""

import json
from pathlib import Path

RESULT, PAGE = Path("build/chaos.json"), Path("docs/promises.md")
BEGIN, END = "<!-- measured: made by make chaos -->", "<!-- end of measured -->"


def table(result: dict) -> str:
    """The rows as Markdown, with the size that they were run at."""
    size = result["size"]
    kills = 0 if size["no_spark"] else size["kills"]
    lines = [
        (
            f"Run at {result['at']}: {size['messages']:,} messages an outage or toxic, outages of "
            f"{size['seconds']:g} s, {kills} kills asked for."
        ),
        "",
        "| fault | runs | messages | lost | repeated | of at most | out of order | promises |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in result["rows"]:
        bound = "" if row["bound"] is None else f"{row['bound']:,}"
        lines.append(
            f"| {row['fault']} | {row['runs']:,} | {row['messages']:,} | {row['lost']:,} "
            f"| {row['repeated']:,} | {bound} | {row['out_of_order']:,} "
            f"| {'hold' if row['holds'] else '**violated**'} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Put it between the marks."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    result = json.loads(RESULT.read_text())
    PAGE.write_text(f"{before}{BEGIN}\n{table(result)}\n{END}{after}")


if __name__ == "__main__":
    main()
