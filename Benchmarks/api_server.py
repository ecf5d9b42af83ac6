"""kube-apiserver and etcd on loopback with TLS, and objects written to etcd as the API server writes them."""

import base64
import contextlib
import json
import os
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from harness import CACHE, process, wait_for

DIRECTORY = Path(os.environ.get("KUBEBUILDER_ASSETS") or CACHE / "kubernetes-1.20.2")
TOKEN = "benchmark"
GROUP = "bench.assay.dev"
BATCH = 100

DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"widgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [{
            "name": "v1",
            "served": True,
            "storage": True,
            "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "properties": {
                    "revision": {"type": "integer"},
                    "template": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                }},
                "status": {"type": "object", "properties": {
                    "phase": {"type": "string"}, "observedGeneration": {"type": "integer"},
                }},
            }}},
        }],
    },
}


def widget(name: str, namespace: str, revision: int = 1) -> dict:
    """An object of 2.9 kB: most of it a pod's template, which no controller of the benchmarks reads, as in life."""
    variables = [
        {"name": f"SETTING_{index}", "value": f"{name}-value-{index}-" + "x" * 24} for index in range(12)
    ]
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10, "failureThreshold": 3}
    container = {
        "name": "main", "image": f"registry.example.com/team/{name}:1", "command": ["/bin/server", "--port=8080"],
        "env": variables, "readinessProbe": probe, "livenessProbe": probe,
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    template = {
        "metadata": {"labels": {"app": name, "team": "bench"}},
        "spec": {"containers": [container], "volumes": [{"name": "data", "emptyDir": {}}]},
    }
    fields = {"f:spec": {".": {}, "f:revision": {}, "f:template": {".": {}, "f:metadata": {
        ".": {}, "f:labels": {".": {}, "f:app": {}, "f:team": {}}}, "f:spec": {".": {}, "f:containers": {},
        "f:volumes": {}}}}, "f:metadata": {"f:annotations": {".": {}, "f:example.com/description": {}},
        "f:labels": {".": {}, "f:app": {}, "f:team": {}}}}
    return {
        "apiVersion": f"{GROUP}/v1", "kind": "Widget",
        "metadata": {
            "name": name, "namespace": namespace, "generation": 1, "creationTimestamp": "2026-11-01T00:00:00Z",
            "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{name}")),
            "labels": {"app": name, "team": "bench"},
            "annotations": {"example.com/description": f"The widget {name} of the benchmark. " + "y" * 550},
            "managedFields": [{"manager": "bench", "operation": "Update", "apiVersion": f"{GROUP}/v1",
                               "time": "2026-11-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields}],
        },
        "spec": {"revision": revision, "template": template},
    }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class APIServer:
    def __init__(self, directory: Path):
        self.directory = directory
        directory.mkdir()
        self.port, self.etcd_port, self.etcd_peer_port = free_port(), free_port(), free_port()
        self.kubeconfig = directory / "kubeconfig"
        self._server = contextlib.ExitStack()
        self._prepare()
        self._context = ssl.create_default_context(cafile=directory / "server.crt")

    def _prepare(self) -> None:
        subprocess.run([
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "server.key", "-out", "server.crt",
        ], cwd=self.directory, check=True, capture_output=True)
        (self.directory / "tokens.csv").write_text(f"{TOKEN},bench,1,system:masters\n")
        authority = base64.b64encode((self.directory / "server.crt").read_bytes()).decode()
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{"name": "bench", "cluster": {
                "server": f"https://127.0.0.1:{self.port}", "certificate-authority-data": authority}}],
            "users": [{"name": "bench", "user": {"token": TOKEN}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        }))

    @contextlib.contextmanager
    def running(self):
        etcd = f"http://127.0.0.1:{self.etcd_port}"
        peer = f"http://127.0.0.1:{self.etcd_peer_port}"
        arguments = [
            "etcd", f"--data-dir={self.directory / 'etcd'}", "--unsafe-no-fsync",
            f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}", f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
            "--quota-backend-bytes=8589934592",
        ]
        with process(arguments, self.directory / "etcd.log"), self._server:
            wait_for("etcd", 30, lambda: self._etcd_answers())
            self._start()
            self.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION)
            for namespace in ("bench", "load"):
                self.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
            wait_for("the widgets", 30, lambda: self._answers(f"/apis/{GROUP}/v1/widgets?limit=1"), 0.2)
            yield self

    def restart(self) -> None:
        """A new API server on the same etcd, with an empty watch cache: who watched must list again."""
        self._server.close()
        self._start()

    def _start(self) -> None:
        key, certificate = self.directory / "server.key", self.directory / "server.crt"
        self._server.enter_context(process([
            DIRECTORY / "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--secure-port={self.port}", "--bind-address=127.0.0.1", f"--cert-dir={self.directory}",
            f"--tls-cert-file={certificate}", f"--tls-private-key-file={key}",
            f"--token-auth-file={self.directory / 'tokens.csv'}", "--authorization-mode=RBAC",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
        ], self.directory / "apiserver.log"))
        wait_for("the API server", 90, lambda: self._answers("/readyz"), 0.1)

    def request(self, method: str, path: str, body: dict | None = None,
                content_type: str = "application/json") -> bytes:
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}{path}", method=method, data=body and json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": content_type})
        with urllib.request.urlopen(request, context=self._context, timeout=60) as answer:
            return answer.read()

    def _answers(self, path: str) -> bool:
        with contextlib.suppress(OSError):
            self.request("GET", path)
            return True
        return False

    def _etcd_answers(self) -> bool:
        with contextlib.suppress(OSError):
            self._etcd("/v3/kv/range", {"key": base64.b64encode(b"x").decode()})
            return True
        return False

    def _etcd(self, path: str, body: dict) -> dict:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.etcd_port}{path}", data=json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def load(self, count: int, revision: int = 1) -> None:
        """Writes that many widgets without a status, one of which is `marker`, over what is there, and waits until the API
        server's cache has them.

        All that a transaction writes has one revision, as nothing has that an API server writes: who lists from the cache
        while it takes a transaction in, and watches from there, never hears of the rest."""
        names = [f"widget-{index:06}" for index in range(count - 1)]
        for start in range(0, len(names), BATCH):
            self._put([widget(name, "bench", revision) for name in names[start:start + BATCH]])
        self._put([widget("marker", "bench", revision)])
        path = f"/apis/{GROUP}/v1/namespaces/bench/widgets/marker"
        newest = json.loads(self.request("GET", path))["metadata"]["resourceVersion"]
        wait_for("the cache", 120, lambda: newest == self._cached(path))

    def _cached(self, path: str) -> str | None:
        """The version of an object in the API server's cache."""
        with contextlib.suppress(urllib.error.HTTPError):
            return json.loads(self.request("GET", f"{path}?resourceVersion=0"))["metadata"]["resourceVersion"]
        return None

    def _put(self, widgets: list[dict]) -> None:
        puts = []
        for it in widgets:
            text = json.dumps(it, separators=(",", ":")) + "\n"
            key = f"/registry/{GROUP}/widgets/{it['metadata']['namespace']}/{it['metadata']['name']}"
            puts.append({"requestPut": {
                "key": base64.b64encode(key.encode()).decode(), "value": base64.b64encode(text.encode()).decode()}})
        self._etcd("/v3/kv/txn", {"success": puts})

    def clear(self) -> None:
        start = f"/registry/{GROUP}/widgets/".encode()
        self._etcd("/v3/kv/deleterange", {
            "key": base64.b64encode(start).decode(),
            "range_end": base64.b64encode(start[:-1] + b"0").decode()})
        path = f"/apis/{GROUP}/v1/widgets?resourceVersion=0"
        wait_for("the cache", 120, lambda: not json.loads(self.request("GET", path))["items"], 0.2)

    def mark(self, revision: int) -> None:
        """Changes the widget `marker`, which every controller tells of."""
        self.request(
            "PATCH", f"/apis/{GROUP}/v1/namespaces/bench/widgets/marker", {"spec": {"revision": revision}},
            "application/merge-patch+json")

    def lists_of_widgets(self) -> int:
        """How many lists of widgets this API server has answered."""
        lines = self.request("GET", "/metrics").decode().splitlines()
        return sum(
            int(float(line.rpartition(" ")[2])) for line in lines
            if line.startswith("apiserver_request_total{") and 'resource="widgets"' in line and 'verb="LIST"' in line)
