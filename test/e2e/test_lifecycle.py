"""Starting, reloading and stopping."""

import signal
import subprocess
import threading
import time

import pytest

import milter
from mailbraked import Command, people
from stores import MEMORY, memory_only, redis_only, redis_settings

ANN = "ann@district.example"
CAP = '{{ name = "cap"; reach_over = {}; action = "reject"; }}'


@memory_only
def test_a_reload_brings_the_new_rules(relay):
    mail = relay(rules=CAP.format(2))
    assert mail.send(ANN, people(3)).code == 550
    mail.daemon.configure(MEMORY, rules=CAP.format(3))
    mail.daemon.reload()
    assert mail.send(ANN, people(3)).accepted
    assert "limit 3)" in mail.send(ANN, people(4)).text


@memory_only
def test_a_reload_brings_the_new_lists(relay, postfix):
    mail = relay(rules=CAP.format(2), lists={"some": people(2)})
    assert mail.send(ANN, "some@district.example").accepted
    (mail.daemon.dir / "virtual").write_text(f"some@district.example {', '.join(people(3))}\n")
    mail.daemon.reload()
    assert mail.send(ANN, "some@district.example").code == 550


@pytest.mark.timing
def test_a_reload_does_not_wait_for_requests(mailbraked, build):
    """The one that asks for it has the old rules, too."""
    daemon = mailbraked(MEMORY, rules=CAP.format(2))
    command = Command(build, daemon.config)
    started = time.monotonic()
    assert command.run("reload").returncode == 0
    assert time.monotonic() - started < 1.5


@memory_only
@pytest.mark.parametrize(
    "broken", ["rules = (", 'rules = ( { name = "x"; action = "explode"; } );', "colour = 7;"]
)
def test_a_broken_file_keeps_the_old_rules_and_says_why(relay, broken):
    mail = relay(rules=CAP.format(2))
    mail.daemon.write(broken)
    mail.daemon.signal(signal.SIGUSR1)
    mail.expect_log(r"mailbrake\.conf:1: ")
    mail.daemon.allow_log(r"kept|keeps|old|reload")
    assert mail.send(ANN, people(3)).code == 550
    assert mail.send(ANN, people(2)).accepted


def test_reloads_under_traffic_lose_nothing(mailbraked, build):
    daemon = mailbraked(MEMORY, rules=CAP.format(2), lists={"some": people(2)})
    load = milter.Load(build, [daemon.milter], messages=3000, connections=8, rate=1500)
    for _ in range(15):
        daemon.signal(signal.SIGUSR1)
        time.sleep(0.1)
    result = load.result()
    assert result["accept"] == 3000, result


@pytest.mark.timing
def test_sigterm_under_traffic_loses_no_answer(mailbraked, build):
    """Each verdict in the log is an answer that arrived."""
    daemon = mailbraked(MEMORY, rules=CAP.format(2))
    load = milter.Load(build, [daemon.milter], messages=3000, connections=20, rate=1000)
    time.sleep(1.0)
    took, code = daemon.stop()
    result = load.result()
    assert code == 0 and took < 10
    answered = result["accept"] + result["reject"]
    assert answered >= 500
    assert len(daemon.verdicts()) == answered, result


@pytest.mark.timing
def test_sigterm_waits_for_decisions_in_flight(mailbraked, build, own_redis):
    store = redis_settings(own_redis, timeout_ms=2000, on_failure="tempfail")
    rate = '{ name = "r"; key = "sender"; limit = "1 messages per 1d"; action = "reject"; }'
    daemon = mailbraked(store, rules=rate)
    daemon.allow_log(r"(?i)redis|store|suppressed")
    own_redis.freeze()
    load = milter.Load(build, [daemon.milter], messages=10, connections=10)
    time.sleep(0.3)
    _, code = daemon.stop()
    result = load.result()
    assert code == 0
    # Not all need have come so far: libmilter keeps some waiting while its workers wait.
    assert result["tempfail"] > 0
    assert result["tempfail"] == len(daemon.verdicts()), result


def send_from_four(mail, each):
    """Four senders at once; what they were told, in no order. Postfix itself answers 451
    while the daemon is away."""
    codes = []

    def send():
        for _ in range(each):
            try:
                codes.append(mail.send(ANN, people(2)).code)
            except AssertionError as refused:
                assert "451" in str(refused)
                codes.append(451)
                time.sleep(0.005)

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    return senders, codes


@memory_only
def test_sigterm_behind_postfix_loses_no_mail(relay, postfix):
    """A sender is told either yes or later; every yes is delivered."""
    mail = relay(rules=CAP.format(2))
    postfix.allow_log(r"milter")
    senders, codes = send_from_four(mail, each=60)
    time.sleep(0.3)
    _, code = mail.daemon.stop()
    for sender in senders:
        sender.join()
    assert code == 0
    assert set(codes) <= {250, 451} and len(codes) == 240
    assert len(mail.delivered()) == codes.count(250)


@redis_only
def test_killed_in_the_middle_nothing_is_lost_or_charged_twice(relay, postfix):
    """But for the messages in flight, at most one for each sender."""
    mail = relay(
        rules='{ name = "rate"; key = "all"; limit = "1 messages per 366d"; burst = 150;'
        ' action = "reject"; }'
    )
    postfix.allow_log(r"milter")
    senders, codes = send_from_four(mail, each=100)
    time.sleep(0.3)
    mail.daemon.kill()
    mail.daemon.start()
    for sender in senders:
        sender.join()
    assert set(codes) == {250, 451, 550} and len(codes) == 400
    assert 150 - 4 <= codes.count(250) <= 150
    assert len(mail.delivered()) == codes.count(250)


@memory_only
def test_a_daemon_that_is_gone_is_a_temporary_failure(relay, postfix):
    mail = relay(rules="")
    postfix.allow_log(r"milter")
    mail.daemon.kill()
    session = mail.connect()
    code, _ = session.mail(ANN)
    codes = [code, session.rcpt("bob@district.example")[0]]
    assert 451 in codes
    mail.daemon.start()
    assert mail.send(ANN, "bob@district.example").accepted


def test_a_broken_configuration_is_not_started_with(build, tmp_path):
    config = tmp_path / "mailbrake.conf"
    config.write_text('milter = { socket = "unix:/run/nowhere"; };\ncolour = "red";\n')
    done = subprocess.run(
        [build.mailbraked, "-c", config], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert f"{config}:2: " in done.stderr


def test_a_missing_configuration_is_not_started_with(build, tmp_path):
    done = subprocess.run(
        [build.mailbraked, "-c", tmp_path / "none.conf"], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1 and "none.conf" in done.stderr
