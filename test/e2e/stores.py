"""Settings of the two stores, and marks for stories that make sense with one only."""

import contextlib
import pathlib
import tempfile

import pytest

MEMORY = {"type": "memory"}


def redis_settings(redis, **options):
    """The time-out is far away unless a test is about it."""
    settings = {"type": "redis", "server": f"unix:{redis.socket}", "timeout_ms": 5000}
    return {**settings, **options}


@contextlib.contextmanager
def started(make, folder, **options):
    """Servers in a folder of their own, stopped at the end."""
    servers = make(pathlib.Path(tempfile.mkdtemp(prefix=f"{make.__name__.lower()}-", dir=folder)), **options)
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


memory_only = pytest.mark.parametrize("store", ["memory"], indirect=True)
redis_only = pytest.mark.parametrize("store", ["redis"], indirect=True)
