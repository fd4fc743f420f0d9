"""Write the measured table of docs/promises.md from build/chaos.json: `python -m chaos.page`."""

import json
from collections import Counter
from pathlib import Path

RESULT, PAGE = Path("build/chaos.json"), Path("docs/promises.md")
BEGIN, END = "<!-- measured: made by make chaos -->", "<!-- end of measured -->"


def table(result: dict) -> str:
    """The rows as Markdown, with the parts and sizes that they were run at."""
    sizes = Counter(_size(part) for part in result["parts"])
    told = "; ".join(f"{n} times {size}" if n > 1 else size for size, n in sizes.items())
    last = max(part["at"] for part in result["parts"])
    lines = [
        f"Run in parts, the last one at {last}: {told}.",
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


def _size(part: dict) -> str:
    """What one part was asked for."""
    size, faults = part["size"], part["faults"]
    said = []
    if any(not fault.startswith(("SIGKILL", "Spark")) for fault in faults):
        said.append(
            f"{size['messages']:,} messages an outage or toxic, outages of {size['seconds']:g} s"
        )
    if any(fault.startswith("SIGKILL") for fault in faults):
        said.append(f"{size['kills']} kills")
    said += [fault for fault in faults if fault.startswith("Spark")]
    return ", ".join(said)


def main() -> None:
    """Put it between the marks."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    result = json.loads(RESULT.read_text())
    PAGE.write_text(f"{before}{BEGIN}\n{table(result)}\n{END}{after}")


if __name__ == "__main__":
    main()
