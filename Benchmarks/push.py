"""Pushes of trainings: how many the operator takes per second of a processor, over TLS that stands.

1,000 TrainingJobs have a pod each, on a cluster without a node, so that the pods cost nothing. Each pod's first push makes the
operator ask whose its token is; of its next 19, which its rate allows at once, it knows. What is counted is what was answered
with 202, over the processor time of the operator, its status writes included.
"""

import contextlib
import json
import re
import ssl
import socket
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import cpu_seconds, memory, process, row, wait_for

NAMES = ("push-per-second", "push-per-second-uncached", "push-memory-growth")

JOBS = 1000
KNOWN = 18
CONNECTIONS = 16
PORT = 18443

TRAINING = {
    "apiVersion": "assay.dev/v1alpha1", "kind": "TrainingJob",
    "spec": {"template": {"spec": {"containers": [{"name": "train", "image": "registry.local/empty:1"}]}}},
}
BODY = json.dumps(
    {"progressPercentage": 40, "metrics": [{"name": f"loss{n}", "value": 0.123 + n, "split": "train"} for n in range(4)]}
).encode()


class API:
    """The cluster's API, by `kubectl proxy`."""

    def __init__(self, address: str):
        self._base = f"http://{address}"

    def __call__(self, path: str, body: dict | None = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@contextlib.contextmanager
def proxied(cluster, log: Path):
    with process(["kubectl", "--kubeconfig", cluster.kubeconfig, "proxy", "--port=0"], log):
        found = wait_for("kubectl proxy", 30, lambda: re.search(r"serve on (\S+)", log.read_text()))
        yield API(found[1])


def tokens(api: API) -> list[tuple[str, str]]:
    """Of each training's pod, with the training's name."""
    def pods():
        found = api("/api/v1/namespaces/default/pods?labelSelector=assay.dev/trainingjob")["items"]
        return found if len(found) == JOBS else None

    def token(pod: dict) -> tuple[str, str]:
        metadata = pod["metadata"]
        reference = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        answer = api("/api/v1/namespaces/default/serviceaccounts/default/token", {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": ["assay.dev/push"], "expirationSeconds": 3600, "boundObjectRef": reference},
        })
        return metadata["labels"]["assay.dev/trainingjob"], answer["status"]["token"]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: api("/apis/assay.dev/v1alpha1/namespaces/default/trainingjobs",
                                    {**TRAINING, "metadata": {"name": f"push-{n}"}}), range(JOBS)))
        return list(pool.map(token, wait_for("the pods", 300, pods, pause=1)))


class Connection:
    """One TLS connection, kept open."""

    def __init__(self, context: ssl.SSLContext):
        self._socket = context.wrap_socket(socket.create_connection(("127.0.0.1", PORT)), server_hostname="127.0.0.1")
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> None:
        self._socket.sendall(request)

    def status(self) -> int:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        head, _, body = answer.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: *(\d+)", head)[1])
        while len(body) < length:
            body += self._more()
        return int(head.split(b" ", 2)[1])

    def _more(self) -> bytes:
        piece = self._socket.recv(65536)
        if not piece:
            raise SystemExit("the operator has closed a connection")
        return piece


def push(connections: list[Connection], requests: list[bytes]) -> dict[int, int]:
    """Sends them all, as many at a time as there are connections; counts the answers."""
    counts: dict[int, int] = {}
    for start in range(0, len(requests), len(connections)):
        batch = list(zip(connections, requests[start:start + len(connections)]))
        for connection, request in batch:
            connection.send(request)
        for connection, _ in batch:
            status = connection.status()
            counts[status] = counts.get(status, 0) + 1
    return counts


def measured(pid: int, connections: list[Connection], requests: list[bytes]) -> tuple[float, float]:
    """Pushes that were taken, per second and per second of the operator's processor time."""
    began, used = time.monotonic(), cpu_seconds(pid)
    counts = push(connections, requests)
    seconds, used = time.monotonic() - began, cpu_seconds(pid) - used
    if counts != {202: len(requests)}:
        raise SystemExit(f"of {len(requests)} pushes: {counts}")
    return len(requests) / seconds, len(requests) / max(used, 0.01)


def rows(assay: Path, cluster, scratch: Path) -> list[dict]:
    environment = {"KUBECONFIG": str(cluster.operator_kubeconfig), "PATH": "/usr/bin:/bin"}
    command = [
        assay, "operator", "--health-address", "127.0.0.1:0", "--push-address", f"127.0.0.1:{PORT}",
        "--push-service", "default/assay-push", "--push-url", f"https://127.0.0.1:{PORT}",
    ]
    log = scratch / "operator-push.log"
    with process(command, log, env=environment) as child, proxied(cluster, scratch / "proxy.log") as api:
        wait_for("the operator to take pushes", 60, lambda: "taking pushes" in log.read_text())
        known = tokens(api)
        bundle = api("/api/v1/namespaces/default/configmaps/assay-ca")["data"]["ca.crt"]
        context = ssl.create_default_context(cadata=bundle)
        connections = [Connection(context) for _ in range(CONNECTIONS)]
        requests = [
            (f"POST /v1/namespaces/default/trainingjobs/{name}/metrics HTTP/1.1\r\nHost: assay\r\n"
             f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
             f"Content-Length: {len(BODY)}\r\n\r\n").encode() + BODY
            for name, token in known
        ]
        time.sleep(5)
        uncached = measured(child.pid, connections, requests)
        before = memory(child.pid)["VmRSS"]
        cached = measured(child.pid, connections, requests * KNOWN)
        after = memory(child.pid)["VmRSS"]
        push(connections, requests * 20)  # More than the rate allows: most are refused.
        flood = memory(child.pid)["VmRSS"]
        print(f"pushes per wall second: {cached[0]:.0f} of known tokens, {uncached[0]:.0f} of new ones", file=sys.stderr)
        print(f"memory: {before:.1f} MB, {after:.1f} after {KNOWN * JOBS} more, {flood:.1f} after a flood", file=sys.stderr)
    return [
        row("push-per-second", cached[1], None, None, "1/s of a core", lower=False),
        row("push-per-second-uncached", uncached[1], None, None, "1/s of a core", lower=False),
        row("push-memory-growth", after - before, None, None, "MB"),
    ]
