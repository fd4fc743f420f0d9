"""Look after the pipeline's own tables: retention, files, what was erased; once a day."""

import sys

from pipeline.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "maintain")
    main()
