"""The controllers that are measured: ours, and the peers, which all do the same and print the same lines.

    synced N       the cache is whole
    reconciled N   as many objects as --expect says were reconciled
    marker R       the widget `marker` was seen at that revision
"""

import contextlib
import functools
import os
import subprocess
import threading
import time
from pathlib import Path

from harness import CACHE, PEER_ENVIRONMENT, ROOT, process

PACKAGE = ROOT / "Benchmarks"


@functools.cache
def ours() -> Path:
    flags = [
        "swift", "build", "--package-path", PACKAGE, "--configuration", "release", "--static-swift-stdlib",
        "--product", "AssayBench",
    ]
    subprocess.run(flags, check=True, stdout=subprocess.DEVNULL)
    path = subprocess.run([*flags, "--show-bin-path"], check=True, capture_output=True, text=True).stdout.strip()
    return Path(path) / "AssayBench"


@functools.cache
def go_peer() -> Path | None:
    """Built against the client-go of Kubernetes 1.20; None where its source cannot be had."""
    if subprocess.run([PACKAGE / "go-peer" / "build"]).returncode != 0:
        return None
    return CACHE / "bench-go-peer" / "bench-peer"


@functools.cache
def python_peer(name: str) -> Path | None:
    """A program of the peers' environment, from PyPI."""
    programs = PEER_ENVIRONMENT / "bin"
    if not (programs / "kopf").exists() or not list(PEER_ENVIRONMENT.glob("lib/*/site-packages/lightkube")):
        subprocess.run(["/usr/bin/python3", "-m", "venv", PEER_ENVIRONMENT], check=True)
        install = [programs / "pip", "install", "--quiet", "kopf==1.45.2", "pykube-ng==23.6.0", "lightkube==1.0.1"]
        if subprocess.run(install).returncode != 0:
            return None
    return programs / name


def commands(expect: int) -> dict[str, list]:
    """How each is started that can cache widgets, ours first."""
    found = {"assay": [ours(), "--expect", str(expect)]}
    # The same, when it lists what is newest, from etcd: what no peer but kopf and lightkube does.
    found["assay, newest"] = [ours(), "--newest", "--expect", str(expect)]
    if go := go_peer():
        found["client-go 0.20"] = [go, "--expect", str(expect)]
        found["client-go 0.20, stripped"] = [go, "--strip", "--expect", str(expect)]
    if python := python_peer("python"):
        found["lightkube"] = [python, PACKAGE / "lightkube_peer.py", "--expect", str(expect)]
    if kopf := python_peer("kopf"):
        found["kopf"] = [kopf, "run", "--quiet", "--all-namespaces", PACKAGE / "kopf_widgets_peer.py"]
    return found


class Lines:
    """What a process prints, with the time of each line."""

    def __init__(self, child: subprocess.Popen):
        self._child = child
        self._condition = threading.Condition()
        self._lines: dict[str, float] = {}
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._child.stdout:
            now = time.monotonic()
            with self._condition:
                self._lines.setdefault(line.decode().strip(), now)
                self._condition.notify_all()
        with self._condition:
            self._ended = True
            self._condition.notify_all()

    def when(self, beginning: str, seconds: float) -> float:
        """When it first printed a line that begins with those words, by the monotonic clock."""
        def found() -> list[float]:
            return [when for line, when in self._lines.items() if f"{line} ".startswith(f"{beginning} ")]

        with self._condition:
            self._condition.wait_for(lambda: found() or self._ended, seconds)
            if not found():
                what = "ended and" if self._ended else f"had {seconds} s and"
                raise SystemExit(f"{' '.join(self._child.args)} {what} did not say '{beginning}'")
            return min(found())


@contextlib.contextmanager
def started(command: list, kubeconfig: Path, log: Path, expect: int = 0):
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "EXPECT": str(expect)}
    with open(log, "ab") as errors:
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors, "env": environment}
        with process([str(word) for word in command], os.devnull, **options) as child:
            yield child, Lines(child)
