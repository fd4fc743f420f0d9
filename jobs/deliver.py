"""Send what the source tables change to Customer.io, continuously."""

import sys

from pipeline.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "deliver")
    main()
