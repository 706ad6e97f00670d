"""mailbrake check and mailbrake explain, without a daemon."""

import json
import pathlib
import re
import subprocess
import time

import pytest

from mailbraked import Command, config_text, people

TEN_MISTAKES = """\
domains = [ "district.example" ];
mode = "maybe";                                                                     # 1
colour = "red";                                                                     # 2
recipient_delimiter = 5;                                                            # 3
store = {
  type = "memory";
  timeout_ms = 0;                                                                   # 4
  on_failure = "panic";                                                             # 5
};
groups = { staff = [ "login:*" ]; };
rules = (
  { name = "one"; from = ["nobody-knows-this-group"]; action = "reject"; },         # 6
  { name = "two"; limit = "10 messages per 1h"; action = "reject"; },               # 7 no key
  { name = "three"; key = "sender"; limit = "some mail per 1h"; action = "reject"; }, # 8
  { name = "four"; reach_over = 5; action = "explode"; },                           # 9
  { name = "five"; from = ["staff"]; action = "reject"; },
  { name = "five"; reach_over = 7; action = "reject"; }                             # 10
);
"""


def mistakes(text):
    """The lines of a configuration that are marked with # and a number."""
    return [n for n, line in enumerate(text.splitlines(), 1) if re.search(r"# \d+", line)]


def errors(output, config):
    found = re.findall(rf"^(?:.*: )?{re.escape(str(config))}:(\d+): (?!warning)", output, re.MULTILINE)
    return sorted(int(line) for line in found)


def test_ten_mistakes_are_ten_messages(build, tmp_path):
    config = tmp_path / "mailbrake.conf"
    config.write_text(TEN_MISTAKES)
    done = Command(build, config).check()
    assert done.returncode == 1
    assert errors(done.stderr, config) == mistakes(TEN_MISTAKES), done.stderr

    daemon = subprocess.run(
        [build.mailbraked, "-c", config], capture_output=True, text=True, timeout=30
    )
    assert daemon.returncode == 1
    assert errors(daemon.stderr, config) == mistakes(TEN_MISTAKES), daemon.stderr


def test_check_in_json(build, tmp_path):
    config = tmp_path / "mailbrake.conf"
    config.write_text(TEN_MISTAKES)
    done = Command(build, config).run("check", "--json")
    assert done.returncode == 1
    assert isinstance(json.loads(done.stdout), dict)


def test_a_good_configuration_is_found_good(build, tmp_path):
    config = tmp_path / "mailbrake.conf"
    members = tmp_path / "all.txt"
    members.write_text("\n".join(people(3)))
    config.write_text(
        config_text(
            {
                "domains": ["district.example"],
                "store": {"type": "memory"},
                "lists": ({"address": "all@district.example", "file": "all.txt"},),
            },
            '{ name = "cap"; to = ["list:all@district.example"]; action = "reject"; }',
        )
    )
    done = Command(build, config).check()
    assert done.returncode == 0, done.stderr
    members.unlink()
    done = Command(build, config).check()
    assert done.returncode == 1 and "all.txt" in done.stderr


def test_check_warns_of_what_brakes_nothing_and_of_missing_folders(build, tmp_path):
    config = tmp_path / "mailbrake.conf"
    away = tmp_path / "away"
    config.write_text(
        config_text(
            {
                "milter": {"socket": f"unix:{away}/milter.sock"},
                "control": {"socket": f"{away}/control.sock"},
                "store": {"type": "redis", "server": "tcp:127.0.0.1:1"},
                "notify": {"command": "/no/such/pager -x"},
            },
            "",
        )
    )
    done = Command(build, config).check()
    assert done.returncode == 0, done.stderr
    making = "install -d -m 2750 -o mailbrake -g"
    for words in (
        "the store is away (asked for 250 ms), so store.on_failure decides",
        "privacy.key_file: is not set",
        "store.state_file: is not set, so there is no audit file",
        "domains: none are set",
        "rules: none are set",
        "lists: none are set",
        f"milter.socket: the folder of {away}/milter.sock does not exist; create it: {making} postfix {away}\n",
        f"control.socket: the folder of {away}/control.sock does not exist; create it: {making} mailbrake {away}\n",
        f"{config}:4: warning: notify.command: there is no such program: /no/such/pager",
    ):
        assert words in done.stderr, done.stderr
    daemon = subprocess.run(
        [build.mailbraked, "-c", config], capture_output=True, text=True, timeout=30
    )
    assert daemon.returncode == 1
    assert "warning: mailbraked runs as root" in daemon.stderr
    assert f"milter.socket: the folder of {away}/milter.sock does not exist; create it: {making} postfix" in daemon.stderr

@pytest.fixture
def as_root_beside_mailbrake(build, tmp_path):
    """Runs check as root on a machine that has the user mailbrake, as the package makes it."""
    folder = tmp_path / "etc"
    folder.mkdir()
    for name, line in (("passwd", "mailbrake:x:7355:7355::/:/bin/false"), ("group", "mailbrake:x:7355:")):
        (folder / name).write_text(pathlib.Path("/etc", name).read_text() + line + "\n")
    mounts = "; ".join(f"mount --bind {folder}/{name} /etc/{name}" for name in ("passwd", "group"))
    for place in (tmp_path, *tmp_path.parents[:-2]):
        place.chmod(place.stat().st_mode | 0o011)

    def check(config, *options):
        return subprocess.run(
            ["unshare", "-m", "sh", "-ec", f'{mounts}; exec "$@"', "sh"]
            + [build.mailbrake, "check", "-c", config, *options],
            **{"capture_output": True, "text": True, "timeout": 60},
        )

    return check


def test_root_is_told_what_the_daemon_s_user_cannot_read(as_root_beside_mailbrake, tmp_path):
    check = as_root_beside_mailbrake
    config, members, key = (tmp_path / name for name in ("m.conf", "all.txt", "key"))
    members.write_text("ann@district.example\n")
    key.write_text("k" * 32)
    text = config_text(
        {
            "domains": ["district.example"],
            "control": {"socket": str(tmp_path / "control.sock")},
            "store": {"type": "memory"},
            "privacy": {"key_file": str(key)},
            "lists": ({"address": "all@district.example", "file": "all.txt"},),
        },
        '{ name = "cap"; reach_over = 5; action = "reject"; }',
    )
    config.write_text(text)
    for path in (config, members, key):
        path.chmod(0o644)
    done = check(config)
    assert done.returncode == 0, done.stderr
    assert f"control.socket: the user mailbrake, as which mailbraked runs, can't write to {tmp_path}" in done.stderr

    members.chmod(0o600)
    key.chmod(0o600)
    done = check(config)
    assert done.returncode == 1
    assert f"{config}:5: {members}: Permission denied" in done.stderr, done.stderr
    assert f"{key}: can't read the key: Permission denied" in done.stderr, done.stderr
    assert "chgrp mailbrake FILE; chmod g+r FILE" in done.stderr

    config.write_text(text + 'mode = "maybe";\n')  # with other errors, in one go
    done = check(config, "--json")
    texts = [f"{e['file']}:{e['line']}: {e['text']}" for e in json.loads(done.stdout)["errors"]]
    assert f"{config}:5: {members}: Permission denied" in texts, texts
    assert any(str(key) in text for text in texts) and any("maybe" in text for text in texts), texts

    config.write_text(text)  # a draft of root's own is looked at as root
    config.chmod(0o600)
    done = check(config)
    assert done.returncode == 0, done.stderr
    assert "the user mailbrake, as which mailbraked runs, can't read it" in done.stderr


def test_usage_errors_exit_2(build, tmp_path):
    command = Command(build, tmp_path / "mailbrake.conf")
    assert command.run("no-such-verb").returncode == 2
    assert command.run("explain", "--no-such-option").returncode == 2


def test_each_verb_says_how_it_is_used(build, tmp_path):
    command = Command(build, tmp_path / "mailbrake.conf")
    verbs = set(re.findall(r"^  ([a-z]+)", command.run("--help").stdout, re.MULTILINE))
    assert len(verbs) > 8
    for verb in verbs:
        done = command.run(verb, "--help")
        assert (done.returncode, done.stderr) == (0, ""), verb
        assert done.stdout.startswith(f"usage: mailbrake {verb}"), verb
        wrong = command.run(verb, "--no-such-option")
        assert wrong.returncode == 2 and f"usage: mailbrake {verb}" in wrong.stderr, verb


@pytest.fixture
def explained(build, tmp_path):
    config = tmp_path / "mailbrake.conf"
    virtual = tmp_path / "virtual"
    virtual.write_text(f"class@district.example {', '.join(people(30))}\n")
    config.write_text(
        config_text(
            {
                "domains": ["district.example"],
                "store": {"type": "memory"},
                "lists": ({"virtual": "virtual"},),
            },
            """
            { name = "strangers"; from = ["@elsewhere.example"]; action = "reject"; },
            { name = "rate"; key = "sender"; limit = "100 recipients per 1d"; action = "reject"; },
            { name = "big"; reach_over = 29; action = "defer"; reason = "Too many."; },
            { name = "last"; action = "accept"; }""",
        )
    )
    return Command(build, config)


def test_explain_walks_the_rules(explained):
    told = explained.explain("ann@district.example", "class@district.example", "x@b.example")
    assert told["identity"] == "sender:ann@district.example"
    assert told["reach"] == 31 and told["copies"] == 31 and told["external"] == 1
    assert told["recipients"][0] == {
        **told["recipients"][0],
        "address": "class@district.example",
        "list": True,
        "size": 30,
    }
    assert told["recipients"][1]["list"] is False
    states = [(rule["name"], rule["state"]) for rule in told["rules"]]
    assert states[:3] == [("strangers", "skipped"), ("rate", "matched"), ("big", "fires")]
    assert all(rule["why"] for rule in told["rules"])
    assert (told["rule"], told["verdict"]) == ("big", "defer")
    assert told["reply"] == "450 4.7.1 Too many. (reach 31, limit 29) [mailbrake big]"
    assert told["live"] is False


def test_explain_knows_logins_and_accepts(explained):
    told = explained.explain("x@elsewhere.example", "bob@district.example", login="ann")
    assert told["identity"] == "login:ann@district.example"
    assert told["verdict"] == "reject"
    told = explained.explain("x@other.example", "bob@district.example")
    assert (told["verdict"], told["rule"]) == ("accept", "last")
    done = explained.run("explain", "--login", "ann", "--to", "bob@district.example", "--json")
    assert json.loads(done.stdout)["sender"] == "ann@district.example"


def test_explain_is_readable(explained):
    done = explained.run("explain", "--from", "ann@district.example", "--to", "class@district.example")
    assert done.returncode == 0
    for word in ("class@district.example", "30", "big", "450 4.7.1"):
        assert word in done.stdout


@pytest.mark.timing
def test_a_million_members_load_in_two_seconds(build, tmp_path):
    count = 1_000_000
    (tmp_path / "all.txt").write_text(
        "".join(f"student{i}@students.district.example\n" for i in range(count))
    )
    config = tmp_path / "mailbrake.conf"
    config.write_text(
        config_text(
            {
                "domains": ["district.example"],
                "store": {"type": "memory"},
                "lists": ({"address": "all@district.example", "file": "all.txt"},),
            },
            '{ name = "cap"; reach_over = 50; action = "reject"; }',
        )
    )
    command = Command(build, config)
    took = []
    for _ in range(3 if build.release else 1):
        started = time.monotonic()
        told = command.explain(
            "ann@district.example", "all@district.example", "student7@students.district.example"
        )
        took.append(time.monotonic() - started)
    assert told["reach"] == count and told["copies"] == count + 1
    assert told["reply"].startswith("550 5.7.1 ") and "(reach 1000000, limit 50)" in told["reply"]
    if build.release:
        assert min(took) < 2, took
