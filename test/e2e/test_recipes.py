"""README's recipes for lists from elsewhere, typed as they stand there. What they ask is
played by a program that answers like it."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from mailbraked import Command, Mailbraked
from stores import MEMORY

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANN = "ann@district.example"
ROSTER = (
    ("sourcedId,status,email\n", "u{i},,p{i}@district.example\n"),
    ("sourcedId,status,classSourcedId,userSourcedId\n", "e{i},active,3b,u{i}\n"),
)


def recipe(name):
    """Its source and its lines."""
    text = (ROOT / "README.md").read_text()
    found = re.search(rf"^\*\*{name}\*\*[^`]*`{{ ([^`]*?) }}`[^\n]*\n(?:[^\n]+\n)*\n((?:    [^\n]*\n)+)", text, re.M)
    return dict(re.findall(r'(\w+) = "(.*?)"', found[1])), re.sub("(?m)^    ", "", found[2])


@pytest.fixture
def type_recipe(build, tmp_path):
    """Runs a recipe's lines for the shell; programs: what stands in for one, in sh."""
    (tmp_path / "mailbrake.d").mkdir()

    def run(name, **programs):
        source, lines = recipe(name)
        folder = tmp_path / source["folder"]
        folder.mkdir(parents=True, exist_ok=True)
        for program, text in programs.items():
            (tmp_path / program).write_text("#!/bin/sh\n" + text)
            (tmp_path / program).chmod(0o755)
        lines = lines.replace("/etc/mailbrake/", f"{tmp_path}/")
        path = f"{tmp_path}:{ROOT}/doc/examples:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", lines], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        return done, reach_of({**source, "folder": str(folder)})

    def reach_of(source):
        daemon = Mailbraked(build, tmp_path / "mailbrake.d")
        daemon.configure(dict(MEMORY), sources=[source])
        command = Command(build, daemon.config)
        return lambda name: command.explain(ANN, f"{name}@{source['domain']}")["reach"]

    run.reach_of, run.folder = reach_of, tmp_path
    return run


def test_the_sources_are_valid(build, tmp_path):
    """Whatever their servers and files say here: no word of the entries themselves."""
    text = (ROOT / "README.md").read_text()
    lists = re.search(r"^    (lists = \(\n.*?^    \);)", text.split("\n## Your lists\n")[1], re.M | re.S)[1]
    daemon = Mailbraked(build, tmp_path / "mailbrake.d")
    daemon.configure(dict(MEMORY))
    quick = re.sub(r'"ldaps?://[^"]*"', '"ldap://127.0.0.1:1"', lists).replace(":8001/", ":1/")
    daemon.write(daemon.config.read_text().replace("lists = (  );", quick))
    said = Command(build, daemon.config).check()
    assert said.stderr.count("never read successfully") >= 4, said.stderr
    assert not re.search(r":\d+: (warning: )?lists", said.stderr), said.stderr


def test_sympa(type_recipe):
    """mysql -NB prints a tab between columns."""
    done, reach = type_recipe("Sympa", mysql=r"printf 'all\ta@x.example\nb\tb@x.example\nall\tb@x.example\n'")
    assert done.returncode == 0, done.stderr
    assert (reach("all"), reach("b")) == (2, 1)
    for bad in ("exit 1", ":", r"printf 'all\ta@x.example\nall\n'"):
        done, reach = type_recipe("Sympa", mysql=bad)
        assert done.returncode != 0 and reach("all") == 2


def test_google_groups(type_recipe):
    done, reach = type_recipe("Google groups", gam="echo group,email; for n in 1 2 3; do echo g@x,p$n@x.example; done")
    assert done.returncode == 0, done.stderr
    assert (reach("allstudents"), reach("staff")) == (3, 3)
    done, reach = type_recipe("Google groups", gam="echo group,email; exit 1")
    assert done.returncode != 0 and reach("allstudents") == 3
    exported = type_recipe.folder / "exported"
    exported.mkdir()
    (exported / "staff.csv").write_text(
        "Members for group Staff,,\nEmail address,Nickname,Group status\np1@x.example,,member\np2@x.example,P,owner\n"
    )
    source = {"folder": str(exported), "domain": "district.example", "column": "Email address"}
    assert type_recipe.reach_of(source)("staff") == 2


def test_microsoft_365(type_recipe):
    """What Export-Csv writes, with Windows' line ends; also where it puts its type first."""
    source, lines = recipe("Microsoft 365")
    assert ".csv.new" in lines
    folder = type_recipe.folder / "m365"
    folder.mkdir()
    rows = ['"PrimarySmtpAddress"', '"p1@x.example"', '"p2@x.example"', ""]
    (folder / "new.csv").write_text("\ufeff" + "\r\n".join(rows))
    (folder / "old.csv").write_text("#TYPE Selected.Recipient\r\n" + "\r\n".join(rows))
    reach = type_recipe.reach_of({**source, "folder": str(folder)})
    assert (reach("new"), reach("old")) == (2, 2)


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="sqlite3 is not installed")
def test_oneroster(type_recipe):
    for name, (heading, row) in zip(("users.csv", "enrollments.csv"), ROSTER):
        rows = "".join(row.format(i=i) for i in range(20)).replace("u7,,", "u7,tobedeleted,")
        (type_recipe.folder / name).write_text(heading + rows.replace("p9@district.example", ""))
    done, reach = type_recipe("OneRoster")
    assert done.returncode == 0, done.stderr
    assert reach("class-3b") == 18
    (type_recipe.folder / "users.csv").unlink()
    done, reach = type_recipe("OneRoster")
    assert done.returncode != 0 and reach("class-3b") == 18
