"""mailbrake-console's command line: what it can't do, it says."""

import re
import socket
import subprocess

from conftest import ROOT
from console import APP, free_port

VERSION = re.search(r"project\(mailbrake VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]


def test_what_it_can_not_do_it_says(build, tmp_path):
    def run(*words):
        done = subprocess.run(
            [build.dir / "console" / "mailbrake-console", *map(str, words)],
            **{"capture_output": True, "text": True, "timeout": 30},
        )
        return done.returncode, done.stdout + done.stderr

    assert run("--help")[0] == 0 and run("--version") == (0, f"mailbrake-console {VERSION}\n")
    wrong = ["x"], ["--nonsense"], ["--port", "0"], ["--port", "65536"], ["--port", "8o"], ["--idle", "soon"]
    for words in wrong:
        code, said = run(*words)
        assert code == 2 and "usage:" in said, words
    code, said = run("--app", tmp_path, "--port", free_port())
    assert code == 1 and "has no index.html" in said
    code, said = run("--app", tmp_path / "none", "--port", free_port())
    assert code == 1 and "No such file" in said
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = run("--app", APP, "--port", taken.getsockname()[1])
    assert code == 1 and "Address already in use" in said
    config = tmp_path / "mailbrake.conf"
    for text, why in (
        ('console = { hosts = [ "a" ]; proxy_user = "root"; };', "systemd gave no unix socket"),
        ('console = { hosts = [ "a" ]; proxy_user = "nobody-here"; };', "there is no user nobody-here"),
        ("console = { hosts = 7; };", f"{config}:1: console.hosts"),
        ("", "console.hosts is empty"),
    ):
        config.write_text(text)
        code, said = run("--service", "-c", config)
        assert code == 1 and why in said, said
