"""What `cmake --install` puts where, and the units in it as systemd-analyze sees them."""

import re
import shutil
import subprocess

import pytest

from conftest import ROOT
from mailbraked import Command

CONFIG_FILE = "etc/mailbrake/mailbrake.conf"
INSTALLED = [
    "usr/local/sbin/mailbraked",
    "usr/local/sbin/mailbrake-mta",
    "usr/local/sbin/mailbrake-console",
    "usr/local/bin/mailbrake",
    CONFIG_FILE,
    "usr/local/lib/systemd/system/mailbraked.service",
    "usr/local/lib/systemd/system/mailbrake-mta.service",
    "usr/local/lib/systemd/system/mailbrake-mta.socket",
    "usr/local/lib/systemd/system/mailbrake-console.service",
    "usr/local/lib/systemd/system/mailbrake-console.socket",
    "usr/local/lib/sysusers.d/mailbrake.conf",
    "usr/local/lib/tmpfiles.d/mailbrake.conf",
    "usr/local/share/man/man1/mailbrake.1",
    "usr/local/share/man/man5/mailbrake.conf.5",
    "usr/local/share/man/man5/mailbrake-scenario.5",
    "usr/local/share/man/man7/mailbrake-limits.7",
    "usr/local/share/man/man8/mailbraked.8",
    "usr/local/share/man/man8/mailbrake-mta.8",
    "usr/local/share/man/man8/mailbrake-console.8",
    "usr/local/share/doc/mailbrake/README.md",
    "usr/local/share/doc/mailbrake/control-api.md",
    "usr/local/share/doc/mailbrake/examples/notify-chat.sh",
    "usr/local/share/doc/mailbrake/examples/split-lists.sh",
    "usr/local/share/doc/mailbrake/examples/sendmail-drop-in.conf",
    "usr/local/share/doc/mailbrake/examples/mailbrake.conf",
    "usr/local/share/doc/mailbrake/examples/lists/allstudents.txt",
    "usr/local/share/mailbrake/first.conf",
    "usr/local/share/cockpit/mailbrake/manifest.json",
    *(
        f"usr/local/share/{folder}/{path.name}"
        for folder in ("mailbrake/console", "cockpit/mailbrake")
        for path in (ROOT / "console/app").iterdir()
    ),
    *(
        f"usr/local/share/mailbrake/scenarios/{path.name}"
        for path in (ROOT / "test" / "replay").glob("*.scenario")
    ),
]
UNITS = [
    *("mailbraked.service", "mailbrake-mta.service", "mailbrake-mta.socket"),
    *("mailbrake-console.service", "mailbrake-console.socket"),
]
DROP_IN = "share/doc/mailbrake/examples/sendmail-drop-in.conf"


def install(build, destination, *options):
    done = subprocess.run(
        ["cmake", "--install", build.dir, *options],
        **{"env": {"PATH": "/usr/bin:/bin", "DESTDIR": str(destination)}},
        **{"capture_output": True, "text": True},
    )
    assert done.returncode == 0, done.stderr


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def installed(build, tmp_path):
    install(build, tmp_path)
    return tmp_path


@pytest.fixture
def units(installed, tmp_path_factory):
    """The units, with programs that are there."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze: script/bootstrap installs it")
    folder = tmp_path_factory.mktemp("units")
    for name in UNITS:
        text = (installed / "usr/local/lib/systemd/system" / name).read_text()
        (folder / name).write_text(text.replace("/usr/local/", f"{installed}/usr/local/"))
    return folder


def analyze(folder, *words):
    done = subprocess.run(
        ["systemd-analyze", *words], cwd=folder, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def exposure(folder, unit):
    code, text = analyze(folder, "security", "--offline=true", "--no-pager", f"./{unit}")
    assert code == 0, text
    return float(re.search(r"Overall exposure level for \S+: ([\d.]+)", text)[1])


def test_everything_is_installed(installed):
    assert files(installed) == sorted(INSTALLED)


def test_a_changed_configuration_is_not_overwritten(installed, build):
    (installed / CONFIG_FILE).write_text("mine\n")
    install(build, installed)
    assert (installed / CONFIG_FILE).read_text() == "mine\n"
    assert files(installed) == sorted(INSTALLED)


def test_what_it_begins_with_stops_nothing_and_trusts_nobody(installed, build, tmp_path):
    begin = (installed / CONFIG_FILE).read_text()
    settings = re.sub(r"(?m)^ *#.*", "", begin)
    assert 'mode = "monitor";' in settings and 'type = "memory";' in settings
    assert not re.search(r"\b(trusted|relays|groups)\b|example", settings)
    (tmp_path / "aliases").write_text("all: ann, bob\n")  # this machine may have none
    mine = tmp_path / "mine.conf"
    mine.write_text(begin.replace('"/etc/aliases"', '"aliases"'))
    assert Command(build, mine).check().returncode == 0
    sample = installed / "usr/local/share/doc/mailbrake/examples/mailbrake.conf"
    assert sample.read_text() == (ROOT / "conf/mailbrake.conf").read_text()  # what replays run
    assert Command(build, sample).check().returncode == 0


def test_another_prefix_holds_everything(build, tmp_path):
    install(build, "", "--prefix", tmp_path)
    assert files(tmp_path) == sorted(name.removeprefix("usr/local/") for name in INSTALLED)


def test_systemd_finds_no_fault_with_the_units(units):
    code, text = analyze(units, "verify", "--man=no", *(f"./{name}" for name in UNITS))
    assert (code, text) == (0, "")


@pytest.mark.parametrize(
    "unit, most",
    [("mailbraked.service", 1.5), ("mailbrake-mta.service", 2.1), ("mailbrake-console.service", 1.5)],
)
def test_units_are_exposed_no_more_than_they_need(units, unit, most):
    assert exposure(units, unit) <= most


def test_the_drop_in_for_sendmail_is_sound(units, installed):
    folder = units / "mailbrake-mta.service.d"
    folder.mkdir()
    shutil.copy(installed / "usr/local" / DROP_IN, folder / "sendmail.conf")
    code, text = analyze(units, "verify", "--man=no", "./mailbrake-mta.service")
    assert (code, text) == (0, "")


def test_hup_is_sent_by_nobody():
    for path in (ROOT / "systemd").rglob("*"):
        if path.is_file():
            words = [line for line in path.read_text().splitlines() if "HUP" in line]
            assert all(line.startswith("#") for line in words), path


def test_the_package_has_the_version_of_the_build():
    version = re.search(r"project\(mailbrake VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
    changelog = (ROOT / "systemd/debian/changelog").read_text()
    assert changelog.startswith(f"mailbrake ({version}) ")


def test_the_package_is_built_with_what_bootstrap_installs():
    def libraries(path):
        return set(re.findall(r"\blib[\w-]+-dev\b", (ROOT / path).read_text()))

    only_for_tests = {"libc6-dev", "libclang-rt-14-dev", "libclang-rt-dev", "libsubunit-dev"}
    assert libraries("systemd/debian/control") == libraries("script/bootstrap") - only_for_tests
