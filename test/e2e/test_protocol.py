"""At the milter protocol: what a well-behaved MTA never does, and what each message
costs."""

import pytest

import milter
from mailbraked import people
from milter import HELLO, content, envelope, message
from stores import MEMORY

# mfdef.h, mfapi.h
NOBODY, NOEOH, NOUNKNOWN, NODATA = 0x10, 0x40, 0x100, 0x200
NR_HDR, NR_CONN, NR_MAIL, NR_RCPT = 0x80, 0x1000, 0x4000, 0x8000
ADDHDRS, CHGHDRS, QUARANTINE = 0x01, 0x10, 0x20

A, B = "a@district.example", "b@district.example"
FIVE = '{ name = "rate"; key = "sender"; limit = "5 messages per 366d"; action = "reject"; }'
CAP = '{ name = "cap"; reach_over = 3; action = "reject"; }'


@pytest.fixture
def brake(mailbraked, build):
    """brake(rules) starts a daemon and returns a function that plays a script to it."""

    def make(rules, **configuration):
        daemon = mailbraked(MEMORY, rules=rules, **configuration)

        def play(script, timeout_ms=10000):
            return milter.client(build, daemon.milter, script, timeout_ms)

        play.daemon = daemon
        return play

    return make


def test_a_message_costs_one_synchronous_reply(brake):
    play = brake(FIVE, lists={"many": people(50)})
    recipients = people(20) + ["many@district.example"]
    headers = [f"X-Header-{i}: value" for i in range(20)]
    steps = play(HELLO + message(A, *recipients, headers=headers) * 3)
    verdicts = milter.ends(steps)
    assert [step.reply for step in verdicts] == ["continue"] * 3
    assert [step.replies for step in verdicts] == [1] * 3
    waited = [step["step"] for step in steps if step.reply != "none"]
    assert waited == ["eob"] * 3


def test_it_asks_for_no_body_and_for_what_it_needs(brake):
    (_, terms, *_) = brake("")(HELLO)
    wanted = NOBODY | NOEOH | NOUNKNOWN | NODATA | NR_HDR | NR_CONN | NR_MAIL | NR_RCPT
    assert terms["steps"] & wanted == wanted
    needed = ADDHDRS | CHGHDRS | QUARANTINE
    assert terms["actions"] & needed == needed
    assert "{auth_authen}" in terms["symbols"]["mail"]
    assert "{rcpt_addr}" in terms["symbols"]["rcpt"]


def test_every_connection_negotiates_the_same(brake):
    steps = brake("")((HELLO + "quit\nclose\n") * 3)
    terms = [(s["steps"], s["actions"]) for s in steps if s["step"] == "negotiate"]
    assert len(terms) == 3 and len(set(terms)) == 1


def test_it_never_answers_early(brake):
    """Refused or not, nothing is said before the end of message."""
    steps = brake('{ name = "closed"; action = "reject"; }')(
        HELLO + message(A, *people(5)) + message("", B) + message(A, B, login="ann")
    )
    assert {step.reply for step in steps if step["step"] != "eob"} == {"none"}
    assert [step.reply for step in milter.ends(steps)] == ["replycode"] * 3


def test_a_quarantine_is_a_header_and_a_quarantine(brake):
    steps = brake('{ name = "hold"; action = "quarantine"; }')(
        HELLO + message(A, B, headers=["X-Mailbrake: one", "Subject: x", "x-mailbrake: two"])
    )
    (end,) = milter.ends(steps)
    assert end.reply == "continue"
    assert len(end.change("quarantine")) == 1
    (added,) = end.change("addheader") + end.change("insheader")
    assert added["name"] == "X-Mailbrake" and "rule=hold" in added["value"]
    removed = end.change("chgheader")
    assert {change["index"] for change in removed} == {1, 2}
    assert {change["value"] for change in removed} == {""}


# Case 1: several messages on one connection.


def test_several_messages_on_one_connection_are_counted_exactly(brake):
    script = HELLO
    script += message(A, B)  # 1
    script += envelope(A, *people(9)) + "abort\n"  # RSET halfway
    script += message(A, *people(4))  # over the cap
    script += message(A, B)  # 2
    script += envelope(A, B) + "header Subject x\nabort\n"
    script += message(A, B) * 3  # 3 4 5
    script += message(A, B)  # over the limit
    script += message("other@district.example", B)
    steps = brake(f"{FIVE}, {CAP}")(script + "quit\nwait_closed\n")
    kinds = [step.reply for step in milter.ends(steps)]
    assert kinds == ["continue", "replycode", *["continue"] * 4, "replycode", "continue"]
    assert "[mailbrake cap]" in milter.ends(steps)[1].text
    assert "[mailbrake rate]" in milter.ends(steps)[6].text
    assert "error" not in steps[-1]


def test_a_message_without_abort_in_between_starts_afresh(brake):
    """Sendmail sends no ABORT after a reply: MAIL alone must forget the last message."""
    steps = brake(CAP)(HELLO + (envelope(A, *people(3)) + content()) * 3)
    assert [step.reply for step in milter.ends(steps)] == ["continue"] * 3
    steps = brake(CAP)(HELLO + envelope(A, *people(3)) + envelope(A, *people(2)) + content())
    assert [step.reply for step in milter.ends(steps)] == ["continue"]


def test_a_login_does_not_outlive_its_message(brake):
    play = brake(FIVE)
    play(HELLO + message(A, B, login="ann") + message(A, B))
    assert [v.identity for v in play.daemon.verdicts(2)] == [
        "login:ann@district.example",
        "sender:a@district.example",
    ]


# Case 2: close, abort and reset at any time.


def test_closing_after_every_event_costs_nothing(brake):
    play = brake(FIVE)
    lines = ("open\n" + HELLO[5:] + message(A, B)).splitlines(keepends=True)
    before_the_end = lines[:-1]
    script = ""
    for count in range(1, len(before_the_end) + 1):
        script += "".join(before_the_end[:count]) + "close\n"
        script += "".join(before_the_end[:count]) + "abort\nclose\n" if count > 2 else ""
        script += "".join(before_the_end[:count]) + "quit\nclose\n" if count > 1 else ""
    steps = play(script)
    assert not [step for step in steps if step.error]
    codes = [step.reply for step in milter.ends(play(HELLO + message(A, B) * 6))]
    assert codes == ["continue"] * 5 + ["replycode"]
    assert len(play.daemon.verdicts()) == 6


def test_abort_whenever_and_twice(brake):
    play = brake(FIVE)
    script = HELLO + "abort\nabort\n" + message(A, B) + "abort\nabort\n" + message(A, B)
    script += envelope(A, B) + "abort\nabort\n" + message(A, B) + "abort\nquit\nwait_closed\n"
    steps = play(script)
    assert [step.reply for step in milter.ends(steps)] == ["continue"] * 3
    assert not [step for step in steps if step.error]


def test_a_closed_connection_while_the_verdict_is_due(brake, build):
    """EOB sent and gone before the reply: the daemon lives and serves on."""
    play = brake(FIVE)
    eob = "raw 0000000145\n"
    for _ in range(20):
        play(HELLO + envelope("x@y.example", B) + eob + "close\n")
    assert milter.ends(play(HELLO + message(A, B)))[0].reply == "continue"


def test_a_new_connection_on_the_same_socket(brake):
    """QUIT_NC: the MTA keeps the socket for its next client."""
    steps = brake(CAP)(
        HELLO
        + envelope(A, *people(3))
        + "quit_nc\nconnect other.example 10.9.9.9\nhelo other.example\n"
        + message(A, *people(3, "q"))
        + "quit\nwait_closed\n"
    )
    assert [step.reply for step in milter.ends(steps)] == ["continue"]
    assert not [step for step in steps if step.error]


def test_messages_in_the_wrong_order(brake):
    play = brake(FIVE)
    wrong = [
        HELLO + "eob\n",
        HELLO + "rcpt <b@x.example>\neob\n",
        HELLO + "header Subject x\neob\n",
        HELLO + "mail <a@x.example>\neob\n",
        "open\nnegotiate\nmail <a@x.example>\nrcpt <b@x.example>\neob\n",
        "open\nmail <a@x.example>\n",
        "open\nnegotiate\nnegotiate\n",
    ]
    for script in wrong:
        play.daemon.allow_log(".")  # it may complain, but
        play(script + "close\n", timeout_ms=200)
        assert play.daemon.is_running(), script
    assert milter.ends(play(HELLO + message(A, B)))[0].reply == "continue"


@pytest.mark.parametrize("hex_", ["00", "ff" * 64, "00000000", "7fffffff4f", "000000014f", "00000002"])
def test_garbage_on_the_socket(brake, hex_):
    play = brake(FIVE)
    play.daemon.allow_log(".")
    play(f"open\nraw {hex_}\nclose\nopen\nnegotiate\nraw {hex_}\nclose\n")
    assert milter.ends(play(HELLO + message(A, B)))[0].reply == "continue"


def test_macros_may_be_missing(brake):
    """Without macros the arguments are taken, as canonical as macros would be."""
    play = brake(FIVE)
    plain = 'mail "<{}>" SIZE=100\nrcpt "<b@district.example>" NOTIFY=NEVER\neob\n'
    spellings = ["A@District.example", "a+x@district.example", '"a"@district.example']
    spellings += ["@r.example:a@district.example", "a(c)@district.example"]
    script = "".join(plain.format(s.replace('"', '\\"')) for s in spellings)
    steps = play(HELLO + script + message(A, B))
    assert [step.reply for step in milter.ends(steps)] == ["continue"] * 5 + ["replycode"]


def test_many_recipients_and_long_headers_on_one_message(brake):
    play = brake("")
    headers = ["X-Long: " + "y" * 60000, "To: " + ", ".join(people(2000))]
    steps = play(HELLO + message(A, *people(3000), headers=headers))
    assert milter.ends(steps)[0].reply == "continue"
    assert play.daemon.verdicts(1)[0].reach == "3000"


def test_an_unknown_client_is_served(brake):
    play = brake(FIVE)
    steps = play("open\nnegotiate\nconnect unknown\nhelo x\n" + message("", B))
    assert milter.ends(steps)[0].reply == "continue"


def test_clients_take_turns(brake, build):
    """Two connections at once keep their messages apart."""
    play = brake(CAP)
    options = {"messages": 200, "connections": 10, "to": "p%r@district.example"}
    loads = [
        milter.Load(build, [play.daemon.milter], recipients=count, **options) for count in (3, 4)
    ]
    results = [load.result() for load in loads]
    assert results[0]["accept"] == 200 and results[1]["reject"] == 200
    assert all(result["replies_max"] == 1 for result in results)
