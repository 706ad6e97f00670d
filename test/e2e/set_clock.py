"""The wall clock of servers that a test starts, which the test sets."""

import contextlib
import os
import pathlib
import struct

import pytest


class Clock:
    """It shows start_us (microseconds since 1970) until it is set."""

    def __init__(self, build, folder, start_us):
        self.path = pathlib.Path(folder) / "clock"
        self.now_us = start_us
        self.path.write_bytes(struct.pack("q", start_us))
        self.library = build.dir / "test" / "support" / "set_clock.so"

    def move(self, seconds):
        self.now_us += seconds * 1_000_000
        with open(self.path, "r+b") as file:  # which is mapped
            file.write(struct.pack("q", self.now_us))

    @contextlib.contextmanager
    def worn(self):
        """What is started within has this clock."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LD_PRELOAD", str(self.library))
            patch.setenv("SET_CLOCK_FILE", str(self.path))
            options = os.environ.get("ASAN_OPTIONS", "")
            patch.setenv("ASAN_OPTIONS", f"{options}:verify_asan_link_order=0".lstrip(":"))
            yield
