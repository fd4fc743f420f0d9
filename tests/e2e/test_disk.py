"""The pipeline's tables can't be written for a while: a full disk, a volume that is read-only."""

import os
import subprocess
import threading
import time

import pytest

from chaos.disk import empty, fill, small_disk
from pipeline.sandbox.failure import Failure
from pipeline.streams.run import FAILED, OK, run_deliver, run_drain

from .conftest import ORDERS, PEOPLE


def freeze(folder):
    # The jobs' open files keep it from being remounted at once.
    for _ in range(200):
        if not subprocess.run(
            ["/bin/mount", "-o", "remount,ro", str(folder)], check=False
        ).returncode:
            return
        time.sleep(0.05)


def thaw(folder):
    subprocess.run(["/bin/mount", "-o", "remount,rw", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a disk: only root may")
@pytest.mark.parametrize(
    ("strike", "mend"), [(fill, empty), pytest.param(freeze, thaw, marks=pytest.mark.kills)]
)
def test_tables_that_cannot_be_written_cost_one_repeated_slice(
    spark, shop, ledger, tmp_path, strike, mend
):
    """Each restart would send again what it cannot record, or something would be lost."""
    shop.insert("people", PEOPLE, [{"person_id": f"p{n}", "email": "e"} for n in range(5)])
    shop.insert(
        "orders",
        ORDERS,
        [{"order_id": f"o{n}", "person_id": f"p{n % 5}", "total": 1.0} for n in range(20)],
    )
    disk = tmp_path / "disk"
    with small_disk(disk, "16m") as made:
        if not made:
            pytest.skip("mount: not allowed here, so no disk can be filled")
        tables = shop.settings.tables.model_copy(update={"root": str(disk / "tables")})
        settings = shop.settings.model_copy(update={"tables": tables})
        assert run_deliver(spark, settings, feeds=["people"], available_now=True) == OK
        before = len(shop.accepted())
        shop.sandbox.client.fail(Failure(kind="latency", latency_ms=1500))

        def act():
            while not shop.sandbox.client.failures()[0]["struck"]:
                time.sleep(0.02)
            strike(disk)

        somebody = threading.Thread(target=act)
        somebody.start()
        assert run_deliver(spark, settings, feeds=["orders"], available_now=True) == FAILED
        somebody.join()
        shop.sandbox.client.clear()
        arrived = shop.accepted()
        assert sum(arrived.values()) - before == 20, "restarts have sent without a record"
        mend(disk)
        assert run_deliver(spark, settings, feeds=["orders"], available_now=True) == OK
        assert run_drain(spark, settings, available_now=True) == OK
        assert set(shop.accepted()) == set(arrived)
        assert sum(shop.accepted().values()) - before <= 40
        assert [(r["kind"], r["number"]) for r in ledger(settings)] == [("accepted", 1)] * 25
