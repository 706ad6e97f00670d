"""Token buckets: exactly N, all or nothing, whatever the key."""

import time

import pytest

from mailbraked import people
from stores import memory_only, redis_only

ANN, BOB = "ann@district.example", "bob@district.example"


def rate(name, key, limit, action="reject", more=""):
    return (
        f'{{ name = "{name}"; key = "{key}"; limit = "{limit} per 366d";'
        f' action = "{action}"; {more} }}'
    )


def test_a_bucket_of_n_admits_exactly_n(relay):
    mail = relay(rules=rate("rate", "sender", "5 messages"))
    assert [mail.send(ANN, BOB).code for _ in range(8)] == [250] * 5 + [550] * 3
    assert mail.delivered().copies == 5


def test_recipients_are_counted_as_copies(relay):
    mail = relay(rules=rate("rate", "sender", "10 recipients"), lists={"four": people(4)})
    four = "four@district.example"
    assert mail.send(ANN, four).accepted
    assert mail.send(ANN, [four, "p1@district.example"]).accepted  # 5 copies, 4 persons
    assert "(cost 4, left 1 of 10)" in mail.send(ANN, four).text
    assert mail.send(ANN, BOB).accepted


def test_a_bucket_refills(relay):
    mail = relay(
        rules='{ name = "rate"; key = "sender"; limit = "1 messages per 2s"; burst = 2;'
        ' action = "defer"; }'
    )
    started = time.monotonic()
    assert [mail.send(ANN, BOB).code for _ in range(3)] == [250, 250, 450]
    assert time.monotonic() - started < 2, "too slow to tell"
    time.sleep(2.1)
    assert [mail.send(ANN, BOB).code for _ in range(2)] == [250, 450]


def test_burst_is_the_size_of_the_bucket(relay):
    mail = relay(rules=rate("rate", "sender", "1 messages", more="burst = 4;"))
    assert [mail.send(ANN, BOB).code for _ in range(6)] == [250] * 4 + [550] * 2


@pytest.mark.parametrize("empty_one_first", [True, False])
def test_of_two_limits_with_one_empty_neither_is_charged(relay, empty_one_first):
    by_sender = rate("by-sender", "sender", "10 messages")
    by_client = rate("by-client", "client", "1 messages")
    pair = [by_client, by_sender] if empty_one_first else [by_sender, by_client]
    mail = relay(rules=", ".join(pair))
    assert mail.send(ANN, BOB, client="10.0.0.1").accepted
    for _ in range(5):
        # after a second with the incident's id
        assert "[mailbrake by-client" in mail.send(ANN, BOB, client="10.0.0.1").text
    codes = [mail.send(ANN, BOB, client=f"10.0.1.{i}").code for i in range(10)]
    assert codes == [250] * 9 + [550]


def test_a_limit_below_the_accepting_rule_is_not_charged(relay):
    mail = relay(
        rules="{ name = 'friends'; from = ['@friends.example']; action = 'accept'; },".replace(
            "'", '"'
        )
        + rate("rate", "all", "1 messages")
    )
    for _ in range(3):
        assert mail.send("x@friends.example", BOB).accepted
    assert [mail.send(ANN, BOB).code for _ in range(2)] == [250, 550]


@pytest.mark.parametrize(
    "key, same, other",
    [
        ("login", {"login": "ann"}, {"login": "eve"}),
        ("client", {"client": "10.0.0.1"}, {"client": "10.0.0.2"}),
        ("sender_domain", {"frm": "x@one.example"}, {"frm": "x@two.example"}),
        ("list", {"to": "left@district.example"}, {"to": "right@district.example"}),
    ],
)
def test_each_key_has_its_own_bucket(relay, key, same, other):
    mail = relay(
        rules=rate("rate", key, "2 messages", more='to = ["list:*"];' if key == "list" else ""),
        lists={"left": people(2), "right": people(2, "q")},
    )

    def send(frm=ANN, to=BOB, **options):
        return mail.send(frm, to, **options).code

    assert [send(**same) for _ in range(3)] == [250, 250, 550]
    assert send(**other) == 250


def test_the_key_all_is_one_bucket_for_everybody(relay):
    mail = relay(rules=rate("rate", "all", "2 messages", "defer"))
    assert mail.send(ANN, BOB).accepted
    assert mail.send(BOB, ANN, client="10.0.0.9").accepted
    assert mail.send("x@y.example", ANN, login="eve").code == 450


def test_a_list_bucket_is_charged_the_lists_own_size(relay):
    mail = relay(
        rules=rate("rate", "list", "10 recipients", more='to = ["list:*"];'),
        lists={"four": people(4), "six": people(6, "q")},
    )
    four, six = "four@district.example", "six@district.example"
    assert mail.send(ANN, [four, six]).accepted
    assert mail.send(ANN, four).accepted
    assert "(cost 6, left 4 of 10)" in mail.send(ANN, six).text
    assert "(cost 4, left 2 of 10)" in mail.send(ANN, [four, BOB]).text


@memory_only
def test_over_64_list_buckets_the_rule_fires(relay):
    lists = {f"l{i}": people(2, f"l{i}p") for i in range(65)}
    mail = relay(rules=rate("rate", "list", "9 messages", more='to = ["list:*"];'), lists=lists)
    addresses = [f"{name}@district.example" for name in lists]
    assert mail.send(ANN, addresses).code == 550
    assert mail.send(ANN, addresses[:64]).accepted


def test_who_lacks_the_key_does_not_match(relay):
    mail = relay(rules=rate("rate", "login", "1 messages"))
    assert [mail.send(ANN, BOB).code for _ in range(3)] == [250] * 3


@redis_only
def test_keys_in_redis_hold_no_address_and_expire(relay, redis):
    mail = relay(
        rules=rate("rate", "sender", "5 messages") + "," + rate("c", "client", "5 messages")
    )
    assert mail.send(ANN, BOB).accepted
    keys = redis.keys()
    buckets = [key for key in keys if redis.command("TTL", key) > 0]
    assert len(buckets) == 2
    assert not [key for key in keys if "ann" in key or "@" in key or "10.1.2.3" in key]
    assert all(key.startswith("{mailbrake}:") for key in keys), keys


@redis_only
def test_a_flushed_script_cache_is_no_matter(relay, redis):
    mail = relay(rules=rate("rate", "sender", "3 messages"))
    assert mail.send(ANN, BOB).accepted
    redis.command("SCRIPT", "FLUSH")
    assert [mail.send(ANN, BOB).code for _ in range(3)] == [250, 250, 550]
    assert {v.store for v in mail.log(4)} == {"redis"}


@redis_only
def test_a_restarted_daemon_finds_its_buckets_in_redis(relay):
    mail = relay(rules=rate("rate", "sender", "3 messages"))
    assert [mail.send(ANN, BOB).code for _ in range(2)] == [250, 250]
    mail.daemon.kill()
    mail.daemon.start()
    assert [mail.send(ANN, BOB).code for _ in range(2)] == [250, 550]
