"""An HTTP/2 server that misbehaves as the path asks. Prints its port, then a line for what it sees.

    h2_server.py CERTIFICATE KEY [--max-streams N] [--window N] [--tls11] [--client-certificate]

Ends with its standard input. Needs the package `h2`.
"""

import argparse
import os
import select
import socket
import ssl
import sys
import tempfile
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame, PushPromiseFrame

FRAME = 16384
LINE = b'{"type":"MODIFIED","object":{"metadata":{"name":"flood","resourceVersion":"7"},"filler":"'
LINE += b"x" * (1024 - len(LINE) - 4) + b'"}}\n'
# The server keeps this much of the connection's window for answers, which the library sends and counts by itself.
RESERVE = 1 << 20

printing = threading.Lock()
# How often each path was asked for, on all connections together.
visits: dict[str, int] = {}


def say(*words):
    with printing:
        print(*words, flush=True)


class Connection:
    def __init__(self, sock, number, options):
        self.sock = sock
        self.number = number
        self.options = options
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.paths: dict[int, str] = {}
        self.received: dict[int, int] = {}
        self.floods: dict[int, int] = {}
        self.windows: dict[int, int] = {}
        self.window = 65535
        self.open = True
        self.pinged = []
        self.sent: dict[int, int] = {}

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def run(self):
        self.h2.initiate_connection()
        settings = {}
        if self.options.max_streams is not None:
            settings[SettingCodes.MAX_CONCURRENT_STREAMS] = self.options.max_streams
        if self.options.window is not None:
            settings[SettingCodes.INITIAL_WINDOW_SIZE] = self.options.window
        self.h2.update_settings(settings)
        self.flush()
        while self.open:
            wait = 0 if any(self.room(stream) > 0 for stream in self.floods) else 0.5
            if self.sock.pending() or select.select([self.sock], [], [], wait)[0]:
                data = self.sock.recv(1 << 16)
                if not data:
                    break
                for event in self.h2.receive_data(data):
                    self.take(event)
                if self.open:
                    self.flush()
            for stream in list(self.floods):
                self.pour(stream)

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            headers = dict(event.headers)
            self.paths[event.stream_id] = headers[":path"]
            self.received[event.stream_id] = 0
            say("request", self.number, event.stream_id, headers[":method"], headers[":path"])
        elif isinstance(event, h2.events.DataReceived):
            self.received[event.stream_id] += len(event.data)
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.answer(event.stream_id, self.paths[event.stream_id])
        elif isinstance(event, h2.events.StreamReset):
            self.floods.pop(event.stream_id, None)
            self.told(event.stream_id)
            say("reset", self.number, event.stream_id, int(event.error_code))
        elif isinstance(event, h2.events.WindowUpdated):
            if event.stream_id == 0:
                self.window += event.delta
            elif event.stream_id in self.windows:
                self.windows[event.stream_id] += event.delta
        elif isinstance(event, h2.events.PingAckReceived):
            say("pong", self.number)
            while self.pinged:
                self.pinged.pop()()
        elif isinstance(event, h2.events.ConnectionTerminated):
            say("terminated", self.number, int(event.error_code))
            self.open = False

    def reply(self, stream, body, headers=()):
        self.h2.send_headers(stream, [(":status", "200"), ("content-type", "application/json"), *headers])
        for start in range(0, len(body), FRAME):
            self.h2.send_data(stream, body[start:start + FRAME])
        self.h2.end_stream(stream)

    def leave(self, last_stream, code):
        """Says GOAWAY past the library, which would then send nothing more."""
        self.flush()
        self.sock.sendall(GoAwayFrame(0, last_stream_id=last_stream, error_code=code).serialize())

    def answer(self, stream, path):
        visits[path] = visit = visits.get(path, 0) + 1
        name, *arguments = path.lstrip("/").split("/")
        ok = b'{"connection":%d,"stream":%d,"received":%d}' % (self.number, stream, self.received[stream])
        if name == "goaway-then-answer":
            # As a server that goes away in good order: what it has begun it finishes.
            self.leave(stream, 0)
            self.reply(stream, ok)
        elif name == "goaway-unseen" and visit == 1:
            self.leave(0, 0)
        elif name == "goaway-error" and visit == 1:
            self.leave(stream, int(arguments[0]))
            self.open = False
        elif name == "reset" and visit == 1:
            self.h2.reset_stream(stream, int(arguments[0]))
        elif name == "reset-late":
            self.h2.send_headers(stream, [(":status", "200")])
            self.h2.send_data(stream, b"abc")
            # Once the client has answered this it has seen the beginning.
            self.pinged.append(lambda: self.h2.reset_stream(stream, int(arguments[0])))
            self.h2.ping(b"assaying")
        elif name == "settings":
            self.h2.update_settings({
                SettingCodes.INITIAL_WINDOW_SIZE: 1000, SettingCodes.MAX_FRAME_SIZE: 1 << 20,
                SettingCodes.HEADER_TABLE_SIZE: 0})
            self.reply(stream, ok)
        elif name == "ping":
            self.pinged.append(lambda: self.reply(stream, b"pong"))
            self.h2.ping(b"assaying")
        elif name == "large-headers":
            self.reply(stream, ok, [(f"x-{index}", "x" * 4000) for index in range(int(arguments[0]))])
        elif name == "push":
            say("push-allowed", self.h2.remote_settings[SettingCodes.ENABLE_PUSH])
            frame = PushPromiseFrame(stream, promised_stream_id=2, flags=["END_HEADERS"])
            frame.data = self.h2.encoder.encode([
                (":method", "GET"), (":path", "/pushed"), (":scheme", "https"), (":authority", "a")])
            self.flush()
            self.sock.sendall(frame.serialize())
        elif name == "hold":
            self.h2.send_headers(stream, [(":status", "200")])
            self.h2.send_data(stream, b"held\n")
        elif name == "silence":
            pass
        elif name == "wedge":
            # The kernel acknowledges what comes; nobody reads it.
            threading.Event().wait()
        elif name == "die":
            self.flush()
            self.sock.shutdown(socket.SHUT_RDWR)
            self.open = False
        elif name == "flood":
            self.h2.send_headers(stream, [(":status", "200"), ("content-type", "application/json")])
            self.floods[stream] = int(arguments[0])
            self.windows[stream] = self.windows.get(stream, 0) + self.h2.remote_settings.initial_window_size
        else:
            self.reply(stream, ok)

    def room(self, stream):
        return min(self.floods[stream], self.windows[stream], self.window - RESERVE) // FRAME

    def pour(self, stream):
        """Writes frames past the library, which would be too slow."""
        frames = min(self.room(stream), 64)
        if frames <= 0:
            return
        head = FRAME.to_bytes(3, "big") + b"\0\0" + stream.to_bytes(4, "big")
        self.sock.sendall((head + LINE * (FRAME // len(LINE))) * frames)
        self.floods[stream] -= frames * FRAME
        self.windows[stream] -= frames * FRAME
        self.window -= frames * FRAME
        self.sent[stream] = self.sent.get(stream, 0) + frames * FRAME
        if self.floods[stream] < FRAME:
            del self.floods[stream]
            self.h2.end_stream(stream)
            self.flush()
            self.told(stream)

    def told(self, stream):
        if stream in self.sent:
            say("poured", self.number, self.sent.pop(stream))


def hold(sock, number):
    """Answers a request of HTTP/1.1 with a body that does not end."""
    say("request", number, sock.recv(65536).split()[1].decode())
    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nheld\n\r\n")
    while sock.recv(65536):
        say("behind", number)


def serve(sock, number, context, options):
    try:
        with context.wrap_socket(sock, server_side=True) as secured:
            secured.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if secured.selected_alpn_protocol() == "http/1.1":
                hold(secured, number)
                return
            Connection(secured, number, options).run()
    except (OSError, h2.exceptions.ProtocolError) as error:
        say("failed", number, type(error).__name__, error)
    say("closed", number)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("certificate")
    parser.add_argument("key")
    parser.add_argument("--max-streams", type=int)
    parser.add_argument("--window", type=int)
    parser.add_argument("--tls11", action="store_true")
    parser.add_argument("--client-certificate", action="store_true")
    options = parser.parse_args()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if options.tls11:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    if options.client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=options.certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(options.key + options.certificate)
        file.flush()
        context.load_cert_chain(file.name)
    listener = socket.create_server(("127.0.0.1", 0))
    say("port", listener.getsockname()[1])

    def accept():
        number = 0
        while True:
            sock, _ = listener.accept()
            number += 1
            threading.Thread(target=serve, args=(sock, number, context, options), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


main()
