"""Counts the widgets that kopf tells of. Prints `reconciled N` once there are as many as EXPECT says."""

import os

import kopf

expect = int(os.environ["EXPECT"])
seen = set()


@kopf.on.startup()
def configure(settings, **_):
    settings.posting.enabled = False


@kopf.on.event("bench.assay.dev", "v1", "widgets")
async def event(name, namespace, **_):
    seen.add((namespace, name))
    if len(seen) == expect:
        print("reconciled", expect, flush=True)
