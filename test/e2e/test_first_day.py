"""What the README and the package tell an administrator to type, on configurations of Postfix
as they are found. postconf(1) is the real one, with a folder of its own."""

import os
import re
import subprocess

import pytest

from conftest import ROOT

OURS = "unix:mailbrake/milter.sock"
DKIM = "inet:127.0.0.1:8891"
SETTINGS = ("smtpd_milters", "non_smtpd_milters")


def commands(path):
    """Those that put Mailbrake into main.cf."""
    return re.findall(r"(?m)^ +(postconf -xh \w*smtpd_milters .*)$", (ROOT / path).read_text())


@pytest.fixture
def postconf(tmp_path):
    """Types lines for the shell; returns what they print."""
    (tmp_path / "master.cf").write_text("")

    def type_lines(*lines):
        done = subprocess.run(
            ["sh", "-ec", "\n".join(lines)],
            **{"capture_output": True, "text": True, "timeout": 30},
            env={**os.environ, "MAIL_CONFIG": str(tmp_path)},
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return type_lines


def test_the_readme_and_the_package_say_the_same():
    typed = commands("README.md")
    assert len(typed) == 2 and typed == commands("systemd/debian/postinst")
    for path in ("README.md", "systemd/debian/postinst", "conf/mailbrake.conf", "conf/first.conf"):
        assert not re.search(r"smtpd_milters *= *unix:mailbrake", (ROOT / path).read_text()), path


@pytest.mark.parametrize(
    "main_cf, expected",
    [
        ("", [OURS, OURS]),
        (f"smtpd_milters = {DKIM}", [f"{DKIM} {OURS}", OURS]),
        (f"smtpd_milters = {DKIM},\nnon_smtpd_milters = $smtpd_milters", [f"{DKIM}, {OURS}"] * 2),
        (
            f"smtpd_milters = {{ {DKIM}, default_action=accept }}, unix:/run/rspamd.sock\n"
            f"non_smtpd_milters =\n  # signs\n  {DKIM}\n  unix:/run/other.sock",
            [
                f"{{ {DKIM}, default_action=accept }}, unix:/run/rspamd.sock {OURS}",
                f"{DKIM} unix:/run/other.sock {OURS}",
            ],
        ),
        (
            f"all = {{ {DKIM},\n  connect_timeout = 5s }}\nsmtpd_milters = $all\nnon_smtpd_milters = ${{all}}",
            [f"{{ {DKIM}, connect_timeout = 5s }} {OURS}"] * 2,
        ),
        (f"all = {DKIM} {OURS}\nsmtpd_milters = $all", [f"{DKIM} {OURS}", OURS]),
        (f"smtpd_milters = {DKIM} {OURS}", [f"{DKIM} {OURS}", OURS]),
    ],
)
def test_other_milters_stay_in_front_however_often_it_is_typed(postconf, tmp_path, main_cf, expected):
    (tmp_path / "main.cf").write_text(f"{main_cf}\n")
    for _ in range(2):
        postconf(*commands("README.md"))
        assert postconf(f"postconf -xh {' '.join(SETTINGS)}").splitlines() == expected
    taking_out = re.search(
        r"(?ms)^    for name in.*?^    done$", (ROOT / "systemd/debian/prerm").read_text()
    )[0]
    postconf(taking_out)
    if OURS not in main_cf:
        assert OURS not in postconf(f"postconf -xh {' '.join(SETTINGS)}")
        assert DKIM not in main_cf or DKIM in postconf("postconf -xh smtpd_milters")
