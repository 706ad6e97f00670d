"""A mail relay as a story tells it: Postfix with mailbraked in front, people who send, a
hold queue and a far end that counts copies.

    mail = relay(rules=CAP_50, lists={"small": people(51)})
    reply = mail.send("ann@district.example", "small@district.example")
    assert reply.code == 550 and mail.delivered() == []
"""

import contextlib
import email
import re
import smtplib
import subprocess

from mailbraked import Command, virtual_text

class Reply:
    """The answer to a whole message."""

    def __init__(self, code, text):
        self.code = code
        self.text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text

    @property
    def accepted(self):
        return self.code == 250

    def __repr__(self):
        return f"<{self.code} {self.text}>"


class Held:
    """A message in the hold queue."""

    def __init__(self, entry, headers):
        self.id = entry["queue_id"]
        self.sender = entry["sender"]
        self.recipients = [r["address"] for r in entry["recipients"]]
        self.headers = headers

    @property
    def brake(self):
        """The X-Mailbrake header in parts; there must be exactly one."""
        all_of_them = self.headers.get_all("X-Mailbrake", [])
        assert len(all_of_them) == 1, all_of_them
        return dict(re.findall(r"(\w+)=(\S*)", all_of_them[0]))


def _message(frm, to, headers, body):
    """headers: a dict or a list of pairs; From, To and Subject are filled in."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    have = {name.lower() for name, _ in pairs}
    defaults = [("From", frm or "MAILER-DAEMON"), ("To", to[0]), ("Subject", "hello")]
    pairs += [(name, value) for name, value in defaults if name.lower() not in have]
    lines = "".join(f"{name}: {value}\r\n" for name, value in pairs) + f"\r\n{body}\r\n"
    return lines.encode("utf-8", "surrogateescape")


class Session(smtplib.SMTP):
    """An SMTP connection from a client of our choice, step by step. Addresses go out as
    they are written."""

    def __init__(self, port, client, login):
        super().__init__("127.0.0.1", port, local_hostname="client.example", timeout=60)
        self.ehlo()
        address = f"IPV6:{client}" if ":" in client else client
        words = f"ADDR={address} NAME=[UNAVAILABLE]" + (f" LOGIN={login}" if login else "")
        code, text = self.docmd("XCLIENT", words)
        assert code == 220, text
        self.ehlo()

    def mail(self, sender, options=()):
        bracketed = sender if "<" in sender else f"<{sender}>"
        return self.docmd("MAIL", f"FROM:{bracketed}")

    def rcpt(self, recipient, options=()):
        bracketed = recipient if "<" in recipient else f"<{recipient}>"
        return self.docmd("RCPT", f"TO:{bracketed}")

    def envelope(self, frm, to):
        """MAIL and RCPT, which mailbraked never refuses."""
        code, text = self.mail(frm)
        assert code == 250, f"MAIL FROM {frm}: {code} {text}"
        for address in [to] if isinstance(to, str) else to:
            code, text = self.rcpt(address)
            assert code == 250, f"half accepted: RCPT TO {address}: {code} {text}"

    def message(self, frm, to, headers=None, body="Hello."):
        to = [to] if isinstance(to, str) else list(to)
        self.envelope(frm, to)
        return Reply(*self.data(_message(frm, to, headers, body)))

    def vanish(self):
        """The connection is lost."""
        self.sock.close()
        self.file = self.sock = None


class Relay:
    def __init__(self, postfix, daemon, build):
        self.postfix = postfix
        self.daemon = daemon
        self.command = Command(build, daemon.config)
        self._read = 0

    # Mail in.

    def connect(self, client="10.1.2.3", login=None):
        return Session(self.postfix.port, client, login)

    def send(self, frm, to, login=None, client="10.1.2.3", headers=None, body="Hello."):
        session = self.connect(client, login)
        reply = session.message(frm, to, headers, body)
        session.quit()
        return reply

    def sendmail(self, frm, to, headers=None, body="Hello."):
        """By sendmail(1), as scripts on the relay do; waits for the verdict."""
        to = [to] if isinstance(to, str) else list(to)
        before = len(self.daemon.verdicts())
        subprocess.run(
            ["/usr/sbin/sendmail", "-C", self.postfix.config, "-f", frm, "-i", "--", *to],
            input=_message(frm, to, headers, body).replace(b"\r\n", b"\n"),
            check=True,
            timeout=30,
        )
        return self.daemon.verdicts(at_least=before + 1)[-1]

    # Mail out.

    def delivered(self, timeout=20):
        """What arrived, once nothing is on its way."""
        self.postfix.wait_idle(timeout)
        return self.postfix.sink.kept()

    def held(self):
        self.postfix.wait_idle(20)
        out = []
        for entry in self.postfix.held():
            with contextlib.suppress(subprocess.CalledProcessError):  # it was released meanwhile
                headers = self.postfix.headers(entry["queue_id"])
                out.append(Held(entry, email.message_from_string(headers)))
        return out

    # The log.

    def log(self, at_least=0):
        return self.daemon.verdicts(at_least)

    def verdict(self):
        """The next verdict nobody has asked for yet."""
        self._read += 1
        return self.daemon.verdicts(self._read)[self._read - 1]

    def expect_log(self, pattern, timeout=5):
        self.daemon.expect_log(pattern, timeout)

    def explain(self, frm, *to, **options):
        return self.command.explain(frm, *to, **options)


def lists_for_postfix(postfix, lists=None, virtual="", files=None, aliases=None):
    """Gives Postfix the same lists as mailbraked."""
    text = virtual_text({**(lists or {}), **(files or {})}) + virtual
    postfix.set_lists(text, aliases or "")
