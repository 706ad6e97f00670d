"""What can't be judged as it should: by a store that is away, that is slow now and then, or
that refuses; and by a message that nobody sends in good faith."""

import json
import pathlib
import re
import time

import pytest

import milter
from mailbraked import Command, Mailbraked, people
from postfix import wait_until
from redis_proxy import RedisProxy, late, now_and_then
from stores import memory_only, redis_only, redis_settings

BOB = "bob@district.example"
MANUAL = pathlib.Path(__file__).parents[2] / "doc" / "mailbrake.conf.5"
HOURLY = '{ name = "hourly"; key = "sender"; limit = "1000 recipients per 1h"; action = "reject"; }'


@pytest.mark.timing
@pytest.mark.parametrize("connections", [1, 8])
def test_a_slow_reply_now_and_then_is_nobody_elses(build, folder, mailbraked, own_redis, connections):
    """One reply in seven is late: some such messages get 451, and the breaker stays shut."""
    proxy = RedisProxy(own_redis)
    proxy.fault = now_and_then(7, late(0.8))
    store = redis_settings(own_redis, timeout_ms=400, on_failure="tempfail", server=proxy.server)
    daemon = mailbraked(store, rules=HOURLY)
    daemon.allow_log(r"store|suppressed|judged")
    run = Command(build, daemon.config).run
    wait_until(lambda: "answers" in run("status").stdout, 10, "the store is not found")
    opened = daemon.text().count("store away")
    result = milter.load(build, daemon.milter, messages=70, connections=connections)
    proxy.close()
    assert result["accept"] + result["tempfail"] == 70
    assert result["tempfail"] <= 30, result
    assert daemon.text().count("store away") == opened, daemon.text()
    assert result["tempfail"] > 0  # messages; several may be one request
    assert "got no answer (no answer in time), and its connection was replaced" in daemon.text()
    assert re.search(r"\d+ requests? got no answer, the last one \d+ s ago", run("status").stdout)
    assert json.loads(run("status", "--json").stdout)["store"]["unanswered"] > 0


# ---- mail of sendmail(1) ----


@redis_only
def test_local_mail_is_held_while_the_store_is_away(relay, own_redis):
    store = redis_settings(own_redis, timeout_ms=250, on_failure="tempfail")
    mail = relay(store=store, rules=HOURLY)
    mail.daemon.allow_log(r"store|judged|records|quarantine|suppressed")
    own_redis.kill()
    assert mail.send("x@y.example", BOB).code == 451
    verdict = mail.sendmail("script@district.example", BOB)
    assert (verdict.verdict, verdict.rule) == ("quarantine", "on_failure")
    assert len(mail.held()) == 1
    own_redis.start()
    status = None

    def recorded():
        nonlocal status
        status = json.loads(mail.command.run("status", "--json").stdout)
        return status["holds"] == 1 and status["incidents"] == 1

    wait_until(recorded, 10, "the hold gets no record", lambda: str(status))
    shown = json.loads(mail.command.run("incidents", "--json").stdout)["incidents"]
    assert shown[0]["rule"] == "on_failure"
    refused = mail.command.run("incidents", "allow", shown[0]["id"], "--for", "1h")
    assert "could not be judged" in refused.stderr


@memory_only
def test_local_mail_to_an_unknown_list_is_held(relay, folder):
    mail = relay(
        rules=HOURLY,
        sources=[{"address": "gone@district.example", "file": str(folder / "no-such-file")}],
    )
    mail.daemon.allow_log(r"no-such-file|gone@|not known|list")
    verdict = mail.sendmail("script@district.example", "gone@district.example")
    assert (verdict.verdict, verdict.rule) == ("quarantine", "lists_unknown")


# ---- fields of ours ----


@memory_only
def test_many_fields_of_ours_are_refused(relay):
    mail = relay(rules=HOURLY)
    few = [("X-Mailbrake", f"id={i}") for i in range(10)]
    assert mail.send("x@y.example", BOB, headers=few).accepted
    [message] = mail.delivered()
    started = time.monotonic()
    for count in (11, 8000):
        many = [("X-Mailbrake", f"id={i}") for i in range(count)]
        reply = mail.send("x@y.example", BOB, headers=many)
        assert reply.code == 550, reply
        assert f"Too many X-Mailbrake header fields. ({count}, limit 10) [mailbrake forged]" in reply.text
    assert time.monotonic() - started < 5
    verdict = mail.sendmail("script@district.example", BOB, headers=many[:11])
    assert (verdict.verdict, verdict.rule) == ("reject", "forged")


# ---- a store that refuses ----


def documented_acl(name):
    """What mailbrake.conf(5) says that the user needs, as it says it."""
    text = MANUAL.read_text()
    words = re.search(r"ACL SETUSER mailbrake on (.*?)\n\.Ed", text, re.DOTALL)[1].split()
    return [word.replace("{mailbrake}", "{" + name + "}") for word in words]


@pytest.fixture
def as_user(own_redis):
    """A store as the documented user, without some of its commands."""
    password = own_redis.dir / "password"
    password.write_text("password\n")
    password.chmod(0o600)

    def make(*without, **options):
        words = documented_acl("mailbrake") + [f"-{command}" for command in without]
        own_redis.command("ACL", "SETUSER", "mailbrake", "reset")
        own_redis.command("ACL", "SETUSER", "mailbrake", "on", *words)
        return redis_settings(
            own_redis, username="mailbrake", password_file=str(password), **options
        )

    return make


def documented_keys():
    """The keys that mailbrake.conf(5) names one by one."""
    text = MANUAL.read_text()
    return re.search(r"ACL SETUSER mailbrake (~.*?)\n\.Ed", text, re.DOTALL)[1].split()


def test_the_documented_keys_are_enough(build, as_user, own_redis, tmp_path):
    """And check names one that is missing."""
    settings = as_user(timeout_ms=1000)
    daemon = Mailbraked(build, tmp_path / "keys")
    daemon.configure(settings, rules=HOURLY)
    check = Command(build, daemon.config).check
    own_redis.command("ACL", "SETUSER", "mailbrake", "resetkeys", *documented_keys())
    assert not re.search(r"store: |Redis", check().stderr)
    keys = [key for key in documented_keys() if not key.endswith(":stamp")]
    own_redis.command("ACL", "SETUSER", "mailbrake", "resetkeys", *keys)
    said = check().stderr
    assert "the Redis user may not use {mailbrake}:stamp: see store.username" in said, said


@redis_only
def test_the_documented_acl_is_enough(relay, as_user, own_redis):
    """Every verb that asks the store, as the documented user: nothing is refused."""
    rules = (
        '{ name = "cap"; to = ["list:*"]; key = "sender"; limit = "1 messages per 1h"; latch = "1h";'
        ' action = "quarantine"; },' + HOURLY
    )
    mail = relay(store=as_user(), rules=rules, lists={"all": people(3)})
    mail.daemon.allow_log(r"quarantine: \d")
    run = mail.command.run
    assert not re.search(r"store: |Redis", mail.command.check().stderr)
    own_redis.command("ACL", "LOG", "RESET")
    assert mail.send("x@y.example", "all@district.example").accepted
    for _ in range(2):
        mail.send("x@y.example", "all@district.example")
    wait_until(lambda: len(mail.held()) == 2, 10, "nothing is held")
    [incident] = json.loads(run("incidents", "--json").stdout)["incidents"]
    for words in (
        ["status"], ["quarantine", "list"], ["incidents", "show", incident["id"]],
        ["limits", "show", "sender:x@y.example"], ["brake", "set", "domain:z.example"],
        ["brake", "list"], ["brake", "clear", "domain:z.example"],
        ["incidents", "allow", incident["id"], "--for", "1h"],
        ["incidents", "close", incident["id"]], ["limits", "reset", "sender:x@y.example"],
    ):
        done = run(*words)
        assert done.returncode == 0, (words, done.stderr)
    assert own_redis.command("ACL", "LOG") == []


COMMANDS = (
    "evalsha eval get set del time hget hset hdel hlen hscan zadd zrem zrangebylex zlexcount"
    " config|get"
).split()


def test_check_names_what_the_user_may_not_run(build, folder, as_user, tmp_path):
    for command in COMMANDS:
        daemon = Mailbraked(build, tmp_path / command.replace("|", "-"))
        daemon.configure(as_user(command, timeout_ms=1000), rules=HOURLY)
        said = Command(build, daemon.config).check().stderr
        if command == "config|get":
            assert "can't check whether Redis evicts keys" in said, said
        else:
            assert re.search(rf"the Redis user may not run {command.upper()} on keys", said), said
            assert ("store away" in said) == (command[0] not in "hz"), said
            assert ("the store answers, but mailbraked can't: " in said) == (command[0] in "hz"), said


def test_check_makes_each_kind_of_call(mailbraked, build, own_redis):
    """Also where nothing is forbidden; and it leaves nothing behind."""
    daemon = mailbraked(redis_settings(own_redis), rules=HOURLY)
    daemon.allow_log(r"store|suppressed|could not")
    check = Command(build, daemon.config).check
    before = sorted(own_redis.keys())
    own_redis.command("CONFIG", "RESETSTAT")
    assert not re.search(r"the store answers|store: |Redis", check().stderr)
    assert sorted(own_redis.keys()) == before
    ran = own_redis.command("INFO", "commandstats")
    for command in COMMANDS:
        assert f"cmdstat_{command}:" in ran, (command, ran)
    own_redis.command("SET", "{mailbrake}:orders:index", "no index")
    said = check().stderr
    assert "mailbraked can't: write a record, search records\n" in said, said
    assert "WRONGTYPE" in said and "{mailbrake}:orders:index" in said, said


def test_status_says_one_thing_about_the_store(mailbraked, build, as_user, own_redis):
    daemon = mailbraked(as_user("zlexcount", "zrangebylex", on_failure="tempfail"), rules=HOURLY)
    daemon.allow_log(r"Redis|store|judged|suppressed|read")
    run = Command(build, daemon.config).run
    wait_until(lambda: "but its records" in run("status").stdout, 10, "status does not say so")
    status = json.loads(run("status", "--json").stdout)
    assert status["store"]["state"] == "ok" and " Z" in status["store"]["problem"]
    assert status["holds"] is None
    assert " Z" in run("quarantine", "list").stderr
    own_redis.kill()
    wait_until(lambda: "away" in run("status").stdout, 10, "status does not see it")
    said = run("status").stdout
    assert "answers" not in said and "does not answer" not in said, said
    assert "incidents are open is not known" in run("top").stdout


# ---- a brake while the store is away ----


def test_a_brake_is_set_while_the_store_is_away(mailbraked, build, own_redis, tmp_path):
    store = redis_settings(
        own_redis, timeout_ms=250, on_failure="tempfail", state_file=str(tmp_path / "state")
    )
    daemon = mailbraked(store, rules='{ name = "no"; to = ["x@z.example"]; action = "reject"; }')
    daemon.allow_log(r"store|records|suppressed|judged")
    run = Command(build, daemon.config).run
    own_redis.kill()
    done = run("brake", "set", "domain:x.example", "--action", "reject", "--for", "1h")
    assert done.returncode == 0 and "on this relay alone" in done.stdout, done
    assert milter.load(build, daemon.milter, messages=1, connections=1, from_="a@x.example")["reject"] == 1
    daemon.kill()  # at once
    daemon.start()
    wait_until(lambda: "domain:x.example" in run("brake", "list").stdout, 5, "it is forgotten")
    assert milter.load(build, daemon.milter, messages=1, connections=1, from_="a@x.example")["reject"] == 1
    own_redis.start()
    wait_until(lambda: own_redis.command("HLEN", "{mailbrake}:brakes") == 1, 10, "it is not written")
    brakes = json.loads(run("brake", "list", "--json").stdout)["brakes"]
    assert [b["key"] for b in brakes] == ["domain:x.example"]
    wait_until(
        lambda: "pending" not in json.loads(run("brake", "list", "--json").stdout)["brakes"][0],
        5,
        "it stays pending",
    )
