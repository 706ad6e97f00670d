"""`mailbrake check --mta`: ten faults, each seeded alone into the configuration of a private
Postfix that is right otherwise, are each found, with the line to change."""

import json
import pathlib
import shutil
import subprocess

import pytest

from mailbraked import people
from stores import MEMORY

MAIN = """
compatibility_level = 3.7
queue_directory = {queue}
mail_owner = postfix
myhostname = relay.district.example
mydestination = district.example, school.example
recipient_delimiter = +
alias_maps = hash:{dir}/aliases
virtual_alias_maps = hash:{dir}/virtual
smtpd_milters = inet:127.0.0.1:8891, unix:milter/milter.sock
non_smtpd_milters = unix:milter/milter.sock
milter_default_action = tempfail
enable_long_queue_ids = yes
smtpd_forbid_bare_newline = yes
"""

MASTER = """
smtp inet n - y - - smtpd
submission inet n - y - - smtpd
  -o syslog_name=postfix/submission
cleanup unix n - y - 0 cleanup
"""

# What stands in main.cf or master.cf, what is written instead, and what must be said.
FAULTS = {
    "not asked": ("inet:127.0.0.1:8891, unix:milter/milter.sock", "inet:127.0.0.1:8891",
                  "smtpd_milters = inet:127.0.0.1:8891, unix:milter/milter.sock"),
    "not last": ("inet:127.0.0.1:8891, unix:milter/milter.sock",
                 "unix:milter/milter.sock, { inet:127.0.0.1:8891, connect_timeout=5s }",
                 "must come last"),
    "a service is not asked": ("-o syslog_name=postfix/submission", "-o smtpd_milters=",
                               "submission (smtpd_milters)"),
    "sendmail(1) is not asked about": ("non_smtpd_milters = unix:milter/milter.sock", "",
                                       "non_smtpd_milters = unix:milter/milter.sock"),
    "open when away": ("milter_default_action = tempfail", "milter_default_action = accept",
                       "milter_default_action = tempfail"),
    "open when away, in braces": (
        "inet:127.0.0.1:8891, unix:milter/milter.sock",
        "{ unix:milter/milter.sock, default_action=accept }", "default_action=tempfail"),
    "a proxy filter": ("-o syslog_name=postfix/submission",
                       "-o smtpd_proxy_filter=127.0.0.1:10024", "smtpd_proxy_filter"),
    "no milters": ("enable_long_queue_ids = yes",
                   "enable_long_queue_ids = yes\nreceive_override_options = no_milters",
                   "no_milters"),
    "judged twice": ("cleanup unix",
                     "127.0.0.1:10025 inet n - y - - smtpd\n"
                     "  -o content_filter=\n"
                     "scan inet n - y - - smtpd\n"
                     "  -o content_filter=smtp:127.0.0.1:10024\n"
                     "cleanup unix", "receive_override_options=no_milters"),
    "bare newlines": ("smtpd_forbid_bare_newline = yes", "smtpd_forbid_bare_newline = no",
                      "smtpd_forbid_bare_newline = yes"),
    "short queue ids": ("enable_long_queue_ids = yes", "", "enable_long_queue_ids = yes"),
    "another domain": ("mydestination = district.example",
                       "mydestination = old.example, district.example",
                       'add "old.example" to domains'),
    "another delimiter": ("recipient_delimiter = +", "recipient_delimiter = -",
                          'recipient_delimiter = "-"'),
    "aliases that we do not read": ("hash:{dir}/aliases", "hash:{dir}/aliases, hash:{dir}/more",
                                    '{ aliases = "{dir}/more"; }'),
    "virtual lists that we do not read": ("hash:{dir}/virtual", "hash:{dir}/more",
                                          '{ virtual = "{dir}/more"; }'),
}


class Checked:
    def __init__(self, build, daemon, postfix, path):
        self.build, self.daemon, self.postfix, self.dir = build, daemon, postfix, path
        self.main, self.master = MAIN, MASTER

    def write(self):
        values = {"dir": str(self.dir), "queue": str(self.postfix.dir)}
        for name, text in (("main.cf", self.main), ("master.cf", self.master)):
            for key, value in values.items():
                text = text.replace("{" + key + "}", value)
            (self.dir / name).write_text(text)

    def run(self):
        self.write()
        done = subprocess.run(
            [self.build.mailbrake, "check", "--mta", "--json", "-c", self.daemon.config],
            capture_output=True, text=True, timeout=60, check=False)
        answer = json.loads(done.stdout)
        assert done.returncode == (1 if answer["errors"] else 0), done
        return [problem["text"] for problem in answer["errors"]]


@pytest.fixture
def checked(build, postfix, mailbraked, folder):
    path = pathlib.Path(folder) / "checked"
    path.mkdir()
    path.chmod(0o755)
    for name in ("aliases", "virtual", "more"):
        (path / name).write_text("")
    (path / "aliases").write_text("staff: " + ", ".join(people(3)) + "\n")
    checked = Checked(build, None, postfix, path)
    checked.write()
    checked.daemon = mailbraked(
        MEMORY,
        milter_socket=postfix.milter_socket,
        sources=[{"aliases": str(path / "aliases")}, {"virtual": str(path / "virtual")}],
        mta={"type": "postfix", "config_directory": str(path)},
    )
    yield checked
    shutil.rmtree(path)


def test_each_fault_is_found_and_a_right_relay_passed_in_silence(checked):
    """One daemon for all: only files differ."""
    assert checked.run() == []
    for name, (right, wrong, said) in FAULTS.items():
        assert right in MAIN + MASTER, name
        checked.main = MAIN.replace(right, wrong)
        checked.master = MASTER.replace(right, wrong)
        found = checked.run()
        assert found, name
        assert all(said.replace("{dir}", str(checked.dir)) in text for text in found), (name, found)
    checked.main, checked.master = MAIN, MASTER


def test_a_socket_that_postfix_cannot_reach(checked):
    folder = checked.postfix.milter_socket.parent
    mode = folder.stat().st_mode & 0o7777
    folder.chmod(0o700)
    shutil.chown(folder, "root", "root")
    try:
        (text,) = checked.run()
    finally:
        folder.chmod(mode)
        shutil.chown(folder, "root", "postfix")
    assert "user postfix cannot pass" in text


def test_no_daemon(checked):
    checked.daemon.stop()
    assert any("is mailbraked running?" in text for text in checked.run())


def test_no_postfix(checked):
    checked.main = checked.master = ""
    (checked.dir / "gone").mkdir()
    checked.daemon.config.write_text(
        checked.daemon.config.read_text().replace(str(checked.dir) + '"', str(checked.dir) + '/no"'))
    assert any("mta.config_directory" in text for text in checked.run())
