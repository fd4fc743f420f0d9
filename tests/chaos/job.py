"""The command line as it is in production, but for one fault point: `CHAOS_FAULT=point:nth`.

The only place that reads the variable, and nothing of it is in the wheel.
"""

import os

from chaos.faults import install
from pipeline.cli import main

if __name__ == "__main__":
    fault = os.environ.get("CHAOS_FAULT")
    if fault is not None:
        point, nth = fault.split(":")
        install(point, int(nth))
    main()
