"""A private Sendmail beside Postfix: Debian's packages unpacked into a cache, nothing
installed, with its own configuration, queues and port. Sendmail wants a folder of its own
for each, and none that the world may write to. All mail is delivered to a sink.

    mail = sendmail_relay(rules=HOLD_MANY, aliases="staff: ann, bob, eve")

is a relay as in relay.py. Its clients live in 127.0.0.0/8 and choose a last number of
their own: Sendmail has no XCLIENT that could give them other addresses."""

import contextlib
import email
import fcntl
import os
import pathlib
import platform
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile

import pytest

from mailbraked import Command, full
from postfix import OWN_DOMAINS, free_port, wait_until
from relay import Held, Relay, Session, _message
from sink import Sink
from stores import MEMORY

# The MTA's programs are run by their absolute paths, where Postfix's sendmail lies.
IN_ITS_PLACE = 'mount --bind "$0" /usr/sbin/sendmail && exec "$@"'

PACKAGES = ["sendmail-bin", "sendmail-base", "sendmail-cf"]
USER = "mail"  # Debian's package would make users of its own

# A word of the form alice.login at EHLO stands for SMTP AUTH as alice.
SENDMAIL_MC = """divert(-1)
include(`{cf}/m4/cf.m4')
divert(0)dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `relay.district.example')dnl
LOCAL_DOMAIN(`{domains}')dnl
define(`MAIL_SETTINGS_DIR', `{dir}/etc/')dnl
define(`QUEUE_DIR', `{dir}/queue')dnl
define(`STATUS_FILE', `{dir}/queue/statistics')dnl
define(`ALIAS_FILE', `{dir}/lists/aliases')dnl
define(`confPID_FILE', `{dir}/queue/pid')dnl
define(`confSERVICE_SWITCH_FILE', `{dir}/etc/service.switch')dnl
define(`confRUN_AS_USER', `{user}')dnl
define(`confTRUSTED_USER', `{user}')dnl
define(`confFORWARD_PATH', `')dnl
define(`confLOG_LEVEL', `11')dnl
define(`confTO_IDENT', `0')dnl
define(`confCHECK_ALIASES', `False')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`LOCAL_MAILER_PATH', `[IPC]')dnl
define(`LOCAL_MAILER_ARGS', `FILE {dir}/sink')dnl
define(`LOCAL_MAILER_FLAGS', `PSXmnz9')dnl
MODIFY_MAILER_FLAGS(`LOCAL', `-w')dnl
define(`LOCAL_MAILER_EOL', `\\r\\n')dnl
define(`LOCAL_MAILER_DSN_DIAGNOSTIC_CODE', `SMTP')dnl
define(`SMART_HOST', `sink:far.example')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
RELAY_DOMAIN(`127')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr=127.0.0.1, Port={port}')dnl
INPUT_MAIL_FILTER(`mailbrake', `S=unix:{socket}, F=T, T=C:30s;S:30s;R:30s;E:1m')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
MAILER_DEFINITIONS
Msink,	P=[IPC], F=mDFMuXzn, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP/HdrFromSMTP, E=\\r\\n,
	L=990, T=DNS/RFC822/SMTP, A=FILE {dir}/sink
LOCAL_CONFIG
Klogin macro
LOCAL_RULESETS
SLocal_check_mail
R$*	$: $&s
R$-.login	$: $(login {{auth_authen}} $@ $1 $)
"""

# What sendmail(1) uses: it hands its mail to the daemon by SMTP.
SUBMIT_MC = """divert(-1)
include(`{cf}/m4/cf.m4')
divert(0)dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `relay.district.example')dnl
define(`MSP_QUEUE_DIR', `{dir}/submit-queue')dnl
define(`STATUS_FILE', `{dir}/submit-queue/statistics')dnl
define(`confSERVICE_SWITCH_FILE', `{dir}/etc/service.switch')dnl
define(`confRUN_AS_USER', `{user}')dnl
define(`confTO_IDENT', `0')dnl
define(`confQUEUE_LA', `1000')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {port}')dnl
FEATURE(`msp', `[127.0.0.1]')dnl
"""


class Program:
    """Sendmail's files, fetched once and kept in the cache of the user who runs the
    tests. What is built for it goes to folder."""

    def __init__(self, folder):
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
        release = platform.freedesktop_os_release().get("VERSION_CODENAME", "debian")
        self.dir = cache / "mailbrake" / f"sendmail-{release}"
        self.sendmail = self.dir / "usr/libexec/sendmail/sendmail"
        self.cf = self.dir / "usr/share/sendmail/cf"
        self.dir.parent.mkdir(parents=True, exist_ok=True)
        with open(self.dir.with_suffix(".lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several processes may want it at a time
            if not self.sendmail.exists():
                self._fetch()
        self._check()
        library = pathlib.Path(folder) / "preloaded.so"
        here = pathlib.Path(__file__).parent
        sources = [here / "no_dns.c", here / "log_to_file.c"]
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, *sources], check=True)
        self.environment = {"PATH": os.environ["PATH"], "LD_PRELOAD": str(library)}

    def _fetch(self):
        with tempfile.TemporaryDirectory(dir=self.dir.parent) as folder:
            self._download(folder)
            files = pathlib.Path(folder) / "files"
            for package in pathlib.Path(folder).glob("*.deb"):
                subprocess.run(["dpkg", "-x", package, files], check=True)
            # It comes set-gid, for which the loader would preload nothing.
            (files / self.sendmail.relative_to(self.dir)).chmod(0o755)
            shutil.rmtree(self.dir, ignore_errors=True)
            files.rename(self.dir)

    def _download(self, folder):
        """The package lists may be missing, or too old."""
        apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
        for lists_are_fresh in (False, True):
            if lists_are_fresh:
                subprocess.run([*apt, "update"], capture_output=True, timeout=300)
            command = [*apt, "download", *PACKAGES]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
            if done.returncode == 0:
                return
        pytest.fail(f"these tests need Debian's Sendmail, and apt-get download says: {done.stderr}")

    def _check(self):
        libraries = subprocess.run(["ldd", self.sendmail], capture_output=True, text=True).stdout
        missing = re.findall(r"(\S+) => not found", libraries)
        if missing or not shutil.which("m4"):
            words = ", ".join(missing or ["m4"])
            pytest.fail(f"these tests need {words}, which script/bootstrap installs")

    def make_cf(self, text, path):
        done = subprocess.run(
            ["m4", f"-D_CF_DIR_={self.cf}/", "-"], input=text, capture_output=True, text=True
        )
        assert done.returncode == 0 and not done.stderr, done.stderr
        path.write_text(done.stdout)


class Sendmail:
    def __init__(self, program, folder):
        self.program = program
        self.dir = pathlib.Path(folder)
        self.queue = self.dir / "queue"
        self.submit_queue = self.dir / "submit-queue"
        self.config = self.dir / "etc" / "sendmail.cf"
        self.submit_config = self.dir / "etc" / "submit.cf"
        self.aliases = self.dir / "lists" / "aliases"
        self.milter_socket = self.dir / "milter" / "milter.sock"
        self.log_path = self.dir / "sendmail.log"
        self.mail_log = self.dir / "mail.log"
        self.environment = {**program.environment, "MAIL_LOG": str(self.mail_log)}
        self.port = free_port()
        self.process = self.sink = None
        self._make_folders()
        self._make_configuration()

    def _make_folders(self):
        for folder in (self.config.parent, self.aliases.parent):
            folder.mkdir()
        for folder in (self.queue, self.submit_queue):
            folder.mkdir()
            shutil.chown(folder, USER, USER)
            folder.chmod(0o770)
        self.mail_log.touch()
        self.mail_log.chmod(0o666)
        # As in production: the milter's socket inherits Sendmail's group.
        self.milter_socket.parent.mkdir()
        shutil.chown(self.milter_socket.parent, "root", USER)
        self.milter_socket.parent.chmod(0o2750)

    def _make_configuration(self):
        values = {
            "cf": self.program.cf,
            "dir": self.dir,
            "domains": " ".join(OWN_DOMAINS),
            "port": self.port,
            "socket": self.milter_socket,
            "user": USER,
        }
        (self.dir / "etc" / "service.switch").write_text("hosts files\naliases files\n")
        self.program.make_cf(SENDMAIL_MC.format(**values), self.config)
        self.program.make_cf(SUBMIT_MC.format(**values), self.submit_config)

    def start(self, aliases=""):
        self.aliases.write_text(aliases)
        shutil.chown(self.aliases.parent, USER, USER)
        self.run("-bi")
        self.sink = Sink(str(self.dir / "sink"))
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.program.sendmail, "-C", self.config, "-bD"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        wait_until(self._is_up, 30, "Sendmail does not come up:", self.log_path.read_text)
        return self

    def _is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"Sendmail ended: {self.log_path.read_text()}")
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=10):
                return True
        except (ConnectionError, smtplib.SMTPException):
            return False

    def stop(self):
        """Its children are in its group, and those that deliver in one of their own: these
        end by themselves when the sink is gone."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        if self.sink:
            self.sink.stop()

    def run(self, *arguments, config=None, **more):
        command = [self.program.sendmail, "-C", config or self.config, *arguments]
        more = {"timeout": 60, "env": self.environment, **more}
        done = subprocess.run(command, capture_output=True, text=True, **more)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def submit(self, *arguments, text):
        """sendmail(1)"""
        text = text.replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape")
        return self.run("-Ac", *arguments, config=self.submit_config, input=text)

    @contextlib.contextmanager
    def on_standard_input(self):
        """An SMTP session with sendmail -bs."""
        ours, its = socket.socketpair()
        command = [self.program.sendmail, "-C", self.config, "-bs"]
        environment = self.environment
        process = subprocess.Popen(command, stdin=its, stdout=its, env=environment)
        its.close()
        with smtplib.SMTP(local_hostname="client.example", timeout=60) as session:
            session.sock = ours
            assert session.getreply()[0] == 220
            session.ehlo()
            yield session
        assert process.wait(20) == 0

    # The queue. One file that begins with qf is a message, with hf a held one.

    def pending(self):
        """How many files are on their way (not held)."""
        names = os.listdir(self.submit_queue) + os.listdir(self.queue)
        return sum(name[:2] in ("qf", "tf", "xf") for name in names)

    def wait_idle(self, timeout):
        wait_until(lambda: self.pending() == 0, timeout, "mail stays in the queue", self.mailq)

    def mailq(self):
        return self.run("-bp").stdout

    def held(self):
        return [self._entry(path) for path in sorted(self.queue.glob("hf*"))]

    def _entry(self, path):
        """A queue file: a letter and a value a line, header fields folded below theirs."""
        text = re.sub(r"\n[ \t]+", " ", path.read_text(errors="replace"))
        values = [(line[0], line[1:]) for line in text.splitlines() if line]
        fields = [value.split("?", 2)[2] for letter, value in values if letter == "H"]
        return {
            "queue_id": path.name[2:],
            "sender": next(v for k, v in values if k == "S").strip("<>"),
            "recipients": [
                {"address": value.split(":", 1)[1].strip("<>")} for k, value in values if k == "R"
            ],
            "reason": next((v for k, v in values if k == "q"), ""),
            "headers": "\n".join(fields),
        }

    def waiting(self):
        """The ids of messages that were tried in vain, and that nobody works on."""
        return sorted(path.name[2:] for path in self.queue.glob("qf*") if self._is_tried(path))

    def _is_tried(self, path):
        try:
            with open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return re.search(rb"^N[1-9]", file.read(), re.MULTILINE) is not None
        except (BlockingIOError, FileNotFoundError):
            return False

    def release(self, queue_id):
        self.run("-qQ", "-Q", f"-qI{queue_id}")
        self.run(f"-qI{queue_id}")


class SendmailSession(Session):
    def __init__(self, port, client, login):
        name = f"{login}.login" if login else "client.example"
        smtplib.SMTP.__init__(
            self, "127.0.0.1", port, name, timeout=60, source_address=(client, 0)
        )
        self.ehlo()


class SendmailHeld(Held):
    def __init__(self, entry):
        super().__init__(entry, email.message_from_string(entry["headers"]))
        self.reason = entry["reason"]


class SendmailRelay(Relay):
    """The same stories as with Postfix, told to Sendmail."""

    def __init__(self, mta, daemon, build):
        super().__init__(mta, daemon, build)
        self.mta = mta

    def connect(self, client="127.1.2.3", login=None):
        return SendmailSession(self.mta.port, client, login)

    def send(self, frm, to, client="127.1.2.3", **more):
        return super().send(frm, to, client=client, **more)

    def sendmail(self, frm, to, headers=None, body="Hello."):
        """By sendmail(1), as scripts on the relay do; waits for the verdict."""
        to = [to] if isinstance(to, str) else list(to)
        before = len(self.daemon.verdicts())
        self.mta.submit("-i", "-f", frm, "--", *to, text=_message(frm, to, headers, body))
        return self.daemon.verdicts(at_least=before + 1)[-1]

    def delivered(self, timeout=20):
        """A local mailer is given user names: to Sendmail all own domains are one."""
        kept = super().delivered(timeout)
        for delivery in kept:
            delivery.recipients = [full(address) for address in delivery.recipients]
        return kept

    def held(self):
        self.mta.wait_idle(20)
        return [SendmailHeld(entry) for entry in self.mta.held()]


def helper_beside(mta, helper):
    """Starts mailbrake-mta for this Sendmail, which it finds where Debian installs it."""
    library = mta.program.environment["LD_PRELOAD"]
    wrapper = helper.dir / "sendmail"
    wrapper.write_text(
        f'#!/bin/sh\nLD_PRELOAD={library} exec {mta.program.sendmail} "$@"\n'
    )
    wrapper.chmod(0o755)
    helper.configure("sendmail", mta.config.parent)
    helper.start(before=["unshare", "--mount", "/bin/sh", "-c", IN_ITS_PLACE, wrapper])
    assert helper.process.poll() is None, helper.text()


@pytest.fixture(scope="session")
def sendmail_program(folder):
    return Program(folder)


@pytest.fixture
def sendmail_relay(sendmail_program, folder, mailbraked, build):
    """A relay by its rules and aliases(5): sendmail_relay(rules=..., aliases=...); see
    Mailbraked.configure. Sendmail and mailbraked read the same file of aliases."""
    started = []

    def make(aliases="", store=MEMORY, sources=(), helper="", **configuration):
        path = tempfile.mkdtemp(prefix="sendmail-", dir=folder)
        os.chmod(path, 0o755)
        mta = Sendmail(sendmail_program, path)
        started.append(mta)
        mta.start(aliases)
        configuration = {
            "mta": {
                "type": "sendmail",
                "config_directory": str(mta.config.parent),
                **({"helper": helper} if helper else {}),
            },
            "sources": [{"aliases": str(mta.aliases)}, *sources],
            **configuration,
        }
        daemon = mailbraked(dict(store), milter_socket=mta.milter_socket, **configuration)
        return SendmailRelay(mta, daemon, build)

    yield make
    for mta in started:
        mta.stop()
