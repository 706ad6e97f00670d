"""Files of lists that are cut, replaced, swapped for links, devices and pipes while
mailbraked reads them: no list becomes smaller, none is waited for, and mail goes on."""

import json
import os
import time

import pytest

import milter
from mailbraked import Command, people
from postfix import wait_until
from stores import MEMORY

SIZE = 300  # more than growth_floor, so that a cut file is a list that jumps
CAP = f'{{ name = "cap"; reach_over = {SIZE - 1}; action = "reject"; }}'
LISTS = ("plain@district.example", "alias@district.example", "virtual@district.example")


def members(count):
    return "".join(f"{person}\n" for person in people(count))


@pytest.fixture
def read(mailbraked, build, tmp_path):
    """A daemon that looks each second at files of members: one list's, and the :include:
    of an aliases(5); and at a virtual(5)."""
    files = {name: tmp_path / name for name in ("plain.txt", "included", "virtual")}

    def write():
        for path in files.values():
            remove(path)
        files["plain.txt"].write_text(members(SIZE))
        files["included"].write_text(members(SIZE))
        files["virtual"].write_text(f"virtual@district.example {','.join(people(SIZE))}\n")

    write()
    aliases = tmp_path / "aliases"
    aliases.write_text(f"alias: :include:{files['included']}\n")
    daemon = mailbraked(
        MEMORY,
        rules=CAP,
        sources=[
            {"address": "plain@district.example", "file": str(files["plain.txt"]), "refresh": "1s"},
            {"aliases": str(aliases), "domains": ["district.example"], "refresh": "1s"},
            {"virtual": str(files["virtual"]), "refresh": "1s"},
        ],
    )
    daemon.allow_log(r"plain|included|virtual|aliases|mailbrake\.conf")
    daemon.files, daemon.write_files = list(files.values()), write
    daemon.command = Command(build, daemon.config)
    return daemon


def remove(path):
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def states(daemon):
    shown = json.loads(daemon.command.run("lists", "--json").stdout)["lists"]
    assert {entry["address"] for entry in shown} == set(LISTS), shown
    assert all(entry["size"] >= SIZE for entry in shown), shown
    return {entry["state"] for entry in shown}


def gone(path):
    path.unlink()


def cut(path):
    os.truncate(path, 0)


def third(path):
    os.truncate(path, path.stat().st_size // 3)


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def linked_to(target):
    def make(path):
        path.unlink()
        path.symlink_to(target)

    return make


def binary(path):
    path.write_bytes(b"a@x.example\n\0")


FAULTS = {
    "gone": gone,
    "cut": cut,
    "a third": third,
    "a folder": folder,
    "a pipe": pipe,
    "a link to nothing": linked_to("/nonexistent/file"),
    "a link to a device": linked_to("/dev/zero"),
    "a link to itself": lambda path: linked_to(path)(path),
    "binary": binary,
}


def test_no_fault_of_a_file_makes_its_list_smaller(read, build):
    """One member less, and the rule would let it pass."""
    for name, fault in FAULTS.items():
        for path in read.files:
            fault(path)
        wait_until(lambda: states(read) <= {"stale", "shrunk"}, 20, f"not noticed: {name}", read.text)
        for to in LISTS:
            result = milter.load(build, read.milter, messages=1, connections=1, to=to)
            assert result["accept"] == 0, (name, to)
            assert result["latency_us"]["max"] < 1_000_000
        read.write_files()
        wait_until(lambda: states(read) == {"ok"}, 20, f"not well after: {name}", read.text)


def test_a_file_that_is_replaced_all_the_time_is_never_half(read, build):
    """By a rename, as programs should, and in its place, as they do."""
    deadline = time.monotonic() + 4
    step = 0
    while time.monotonic() < deadline:
        step += 1
        for path in read.files:
            text = path.read_text()
            if step % 2:
                beside = path.with_name("beside")
                beside.write_text(text)
                beside.rename(path)
            else:
                with open(path, "w", encoding="ascii") as file:
                    file.write(text[: len(text) // 3])
                    file.flush()
                    time.sleep(0.05)
                    file.write(text[len(text) // 3 :])
        assert states(read) <= {"ok", "stale"}
    result = milter.load(build, read.milter, messages=1, connections=1, to=LISTS[0])
    assert result["accept"] == 0
    wait_until(lambda: states(read) == {"ok"}, 20, "not well", read.text)
