"""script/bootstrap on a machine that has another mail server. apt is Debian's own and decides
by itself; only what it is told to be installed is made up, and dpkg is out of its reach."""

import os
import pathlib
import re
import subprocess

import pytest

from conftest import ROOT

EXIM = ["exim4-base", "exim4-config", "exim4-daemon-light"]


def stanzas(text):
    return {re.search(r"^Package: (.*)$", s, re.MULTILINE)[1]: s for s in re.split(r"\n\n+", text.strip())}


def shown(*packages):
    done = subprocess.run(
        ["apt-cache", "show", "--no-all-versions", *packages], capture_output=True, text=True
    )
    return stanzas(done.stdout) if done.returncode == 0 else {}


def installed(stanza):
    """As dpkg keeps it; what it depends on is no part of this."""
    kept = re.sub(r"(?m)^(Filename|Size|MD5sum|SHA256|Description-md5|(Pre-)?Depends):.*\n?", "", stanza)
    return re.sub(r"(?m)^(Package: .*)$", r"\1\nStatus: install ok installed", kept)


@pytest.fixture
def beside_exim(tmp_path):
    """Runs a script where dpkg and apt believe exim4 to be the mail server."""
    exim = shown(*EXIM)
    if set(exim) != set(EXIM):
        pytest.skip("apt knows no exim4: apt-get update")
    known = stanzas(pathlib.Path("/var/lib/dpkg/status").read_text())
    known = {name: text for name, text in known.items() if not name.startswith("postfix")}
    known.update((name, installed(text)) for name, text in exim.items())
    (tmp_path / "status").write_text("\n\n".join(known.values()) + "\n")
    for name in ("info", "updates"):
        (tmp_path / name).mkdir()
    config = tmp_path / "apt.conf"
    config.write_text(f'Dir::State::status "{tmp_path}/status";\nDir::Bin::dpkg "/bin/false";\n')

    def run(*words):
        return subprocess.run(
            words,
            **{"capture_output": True, "text": True, "timeout": 120, "cwd": ROOT},
            env={**os.environ, "APT_CONFIG": str(config), "DPKG_ADMINDIR": str(tmp_path)},
        )

    return run


def test_another_mail_server_is_not_removed(beside_exim):
    done = beside_exim(ROOT / "script/bootstrap")
    assert done.returncode == 1, done.stdout + done.stderr
    said = re.search(r"apt would remove: (.*)", done.stderr)
    assert said and "exim4-daemon-light" in said[1], done.stderr
    assert re.search(r"to make room for:.* postfix\b", done.stderr), done.stderr
    for script in ("demo", "test"):  # stop with it
        text = (ROOT / "script" / script).read_text()
        assert re.search(r'^set -eu\ncd "[^\n]*"\nscript/bootstrap$', text, re.MULTILINE), script


def test_a_package_is_built_without_a_mail_server():
    """On a machine that has nothing yet, by what apt would install."""
    text = (ROOT / "script/package").read_text()
    assert re.findall(r"script/bootstrap(?: \w+)?$", text, re.MULTILINE) == ["script/bootstrap package"]
    text = (ROOT / "script/bootstrap").read_text()
    words = {name: re.search(rf'(?s)\n{name}="(.*?)"', text)[1].split() for name in ("build", "packaging")}
    assert re.search(r'package\) wanted="\$build \$packaging" ;;', text)
    done = subprocess.run(
        ["apt-get", "-s", "-o", "Dir::State::status=/dev/null", "--no-install-recommends", "install"]
        + words["build"] + words["packaging"],
        **{"capture_output": True, "text": True, "timeout": 120},
    )
    assert done.returncode == 0, done.stderr
    installed = set(re.findall(r"^Inst (\S+)", done.stdout, re.MULTILINE))
    assert {"build-essential", "debhelper", "libmilter-dev"} <= installed
    assert not installed & {"postfix", "exim4-base", "sendmail-bin", "redis-server"}


APT = """#!/bin/sh
case " $* " in
*" -s "*) exit 0 ;; # it would remove nothing
*" install "*)
    /usr/sbin/policy-rc.d slapd start >/dev/null 2>&1
    echo "start: $?" >>"$TOLD"
    cat /run/systemd/system-preset/* >>"$TOLD" ;;
esac
"""

# Empty folders in place of those that the script changes, for itself and its children.
IN_PLACE = """
for folder in /usr/sbin /run; do
    mkdir -p "$TMP$folder" && mount --bind "$TMP$folder" "$folder"
done
"$@"
echo "left: $(cd / && find usr/sbin run -type f | sort | tr '\\n' ' ')" >>"$TOLD"
"""


def test_no_server_is_started_now_or_at_the_next_boot(tmp_path):
    told, programs = tmp_path / "told", tmp_path / "programs"
    programs.mkdir()
    for name, text in (
        ("apt-get", APT),
        ("dpkg-query", "#!/bin/sh\n"),  # nothing is installed
        ("debconf-set-selections", "#!/bin/sh\ncat >/dev/null\n"),
        ("update-rc.d", '#!/bin/sh\necho "update-rc.d: $*" >>"$TOLD"\n'),
    ):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-euc", IN_PLACE, "sh", ROOT / "script/bootstrap"],
        **{"capture_output": True, "text": True, "timeout": 60},
        env={"PATH": f"{programs}:{os.environ['PATH']}", "TOLD": str(told), "TMP": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    lines = told.read_text().splitlines()
    assert lines.count("start: 101") == lines.count("disable *") == 2  # debconf, then the rest
    assert "update-rc.d: slapd disable" in lines
    assert lines[-1] == "left: "
