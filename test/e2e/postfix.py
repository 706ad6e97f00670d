"""A private Postfix: its own configuration, queue and ports in one folder, nothing
chrooted, all mail delivered to a sink. One serves a whole test run; between tests its
queue is emptied, and its lists are files that a test rewrites."""

import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess
import time

from sink import Sink

OWN_DOMAINS = ["district.example", "school.example"]
ETC_MAIN_CF = pathlib.Path("/etc/postfix/main.cf")

MAIN_CF = """
compatibility_level = 3.7
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {dir}/mail.log
maillog_file_prefixes = {dir}
myhostname = relay.district.example
mydomain = district.example
mydestination = {domains}
inet_interfaces = 127.0.0.1
inet_protocols = all
mynetworks = 0.0.0.0/0 [::]/0
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_peername_lookup = no
disable_dns_lookups = yes
local_recipient_maps =
recipient_delimiter = +
alias_maps = hash:{dir}/lists/aliases
alias_database = $alias_maps
virtual_alias_domains =
virtual_alias_maps = hash:{dir}/lists/virtual
virtual_alias_expansion_limit = 200000
virtual_alias_recursion_limit = 100
transport_maps = regexp:{{ {{/^(al-|allstudents@|class-)/ local:}}
    {{/^dropped-/ discard:}} {{/^closed-/ error:5.1.2 closed}} }}
local_transport = lmtp:unix:{dir}/sink
mailbox_transport = lmtp:unix:{dir}/sink
default_transport = lmtp:unix:{dir}/sink
lmtp_destination_recipient_limit = 20000
qmgr_message_recipient_limit = 20000
smtpd_recipient_limit = 20000
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 1000
in_flow_delay = 0
enable_original_recipient = yes
milter_default_action = tempfail
milter_command_timeout = 30s
smtpd_milters = unix:{dir}/milter/milter.sock
non_smtpd_milters = unix:{dir}/milter/milter.sock
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - 200 smtpd
127.0.0.1:{inner_port} inet n - n - 200 smtpd
    -o syslog_name=postfix/inner -o content_filter= -o smtpd_milters=
pickup   unix n - n 60   1 pickup
cleanup  unix n - n -    0 cleanup
qmgr     unix n - n 300  1 qmgr
rewrite  unix - - n -    - trivial-rewrite
bounce   unix - - n -    0 bounce
defer    unix - - n -    0 bounce
trace    unix - - n -    0 bounce
verify   unix - - n -    1 verify
flush    unix n - n 1000? 0 flush
proxymap unix - - n -    - proxymap
proxywrite unix - - n -  1 proxymap
smtp     unix - - n -    - smtp
relay    unix - - n -    - smtp
showq    unix n - n -    - showq
error    unix - - n -    - error
retry    unix - - n -    - error
discard  unix - - n -    - discard
local    unix - n n -    - local
virtual  unix - n n -    - virtual
lmtp     unix - - n -    - lmtp
anvil    unix - - n -    1 anvil
scache   unix - - n -    1 scache
postlog  unix-dgram n - n - 1 postlogd
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postfix:
    def __init__(self, folder, far_end=Sink):
        self.dir = pathlib.Path(folder)
        self._far_end = far_end
        self.config = self.dir / "etc"
        self.lists = self.dir / "lists"
        self.queue = self.dir / "queue"
        self.port = free_port()
        self.inner_port = free_port()  # where a content filter brings mail back
        self.milter_socket = self.dir / "milter" / "milter.sock"
        self._tables = {}
        self._edition = 0
        self.begin()

    def start(self):
        for folder in (self.config, self.lists, self.queue, self.dir / "data"):
            folder.mkdir()
        shutil.chown(self.dir / "data", "postfix")
        self._make_milter_folder()
        self._make_system_main_cf()
        values = {"dir": self.dir, "port": self.port, "inner_port": self.inner_port, "domains": ", ".join(OWN_DOMAINS)}
        (self.config / "main.cf").write_text(MAIN_CF.format(**values))
        (self.config / "master.cf").write_text(MASTER_CF.format(**values))
        self.set_lists()
        self.sink = self._far_end(str(self.dir / "sink"))
        self._run("postfix", "start")  # returns when master listens

    def stop(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("postfix", "stop")  # waits for master
        self.sink.stop()

    def _make_milter_folder(self):
        """As in production: the milter's socket inherits the group postfix."""
        folder = self.milter_socket.parent
        folder.mkdir()
        os.chown(folder, 0, pwd.getpwnam("postfix").pw_gid)
        folder.chmod(0o2750)

    def _make_system_main_cf(self):
        """sendmail(1) wants one to exist, whatever -C says."""
        if not ETC_MAIN_CF.exists():
            ETC_MAIN_CF.touch()

    def _run(self, program, *arguments, **more):
        command = [f"/usr/sbin/{program}", "-c", str(self.config), *arguments]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=60, **more
        )

    # Lists: what Postfix expands. Daemons notice a new time stamp of a table by themselves.
    # Addresses that begin with al- (and those of the demonstration) are delivered by local(8), that is, by aliases(5).

    def set_lists(self, virtual="", aliases=""):
        self._table("virtual", virtual, "postmap")
        self._table("aliases", aliases, "postalias")

    def _table(self, name, text, program):
        if self._tables.get(name) == text:
            return
        path = self.lists / name
        path.write_text(text)
        self._run(program, f"hash:{path}")
        self._edition += 1
        stamp = time.time() - 100000 + self._edition
        os.utime(path, (stamp, stamp))  # Postfix warns of a table older than its source
        os.utime(f"{path}.db", (stamp, stamp))
        self._tables[name] = text

    def set_main(self, **settings):
        """main.cf's parameters; what runs has them when this returns."""
        self._run("postconf", "-e", *(f"{name}={value}" for name, value in settings.items()))
        self._run("postfix", "reload")

    # The queue.

    def pending(self):
        """How many files are on their way (not held). In the order mail moves, so that
        none is missed."""
        count = 0
        for queue in ("maildrop", "incoming", "active", "deferred", "active"):
            for _, _, files in os.walk(self.queue / queue):
                count += len(files)
        return count

    def deferred(self):
        """How many messages were tried in vain, and wait."""
        return sum(len(files) for _, _, files in os.walk(self.queue / "deferred"))

    def flush(self):
        """Tries everything again that waits."""
        self._run("postqueue", "-f")

    def wait_idle(self, timeout):
        wait_until(lambda: self.pending() == 0, timeout, "mail stays in the queue", self.mailq)

    def mailq(self):
        lines = self._run("postqueue", "-j").stdout.splitlines()
        return [json.loads(line) for line in lines]

    def held(self):
        if not any(files for _, _, files in os.walk(self.queue / "hold")):
            return []
        return [entry for entry in self.mailq() if entry["queue_name"] == "hold"]

    def headers(self, queue_id):
        return self._run("postcat", "-qh", queue_id).stdout

    def release(self, queue_id):
        self._run("postsuper", "-H", queue_id)
        self._run("postqueue", "-i", queue_id)

    def clean(self):
        """An empty queue and an empty sink for the next test."""
        with contextlib.suppress(TimeoutError):
            self.wait_idle(5)  # Postfix minds when active mail is deleted
        queues = ("maildrop", "incoming", "active", "deferred", "hold")
        if any(files for queue in queues for _, _, files in os.walk(self.queue / queue)):
            self._run("postsuper", "-d", "ALL")
        self.sink.clear()

    # The log. What Postfix finds fault with, in itself or in the milter, fails a test.

    def log(self):
        path = self.dir / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def begin(self):
        """A new test begins."""
        self._log_start = len(self.log())
        self._allowed = []

    def allow_log(self, pattern):
        self._allowed.append(pattern)

    def complaints(self):
        """But for what a machine's clock does: a file may be a tick younger than now."""
        clocks = [r"file system clock is \d+ seconds? ahead", r"resetting file time stamps"]
        faults = [
            line
            for line in self.log()[self._log_start :].splitlines()
            if re.search(r"(fatal|panic|error|warning): ", line)
        ]
        allowed = [*self._allowed, *clocks]
        return [f for f in faults if not any(re.search(p, f) for p in allowed)]


def wait_until(done, timeout, what, detail=None):
    deadline = time.monotonic() + timeout
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} {detail() if detail else ''}")
        time.sleep(0.01)
