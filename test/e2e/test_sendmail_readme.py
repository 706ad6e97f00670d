"""The README's section about Sendmail, typed as it stands there, on a Debian of its own with
the Sendmail that Debian installs, and our package."""

import re

import pytest

from conftest import ROOT
from debian import debian, package  # noqa: F401, fixtures
from test_package import ALIASES, ANN, CONFIG_FILE, PEOPLE

RULES = """\
domains = [ "district.example" ];
store = { type = "memory"; };
privacy = { key_file = "/etc/mailbrake/key"; };
lists = ( { aliases = "/etc/mail/aliases"; } );
rules = (
  { name = "cap"; reach_over = 4; action = "reject"; },
  { name = "many"; reach_over = 2; action = "quarantine"; }
);
"""
NO_DNS = "FEATURE(`accept_unresolvable_domains')dnl\n"
MC = "/etc/mail/sendmail.mc"


def readme():
    """The blocks of the section: a line for sendmail.mc, lines for mailbrake.conf, commands."""
    section = re.search(r"^## Sendmail\n(.*?)(?=^## |\Z)", (ROOT / "README.md").read_text(), re.M | re.S)
    blocks = re.findall(r"(?:^    .*\n)+", section[1], re.MULTILINE)
    assert len(blocks) == 3
    return [re.sub(r"(?m)^    ", "", block) for block in blocks]


@pytest.fixture
def machine(debian, package):  # noqa: F811
    machine = debian("sendmail")
    for user in PEOPLE:
        machine.run("useradd", user)
    machine.run("cp", "/etc/mail/service.switch-nodns", "/etc/mail/service.switch")
    machine.write("/etc/hosts", "127.0.0.1 localhost relay.district.example vm\n")
    machine.write("/etc/mail/local-host-names", "localhost\ndistrict.example\n")
    machine.write("/etc/mail/aliases", ALIASES)
    machine.run("newaliases")
    said = machine.install(package)
    assert "Failed to resolve" not in said  # there is no group postfix
    filter_line, settings, commands = readme()
    mc = machine.read(MC)
    assert mc.count("MAILER_DEFINITIONS") == 1
    lines = f"{NO_DNS}{filter_line}MAILER_DEFINITIONS"
    machine.write(MC, mc.replace("MAILER_DEFINITIONS", lines))
    machine.write(CONFIG_FILE, settings + RULES)
    for command in commands.splitlines():
        machine.type(command)
    return machine


def held(machine):
    """Ids by subject."""
    ids = {}
    for line in machine.run("find", "/var/spool/mqueue", "-name", "hf*").stdout.split():
        text = machine.read(line)
        ids[re.search(r"Subject: (.*)", text)[1]] = re.search(r"X-Mailbrake: .*?id=(\w+)", text)[1]
    return ids


def test_sendmail_set_up_by_the_readme_judges_holds_and_releases(machine):
    assert machine.send(ANN, ["bob@district.example"]).accepted
    assert machine.mailbox("bob") == ["hello"]
    refused = machine.send(ANN, ["all@district.example"])
    assert refused.code == 550 and "(reach 5, limit 4)" in refused.text
    for subject in ("one", "two", "three"):
        assert machine.send(ANN, ["three@district.example"], subject).accepted
    ids = held(machine)
    assert machine.mailbox("bob") == ["hello"]
    machine.type(f"mailbrake quarantine release {ids['one']}")
    machine.type(f"mailbrake quarantine delete {ids['two']}")
    machine.type(f"mailbrake quarantine refuse {ids['three']}")
    assert machine.mailbox("bob") == ["hello", "one"]
    told = machine.mailbox("ann")
    assert "one" in told and len(told) > 1, told
    assert held(machine) == {}
    assert "result=error" not in machine.journal("mailbrake-mta")
    for path in ("/var/mail/bob", "/var/mail/eve"):
        owner = machine.run("stat", "-c", "%U", path).stdout.strip()
        assert owner == path.rsplit("/", 1)[1]


def test_without_mailbraked_mail_waits(machine):
    machine.run("systemctl", "stop", "mailbraked")
    assert machine.send(ANN, ["bob@district.example"]).code == 451
    machine.run("systemctl", "start", "mailbraked")
    assert machine.send(ANN, ["bob@district.example"]).accepted
