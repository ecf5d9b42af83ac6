#!/usr/bin/env python3
"""Sends spoiled requests through the gateway, nginx and HAProxy, and compares what the pod behind them gets.

    Benchmarks/hostile.py PROGRAM [SEED] [COUNT]

A request that only the gateway passes on, or passes on in a way of its own, is printed, and is a failure: of the three, it is
never to be the laxest. Where it passes on less than both, it is counted as stricter.
"""

import random
import re
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import gateway

REQUESTS = [
    "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HEAD /f HTTP/1.1\r\nHost: h\r\n\r\n",
]
FIELDS = [
    "Content-Length: 0\r\n", "Content-Length: 5\r\n", "Content-Length: 44\r\n", "Content-Length: +5\r\n", "Content-Length: 5,5\r\n",
    "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n", "transfer-encoding:\tchunked\r\n",
    "Transfer-Encoding : chunked\r\n", "Host: g\r\n", "Connection: close\r\n", "Connection: Host\r\n", " folded\r\n", "X: a\nb\r\n",
    "X: \r\n", "X\r\n", "TE: chunked\r\n", "Expect: 100-continue\r\n",
]
PIECES = ["\r", "\n", "\r\n", "\0", " ", "\t", ":", "0\r\n\r\n", ",", ";", "\v", "5", "\x7f", "\xff"]


def spoiled(dice: random.Random) -> bytes:
    result = b""
    for _ in range(dice.randrange(1, 3)):
        request = bytearray(dice.choice(REQUESTS).encode("latin1"))
        if dice.random() < 0.6:
            place = request.index(10) + 1
            request[place:place] = dice.choice(FIELDS).encode("latin1")
        if dice.random() < 0.6:
            place = dice.randrange(len(request))
            match dice.randrange(4):
                case 0: del request[place]
                case 1: request[place] = dice.randrange(256)
                case 2: request[place:place] = dice.choice(PIECES).encode("latin1")
                case _: request.insert(place, request[place])
        result += request
    return result + b"GET /end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


class Pod:
    """Reads requests, remembers them and says yes."""

    def __init__(self):
        self.seen: list[tuple[str, str, bytes]] = []
        self._listener = socket.create_server(("127.0.0.1", gateway.POD_PORT), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket):
        held = b""
        try:
            while piece := connection.recv(65536):
                held += piece
                while found := self._take(held):
                    request, held = found
                    self.seen.append(request)
                    body = b"" if request[0] == "HEAD" else b"ok"
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body)
        except OSError:
            pass

    @staticmethod
    def _take(held: bytes):
        head, mark, rest = held.partition(b"\r\n\r\n")
        if not mark:
            return None
        method, target, _ = head.decode("latin1").split("\r\n")[0].split(" ")
        if re.search(rb"(?i)\r\ntransfer-encoding:", head):
            body = b""
            while True:
                line, mark, after = rest.partition(b"\r\n")
                if not mark:
                    return None
                size = int(line, 16)
                if size == 0:
                    _, mark, after = (b"\r\n" + after).partition(b"\r\n\r\n")
                    return ((method, target, body), after) if mark else None
                if len(after) < size + 2:
                    return None
                body, rest = body + after[:size], after[size + 2:]
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        count = int(length[1]) if length else 0
        return ((method, target, rest[:count]), rest[count:]) if len(rest) >= count else None


def sent(pod: Pod, port: int, request: bytes) -> list:
    """What the pod gets of it."""
    before = len(pod.seen)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(0.25)
        try:
            connection.sendall(request)
            while connection.recv(65536):
                pass
        except OSError:
            pass
    time.sleep(0.005)
    return pod.seen[before:]


def main() -> None:
    program = Path(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    dice = random.Random(seed)
    pod, api = Pod(), gateway.API()
    api.tell("mlmodels", "ADDED", gateway.model("wine", gateway.MODEL_PORT, gateway.POD_PORT, "Serving"))
    api.tell("pods", "ADDED", gateway.pod("wine", ready=True))
    counts = {"as a peer": 0, "stricter than both": 0, "between them": 0, "laxer": 0}
    with tempfile.TemporaryDirectory(prefix="assay-hostile-") as directory:
        with gateway.proxies(program, api, Path(directory), pod_port=gateway.POD_PORT):
            for _ in range(count):
                request = spoiled(dice)
                ours = sent(pod, gateway.MODEL_PORT, request)
                peers = [sent(pod, gateway.PEER_PORTS[name], request) for name in ("nginx", "HAProxy")]
                begins = [ours == peer[:len(ours)] for peer in peers]
                kind = ("as a peer" if ours in peers else "stricter than both" if all(begins)
                        else "between them" if any(begins) else "laxer")
                counts[kind] += 1
                if kind == "laxer":
                    print(request, "\n  gateway", ours, "\n  nginx  ", peers[0], "\n  HAProxy", peers[1])
    print(", ".join(f"{kind}: {number}" for kind, number in counts.items()))
    sys.exit(1 if counts["laxer"] else 0)


if __name__ == "__main__":
    main()
