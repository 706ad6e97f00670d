"""A Debian of its own, of this machine's release, with systemd and an MTA, to install packages
on: booted in a container (systemd-nspawn) from a folder that script/debian makes once and keeps
in the user's cache, and that is never written to. All that a test does to it is in memory.

    machine = debian("postfix")
    machine.run("systemctl", "is-active", "postfix")
    machine.send("ann@district.example", ["bob@district.example"])"""

import contextlib
import functools
import itertools
import json
import os
import pathlib
import platform
import re
import shlex
import signal
import socket
import subprocess
import sys
import time

import pytest

from conftest import ROOT
from postfix import wait_until
from relay import Reply

SEND = """
import json, smtplib, sys
frm, to, text = json.load(sys.stdin)
with smtplib.SMTP("127.0.0.1", 25, "client.example", timeout=60) as session:
    session.ehlo()
    code, words = session.mail(frm)
    for address in to:
        if code == 250:
            code, words = session.rcpt(address)
    if code == 250:
        code, words = session.data(text)
print(json.dumps([code, words.decode()]))
"""


def make_root(package, mta):
    """The folder, with all that the package depends on, and postfix or sendmail."""
    names = _needs(package) | {"systemd", "systemd-sysv", "procps", mta}
    release = platform.freedesktop_os_release().get("VERSION_ID", "")
    done = subprocess.run(
        [ROOT / "script/debian", "--root", mta, release, *sorted(names)],
        **{"capture_output": True, "text": True, "timeout": 900},
    )
    if done.returncode != 0:
        pytest.fail(f"these tests need a Debian: {done.stderr[-2000:]}")
    return pathlib.Path(done.stdout.strip())


def _needs(package):
    """Names of what a package depends on, of alternatives the first."""
    fields = subprocess.run(
        ["dpkg-deb", "-f", package, "Depends"], capture_output=True, text=True, check=True
    ).stdout
    return {re.split(r"[ |(]", entry.strip())[0] for entry in fields.split(",")}


# Debian's minimum has no ip(8).
ADD_ADDRESS = """
import fcntl, socket, struct, sys
SIOCSIFADDR = 0x8916
request = struct.pack("16sH2s4s8s", b"lo:1", socket.AF_INET, b"", socket.inet_aton(sys.argv[1]), b"")
fcntl.ioctl(socket.socket(), SIOCSIFADDR, request)
"""


MACHINES = itertools.count()


class Debian:
    def __init__(self, root, folder):
        self.root = root
        self.log_path = pathlib.Path(folder) / "debian.log"
        self.process = self.init = None

    def boot(self):
        words = "--volatile=overlay --register=no --keep-unit --private-network --link-journal=no"
        # A name of its own: systemd 257 may not be done with the machine before it.
        name = f"mailbrake-{os.getpid()}-{next(MACHINES)}"
        more = ["--console=pipe", "--hostname=relay", f"--machine={name}", "-b"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["systemd-nspawn", "-q", "-D", self.root, *words.split(), *more],
                **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log},
                start_new_session=True,
            )
        wait_until(self._is_up, 60, "the container does not come up:", self.log_path.read_text)
        return self

    def _is_up(self):
        """Once there is a first process that runs systemd, and systemd has done its work."""
        if self.process.poll() is not None:
            pytest.fail(f"these tests need containers: {self.log_path.read_text()}")
        for child in _children(self.process.pid):
            try:
                status = pathlib.Path(f"/proc/{child}/status").read_text()
            except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                continue
            if re.search(r"^NSpid:\t\d+\t1$", status, re.MULTILINE):
                self.init = child
                done = self.run("systemctl", "is-system-running", check=False)
                return done.stdout.strip() in ("running", "degraded")
        return False

    def stop(self):
        """At once: what it would write at a shutdown is in memory, and gone anyway."""
        if self.process and self.process.poll() is None:
            if self.init:
                os.kill(int(self.init), signal.SIGKILL)
            else:
                self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    # What an administrator types.

    def run(self, *words, check=True, **more):
        """One command, as root."""
        path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
        enter = f"nsenter -t {self.init} -m -u -i -n -p -C -r -w env -i {path} HOME=/root"
        done = self._run_awake(
            [*enter.split(), "DEBIAN_FRONTEND=noninteractive", *map(str, words)], **more
        )
        if check:
            text = f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
            assert done.returncode == 0, f"{text}\n{self.journal()[-3000:]}"
        return done

    def _run_awake(self, words, input=None, text=True, errors="replace"):
        """libmilter looks whether it is to stop at each connection, and else every 5 s."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen(words, text=text, errors=errors, **pipes)
        deadline = time.monotonic() + 120
        while True:
            try:
                out, err = process.communicate(input, timeout=0.3)
                return subprocess.CompletedProcess(words, process.returncode, out, err)
            except subprocess.TimeoutExpired:
                input = None  # is on its way
                self._connect_to_milter()
                if time.monotonic() > deadline:
                    process.kill()
                    raise

    def _connect_to_milter(self):
        with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
            connection.settimeout(0.3)
            connection.connect(str(self.path("/var/spool/postfix/mailbrake/milter.sock")))

    def type(self, line):
        return self.run(*shlex.split(line))

    def install(self, package, *options):
        """Returns all that was said."""
        place = f"/root/{pathlib.Path(package).name}"
        self.write(place, pathlib.Path(package).read_bytes())
        done = self.run("dpkg", "--force-confdef", "--force-confold", *options, "-i", place)
        return done.stdout + done.stderr

    def path(self, name):
        return pathlib.Path(f"/proc/{self.init}/root{name}")

    def write(self, name, data):
        data = data.encode() if isinstance(data, str) else data
        self.run("tee", name, text=False, errors=None, input=data)

    def read(self, name):
        return self.run("cat", name).stdout

    def journal(self, unit=None):
        of = ["-u", unit] if unit else []
        return self.run("journalctl", "--no-pager", "-o", "cat", *of, check=False).stdout

    def state(self, unit, name):
        """A property of a unit."""
        return self.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def files(self):
        """All files, but for what lives: logs, queues, and what packages always leave."""
        lives = r"/(proc|sys|dev|tmp|var/(log|tmp|cache|lib/(dpkg|apt|systemd|postfix))|run/(systemd|lock))/"
        found = self.run("find", "/", "/run", "-xdev").stdout.splitlines()
        queue = r"/var/spool/postfix/(active|defer\w*|incoming|maildrop|hold|pid|etc|lib|usr)\b"
        return {name for name in found if not re.match(f"{lives}|{queue}", name)}

    def python(self, text, *words, **more):
        """Our own Python, in the network of the machine."""
        command = ["nsenter", "-t", self.init, "-n", sys.executable, "-c", text, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, **more)
        assert done.returncode == 0, done.stderr + self.journal()[-3000:]
        return done.stdout

    def add_address(self, address):
        self.python(ADD_ADDRESS, address)

    # Mail.

    def send(self, frm, to, subject="hello"):
        """By SMTP, from the machine itself."""
        text = f"From: {frm}\r\nTo: {to[0]}\r\nSubject: {subject}\r\n\r\nHello.\r\n"
        return Reply(*json.loads(self.python(SEND, input=json.dumps([frm, to, text]))))

    def mailbox(self, user):
        """Subjects of what came, once the queue is empty of all but held mail."""
        wait_until(self._is_idle, 20, "mail stays in the queue", self.journal)
        done = self.run("cat", f"/var/mail/{user}", check=False)
        return re.findall(r"^Subject: (.*)$", done.stdout, re.MULTILINE)

    def _is_idle(self):
        """Neither MTA has a file that waits, or is worked on."""
        queues = [f"/var/spool/postfix/{q}" for q in ("maildrop", "incoming", "active", "deferred")]
        sendmail = ["/var/spool/mqueue", "/var/spool/mqueue-client"]
        found = self.run("find", *queues, *sendmail, "-type", "f", check=False).stdout
        return not re.search(r"/postfix/|/[qtx]f\w+$", found, re.MULTILINE)


def _children(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """What script/package makes of a copy of the tree."""
    return _make_package(tmp_path_factory.getbasetemp() / "tree")


@functools.cache  # each module that imports the fixture has one of its own
def _make_package(tree):
    tree.mkdir()
    copy = f"tar -C {ROOT} --exclude=./build --exclude='./build-*' --exclude=./.git -c ."
    subprocess.run(f"{copy} | tar -C {tree} -x", shell=True, check=True)
    done = subprocess.run([tree / "script/package"], capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (tree / "build/package").glob("mailbrake_*.deb")
    return path


@contextlib.contextmanager
def booting(package, folder):
    """A function that boots machines, which are gone at the end."""
    machines = []

    def boot(mta):
        machine = Debian(make_root(package, mta), folder)
        machines.append(machine)
        return machine.boot()

    try:
        yield boot
    finally:
        for machine in machines:
            machine.stop()


@pytest.fixture
def debian(package, tmp_path):
    with booting(package, tmp_path) as boot:
        yield boot
