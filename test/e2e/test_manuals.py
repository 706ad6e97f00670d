"""The manual pages: sound, and with each verb and option of the programs; and what doc/ says
of tests. (The settings of mailbrake.conf(5) are test/unit/test_sample.c's.)"""

import re
import subprocess

import pytest

from conftest import ROOT

PAGES = [
    "mailbrake.1",
    "mailbrake.conf.5",
    "mailbrake-scenario.5",
    "mailbrake-limits.7",
    "mailbraked.8",
    "mailbrake-mta.8",
    "mailbrake-console.8",
]
# About the machine, not about the page.
ELSEWHERE = r"referenced manual not found|outdated mandoc\.db"


def page(name):
    return (ROOT / "doc" / name).read_text()


def options(*sources):
    """Of the tables for getopt_long(3)."""
    text = "".join(path.read_text() for path in sources)
    return set(re.findall(r'{"([\w-]+)", (?:no|required)_argument', text))


def missing_options(names, text):
    return {n for n in names if not re.search(rf"(Fl \\?-|\| \\?-){re.escape(n)}\b", text)} - {"config"}


@pytest.mark.parametrize("name", PAGES)
def test_lint_has_nothing_to_say(name):
    done = subprocess.run(
        ["mandoc", "-T", "lint", ROOT / "doc" / name], capture_output=True, text=True
    )
    said = (done.stdout + done.stderr).splitlines()
    assert [line for line in said if not re.search(ELSEWHERE, line)] == []


def test_each_verb_is_in_the_manual(build):
    text = subprocess.run([build.mailbrake, "--help"], capture_output=True, text=True).stdout
    manual = page("mailbrake.1")
    verbs = re.findall(r"^  ([a-z]+)(.*)$", text, re.MULTILINE)
    assert len(verbs) > 8
    words = {verb: set() for verb, _ in verbs}
    for verb, rest in verbs:
        said = re.sub(r"--\w+ \w+|\[.*?\]", "", rest.split("  ")[0])
        words[verb] |= set(re.findall(r"\b[a-z]{2,}\b", said))
    for verb, more in words.items():
        lines = " ".join(re.findall(rf"^\.(?:It )?Cm {verb}\b(.*)$", manual, re.MULTILINE))
        assert re.search(rf"^\.It Cm {verb}\b", manual, re.MULTILINE), verb
        assert more <= set(lines.split()), f"{verb}: {more}"


def test_each_option_is_in_the_manual():
    helper = ROOT / "helper" / "mailbrake_mta.c"
    command = [path for path in (ROOT / "cli").glob("*.c") if path != helper]
    own = options(*command) | {"version", "help"}
    assert missing_options(own, page("mailbrake.1")) == set()
    assert missing_options(options(helper), page("mailbrake-mta.8")) == set()
    console = options(ROOT / "console" / "mailbrake_console.c")
    assert "service" in console and missing_options(console, page("mailbrake-console.8")) == set()
    daemon = options(ROOT / "daemon" / "mailbraked.c")
    assert "version" in daemon and missing_options(daemon, page("mailbraked.8")) == set()


def test_the_picture_is_what_replay_draws(build, tmp_path):
    """README's, by the command that README names."""
    command = re.search(r"^    build/cli/mailbrake (replay .*)$", (ROOT / "README.md").read_text(), re.M)
    drawn = tmp_path / "storm.svg"
    words = [str(drawn) if word == "doc/storm.svg" else word for word in command[1].split()]
    assert str(drawn) in words
    done = subprocess.run([build.mailbrake, *words], capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    assert drawn.read_text() == page("storm.svg"), "draw it again: README says how"


def test_each_fault_has_tests_and_each_test_of_faults_is_named():
    rows = re.findall(r"^\| (?!fault \||-)(.*) \|$", page("faults.md"), re.MULTILINE)
    named = set()
    for row in rows:
        cells = row.split(" | ")
        tests = re.findall(r"`(\w+/\w+\.\w+)::(\w+)`", cells[-1])
        assert len(cells) == 5 and all(cell.strip() for cell in cells) and tests, row
        named |= set(tests)
    assert len(rows) > 30

    def has(path, name):
        begin = rf"^START_TEST\({name}\)" if path.endswith(".c") else rf"^def {name}\("
        file = ROOT / "test" / path
        return file.exists() and re.search(begin, file.read_text(), re.MULTILINE)

    assert [test for test in named if not has(*test)] == []
    ours = {
        (f"faults/{path.name}", name)
        for path in (ROOT / "test" / "faults").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    assert ours - named == set()
