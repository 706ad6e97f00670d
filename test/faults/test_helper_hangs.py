"""mailbrake-mta takes connections and never answers: mail is judged and held as ever,
administrators are answered, and no job of mailbraked waits for it more than once a minute."""

import collections
import socket
import threading
import time

import pytest

import milter
from mailbraked import Command
from stores import MEMORY

WATCHED_S = 32
RULES = '{ name = "held"; from = ["@storm.example"]; key = "sender"; action = "quarantine"; }'


class Hanging:
    """What mailbrake-mta becomes when the MTA's commands hang."""

    def __init__(self, path):
        self.orders = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._take, args=(connection,), daemon=True).start()

    def _take(self, connection):
        with connection:
            text = b""
            while data := connection.recv(65536):
                text += data
            words = text.decode().split()
            self.orders.append(" ".join(words[:2] if words[0] == "batch" else words[:1]))
            while connection.fileno() >= 0:
                time.sleep(0.2)
                try:
                    connection.sendall(b"")
                except OSError:
                    return

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def hanging(tmp_path):
    hanging = Hanging(tmp_path / "mta.sock")
    hanging.path = tmp_path / "mta.sock"
    yield hanging
    hanging.close()


def test_no_job_waits_more_than_once_a_minute(mailbraked, build, hanging):
    daemon = mailbraked(
        MEMORY,
        rules=RULES,
        mta={"helper": str(hanging.path)},
        notify={"to": ["postmaster@district.example"], "tell_sender": True},
        quarantine={"max_per_incident": 2},
    )
    daemon.allow_log(r"notices|queue|quarantine|suppressed|hangs|in time")
    run = Command(build, daemon.config).run
    ends = time.monotonic() + WATCHED_S
    while time.monotonic() < ends:
        result = milter.load(
            build, daemon.milter, messages=12, connections=2, from_="s%n@storm.example",
            login="s%n@district.example",
        )
        assert result["quarantine"] + result["tempfail"] == 12, result
        assert result["latency_us"]["max"] < 6_000_000, result
        good = milter.load(build, daemon.milter, messages=1, connections=1, from_="a@x.example")
        assert good["accept"] == 1
        began = time.monotonic()
        assert run("status").returncode == 0 and time.monotonic() - began < 2
        time.sleep(1)
    orders = collections.Counter(hanging.orders)
    # Two jobs read the queue: that which looks for room, and that which compares records.
    assert orders.pop("list") <= 2, hanging.orders
    assert orders and set(orders.values()) == {1}, hanging.orders
