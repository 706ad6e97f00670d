"""The disk that holds the state file, what is kept of lists, and the audit is full: mail
goes on, administrators are told and can do nothing unseen, no file is torn, and all is well
once there is room again."""

import contextlib
import json
import os
import subprocess

import pytest

from helper import helper  # noqa: F401, a fixture
from mailbraked import people
from postfix import wait_until
from stores import MEMORY, memory_only
from test_admin import ANN, BOB, CLASS, HOLD_MANY, STAFF, administered  # noqa: F401

RULES = (
    HOLD_MANY
    + ', { name = "three"; key = "sender"; limit = "1 messages per 366d"; burst = 3; action = "reject"; }'
)


@pytest.fixture
def disk(folder):
    """A small one of its own."""
    path = folder / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)
    path.rmdir()


@contextlib.contextmanager
def full(disk):
    """Not a byte is left."""
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert os.statvfs(disk).f_bfree == 0
    try:
        yield
    finally:
        filler.unlink()


@memory_only
def test_a_full_disk_tears_nothing(administered, disk, build):  # noqa: F811
    store = {**MEMORY, "state_file": f"{disk}/state"}
    members = disk.parent / "members.txt"
    members.write_text("".join(f"{p}\n" for p in people(6)))
    source = {"address": "few@district.example", "file": str(members), "refresh": "1s"}
    mail = administered(store=store, rules=RULES, sources=[source], trusted=STAFF)
    mail.daemon.allow_log(r"No space left|quarantine: \d|members\.txt")
    hold = mail.hold()[0]
    assert mail.send(ANN, BOB).accepted
    mail.daemon.stop()
    mail.daemon.start()

    with full(disk):
        # Mail goes on, and so do limits and lists.
        assert [mail.send(ANN, BOB).code for _ in range(3)] == [250, 250, 550]
        members.write_text("".join(f"{p}\n" for p in people(7)))
        wait_until(lambda: "mailbrake_list_size_max 7" in metrics(mail), 10, "the list is not read")
        assert mail.send(ANN, "few@district.example").code == 250 and len(mail.held()) == 2
        # Nothing is done unseen, once the audit's last page is full, and it is said why.
        wait_until(lambda: mail.run("lists", "few@district.example").returncode == 1, 20, "there is room")
        for words in (["quarantine", "release", hold["id"]], ["brake", "set", f"sender:{BOB}"]):
            done = mail.run(*words)
            assert done.returncode == 1 and "the audit can't be written" in done.stderr, done
            assert "No space left on device" in done.stderr
        assert json.loads(mail.run("brake", "list", "--json").stdout)["brakes"] == []
        mail.daemon.stop()
        mail.daemon.expect_log(r"error: .*state: No space left on device")
        members.unlink()
        mail.daemon.start()
        # The files of before are whole: one message of three was sent, and six were members.
        assert [mail.send(ANN, BOB).code for _ in range(3)] == [250, 250, 550]
        found = metrics(mail)
        assert "mailbrake_list_size_max 6" in found and 'mailbrake_lists{state="stale"} 1' in found

    mail.ok("quarantine", "release", hold["id"])
    for line in mail.audit_file.read_text().splitlines():
        json.loads(line)


def metrics(mail):
    """They are in no audit, which has no room."""
    return mail.api("GET", "/metrics")[1]
