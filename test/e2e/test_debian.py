"""script/debian: a command on a fresh Debian, of which nothing stays."""

import os
import pathlib
import platform
import signal
import subprocess

import pytest

from conftest import ROOT

RELEASE = platform.freedesktop_os_release().get("VERSION_ID", "")


@pytest.fixture
def start(tmp_path):
    """Starts a command there; at the end nothing may be left of it."""

    def start(*words):
        return subprocess.Popen(
            [ROOT / "script/debian", RELEASE, *words],
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True},
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )

    yield start
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in pathlib.Path("/proc/self/mounts").read_text()


def test_a_command_runs_in_a_clean_clone(start):
    process = start("sh", "-c", "pwd; cat /etc/debian_version; git 2>&1; ls; exit 7")
    said = process.communicate(timeout=900)[0].splitlines()
    assert process.returncode == 7
    assert said[0] == "/root/mailbrake" and said[1].split(".")[0] == RELEASE
    assert "git: not found" in said[2]  # it is minimal
    assert "script" in said and "build" not in said


def test_interrupted_it_leaves_nothing(start):
    process = start("sh", "-c", "echo there; sleep 1000 & sleep 1000")
    assert process.stdout.readline() == "there\n"
    process.send_signal(signal.SIGTERM)
    process.stdout.read()  # until the last process has ended
    assert process.wait(60) == 128 + signal.SIGTERM
