"""What every benchmark needs: processes, waiting, what a process has used, rows."""

import contextlib
import os
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("ASSAY_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "assay")
PEER_ENVIRONMENT = CACHE / "bench-venv"
RUNS = int(os.environ.get("RUNS") or 5)
SETTLE_SECONDS = 15


@contextlib.contextmanager
def process(arguments: list, log: Path, **options):
    with open(log, "wb") as output:
        child = subprocess.Popen(arguments, **{"stdout": output, "stderr": subprocess.STDOUT, **options})
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wait_for(what: str, seconds: float, test, pause: float = 0.02):
    deadline = time.monotonic() + seconds
    while not (result := test()):
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {seconds} s for {what}")
        time.sleep(pause)
    return result


def _kilobytes(path: str) -> dict[str, float]:
    """The sizes that a file of /proc tells, in MB."""
    fields = (line.split() for line in Path(path).read_text().splitlines())
    return {field[0].rstrip(":"): int(field[1]) / 1024 for field in fields if len(field) == 3 and field[2] == "kB"}


def memory(pid: int) -> dict[str, float]:
    """VmRSS and its highest so far (VmHWM), RssAnon and Anonymous of a process, in MB."""
    return {**_kilobytes(f"/proc/{pid}/status"), **_kilobytes(f"/proc/{pid}/smaps_rollup")}


def forget_peak(pid: int) -> None:
    """Lets VmHWM begin again at what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def cpu_seconds(pid: int) -> float:
    """What the process has used of the processors, its own and the kernel's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def row(name: str, ours: float, peer: float | None, peer_name: str | None, unit: str, lower: bool = True) -> dict:
    return {
        "name": name,
        "ours": round(ours, 3),
        "peer": None if peer is None else round(peer, 3),
        "peerName": None if peer is None else peer_name,
        "ratio": None if peer is None else round(ours / peer, 3),
        "unit": unit,
        "lowerIsBetter": lower,
    }


def peer_rows(name: str, samples: dict[str, list[float]], unit: str, lower: bool = True) -> list[dict]:
    """A row for each peer, of medians; `samples` has ours first."""
    (_, ours), *peers = samples.items()
    middle = statistics.median(ours)
    if not peers:
        return [row(name, middle, None, None, unit, lower)]
    return [row(name, middle, statistics.median(values), peer, unit, lower) for peer, values in peers]
