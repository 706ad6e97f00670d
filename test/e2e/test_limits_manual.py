"""The numbers of mailbrake-limits(7): those for 10,000 pupils are the sample's, and with
those for 1,000 a month of ordinary mail passes, and a storm does not."""

import json
import re
import subprocess

import pytest

from conftest import ROOT

SAMPLE = (ROOT / "conf" / "mailbrake.conf").read_text()
SIZES = [1000, 10000, 100000]


def table():
    """(rule, setting, number) by size of the district."""
    found = {size: [] for size in SIZES}
    for line in (ROOT / "doc" / "mailbrake-limits.7").read_text().splitlines():
        cells = line.removeprefix(".It ").split(" Ta ")
        if len(cells) != 6 or cells[0].startswith("Sy "):
            continue
        for size, number in zip(SIZES, cells[2:5]):
            found[size].append((cells[0], cells[1], number))
    return found


def with_numbers(numbers):
    """The sample with these."""
    text = SAMPLE
    for rule, setting, number in numbers:
        before = re.search(rf'{{ name = "{rule}";.*?}}', text, re.DOTALL)
        assert before, rule
        after, count = re.subn(rf'\b({setting} = "?)\d+', rf"\g<1>{number}", before[0])
        assert count == 1, (rule, setting)
        text = text.replace(before[0], after)
    return text


def bounds():
    """The most that each rule lets pass at first, as the manual says."""
    text = (ROOT / "doc" / "mailbrake-limits.7").read_text()
    text = text.partition(".Ss What still passes")[2]
    rows = re.findall(r"^\.It .*?Ta ([a-z-]+) Ta (?:at most )?([\d,]+) ", text, re.MULTILINE)
    return {rule: int(number.replace(",", "")) for rule, number in rows}


@pytest.fixture
def small(tmp_path):
    """The configuration of a district of 1,000 pupils."""
    path = tmp_path / "small.conf"
    lists = f'"{ROOT}/conf/lists/'
    path.write_text(with_numbers(table()[1000]).replace('"lists/', lists))
    return path


def replay(build, config, name, **variables):
    given = [word for item in variables.items() for word in ("--set", "=".join(map(str, item)))]
    scenario = ROOT / "test" / "replay" / f"{name}.scenario"
    done = subprocess.run(
        [build.mailbrake, "replay", "-c", config, scenario, *given],
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_sample_is_for_10000_pupils():
    numbers = table()
    assert len(numbers[10000]) >= 21
    assert with_numbers(numbers[10000]) == SAMPLE
    assert with_numbers(numbers[1000]) != SAMPLE


def test_what_still_passes_is_what_check_says(build):
    done = subprocess.run(
        [build.mailbrake, "check", "-c", ROOT / "conf" / "mailbrake.conf", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = {limit["rule"]: limit["most"] for limit in json.loads(done.stdout)["limits"]}
    promised = bounds()
    surges = {"automation-grown": 500, "pupils-subject": 3000, "one-subject": 25000}
    assert {rule: promised.pop(rule) for rule in surges} == surges
    assert promised == {rule: most for rule, most in said.items() if rule in promised}
    assert len(promised) >= 15


def test_check_says_whose_limit_it_is(build):
    done = subprocess.run(
        [build.mailbrake, "check", "-c", ROOT / "conf" / "mailbrake.conf"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = re.sub(" +", " ", done.stdout)
    assert "district-rate at most 600000 recipients in 1h in all (300000 at once)" in said
    assert "sender-day at most 8000 recipients in 1d for one sender (4000 at once)" in said


def test_a_month_of_1000_pupils_passes(build, small):
    code, text = replay(build, small, "month", pupils=1000)
    assert code == 0, text
    assert "Nothing was stopped." in text


def test_a_thread_of_120_colleagues_is_stopped(build, small):
    sizes = {"staff": 120, "answers": 54, "crowd": 2000}
    code, text = replay(build, small, "palo-alto-b2", **sizes)
    assert code == 0, text
    # the sample takes so small a list for none that could storm
    code, text = replay(build, ROOT / "conf" / "mailbrake.conf", "palo-alto-b2", **sizes)
    assert code == 1 and "NOT MET thread copies <=" in text
