"""action = "confirm": mail is held, and its own sender lets it go by answering a letter;
nobody else can, and nothing else does."""

import json
import re
import time

import pytest

from mailbraked import people
from postfix import wait_until
from stores import MEMORY, redis_only, redis_settings
from test_admin import ANN, BOB, CLASS, administered, helper  # noqa: F401, fixtures
from test_everywhere import relays, running_second, together  # noqa: F401, fixtures
from test_release import TEAM, Team, aliases, noting, reviewed

ASK = "confirm@district.example"
CONFIRM = {"address": ASK, "for": "24h", "max_reach": 50}
RULE = '{ name = "ask"; reach_over = 2; action = "confirm"; reason = "Ask first."; }'
LISTS = {"class": people(5), "families": people(60, "f")}
STRANGER = "203.0.113.9"  # not trusted


@pytest.fixture(params=["memory"])
def store(request):
    """Where nothing else is said."""
    if request.param == "memory":
        return dict(MEMORY)
    return redis_settings(request.getfixturevalue("redis"))


@pytest.fixture
def asking(administered):  # noqa: F811
    def make(**settings):
        return administered(**{"rules": RULE, "lists": LISTS, "confirm": CONFIRM, **settings})

    return make


POSTMASTER = "postmaster@district.example"
TOLD = {"notify": {"to": [POSTMASTER], "tell_sender": False}}


def letters(mail, to=ANN):
    return [d for d in mail.postfix.sink.kept() if d.sender == "" and to in d.recipients]


def told(mail, words, to=ANN):
    """The text of the letter whose subject has these words."""
    found = []

    def arrived():
        found[:] = [one for one in letters(mail, to) if words in one["Subject"]]
        return found

    wait_until(arrived, 15, f"no letter {words}:", mail.daemon.text)
    return found[0].message.get_payload()


def letter(mail, to=ANN, count=1):
    wait_until(lambda: len(letters(mail, to)) >= count, 15, "no letter:", mail.daemon.text)
    return letters(mail, to)[count - 1]


def last(mail):
    """The latest verdict; each test makes one message at a time."""
    return mail.daemon.verdicts()[-1]


def reply_to(one):
    return one["Reply-To"]


def answer(mail, to, frm=ANN, login="ann", **more):
    return mail.send(frm, to, login=login, headers={"Subject": "Re: yes"}, **more)


def copies(mail):
    """Of what was sent to the class."""
    return sum(
        len(d.recipients) for d in mail.delivered() if any("p" == r[0] for r in d.recipients)
    )


def confirmations(mail, count=1):
    def ended():
        return [e for e in mail.audit("confirm") if not e["result"].startswith("not ended")]

    wait_until(lambda: len(ended()) >= count, 15, "not audited", mail.daemon.text)
    return ended()


def refused(mail, why, count=1):
    entries = confirmations(mail, count)
    assert len(entries) == count and entries[-1]["result"] == f"not confirmed: {why}"
    assert len(mail.held()) >= 1
    return entries[-1]


@pytest.mark.parametrize("store", ["memory", "redis"], indirect=True)
def test_the_sender_lets_it_go(asking):
    mail = asking()
    (hold,) = mail.hold(login="ann")
    one = letter(mail)
    assert one["Subject"] == "Your mail to 5 people waits for your answer"
    assert re.fullmatch(r"confirm\+[a-z0-9]{16}@district\.example", reply_to(one))
    assert one["Auto-Submitted"] == "auto-generated"
    assert re.search("held for +reach over 2\n", one.message.get_payload())
    assert answer(mail, reply_to(one)).accepted
    assert last(mail).rule == "confirmation"
    (entry,) = confirmations(mail)
    assert (entry["user"], entry["uid"]) == (f"login:{ANN}", None)
    assert (entry["target"], entry["ids"]) == (hold["incident"], [hold["id"]])
    assert entry["result"] == "ok, 1 released"
    assert mail.held() == [] and copies(mail) == 5
    assert [d for d in mail.delivered() if reply_to(one) in d.recipients]
    (incident,) = mail.json("incidents")["incidents"]
    assert (incident["released"], incident["waiting"]) == (1, 0)


@redis_only
def test_afterwards_twice_as_much_passes(asking):
    mail = asking()
    mail.hold(login="ann")
    assert answer(mail, reply_to(letter(mail))).accepted
    confirmations(mail)
    told = mail.explain(ANN, CLASS, login="ann")
    assert told["verdict"] == "accept"
    assert "confirmed" in told["rules"][0]["why"]
    assert mail.explain(BOB, CLASS, login="bob")["verdict"] == "quarantine"
    for _ in range(2):
        assert mail.send(ANN, CLASS, login="ann").accepted
        assert last(mail).verdict == "accept"
    assert mail.send(ANN, CLASS, login="ann").accepted
    assert last(mail).verdict == "quarantine"
    assert mail.explain(ANN, CLASS, login="ann")["verdict"] == "quarantine"
    assert copies(mail) == 15


def test_others_cannot(asking):
    mail = asking()
    mail.hold(login="ann")
    to = reply_to(letter(mail))
    assert answer(mail, to, frm=BOB, login="bob").accepted
    refused(mail, "somebody else was asked")
    assert answer(mail, to, frm=ANN, login="bob").accepted
    refused(mail, "somebody else was asked", 2)
    assert answer(mail, to, login=None, client=STRANGER).accepted
    refused(mail, "neither a login nor a trusted sender sent it", 3)
    assert answer(mail, to, login=None).accepted
    refused(mail, "somebody else was asked", 4)
    assert mail.send("", to, login=None).accepted
    refused(mail, "neither a login nor a trusted sender sent it", 5)
    assert answer(mail, to).accepted, "nothing of that used it up"
    assert confirmations(mail, 6)[-1]["result"] == "ok, 1 released"


def test_a_program_is_no_sender(asking):
    """A vacation program answers with the null sender, or says that it is one."""
    mail = asking()
    mail.hold(login="ann")
    to = reply_to(letter(mail))
    assert mail.send("", to, login="ann", headers={"Auto-Submitted": "auto-replied"}).accepted
    refused(mail, "a program wrote it")
    assert mail.send(ANN, to, login="ann", headers={"Precedence": "bulk"}).accepted
    refused(mail, "a program wrote it", 2)
    assert mail.send("", to, login="ann").accepted
    refused(mail, "a program wrote it", 3)
    assert answer(mail, to).accepted
    assert confirmations(mail, 4)[-1]["result"] == "ok, 1 released"


def test_once_and_only_its_own_incident(asking):
    mail = asking(rules=RULE + ',{ name = "two"; reach_over = 1; action = "confirm"; }')
    (first,) = mail.hold(login="ann")
    one = reply_to(letter(mail))
    (second,) = mail.hold(to=["x@district.example", "y@district.example"], login="ann")
    two = reply_to(letter(mail, count=2))
    assert one != two and first["incident"] != second["incident"]
    assert answer(mail, one).accepted
    confirmations(mail)
    assert [h["id"] for h in mail.holds()] == [second["id"]]
    assert answer(mail, one).accepted
    refused(mail, "the letter was answered before", 2)
    other = "0" if two[8] != "0" else "1"
    assert answer(mail, f"confirm+{other}{two[9:]}").accepted
    refused(mail, "no letter has this token", 3)
    assert answer(mail, ASK.replace("@", "+yes@")).accepted
    refused(mail, "no letter has this token", 4)
    assert answer(mail, [one, two]).accepted
    refused(mail, "it answers several letters", 5)
    assert answer(mail, ASK).accepted and len(mail.audit("confirm")) == 5
    assert answer(mail, two).accepted
    confirmations(mail, 6)
    assert mail.holds() == [] and mail.held() == []


def test_too_many_or_nobody_to_ask_is_plain_quarantine(asking):
    mail = asking(notify={"tell_sender": True})
    mail.hold(to="families@district.example", login="ann")
    mail.hold(frm=BOB, login="bob")  # who is asked at once; her letter goes with his
    one = letter(mail)
    assert one["Reply-To"] is None and "held for review" in one["Subject"]
    assert mail.explain(ANN, "families@district.example", login="ann")["confirm"] is False
    assert mail.explain(ANN, CLASS, login="ann")["confirm"] is True
    assert mail.explain(ANN, CLASS, client=STRANGER)["confirm"] is False
    assert mail.explain(BOB, CLASS, login="ann")["confirm"] is False


def test_in_mode_monitor_nobody_is_asked(asking):
    mail = asking(mode="monitor")
    assert mail.send(ANN, CLASS, login="ann").accepted
    wait_until(lambda: mail.json("incidents", "--would")["incidents"], 15, "nothing would have been")
    told = mail.explain(ANN, CLASS, login="ann")
    assert (told["verdict"], told["would"], told["confirm"]) == ("accept", "quarantine", False)
    assert letters(mail) == []


def test_without_an_address_nobody_can(asking):
    mail = asking(confirm={})
    mail.daemon.allow_log("nobody can confirm")
    mail.hold(login="ann")
    assert mail.explain(ANN, CLASS, login="ann")["confirm"] is False
    assert answer(mail, ASK.replace("@", "+0123456789abcdef@")).accepted
    assert len(mail.held()) == 1 and letters(mail) == [] and mail.audit("confirm") == []


def test_what_grew_beyond_is_left_to_administrators(asking):
    mail = asking()
    mail.hold(login="ann")
    to = reply_to(letter(mail))
    mail.hold(to="families@district.example", login="ann")
    assert answer(mail, to).accepted
    refused(mail, "it reaches more people than confirm.max_reach")
    assert len(mail.held()) == 2


def test_many_small_ones_are_many_people(asking):
    """Each is below max_reach; all of them together are not."""
    mail = asking(confirm={**CONFIRM, "max_reach": 8})
    with noting(mail, 2):
        for number in range(2):
            mail.hold(to=[f"{c}{number}@district.example" for c in "abcde"], login="ann")
    to = reply_to(letter(mail))
    assert answer(mail, to).accepted
    (entry,) = confirmations(mail)
    assert entry["result"] == "not released: it would reach 10 people, more than 8"
    assert len(mail.held()) == 2


def test_all_that_is_held_goes_even_by_the_hundreds(asking):
    mail = asking(quarantine={"max_per_incident": 60}, confirm={**CONFIRM, "max_reach": 400})
    session = mail.connect(login="ann")
    for number in range(65):
        session.message(ANN, [f"p{number}{c}@district.example" for c in "abc"])
    session.quit()
    assert len(mail.held()) == 60
    to = reply_to(letter(mail))
    assert answer(mail, to).accepted
    assert len(letters(mail)) == 1
    (entry,) = confirmations(mail)
    assert entry["result"] == "ok, 60 released" and len(entry["ids"]) == 60
    assert copies(mail) == 180 and mail.held() == []


def test_the_answer_passes_the_latch_that_held_the_mail(asking):
    rate = 'name = "rate"; key = "sender"; limit = "6 recipients per 1h"; latch = "1h"'
    mail = asking(rules=f'{{ {rate}; action = "confirm"; }}')
    assert mail.send(ANN, CLASS, login="ann").accepted
    mail.hold(login="ann")
    to = reply_to(letter(mail))
    assert mail.explain(ANN, BOB, login="ann")["verdict"] == "quarantine", "latched"
    assert answer(mail, to).accepted
    assert (last(mail).verdict, last(mail).rule) == ("accept", "confirmation")
    confirmations(mail)
    assert mail.held() == [] and copies(mail) == 10


def test_a_brake_stops_the_answer(asking):
    """And what the same login sent in another name goes with the rest."""
    mail = asking()
    mail.hold(login="ann")
    to = reply_to(letter(mail))
    mail.hold(frm="office@district.example", login="ann")
    mail.ok("brake", "set", f"login:{ANN}")
    assert not answer(mail, to).accepted
    mail.ok("brake", "clear", f"login:{ANN}")
    assert mail.audit("confirm") == []
    assert answer(mail, to).accepted
    assert confirmations(mail)[-1]["result"] == "ok, 2 released"


def test_a_trusted_sender_without_login(asking):
    mail = asking()
    mail.hold()
    to = reply_to(letter(mail))
    assert answer(mail, to, login="ann").accepted
    refused(mail, "somebody else was asked")
    assert answer(mail, to, login=None).accepted
    entry = confirmations(mail, 2)[-1]
    assert entry["user"] == f"sender:{ANN}" and entry["result"] == "ok, 1 released"


def test_a_forgers_mail_stays_though_its_incident_is_confirmed(asking):
    mail = asking()
    (mine,) = mail.hold()
    (forged,) = mail.hold(client=STRANGER)
    assert mine["incident"] == forged["incident"]
    assert answer(mail, reply_to(letter(mail)), login=None).accepted
    (entry,) = confirmations(mail)
    assert entry["ids"] == [mine["id"]]
    assert [h["id"] for h in mail.holds()] == [forged["id"]]
    assert mail.send(ANN, CLASS, client=STRANGER).accepted
    assert last(mail).verdict == "quarantine"


def test_what_is_no_setting(asking, build, folder):
    mail = asking()
    text = mail.daemon.config.read_text()
    for wrong, words in [
        (f'"{ASK}"', '"a@elsewhere.example"'),
        (f'"{ASK}"', '"' + "c" * 47 + '@district.example"'),
        (f'"{ASK}"', '"con+firm@district.example"'),
        ('"24h"', '"1s"'),
        ("max_reach = 50", "max_reach = 0"),
    ]:
        assert wrong in text
        mail.daemon.config.write_text(text.replace(wrong, words))
        done = mail.run("check")
        assert done.returncode == 1 and "confirm." in done.stderr, done.stderr
    mail.daemon.config.write_text('lists_unknown = "confirm";\n' + text)
    assert "lists_unknown" in mail.run("check").stderr
    mail.daemon.config.write_text(text.replace(f'"{ASK}"', '""'))
    assert "nobody can confirm" in mail.run("check").stderr
    mail.daemon.config.write_text(text)
    assert mail.run("brake", "set", f"login:{ANN}", "--action", "confirm").returncode != 0


@pytest.mark.parametrize("store", ["memory", "redis"], indirect=True)
def test_the_answer_outlives_a_crash(asking):
    """It is written down before it is accepted, goes on after that, and nothing happens
    twice; while the helper is away, the audit is not filled."""
    mail = asking()
    mail.hold(3, login="ann")
    to = reply_to(letter(mail))
    mail.helper.kill()
    mail.daemon.allow_log("mailbrake-mta|mta.sock")
    assert answer(mail, to).accepted
    mail.daemon.kill()
    mail.daemon.start()
    time.sleep(2.2)  # more than one try
    mail.helper.start()
    wait_until(lambda: mail.postfix.held() == [], 25, "still held", mail.daemon.text)
    assert len(confirmations(mail)[-1]["ids"]) == 3 and copies(mail) == 15
    lines = [line for line in mail.audit_file.read_text().splitlines() if '"confirm"' in line]
    ends = ["end" in json.loads(line) for line in lines]  # a crash may leave a beginning
    assert ends in ([False, True], [False, False, True]), lines
    mail.daemon.kill()
    mail.daemon.start()
    assert mail.send(ANN, CLASS, login="ann").accepted, "twice the copies that were held"
    assert last(mail).verdict == "accept" and copies(mail) == 20
    before = len(confirmations(mail))
    assert answer(mail, to).accepted
    assert "answered before" in confirmations(mail, before + 1)[-1]["result"]


def test_a_letter_outlives_a_crash(asking):
    """In memory, too: its token is on disk before it goes out."""
    mail = asking()
    (hold,) = mail.hold(login="ann")
    to = reply_to(letter(mail))
    mail.daemon.kill()
    mail.daemon.start()
    assert answer(mail, to).accepted
    assert confirmations(mail)[-1]["ids"] == [hold["id"]]


def test_a_grown_audience_is_left_to_administrators(asking):
    """Postfix expands the list only when it delivers: aliases(5). Administrators and the
    sender are told, each once."""
    mail = asking(lists={}, aliases=aliases(*people(5)), **TOLD)
    team = Team(mail)
    team.become(*people(5))
    (hold,) = reviewed(mail, to=TEAM, login="ann")
    to = reply_to(letter(mail))
    notice = told(mail, "held", POSTMASTER)
    assert f"{ANN} has been asked by letter" in notice and "by answering, until" in notice
    team.become(*people(9))
    assert answer(mail, to).accepted
    (entry,) = confirmations(mail)
    assert entry["result"].startswith("not released: the people it reaches have changed")
    assert len(mail.held()) == 1
    word = told(mail, "Your mail is still held")
    assert "have changed since" in word and hold["incident"] in word and "--reach" not in word
    notice = told(mail, f"still held, though {ANN} confirmed it", POSTMASTER)
    assert "4 more, 0 fewer: 9 people" in notice and "has been asked" not in notice
    assert f"mailbrake quarantine release --incident {hold['incident']}" in notice
    assert len(letters(mail)) == 2 and len(letters(mail, POSTMASTER)) == 2


def test_what_an_administrator_decided_meanwhile_stands(asking):
    """He braked the list, refused the mail, or had the rule ask no more."""
    mail = asking()
    (mine,) = mail.hold()
    (forged,) = mail.hold(client=STRANGER)
    to = reply_to(letter(mail))
    mail.ok("quarantine", "refuse", mine["id"])
    assert answer(mail, to, login=None).accepted
    assert confirmations(mail)[-1]["result"] == "not released: nothing of it is held any more"
    assert "somebody has decided about it" in told(mail, "Your answer came too late")
    assert [h["id"] for h in mail.holds()] == [forged["id"]]

    mail.hold(login="bob", frm=BOB)
    to = reply_to(letter(mail, BOB))
    mail.ok("brake", "set", f"list:{CLASS}", "--for", "1h")
    assert answer(mail, to, frm=BOB, login="bob").accepted
    assert confirmations(mail, 2)[-1]["result"] == "not released: a brake (list) stops it"
    assert "administrators have stopped such mail" in told(mail, "still held", BOB)
    assert len(mail.held()) == 2
    mail.ok("brake", "clear", f"list:{CLASS}")
    assert mail.explain(BOB, CLASS, login="bob")["verdict"] == "quarantine", "nothing is allowed"

    mail.hold(frm="cy@district.example", login="cy")
    to = reply_to(letter(mail, "cy@district.example"))
    text = mail.daemon.config.read_text()
    mail.daemon.config.write_text(text.replace('"confirm"; reason', '"quarantine"; reason'))
    mail.ok("reload")
    assert answer(mail, to, frm="cy@district.example", login="cy").accepted
    refused(mail, "its rule does not let senders confirm any more", 3)
    assert len(mail.held()) == 3


def test_what_two_must_approve_no_sender_is_asked_about(asking):
    mail = asking(quarantine={"approve_over": 4}, notify={"tell_sender": True})
    assert mail.explain(ANN, CLASS, login="ann")["confirm"] is False
    assert mail.explain(ANN, *people(4), login="ann")["confirm"] is True
    mail.hold(to=people(4), login="ann")
    to = reply_to(letter(mail))
    mail.hold(to=people(3, "x"), login="ann")
    assert answer(mail, to).accepted
    assert confirmations(mail)[-1]["result"] == "not released: it would reach 7 people, more than 4"
    assert len(mail.held()) == 2


def test_a_permit_is_used_first(asking):
    mail = asking()
    mail.hold(login="ann")
    assert answer(mail, reply_to(letter(mail))).accepted
    confirmations(mail)
    mail.ok("permit", "set", "login:ann", "--copies", "5", "--for", "1h")
    passed = []
    for _ in range(4):
        assert mail.send(ANN, CLASS, login="ann").accepted
        passed.append((last(mail).verdict, last(mail).rule))
    assert passed == [("accept", "permit"), *[("accept", "-")] * 2, ("quarantine", "ask")]


def test_a_strangers_mail_in_the_incident_counts_for_nothing(asking):
    """One incident of all: neither what he reaches, nor what he has on hold."""
    rule = '{ name = "ask"; reach_over = 2; key = "all"; action = "confirm"; }'
    mail = asking(rules=rule)
    (mine,) = mail.hold(login="ann")
    mail.hold(to="families@district.example", client=STRANGER, frm="x@far.example")
    one = letter(mail)
    assert one["Subject"] == "Your mail to 5 people waits for your answer"
    assert answer(mail, reply_to(one)).accepted
    assert confirmations(mail)[-1]["ids"] == [mine["id"]]
    assert len(mail.held()) == 1


def test_a_flood_of_tokens_does_not_fill_the_audit(asking):
    mail = asking()
    session = mail.connect(client=STRANGER)
    for number in range(120):
        session.message("x@far.example", [f"confirm+{number:016d}@district.example"])
    session.quit()
    mail.hold(login="ann")
    assert answer(mail, reply_to(letter(mail)), frm=BOB, login="bob").accepted
    wait_until(lambda: mail.audit("confirm")[-1]["user"] == f"login:{BOB}", 5, "no line of Bob")
    entries = mail.audit("confirm")
    assert len(entries) <= 31 + 30  # a minute may end in between
    assert "more such answers in a short time" in entries[-1]["result"]


def test_hashed_addresses_stay_hashed(asking):
    mail = asking(privacy={"addresses": "hashed"})
    mail.hold(login="ann")
    to = reply_to(letter(mail))
    assert answer(mail, to, frm=BOB, login="bob").accepted
    confirmations(mail)
    assert answer(mail, to).accepted
    for entry in confirmations(mail, 2):
        assert re.fullmatch("login:[0-9a-f]{32}", entry["user"])
    for text in (mail.daemon.text(), mail.audit_file.read_text()):
        assert "ann@" not in text and "confirm+" not in text


def test_what_is_usual_is_said(asking):
    rule = (
        '{ name = "grown"; key = "sender"; surge = 2; window = "1s"; floor = 4;'
        ' action = "confirm"; }'
    )
    mail = asking(rules=rule)
    mail.send(ANN, ["a@district.example", "b@district.example", "c@district.example"], login="ann")
    time.sleep(1.1)
    mail.hold(to=[f"p{n}@district.example" for n in range(9)], login="ann")
    body = letter(mail).message.get_payload()
    assert re.search(r"usual +3 people", body), body
    assert "would reach 9 people; it usually reaches 3." in body
    assert "tell\npostmaster@district.example" in body


# Two relays.


def asked(here, there, who=ANN):
    """Where the one letter is answered to, whichever relay wrote it."""
    wait_until(lambda: letters(here, who) + letters(there, who), 15, "no letter")
    (one,) = letters(here, who) + letters(there, who)
    return reply_to(one)


def test_each_relay_releases_what_it_holds(relays):  # noqa: F811
    here, there = relays(rules=RULE, lists=LISTS, confirm=CONFIRM)
    (one,) = here.hold(login="ann")
    (two,) = there.hold(login="ann")
    assert one["incident"] == two["incident"] and two["host"] == "relay2"
    assert answer(there, asked(here, there)).accepted
    wait_until(lambda: not here.postfix.held() + there.postfix.held(), 10, "still held")
    (mine,), (yours,) = confirmations(here), confirmations(there)
    assert (mine["ids"], yours["ids"]) == ([one["id"]], [two["id"]])
    assert mine["user"] == yours["user"] == f"login:{ANN}"
    assert copies(here) == copies(there) == 5
    passed = 0
    for mail in (here, there, here, there, here, there):
        assert mail.send(ANN, CLASS, login="ann").accepted
        passed += last(mail).verdict == "accept"
    assert passed == 4, "twice the ten copies that were held, on both together"


def test_the_people_of_all_relays_are_counted(relays):  # noqa: F811
    """The same people on both are counted once; more than a sender may let go stay on
    both."""
    here, there = relays(rules=RULE, lists=LISTS, confirm={**CONFIRM, "max_reach": 8})
    with noting(here, 2), noting(there, 3):
        for mail in (here, there):
            mail.hold(login="ann")
            mail.hold(to=people(4, "b"), frm=BOB, login="bob")
        there.hold(to=people(5, "x"), frm=BOB, login="bob")
    to = asked(here, there)
    assert answer(here, to).accepted
    wait_until(lambda: confirmations(there)[-1]["result"] == "ok, 1 released", 10, "not released")
    assert confirmations(here)[-1]["result"] == "ok, 1 released"
    assert copies(here) == copies(there) == 5
    to = asked(here, there, BOB)
    assert answer(there, to, frm=BOB, login="bob").accepted
    assert confirmations(there, 2)[-1]["result"] == "not released: it would reach 9 people, more than 8"
    word = told(there, "still held", BOB)
    assert "more people than a sender can decide about" in word
    assert len(here.held()) == 1 and len(there.held()) == 2
    assert len(confirmations(here)) == 1 and here.audit("confirm") == confirmations(here)


def test_an_answer_waits_for_a_relay_that_is_away(relays):  # noqa: F811
    here, there = relays(rules=RULE, lists=LISTS, confirm=CONFIRM)
    (hold,) = there.hold(login="ann")
    to = asked(here, there)
    there.daemon.kill()
    assert answer(here, to).accepted
    assert confirmations(here)[-1]["result"] == "ok, 0 released"
    assert len(there.postfix.held()) == 1
    there.daemon.start()
    wait_until(lambda: not there.postfix.held(), 10, "still held", there.daemon.text)
    assert confirmations(there)[-1]["ids"] == [hold["id"]]
    for mail in (here, there):
        mail.daemon.allow_log("store")
    here.redis.stop()
    assert answer(here, to).code == 451
    wait_until(
        lambda: "not confirmed: the store did" in here.audit_file.read_text(), 5, "not audited"
    )
