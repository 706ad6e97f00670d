"""The two C programs of test/support that play the MTA: milter-client for steps in any
order, milter-load for storms."""

import collections
import json
import subprocess

HELLO = "open\nnegotiate\nconnect client.example 10.1.2.3\nhelo client.example\n"


def quote(word):
    return '"' + "".join(c if c not in '"\\' else "\\" + c for c in word) + '"'


def envelope(frm, *to, login=None):
    """The steps of MAIL and RCPT with the macros a Postfix sends."""
    login = f" {{auth_authen}} {quote(login)}" if login else ""
    steps = f"macro M {{mail_addr}} {quote(frm)} {{mail_mailer}} smtp{login}\n"
    steps += f"mail {quote('<' + frm + '>')}\n"
    for address in to:
        steps += f"macro R {{rcpt_addr}} {quote(address)} {{rcpt_mailer}} smtp\n"
        steps += f"rcpt {quote('<' + address + '>')}\n"
    return steps


def content(*headers):
    """Headers ("Subject: hello") and the end of the message."""
    steps = "data\n"
    for header in headers or ("Subject: hello",):
        name, _, value = header.partition(":")
        steps += f"header {name} {quote(value.strip())}\n"
    return steps + "eoh\nbody hello\nmacro E i ABCDEF1234\neob\n"


def message(frm, *to, login=None, headers=()):
    return envelope(frm, *to, login=login) + content(*headers)


class Step(dict):
    """One answer of milter-client: step.reply, step.text, step.changes, step.error."""

    def __getattr__(self, name):
        return self.get(name)

    def change(self, kind):
        return [change for change in self["changes"] if change["kind"] == kind]


def client(build, socket, script, timeout_ms=10000):
    """Runs a script of steps and returns what came back, one Step a line."""
    done = subprocess.run(
        [build.milter_client, socket, str(timeout_ms)],
        input=script,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return [Step(json.loads(line)) for line in done.stdout.splitlines()]


def ends(steps):
    """The verdicts: what came back at each end of message."""
    return [step for step in steps if step["step"] == "eob"]


Trace = collections.namedtuple("Trace", "number at_us us fate socket")


class Load:
    """A storm under way; result() waits for its end."""

    def __init__(self, build, sockets, trace=None, **options):
        self.trace_path = trace
        words = [build.milter_load]
        for socket in sockets:
            words += ["--socket", socket]
        if trace:
            words += ["--trace", str(trace)]
        for name, value in options.items():
            words += [f"--{name.strip('_').replace('_', '-')}", str(value)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    def result(self, timeout=120):
        try:
            out, _ = self.process.communicate(timeout=timeout)
        finally:
            self.process.kill()
        assert self.process.returncode == 0
        return json.loads(out)

    def trace(self):
        """Every message by number, after result()."""
        with open(self.trace_path, encoding="ascii") as file:
            rows = [line.split() for line in file]
        return [Trace(int(n), int(at), int(us), fate, int(s)) for n, at, us, fate, s in rows]


def load(build, *sockets, **options):
    return Load(build, sockets, **options).result()
