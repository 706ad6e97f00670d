"""What the processes use: resident memory, descriptors, threads, once a second; and how
late the machine itself wakes who wants to run."""

import pathlib
import re
import subprocess
import sys
import threading
import time

# A process of its own, since threads of Python wait for each other: prints once a second
# by how many ms it was woken too late at worst.
METRONOME = """
import time
while True:
    worst, end = 0.0, time.monotonic() + 1
    while (now := time.monotonic()) < end:
        time.sleep(0.005)
        worst = max(worst, time.monotonic() - now - 0.005)
    print(f"{worst * 1000:.1f}", flush=True)
"""


class Metronome(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.process = subprocess.Popen([sys.executable, "-c", METRONOME], stdout=subprocess.PIPE, text=True)
        self.late = []  # when, and by how many ms

    def run(self):
        for line in self.process.stdout:
            self.late.append((time.monotonic(), float(line)))

    def around(self, moment):
        """How late at worst in the seconds about it, in ms."""
        return max((ms for at, ms in self.late if moment - 3 <= at <= moment + 2), default=0.0)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Sample:
    def __init__(self, pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        self.at = time.monotonic()
        self.resident_kb = int(re.search(r"VmRSS:\s+(\d+)", status)[1])
        self.threads = int(re.search(r"Threads:\s+(\d+)", status)[1])
        self.descriptors = sum(1 for _ in pathlib.Path(f"/proc/{pid}/fd").iterdir())


class Watch(threading.Thread):
    """pid_of: a process's number, or None while it isn't there."""

    def __init__(self, pid_of):
        super().__init__(daemon=True)
        self.pid_of = pid_of
        self.samples = {name: [] for name in pid_of}
        self.done = threading.Event()

    def run(self):
        while not self.done.wait(1.0):
            for name, pid in self.pid_of.items():
                try:
                    self.samples[name].append(Sample(pid()))
                except (OSError, TypeError):  # it was killed a moment ago
                    pass

    def stop(self):
        self.done.set()
        self.join()
