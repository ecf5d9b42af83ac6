"""The gateway against other reverse proxies: the same upstream and load generator, one after the other in each round.

Every proxy has one thread, on one processor; nginx as the upstream (1 kB) and wrk have another. CPU per request is the
proxy's own processor time. The gateway watches an API server of a few lines, which is asked for nothing while requests pass;
for the wake-ups it stands for the real one, and tells when it was asked.
"""

import asyncio
import contextlib
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from harness import CACHE, ROOT, RUNS, cpu_seconds, memory, peer_rows, process, row, wait_for

NAMES = (
    "gateway-cpu-per-request-64", "gateway-cpu-per-request-256", "gateway-requests-per-second-64", "gateway-added-p50-1",
    "gateway-p99-64", "gateway-rss-256", "gateway-anon-256", "wake-to-patch-p50", "ready-to-forward-p50",
    "ready-to-forward-p99", "held-memory",
)
UPSTREAM, MODEL_PORT, SLEEPER_PORT, POD_PORT = 19000, 19010, 19011, 19012
PEER_PORTS = {"nginx": 19001, "HAProxy": 19002, "Go httputil": 19003}
SECONDS = 4
WAKES = 50
HELD = 10_000

NGINX = """
worker_processes 1; daemon off; pid {directory}/{name}.pid; error_log {directory}/{name}.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600; tcp_nodelay on;
  client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
  uwsgi_temp_path {directory}; scgi_temp_path {directory};
  {body}
}}
"""
STATIC = """
  open_file_cache max=10 inactive=3600s;
  server {{ listen 127.0.0.1:{port} backlog=1024; default_type text/plain; location / {{ root {directory}; try_files /body =404; }} }}
"""
PROXY = """
  upstream pod {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port} backlog=1024; location / {{
    proxy_pass http://pod; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
  }} }}
"""
HAPROXY = """
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend front
  bind 127.0.0.1:{port}
  default_backend pod
backend pod
  server pod 127.0.0.1:{upstream} pool-max-conn 1024
"""


def model(name: str, port: int, pod_port: int, state: str) -> dict:
    return {
        "metadata": {"name": name, "namespace": "bench", "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"serving": {"port": pod_port}},
        "status": {"gatewayPort": port, "traffic": [{"revision": f"{name}-1", "weight": 100, "state": state}]},
    }


def pod(name: str, ready: bool) -> dict:
    return {
        "metadata": {"name": f"{name}-1", "namespace": "bench", "uid": f"{name}-1",
                     "labels": {"assay.dev/model": name, "assay.dev/revision": f"{name}-1"}},
        "status": {"podIP": "127.0.0.1", "phase": "Running",
                   "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


class API:
    """Lists, watches and one scale."""

    def __init__(self):
        self.objects = {"mlmodels": {}, "pods": {}}
        self.version = 1
        self.condition = threading.Condition()
        self.events: dict[str, list[bytes]] = {"mlmodels": [], "pods": []}
        self.replicas = 0
        self.asked: list[tuple[str, float, float]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                began = time.monotonic()
                path, _, query = self.path.partition("?")
                kind = path.rpartition("/")[2]
                if kind == "scale":
                    return self.scale("GET", began)
                if "watch=true" in query:
                    return self.watch(kind)
                with api.condition:
                    self.answer({"kind": "List", "metadata": {"resourceVersion": str(api.version)},
                                 "items": list(api.objects[kind].values())})

            def do_PATCH(self):
                began = time.monotonic()
                self.rfile.read(int(self.headers["Content-Length"]))
                api.replicas = 1
                self.scale("PATCH", began)

            def scale(self, method: str, began: float):
                body = {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": api.replicas} if api.replicas else {}}
                self.answer(body)
                with api.condition:
                    api.asked.append((method, began, time.monotonic()))
                    api.condition.notify_all()

            def answer(self, body: dict):
                data = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def watch(self, kind: str):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                seen = len(api.events[kind])
                with contextlib.suppress(OSError):
                    while True:
                        with api.condition:
                            api.condition.wait_for(lambda: len(api.events[kind]) > seen, 1)
                            news, seen = api.events[kind][seen:], len(api.events[kind])
                        for line in news:
                            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
                        self.wfile.flush()

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def tell(self, kind: str, event: str, thing: dict):
        with self.condition:
            self.version += 1
            thing["metadata"]["resourceVersion"] = str(self.version)
            self.objects[kind][thing["metadata"]["name"]] = thing
            if event == "DELETED":
                del self.objects[kind][thing["metadata"]["name"]]
            self.events[kind].append(json.dumps({"type": event, "object": thing}).encode() + b"\n")
            self.condition.notify_all()

    def next_patch(self, after: int) -> tuple[float, float]:
        """When it arrived, and how long the calls before it took here."""
        with self.condition:
            found = self.condition.wait_for(lambda: [call for call in self.asked[after:] if call[0] == "PATCH"], 30)
            calls = self.asked[after:]
        if not found:
            raise SystemExit("the gateway patched nothing")
        return found[0][1], sum(end - began for method, began, end in calls if method == "GET")

    def kubeconfig(self, directory: Path) -> Path:
        path = directory / "gateway.kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{"name": "bench", "cluster": {"server": f"http://127.0.0.1:{self.server.server_port}"}}],
            "users": [{"name": "bench", "user": {}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        }))
        return path


def listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def pinned(processor: int, *command) -> list[str]:
    return ["taskset", "-c", str(processor), *map(str, command)]


def go_proxy() -> Path | None:
    """None where Go is not at hand."""
    go = shutil.which("go") or "/usr/lib/go-1.19/bin/go"
    if not Path(go).exists():
        return None
    program = CACHE / "bench-go-proxy"
    source = ROOT / "Benchmarks" / "go-proxy" / "main.go"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        CACHE.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "GO111MODULE": "off"}
        if subprocess.run([go, "build", "-o", program, source], env=environment).returncode != 0:
            return None
    return program


@contextlib.contextmanager
def proxies(assay: Path, api: API, directory: Path, pod_port: int = UPSTREAM):
    """The processes by name, ours first; each has one processor, and the upstream another. The peers forward to `pod_port`."""
    (directory / "body").write_text("x" * 1024)
    for name, body in (("upstream", STATIC.format(port=UPSTREAM, directory=directory)),
                       ("nginx", PROXY.format(port=PEER_PORTS["nginx"], upstream=pod_port))):
        (directory / f"{name}.conf").write_text(NGINX.format(directory=directory, name=name, body=body))
    (directory / "haproxy.conf").write_text(HAPROXY.format(port=PEER_PORTS["HAProxy"], upstream=pod_port))
    commands = {}
    if shutil.which("nginx"):
        commands["nginx"] = ["nginx", "-c", directory / "nginx.conf"]
    if shutil.which("haproxy"):
        commands["HAProxy"] = ["haproxy", "-f", directory / "haproxy.conf"]
    if go := go_proxy():
        commands["Go httputil"] = [go, f"127.0.0.1:{PEER_PORTS['Go httputil']}", f"http://127.0.0.1:{UPSTREAM}"]
    with contextlib.ExitStack() as stack:
        upstream = pinned(0, "nginx", "-c", directory / "upstream.conf")
        stack.enter_context(process(upstream, directory / "upstream.out"))
        ours = pinned(1, assay, "gateway", "--host", "127.0.0.1", "--health-address", "none", "--drain-delay", "0",
                      "--drain-timeout", "0", "--kubeconfig", api.kubeconfig(directory))
        found = {"assay": stack.enter_context(process(ours, directory / "gateway.log"))}
        for name, command in commands.items():
            environment = {**os.environ, "GOMAXPROCS": "1"}
            found[name] = stack.enter_context(process(pinned(1, *command), directory / f"{name}.out", env=environment))
        for name in found:
            wait_for(name, 30, lambda: listening(PEER_PORTS.get(name, MODEL_PORT)))
        wait_for("the upstream", 30, lambda: listening(UPSTREAM))
        yield found


def family(pid: int) -> list[int]:
    """A process and its workers."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def load(port: int, connections: int, pids: list[int]) -> dict[str, float]:
    """What a few seconds of requests cost and took."""
    before = sum(map(cpu_seconds, pids))
    command = pinned(0, "wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", f"http://127.0.0.1:{port}/")
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used = sum(map(cpu_seconds, pids)) - before
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"port {port}: {text}")
    count = int(re.search(r"(\d+) requests in", text)[1])

    def percentile(mark: str) -> float:
        value, unit = re.search(rf"{mark}%\s+([\d.]+)(us|ms|s)", text).groups()
        return float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]

    return {"cpu": used / count * 1e6, "rate": count / SECONDS, "p50": percentile(50), "p99": percentile(99)}


def forward_rows(found: dict[str, subprocess.Popen]) -> list[dict]:
    ports = {"assay": MODEL_PORT, **PEER_PORTS}
    samples: dict[str, dict[str, list[float]]] = {}

    def note(name: str, proxy: str, value: float):
        samples.setdefault(name, {}).setdefault(proxy, []).append(value)

    for _ in range(RUNS):
        for connections in (1, 64, 256):
            direct = load(UPSTREAM, connections, [])["p50"] if connections == 1 else 0
            for proxy, child in found.items():
                seen = load(ports[proxy], connections, family(child.pid))
                if connections == 1:
                    note("gateway-added-p50-1", proxy, seen["p50"] - direct)
                else:
                    note(f"gateway-cpu-per-request-{connections}", proxy, seen["cpu"])
                if connections == 64:
                    note("gateway-requests-per-second-64", proxy, seen["rate"])
                    note("gateway-p99-64", proxy, seen["p99"])
                if connections == 256:
                    sizes = [memory(pid) for pid in family(child.pid)]
                    note("gateway-rss-256", proxy, sum(size["VmRSS"] for size in sizes))
                    note("gateway-anon-256", proxy, sum(size["RssAnon"] for size in sizes))
    units = {"gateway-requests-per-second-64": "1/s", "gateway-added-p50-1": "ms", "gateway-p99-64": "ms",
             "gateway-rss-256": "MB", "gateway-anon-256": "MB"}
    result = []
    for name, values in samples.items():
        result += peer_rows(name, values, units.get(name, "µs"), lower="per-second" not in name)
    return result


class Pod:
    """A server that begins to listen when it is told, and notes when its first byte comes."""

    def __init__(self):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", POD_PORT))

    def answer_one(self) -> float:
        """Seconds from listening to the first byte of a request."""
        self._listener.listen(128)
        ready = time.monotonic()
        connection, _ = self._listener.accept()
        connection.recv(65536)
        came = time.monotonic()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        connection.close()
        return came - ready

    def close(self):
        self._listener.close()


def wake_rows(api: API) -> list[dict]:
    to_patch, to_forward = [], []
    for index in range(WAKES):
        api.replicas = 0
        server = Pod()
        after = len(api.asked)
        client = socket.create_connection(("127.0.0.1", SLEEPER_PORT))
        sent = time.monotonic()
        client.sendall(b"GET / HTTP/1.1\r\nHost: sleeper\r\n\r\n")
        arrived, elsewhere = api.next_patch(after)
        to_patch.append((arrived - sent - elsewhere) * 1e3)
        api.tell("pods", "ADDED", pod("sleeper", ready=False))
        time.sleep(0.05 + 0.01 * (index % 10))  # The pod has an address and starts.
        to_forward.append(server.answer_one() * 1e3)
        answer = client.recv(65536)
        client.close()
        server.close()
        if b"200 OK" not in answer:
            raise SystemExit(f"a request that woke a model got {answer!r}")
        api.tell("pods", "DELETED", pod("sleeper", ready=False))
        time.sleep(0.05)
    ordered = sorted(to_forward)
    return [
        row("wake-to-patch-p50", statistics.median(to_patch), None, None, "ms"),
        row("ready-to-forward-p50", statistics.median(ordered), None, None, "ms"),
        row("ready-to-forward-p99", ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], None, None, "ms"),
    ]


def held_rows(api: API, pid: int) -> list[dict]:
    """10,000 requests wait for a model at once, and all of them are answered."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    api.replicas = 0
    before = memory(pid)["VmRSS"]

    async def run() -> tuple[float, float]:
        async def answer(reader, writer):
            with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
                while True:
                    await reader.readuntil(b"\r\n\r\n")
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        clients = []
        for index in range(HELD):
            reader, writer = await asyncio.open_connection("127.0.0.1", SLEEPER_PORT)
            writer.write(b"GET /%d HTTP/1.1\r\nHost: sleeper\r\n\r\n" % index)
            clients.append((reader, writer))
        await asyncio.sleep(1)
        grown = (memory(pid)["VmRSS"] - before) * 1024 / HELD
        server = await asyncio.start_server(answer, "127.0.0.1", POD_PORT, backlog=128)
        began = time.monotonic()
        api.tell("pods", "ADDED", pod("sleeper", ready=False))
        answers = await asyncio.gather(*(reader.readuntil(b"ok") for reader, _ in clients))
        seconds = time.monotonic() - began
        if not all(b" 200 OK" in answer for answer in answers):
            raise SystemExit("a held request was not answered by its model")
        for _, writer in clients:
            writer.close()
        server.close()
        return grown, seconds

    grown, seconds = asyncio.run(run())
    print(f"{HELD} held requests were answered in {seconds:.1f} s", file=sys.stderr)
    return [row("held-memory", grown, None, None, "kB a request")]


def rows(assay: Path, directory: Path, wants) -> list[dict]:
    api = API()
    api.tell("mlmodels", "ADDED", model("wine", MODEL_PORT, UPSTREAM, "Serving"))
    api.tell("pods", "ADDED", pod("wine", ready=True))
    api.tell("mlmodels", "ADDED", model("sleeper", SLEEPER_PORT, POD_PORT, "Hibernating"))
    result = []
    with proxies(assay, api, directory) as found:
        if wants(*NAMES[:7]):
            result += forward_rows(found)
        if wants(*NAMES[7:10]):
            result += wake_rows(api)
        if wants(*NAMES[10:]):
            result += held_rows(api, found["assay"].pid)
    return result
