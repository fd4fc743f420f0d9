"""The jobs over Spark Connect with delivery in the driver, as on serverless compute."""

import json
import subprocess
import sys
from pathlib import Path


def test_a_day_over_connect_gives_the_same_books(tmp_path):
    """What works only in Spark's own process would fail on serverless compute, and nowhere else."""
    script = Path(__file__).parent / "connect_day.py"
    done = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "The value 'old'" not in done.stdout + done.stderr, "a row's value is in the log"
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found == {
        "session": "pyspark.sql.connect.session",
        "steps_left": 0,
        "statuses": [0, 0, 0, 0],
        "kinds": {"accepted": 29, "dead": 1},
        "received_is_accepted": True,
        "twice": 1,
        "books_close": True,
    }
