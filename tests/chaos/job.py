"""The command line as it is in production, but for a fault: `CHAOS_FAULT=point:nth`.

`CHAOS_MASTER` starts Spark elsewhere than in one process. The only place that reads the two, and
nothing of it is in the wheel.
"""

import os
from functools import partial

from chaos.faults import install
from pipeline.cli import main
from pipeline.tables import session

if __name__ == "__main__":
    if (master := os.environ.get("CHAOS_MASTER")) is not None:
        session.local_session = partial(session.local_session, master=master)
    if (fault := os.environ.get("CHAOS_FAULT")) is not None:
        point, nth = fault.split(":")
        install(point, int(nth))
    main()
