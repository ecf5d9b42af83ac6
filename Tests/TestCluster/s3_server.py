"""S3 as moto has it, which checks the signature of every request here, and that a body is what its signature says.

  s3_server.py [--address IP] [--tls CERTIFICATE KEY] [--relay PORT]... [--cuts N] PORT BUCKET

All that it keeps is in its memory. Each relay leads to it too, and breaks connections at arbitrary bytes.
"""
import argparse
import hashlib
import io
import json
import os
import random
import socket
import struct
import threading

# Parts may be as small as tests want them.
os.environ["S3_UPLOAD_PART_MIN_SIZE"] = "1"

import flask
from moto import settings
from moto.iam import access_control
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from moto.sts.models import sts_backends
from werkzeug.serving import WSGIRequestHandler, run_simple

ACCOUNT = "123456789012"
ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
SOME = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:List*", "Resource": "*"}]})
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}]})


def add_user(name, key, secret, policy):
    """A user with a known key."""
    iam = iam_backends[ACCOUNT]["aws"]
    iam.create_user("us-east-1", name)
    iam.put_user_policy(name, "policy", policy)
    access = iam.create_access_key(name)
    access.access_key_id, access.secret_access_key = key, secret
    iam.access_keys[key] = access


def add_role(key, secret, token):
    """A role that somebody has, for a while, with a known key and token."""
    iam = iam_backends[ACCOUNT]["aws"]
    role = iam.create_role("keeper", TRUST, "/", None, "", [], None)
    iam.put_role_policy("keeper", "policy", ALL)
    assumed = sts_backends[ACCOUNT]["aws"].assume_role("us-east-1", "session", role.arn, "", 3600, "")
    access = assumed.access_key
    access.access_key_id = assumed.access_key_id = key
    access.secret_access_key = assumed.secret_access_key = secret
    assumed.session_token = token
    iam.access_keys[key] = access


def check_what_was_sent():
    """moto forgets how the target was encoded, which the signature is for."""
    original = access_control.IAMRequestBase._create_aws_request

    def as_sent(self):
        self._path = flask.request.environ["RAW_URI"]
        return original(self)

    access_control.IAMRequestBase._create_aws_request = as_sent


class CheckedBodies:
    """Refuses a body that has another digest than its signature is for, as S3 does and moto does not."""

    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if environ.get("HTTP_X_AMZ_CONTENT_SHA256") != hashlib.sha256(body).hexdigest():
            start_response("400 Bad Request", [("Content-Type", "application/xml")])
            return [b"<Error><Code>XAmzContentSHA256Mismatch</Code><Message>no</Message></Error>"]
        environ["wsgi.input"] = io.BytesIO(body)
        return self.application(environ, start_response)


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"


class Relay:
    """Leads to another port. Of the connections that carry much it resets some, each at another byte."""

    def __init__(self, address, port, target, cuts):
        self.address, self.port, self.target, self.cuts = address, port, target, cuts
        self.random, self.lock = random.Random(port), threading.Lock()

    def run(self):
        with socket.create_server((self.address, self.port)) as server:
            while True:
                client = server.accept()[0]
                upstream = socket.create_connection((self.address, self.target))
                rest = [self.random.randrange(100_000)]
                for pair in (client, upstream), (upstream, client):
                    threading.Thread(target=self.pass_on, args=(*pair, rest), daemon=True).start()

    def pass_on(self, source, sink, rest):
        try:
            while data := source.recv(16_384):
                with self.lock:
                    rest[0] -= len(data)
                    is_cut = rest[0] < 0 and self.cuts > 0
                    self.cuts -= is_cut
                if is_cut:
                    print(f"cut on {self.port}", flush=True)
                    sink.sendall(data[:rest[0]])
                    for end in source, sink:
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        end.shutdown(socket.SHUT_RDWR)
                        end.close()
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in source, sink:
                end.close()


parser = argparse.ArgumentParser()
parser.add_argument("--address", default="127.0.0.1")
parser.add_argument("--tls", nargs=2)
parser.add_argument("--relay", type=int, action="append", default=[])
parser.add_argument("--cuts", type=int, default=10)
parser.add_argument("port", type=int)
parser.add_argument("bucket")
options = parser.parse_args()
add_user("ann", "AKIAANN0000000000000", "correct/horse+battery", ALL)
add_user("bob", "AKIABOB0000000000000", "staple", SOME)
add_role("ASIAKEEPER0000000000", "for a while", "token/of+a=session")
s3_backends[ACCOUNT]["aws"].create_bucket(options.bucket, "us-east-1")
check_what_was_sent()
settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
for port in options.relay:
    threading.Thread(target=Relay(options.address, port, options.port, options.cuts).run, daemon=True).start()
run_simple(options.address, options.port, CheckedBodies(DomainDispatcherApplication(create_backend_app)),
           threaded=True, request_handler=Handler, ssl_context=tuple(options.tls) if options.tls else None)
