"""A small day over Spark Connect, and with the releases nearest to the bundle's runtime."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark import __version__ as release


def day(folder, *words):
    script = Path(__file__).parent / "small_day.py"
    # But for those of small micro-batches, queries are compiled, as on Databricks.
    environment = {k: v for k, v in os.environ.items() if k != "PYSPARK_SUBMIT_ARGS"}
    done = subprocess.run(
        [sys.executable, script, folder, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "The value 'old'" not in done.stdout + done.stderr, "a row's value is in the log"
    return json.loads(done.stdout.strip().splitlines()[-1])


WELL = {
    "spark": release,
    "steps_left": 0,
    "statuses": [0, 0, 0, 0],
    "kinds": {"accepted": 29, "dead": 1},
    "received_is_accepted": True,
    "twice": 1,
    "books_close": True,
}


def test_a_day_over_connect_gives_the_same_books(tmp_path):
    """What works only in Spark's own process would fail on serverless compute, and nowhere else."""
    assert day(tmp_path, "connect") == {"session": "pyspark.sql.connect.session", **WELL}


@pytest.mark.skipif("LTS_SPARK" not in os.environ, reason="run by tools/e2e-lts")
def test_a_day_with_the_runtimes_releases_gives_the_same_books(tmp_path):
    """What the newest Spark and Delta alone can do would fail on the long-term-support runtime."""
    assert release == os.environ["LTS_SPARK"]
    assert day(tmp_path) == {"session": "pyspark.sql.session", **WELL}
