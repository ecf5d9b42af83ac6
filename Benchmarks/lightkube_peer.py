"""A cache of widgets as one keeps it with lightkube: list, then watch, in a dictionary.

Prints `reconciled N` once it holds as many as --expect says, and `marker N` for changes of the widget `marker`.
"""

import sys
import time

import httpx2
from lightkube import Client
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_namespaced_resource

Widget = create_namespaced_resource("bench.assay.dev", "v1", "Widget", "widgets")
expect = int(sys.argv[sys.argv.index("--expect") + 1])
# By itself it waits 10 s, which is too short for a list of 50,000.
client = Client(timeout=httpx2.Timeout(300))


def take(store: dict, widget) -> None:
    name = widget.metadata.name
    store[widget.metadata.namespace, name] = widget
    if name == "marker":
        print("marker", widget["spec"]["revision"], flush=True)


def follow() -> None:
    store = {}
    widgets = client.list(Widget, namespace="*")
    for widget in widgets:
        take(store, widget)
    if len(store) >= expect:
        print("reconciled", expect, flush=True)
    for operation, widget in client.watch(Widget, namespace="*", resource_version=widgets.resourceVersion):
        if operation == "DELETED":
            store.pop((widget.metadata.namespace, widget.metadata.name), None)
        else:
            take(store, widget)


# What lightkube leaves to its user: list again after any failure.
while True:
    try:
        follow()
    except (ApiError, httpx2.HTTPError) as error:
        print(repr(error), file=sys.stderr, flush=True)
        time.sleep(0.5)
