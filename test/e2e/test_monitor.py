"""Trying a policy in the shadows: monitor says what it would do, and does nothing."""

from mailbraked import people

ANN, BOB = "ann@district.example", "bob@district.example"
MONITOR_CAP = '{ name = "shadow"; reach_over = 2; action = "reject"; mode = "monitor"; }'
MONITOR_RATE = (
    '{ name = "shadow"; key = "sender"; limit = "2 messages per 366d"; action = "quarantine";'
    ' mode = "monitor"; }'
)
RATE = '{ name = "rate"; key = "sender"; limit = "3 messages per 366d"; action = "reject"; }'


def test_a_monitor_rule_never_stops(relay):
    mail = relay(rules=MONITOR_CAP)
    assert mail.send(ANN, people(3)).accepted
    verdict = mail.verdict()
    assert verdict.would == "shadow:reject" and verdict.verdict == "accept"
    assert mail.send(ANN, people(2)).accepted
    assert mail.verdict().would in ("", "-")
    assert mail.delivered().copies == 5


def test_the_walk_goes_on_below_a_monitor_rule(relay):
    mail = relay(rules=f"{MONITOR_CAP}, {RATE}")
    codes = [mail.send(ANN, people(3)).code for _ in range(4)]
    assert codes == [250] * 3 + [550]
    assert {v.would for v in mail.log(4)} == {"shadow:reject"}


def test_a_monitor_accept_exempts_nothing(relay):
    mail = relay(
        rules='{ name = "shadow"; action = "accept"; mode = "monitor"; },'
        '{ name = "closed"; action = "reject"; }'
    )
    assert mail.send(ANN, BOB).code == 550


def test_a_monitor_limit_never_stops_and_spends_nobody_elses(relay):
    mail = relay(rules=f"{MONITOR_RATE}, {RATE}")
    assert [mail.send(ANN, BOB).code for _ in range(5)] == [250] * 3 + [550] * 2
    would = [v.would not in ("", "-") for v in mail.log(5)]
    assert would == [False, False, True, True, True]
    assert mail.held() == []


def test_what_is_refused_spends_no_monitor_limit(relay):
    mail = relay(
        rules=f'{MONITOR_RATE}, {{ name = "cap"; reach_over = 2; action = "reject"; }}'
    )
    for _ in range(4):
        assert mail.send(ANN, people(3)).code == 550
    for _ in range(3):
        assert mail.send(ANN, BOB).accepted
    would = [v.would not in ("", "-") for v in mail.log(7)][4:]
    assert would == [False, False, True]


def test_global_monitor_changes_nothing(relay):
    mail = relay(
        mode="monitor",
        rules='{ name = "cap"; reach_over = 2; action = "reject"; },'
        '{ name = "odd"; from = ["odd@*.example"]; action = "quarantine"; },' + RATE,
    )
    assert mail.send(ANN, people(3)).accepted
    assert mail.send("odd@x.example", BOB).accepted
    for _ in range(5):
        assert mail.send(ANN, BOB).accepted
    verdicts = mail.log(7)
    assert {v.verdict for v in verdicts} == {"accept"}
    assert [v.would for v in verdicts[:2]] == ["cap:reject", "odd:quarantine"]
    assert [v.would not in ("", "-") for v in verdicts[2:]] == [False] * 3 + [True] * 2
    assert mail.held() == []
    assert mail.delivered().copies == 9
    assert all(d["X-Mailbrake"] is None for d in mail.delivered())
