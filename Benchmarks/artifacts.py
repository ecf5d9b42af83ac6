"""Sealing and fetching an artifact of one large file, against sha256sum over the same file in the same run."""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from harness import RUNS, row

MEGABYTES = 1024
NAMES = ("seal-throughput", "seal-peak", "fetch-throughput", "fetch-peak")


def timed(command: list) -> tuple[float, float]:
    """The seconds that a command takes, and the most memory that it had, in MB."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: ended with status {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - start, usage.ru_maxrss / 1024


def rows(assay: Path) -> list[dict]:
    samples: dict[str, list[float]] = {name: [] for name in (*NAMES, "sha256sum")}
    with tempfile.TemporaryDirectory(prefix="assay-bench-", dir=os.environ.get("BENCH_DISK")) as directory:
        scratch = Path(directory)
        content = scratch / "content"
        content.mkdir()
        # What cannot be compressed, nor guessed by a file system.
        with open(content / "weights.bin", "wb") as file:
            for _ in range(MEGABYTES):
                file.write(os.urandom(1 << 20))
        for number in range(RUNS):
            store, copy = scratch / f"store-{number}", scratch / f"copy-{number}"
            seconds, _ = timed(["sha256sum", content / "weights.bin"])
            samples["sha256sum"].append(MEGABYTES / seconds)
            seconds, peak = timed([assay, "artifact", "push", content, f"file://{store}:large"])
            samples["seal-throughput"].append(MEGABYTES / seconds)
            samples["seal-peak"].append(peak)
            seconds, peak = timed([assay, "artifact", "pull", f"file://{store}:large", copy])
            samples["fetch-throughput"].append(MEGABYTES / seconds)
            samples["fetch-peak"].append(peak)
            shutil.rmtree(store)
            shutil.rmtree(copy)
    middle = {name: statistics.median(values) for name, values in samples.items()}
    return [
        row("seal-throughput", middle["seal-throughput"], middle["sha256sum"], "sha256sum", "MiB/s", lower=False),
        row("seal-peak", middle["seal-peak"], None, None, "MB"),
        row("fetch-throughput", middle["fetch-throughput"], middle["sha256sum"], "sha256sum", "MiB/s", lower=False),
        row("fetch-peak", middle["fetch-peak"], None, None, "MB"),
    ]
