"""How long a controller takes from its start until it has cached and looked at every object, and in how much memory."""

import tempfile
import time
from collections import defaultdict
from pathlib import Path

from api_server import APIServer
from harness import RUNS, cpu_seconds, forget_peak, memory, peer_rows
from measured import commands, started

PATIENCE = 300
SETTLE_SECONDS = 5
# Once, and the small size only: it takes minutes.
SLOW = {"kopf"}


def names(size: int) -> list[str]:
    measures = ("seconds", "cpu", "peak-rss", "settled-rss", "settled-anon")
    return [f"sync-{size // 1000}k-{measure}" for measure in measures]


def rows(size: int, with_relist: bool) -> list[dict]:
    samples = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as directory:
        server = APIServer(Path(directory) / "server")
        with server.running():
            server.load(size)
            found = {name: it for name, it in commands(size).items() if size <= 10_000 or name not in SLOW}
            for turn in range(RUNS):
                for name, command in found.items():
                    if turn > 0 and name in SLOW:
                        continue
                    for measure, value in once(command, server, size).items():
                        samples[measure][name].append(value)
            if with_relist:
                for name, command in found.items():
                    samples["relist"][name].append(relist(command, server, size))
    units = ["s", "s of CPU", "MB", "MB", "MB"]
    result = []
    for name, unit in zip(names(size), units):
        result += peer_rows(name, samples[name.split("-", 2)[2]], unit)
    if with_relist:
        result += peer_rows(f"relist-{size // 1000}k-peak-ratio", samples["relist"], "times settled")
    return result


def once(command: list, server: APIServer, size: int) -> dict[str, float]:
    start = time.monotonic()
    with started(command, server.kubeconfig, server.directory / "measured.log", size) as (child, lines):
        seconds = lines.when(f"reconciled {size}", PATIENCE) - start
        cpu = cpu_seconds(child.pid)
        time.sleep(SETTLE_SECONDS)
        used = memory(child.pid)
        return {
            "seconds": seconds, "cpu": cpu, "peak-rss": used["VmHWM"], "settled-rss": used["VmRSS"],
            "settled-anon": used["Anonymous"],
        }


def relist(command: list, server: APIServer, size: int) -> float:
    """The peak of a second list over what was resident before it."""
    revision = int(time.monotonic() * 1000)
    with started(command, server.kubeconfig, server.directory / "measured.log", size) as (child, lines):
        lines.when(f"reconciled {size}", PATIENCE)
        time.sleep(SETTLE_SECONDS)
        settled = memory(child.pid)["VmRSS"]
        forget_peak(child.pid)
        server.restart()
        server.mark(revision)
        lines.when(f"marker {revision}", PATIENCE)
        if server.lists_of_widgets() == 0:
            raise SystemExit(f"{command[0]} did not list again")
        return memory(child.pid)["VmHWM"] / settled
