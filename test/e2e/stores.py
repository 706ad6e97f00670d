"""Settings of the two stores, and marks for stories that make sense with one only."""

import pytest

MEMORY = {"type": "memory"}


def redis_settings(redis, **options):
    """The time-out is far away unless a test is about it."""
    settings = {"type": "redis", "server": f"unix:{redis.socket}", "timeout_ms": 5000}
    return {**settings, **options}


memory_only = pytest.mark.parametrize("store", ["memory"], indirect=True)
redis_only = pytest.mark.parametrize("store", ["redis"], indirect=True)
