"""The daemon under test: writes its configuration, starts it, reads its log. A log line of
severity error or warning that the test did not announce fails the test, and so does
anything a sanitizer says."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

from postfix import OWN_DOMAINS, wait_until

# What a test set-up cannot help: it runs as root, without a key and without the helper.
ALWAYS_EXPECTED = [
    r"runs as root",
    r"privacy\.key_file",
    r"control\.group",
    r"mta\.helper",
    r"mailbrake-mta",
    r"is being read for the first time",
    r"another relay that shares this store is also called",  # all of them run on one host
    r"lines like the next one were suppressed",  # the next one is looked at by itself
]

TSAN_SUPPRESSIONS = pathlib.Path(__file__).parent.parent / "support" / "tsan.supp"
SANITIZERS = r"(Address|Leak|Thread|Memory)Sanitizer|runtime error:"


def people(count, name="p", domain="district.example"):
    return [f"{name}{i}@{domain}" for i in range(1, count + 1)]


def full(address):
    return address if "@" in address else f"{address}@{OWN_DOMAINS[0]}"


def virtual_text(lists):
    """virtual(5): what Postfix and mailbraked both read."""
    return "".join(
        f"{full(name)} {', '.join(full(m) for m in members)}\n" for name, members in lists.items()
    )


def _value(value):
    """A Python value as libconfig writes it."""
    if isinstance(value, dict):
        return "{ " + " ".join(f"{k} = {_value(v)};" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[ " + ", ".join(_value(v) for v in value) + " ]"
    if isinstance(value, tuple):
        return "( " + ", ".join(_value(v) for v in value) + " )"
    return json.dumps(value)


def config_text(settings, rules, extra=""):
    """settings: a dict of top-level settings; rules: their text."""
    lines = [f"{name} = {_value(value)};" for name, value in settings.items()]
    return "\n".join([*lines, f"rules = ( {rules.strip().rstrip(',')} );", extra, ""])


class Verdict(dict):
    """A verdict line's fields: verdict["rule"], or verdict.rule; "" if there is none."""

    def __getattr__(self, name):
        return self.get(name, "")


def _unescape(value):
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), value.strip('"'))


def parse_verdict(line):
    pairs = re.findall(r'(\w+)=("[^"]*"|\S*)', line)
    return Verdict((name, _unescape(value)) for name, value in pairs)


class Mailbraked:
    def __init__(self, build, folder, milter_socket=None, log_name="mailbraked.log"):
        self.build = build
        self.dir = pathlib.Path(folder)
        self.dir.mkdir(exist_ok=True)
        self.config = self.dir / "mailbrake.conf"
        self.milter_socket = pathlib.Path(milter_socket or self.dir / "milter.sock")
        self.log_path = self.dir / log_name
        self.expected = [re.compile(p) for p in ALWAYS_EXPECTED]
        self.process = None
        self.host = None  # a host name of its own, instead of this machine's
        self.user = None  # whom it runs as, instead of root

    @property
    def milter(self):
        return f"unix:{self.milter_socket}"

    # Configuration.

    def configure(
        self, store, rules="", lists=None, virtual="", files=None, aliases=None, extra="", **settings
    ):
        """store: the settings of store; lists: members by address, written as a virtual(5)
        file, to which the text virtual is added; files: the same as lists, but one member
        file for each; aliases: the text of an aliases(5) file; further keywords are
        top-level settings."""
        sources = list(settings.pop("sources", ()))
        if lists or virtual:
            path = self.dir / "virtual"
            path.write_text(virtual_text(lists or {}) + virtual)
            sources.append({"virtual": str(path)})
        for address, members in (files or {}).items():
            path = self.dir / f"{full(address)}.txt"
            path.write_text("".join(f"{full(m)}\n" for m in members))
            sources.append({"address": full(address), "file": str(path)})
        if aliases is not None:
            path = self.dir / "aliases"
            path.write_text(aliases)
            sources.append({"aliases": str(path)})
        base = {
            "domains": OWN_DOMAINS,
            "milter": {"socket": self.milter, "socket_mode": "0660"},
            "control": {"socket": str(self.dir / "control.sock"), **settings.pop("control", {})},
            "store": store,
            "lists": tuple(sources),
        }
        self.write(config_text({**base, **settings}, rules, extra))

    def write(self, text):
        self.config.write_text(text)

    # The process.

    def start(self):
        environment = {k: v for k, v in os.environ.items() if k != "JOURNAL_STREAM"}
        environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        environment.setdefault("TSAN_OPTIONS", f"suppressions={TSAN_SUPPRESSIONS}")
        self.milter_socket.unlink(missing_ok=True)
        as_user = ["setpriv", f"--reuid={self.user}", "--clear-groups"] if self.user else []
        named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', self.host]
        self._started_at = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*(named if self.host else ()), *as_user, self.build.mailbraked, "-c", self.config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.dir,
            )
        wait_until(self._is_up, 30, "mailbraked does not come up:", self.text)
        return self

    def _is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"mailbraked ended ({self.process.returncode}): {self.text()}")
        with open(self.log_path, "rb") as log:
            log.seek(self._started_at)
            return re.search(rb"\bready\b", log.read()) is not None

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self):
        """SIGUSR1; returns once the log says how it went."""
        before = len(self.lines())
        self.signal(signal.SIGUSR1)
        wait_until(lambda: len(self.lines()) > before, 10, "no word of the reload", self.text)
        time.sleep(0.1)

    def stop(self):
        """By SIGTERM; returns how long it took and the exit code."""
        started = time.monotonic()
        self.signal(signal.SIGTERM)
        code = self.process.wait(20)
        return time.monotonic() - started, code

    def kill(self):
        if self.is_running():
            self.build.kill(self.process)
            self.process = None

    # The log.

    def text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def lines(self):
        return self.text().splitlines()

    def verdicts(self, at_least=0):
        """All verdict lines so far, once there are so many."""
        wait_until(lambda: len(self._verdicts()) >= at_least, 5, "too few verdicts:", self.text)
        return self._verdicts()

    def _verdicts(self):
        text = self.text()
        whole = text[: text.rfind("\n") + 1]
        return [parse_verdict(line) for line in whole.splitlines() if re.search(r"\bverdict=", line)]

    def expect_log(self, pattern, timeout=5):
        """Announces a line that would fail the test otherwise, and waits for it."""
        self.expected.append(re.compile(pattern))
        wait_until(
            lambda: re.search(pattern, self.text()), timeout, f"no log line {pattern}:", self.text
        )

    def allow_log(self, pattern):
        """The same for lines that may or may not come."""
        self.expected.append(re.compile(pattern))

    def complaints(self):
        """Lines that no test should see."""
        out = []
        for line in self.lines():
            plain = re.match(r"mailbraked: (?!error: |warning: )", line)
            if re.search(SANITIZERS, line) or not (
                plain or any(pattern.search(line) for pattern in self.expected)
            ):
                out.append(line)
        return out


class Command:
    """The administrator's command with this daemon's configuration."""

    def __init__(self, build, config):
        self.build, self.config = build, config

    def run(self, *arguments):
        return subprocess.run(
            [self.build.mailbrake, *arguments, "-c", self.config],
            capture_output=True,
            text=True,
            timeout=120,
        )

    def check(self):
        return self.run("check")

    def explain(self, frm, *to, **options):
        words = ["explain", "--from", frm]
        for address in to:
            words += ["--to", address]
        for name, value in options.items():
            words += [f"--{name}", value]
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
