"""Serves predictions by the open inference protocol (v2) over plain HTTP: python3 -m wine.serve

GET  /v2/health/live, /v2/health/ready, /v2/models/wine
POST /v2/models/wine/infer   {"inputs": [{"name": "wine", "shape": [1, 13], "datatype": "FP64", "data": [...]}]}
"""

import json
import math
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from wine import data, scaling, train

LARGEST_BODY = 1 << 20


class BadRequest(Exception):
    """What the caller sent cannot be answered, and why."""


def rows_of(request: dict) -> list[list[float]]:
    """The rows of the one input tensor; raises BadRequest for anything that is not finite numbers of the right shape."""
    unknown = sorted(set(request) - {"id", "parameters", "inputs", "outputs"}) if isinstance(request, dict) else []
    if unknown:
        raise BadRequest(f"{unknown[0]}: is no field of a request")
    inputs = request.get("inputs") if isinstance(request, dict) else None
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise BadRequest("inputs: must be a list of one tensor")
    shape, values = inputs[0].get("shape"), inputs[0].get("data")
    width = len(data.FEATURES)
    if not (isinstance(shape, list) and len(shape) == 2 and shape[1] == width and isinstance(shape[0], int)):
        raise BadRequest(f"inputs[0].shape: must be [n, {width}], one column for each of {', '.join(data.FEATURES)}")
    if not isinstance(values, list):
        raise BadRequest("inputs[0].data: must be a list of numbers")
    if values and isinstance(values[0], list):
        values = [value for row in values if isinstance(row, list) for value in row]
    if shape[0] < 1 or len(values) != shape[0] * width:
        raise BadRequest(f"inputs[0].data: has {len(values)} values, the shape says {shape[0]} times {width}")
    for index, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise BadRequest(f"inputs[0].data[{index}]: must be a finite number")
    return [values[start : start + width] for start in range(0, len(values), width)]


def infer(model, scaler: dict, request: dict) -> dict:
    """Answers a request. The scaler is the one that was fitted in training: what is asked here changes nothing of it."""
    rows = rows_of(request)
    probabilities = model.predict_proba(scaling.apply(scaler, rows))
    answer = {
        "model_name": "wine",
        "model_version": os.environ["ASSAY_RUN"],
        "outputs": [
            {
                "name": "cultivar",
                "shape": [len(rows)],
                "datatype": "BYTES",
                "data": [data.CLASSES[index] for index in probabilities.argmax(axis=1)],
            },
            {
                "name": "probability",
                "shape": [len(rows), len(data.CLASSES)],
                "datatype": "FP64",
                "data": [float(value) for row in probabilities for value in row],
            },
        ],
    }
    if "id" in request:
        answer["id"] = request["id"]
    return answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model = None
    scaler = None

    def answer(self, status: int, body: dict) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        if self.path in ("/v2/health/live", "/v2/health/ready", "/v2/models/wine/ready"):
            self.answer(200, {})
        elif self.path == "/v2/models/wine":
            tensor = {"name": "wine", "datatype": "FP64", "shape": [-1, len(data.FEATURES)]}
            self.answer(200, {"name": "wine", "versions": [os.environ["ASSAY_RUN"]], "inputs": [tensor]})
        else:
            self.answer(404, {"error": f"no such path: {self.path}"})

    def do_POST(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", ""))
            if not 0 <= length <= LARGEST_BODY:
                raise ValueError
        except ValueError:
            self.close_connection = True
            self.answer(400, {"error": f"Content-Length: must be given, at most {LARGEST_BODY}"})
            return
        body = self.rfile.read(length)
        if self.headers.get_content_type() != "application/json":
            self.answer(415, {"error": "Content-Type: must be application/json"})
            return
        if self.path != "/v2/models/wine/infer":
            self.answer(404, {"error": f"no such path: {self.path}"})
            return
        try:
            self.answer(200, infer(self.model, self.scaler, json.loads(body)))
        except (BadRequest, ValueError) as error:
            self.answer(400, {"error": str(error)})
        except RecursionError:
            self.answer(400, {"error": "the request is nested too deeply"})

    def log_message(self, format: str, *arguments) -> None:
        if not self.path.startswith("/v2/health/"):
            super().log_message(format, *arguments)


class Server(ThreadingHTTPServer):
    """Waits for the requests it has taken before it ends."""

    daemon_threads = False
    request_queue_size = 128


def main() -> None:
    Handler.model = train.load(os.environ["ASSAY_INPUT_MODEL"])
    Handler.scaler = scaling.load(os.environ["ASSAY_INPUT_SCALER"])
    server = Server(("", int(os.environ.get("PORT", "8080"))), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"serving {os.environ['ASSAY_RUN']} on port {server.server_port}", flush=True)
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
