"""The README from installation to release, typed as it stands there, on a Debian of its own
with Postfix and our package."""

import re

import pytest

from conftest import ROOT
from debian import debian, package  # noqa: F401, fixtures
from postfix import wait_until
from test_package import ANN, CONFIG_FILE, set_up_postfix

# Two rules that act on lists of three and five.
RULES = """rules = (
  { name = "cap"; reach_over = 4; action = "reject"; },
  { name = "many"; reach_over = 2; action = "quarantine"; },"""


def commands(heading):
    """The indented lines of a section, without the explanations behind them."""
    text = (ROOT / "README.md").read_text()
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]
    lines = re.findall(r"^    (\S.*)$", section, re.MULTILINE)
    return [line if "postconf" in line else re.split(r" {2,}", line)[0] for line in lines]


@pytest.fixture
def machine(debian, package):  # noqa: F811
    """Set up by all that stands below "Install it", up to "Enforce"."""
    machine = debian("postfix")
    set_up_postfix(machine)
    build, install, *rest, reload = commands("Install it")
    assert build == "script/package" and install.startswith("apt install ")
    assert reload == "mailbrake reload"
    machine.install(package)
    text = machine.read(CONFIG_FILE)
    assert text.count("rules = (") == 1
    machine.write(CONFIG_FILE, text.replace("rules = (", RULES))
    machine.said = {}
    for command in rest[:-3]:
        machine.said[command] = machine.run("sh", "-ec", command).stdout
    machine.watch = rest[-3:]
    return machine


def holds(machine):
    """Ids of what is held, the oldest first."""
    return re.findall(r"(?m)^([0-9a-f]{16})\s", machine.type("mailbrake quarantine list").stdout)


def test_the_readme_from_installation_to_release(machine):
    assert "allstudents@district.example" in "".join(machine.said.values())
    assert machine.send(ANN, ["all@district.example"], "monitored").accepted
    assert machine.mailbox("bob") == ["monitored"]
    wait_until(lambda: "cap" in machine.type("mailbrake incidents --would").stdout, 10, "no incident")
    report, incidents, log = (machine.run("sh", "-ec", line).stdout for line in machine.watch)
    assert re.search(r"(?m)^cap .* 1$", report) and "cap" in incidents and "would=cap:reject" in log
    text = machine.read(CONFIG_FILE)
    machine.write(CONFIG_FILE, text.replace('mode = "monitor"', 'mode = "enforce"'))
    machine.type("mailbrake reload")
    assert machine.send(ANN, ["all@district.example"]).code == 550
    for subject in ("one", "two"):
        assert machine.send(ANN, ["three@district.example"], subject).accepted
    first, _ = holds(machine)
    (incident,) = re.findall(r"(?m)^([0-9a-f]{16}) .*\bmany\b", machine.type("mailbrake incidents").stdout)
    typed = commands("When something is held")
    assert len(typed) == 9
    for line in typed:
        machine.said[line] = machine.type(line.replace(" ID", f" {first}").replace("INCIDENT", incident)).stdout
    assert machine.mailbox("bob") == ["monitored", "one"] and holds(machine) == []
    assert "login:someone" in machine.said["mailbrake audit --since 2h"]
