"""Send again what waits in the retry queue, when it is due, continuously."""

import sys

from pipeline.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "drain")
    main()
