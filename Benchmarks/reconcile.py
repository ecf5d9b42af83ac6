"""What a reconcile costs, how many there are in a second, and how soon what somebody creates is acted upon."""

import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from api_server import APIServer
from harness import RUNS, cpu_seconds, peer_rows
from measured import go_peer, ours, started

PATIENCE = 120
WIDGETS = 2000
CREATIONS = 300
NAMES = [
    "event-to-action-p50", "event-to-action-p99", "event-to-action-cpu", "reconciles-per-second-1",
    "reconciles-per-second-4", "reconcile-cpu",
]


def rows() -> list[dict]:
    """Against the Go peer only: it is the one that makes the load, too."""
    go = go_peer()
    programs = {"assay": ours(), **({"client-go 0.20": go} if go else {})}
    samples = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as directory:
        server = APIServer(Path(directory) / "server")
        with server.running():
            for _ in range(RUNS):
                for name, program in programs.items():
                    for workers in (1, 4):
                        rate, cpu = reconciles(program, server, workers)
                        samples[f"reconciles-per-second-{workers}"][name].append(rate)
                        if workers == 1:
                            samples["reconcile-cpu"][name].append(cpu)
            server.clear()
            for _ in range(RUNS if go else 0):
                for name, program in programs.items():
                    latencies, cpu = event_to_action(program, server, go)
                    samples["event-to-action-p50"][name].append(percentile(latencies, 50))
                    samples["event-to-action-p99"][name].append(percentile(latencies, 99))
                    samples["event-to-action-cpu"][name].append(cpu)
    units = {"reconciles-per-second-1": "1/s", "reconciles-per-second-4": "1/s", "reconcile-cpu": "ms of CPU",
             "event-to-action-cpu": "ms of CPU"}
    result = []
    for name in NAMES:
        if name in samples:
            result += peer_rows(name, samples[name], units.get(name, "ms"), lower="per-second" not in name)
    return result


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def reconciles(program: Path, server: APIServer, workers: int) -> tuple[float, float]:
    """Reconciles in a second, and milliseconds of processor for one; each patches a status."""
    server.load(WIDGETS)
    command = [program, "--action", "status", "--workers", str(workers), "--expect", str(WIDGETS), "--gated"]
    with started(command, server.kubeconfig, server.directory / "measured.log") as (child, lines):
        lines.when(f"synced {WIDGETS}", PATIENCE)
        used, start = cpu_seconds(child.pid), time.monotonic()
        child.stdin.write(b"\n")
        child.stdin.flush()
        seconds = lines.when(f"reconciled {WIDGETS}", PATIENCE) - start
        return WIDGETS / seconds, (cpu_seconds(child.pid) - used) / WIDGETS * 1000


def event_to_action(program: Path, server: APIServer, go: Path) -> tuple[list[float], float]:
    """Milliseconds from before a widget is created until another watcher sees the status that is written after the
    Job; and the controller's milliseconds of processor for one."""
    command = [program, "--action", "job"]
    with started(command, server.kubeconfig, server.directory / "measured.log") as (child, lines):
        lines.when("synced", PATIENCE)
        used = cpu_seconds(child.pid)
        output = subprocess.run(
            [go, "--kubeconfig", server.kubeconfig, "--load", str(CREATIONS)], check=True, capture_output=True,
            text=True, timeout=PATIENCE).stdout
        cpu = (cpu_seconds(child.pid) - used) / CREATIONS * 1000
    return [float(line.split()[1]) for line in output.splitlines() if line.startswith("latency")], cpu
