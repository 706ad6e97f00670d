"""A list that suddenly grows or shrinks: what counts, what is held, who gets a notice, and what
accepting it changes."""

import pytest

from helper import helped, helper  # noqa: F401, fixtures
from mailbraked import full, people
from postfix import wait_until
from relay import lists_for_postfix
from slapd import BASE, group, person
from stores import memory_only
from test_admin import ANN, administered  # noqa: F401, a fixture
from test_ldap import slapd, source  # noqa: F401, a fixture

ADMIN = "postmaster@district.example"
RULE = "trial@district.example"
NEWS = "news@district.example"
CAP = '{ name = "cap"; reach_over = 3000; action = "reject"; }'


@pytest.fixture
def rostered(administered, postfix):  # noqa: F811
    """Lists in files, of 40 and 60 people, the second with the first in it."""
    files = {"trial": people(40), "news": ["trial", *people(20, "n")]}

    def make():
        mail = administered(
            lists={},
            files=files,
            rules=CAP,
            notify={"to": [ADMIN], "min_interval": "1h", "tell_sender": False},
        )
        lists_for_postfix(postfix, files=files)
        return mail

    return make


def put(mail, name, members):
    """As an export does it; returns once the daemon has read it."""
    path = mail.daemon.dir / f"{full(name)}.txt"
    path.write_text("".join(f"{full(member)}\n" for member in members))
    lists_for_postfix(mail.postfix, files={name: members, "news": ["trial", *people(20, "n")]})
    mail.daemon.reload()


def listed(mail, address):
    (entry,) = mail.json("lists", address)["lists"]
    return entry["state"], entry["was"], entry["size"]


def notices(mail):
    letters = [d for d in mail.delivered() if d.sender == "" and ADMIN in d.recipients]
    return [d["Subject"] for d in letters]


def wait_for_notices(mail, count):
    wait_until(lambda: len(notices(mail)) == count, 20, f"not {count} notices:", mail.daemon.text)
    return notices(mail)


@memory_only
def test_a_list_made_by_a_rule_that_takes_in_everybody_overnight(rostered):
    """840,000 people got a test message, since somebody had made a list by a rule that
    matched them all."""
    mail = rostered()
    assert mail.send(ANN, RULE).accepted
    assert mail.delivered().copies == 40

    put(mail, "trial", people(1200))
    mail.expect_log("trial@district.example has grown from 40 to 1,200")
    assert listed(mail, RULE) == ("grown", 40, 1200)
    assert listed(mail, NEWS) == ("ok", 60, 1220)
    status = mail.json("status")["lists"]
    assert status["grown"] == 1
    assert status["jumped"] == [{"address": RULE, "size": 1200, "was": 40, "state": "grown"}]
    assert "1 suddenly grown" in mail.ok("status")
    assert 'mailbrake_lists{state="grown"} 1' in mail.api("GET", "/metrics")[1]
    (subject,) = wait_for_notices(mail, 1)
    assert subject == f"Mailbrake: {RULE} has grown from 40 to 1,200 members"

    # Held, by itself, under a tag, and in the list that contains it; nobody else's mail is.
    for to in (RULE, "trial+x@district.example", NEWS):
        assert mail.send(ANN, to).accepted
        assert (mail.log()[-1].rule, mail.log()[-1].verdict) == ("lists_grown", "quarantine")
    assert mail.log()[-1].reach == "1220"
    assert mail.send(ANN, "n1@district.example").accepted
    assert mail.log()[-1].verdict == "accept"
    assert [hold["rule"] for hold in mail.holds()] == ["lists_grown"] * 3
    (incident,) = mail.json("incidents")["incidents"]
    assert (incident["key"], incident["held"]) == (f"list:{RULE}", 3)
    assert mail.delivered().copies == 40 + 1 + len(notices(mail))

    # A permit says nothing of who has come to the list since.
    permit = mail.json("permit", "set", f"sender:{ANN}", "--copies", "9000", "--for", "1h")
    assert mail.send(ANN, RULE).accepted and mail.log()[-1].rule == "lists_grown"
    assert mail.explain(ANN, RULE)["permit"] is None
    mail.ok("permit", "end", permit["id"])

    why = mail.explain(ANN, NEWS)
    assert (why["verdict"], why["rule"]) == ("quarantine", "lists_grown")
    assert why["grown"] == {"address": RULE, "was": 40, "size": 1200}
    assert "grown from 40 to 1,200, not accepted" in why["rules"][0]["why"]
    shown = mail.run("explain", "--from", ANN, "--to", NEWS).stdout
    assert f"{RULE} has grown from 40 to 1,200, not accepted" in shown
    allowed = mail.run("incidents", "allow", incident["id"], "--for", "1h")
    assert allowed.returncode == 1 and "lists accept" in allowed.stderr

    # A replay asks what the rules do to such a list, not whether somebody accepted it.
    scenario = mail.daemon.dir / "one.scenario"
    scenario.write_text(
        f"title One message\nstart Mon 08:00\nsend as ann times 1 for 1m\n"
        f"    from {ANN}\n    to {RULE}\n"
    )
    played = mail.run("replay", scenario)
    assert played.returncode == 0 and "grown" not in played.stdout, played.stderr
    assert "1,200" in played.stdout

    # It stays so over a restart, and there is no second notice.
    held = f"Mailbrake: sender:{ANN}: "
    wait_until(lambda: any(held in subject for subject in notices(mail)), 20, "no notice")
    assert len(notices(mail)) == 2, notices(mail)
    mail.daemon.stop()
    mail.daemon.start()
    assert listed(mail, RULE) == ("grown", 40, 1200)
    checked = mail.command.check()
    assert "has grown from 40 to 1,200" in checked.stdout + checked.stderr
    assert mail.send(ANN, RULE).accepted
    assert mail.log()[-1].rule == "lists_grown"

    # Only what has jumped can be accepted.
    for address, words in ((NEWS, "it contains trial@"), ("none@district.example", "no list")):
        refused = mail.run("lists", "accept", address)
        assert refused.returncode == 1 and words in refused.stderr
    assert mail.run("lists", "accept").returncode == 2
    accepted = mail.json("lists", "accept", RULE)["accepted"]
    assert accepted == [{"address": RULE, "was": 40, "size": 1200, "state": "grown"}]
    assert mail.run("lists", "accept", RULE).returncode == 1
    assert mail.json("lists", "accept", "--all")["accepted"] == []
    assert [entry["target"] for entry in mail.audit("lists accept")[:1]] == ["list:" + NEWS]
    results = [entry["result"] for entry in mail.audit("lists accept")]
    assert any("from 40 to 1200" in result for result in results), results
    assert listed(mail, RULE) == ("ok", 1200, 1200)
    assert listed(mail, NEWS) == ("ok", 1220, 1220)
    assert mail.send(ANN, NEWS).accepted
    assert (mail.log()[-1].verdict, mail.log()[-1].reach) == ("accept", "1220")

    # What was held goes when it is released, and the notices were one of each kind.
    before = mail.delivered(60).copies
    mail.ok("quarantine", "release", mail.holds()[0]["id"])
    wait_until(lambda: mail.delivered(60).copies >= before + 1200, 30, "not delivered")
    assert len(notices(mail)) == 2, notices(mail)


@memory_only
def test_850000_overnight_and_the_way_back(rostered):
    """The same in full, but for what Postfix would deliver: first the rule is mended, then
    it makes the mistake again and somebody accepts it."""
    mail = rostered()
    mail.daemon.allow_log(f"{RULE} (has grown|suddenly has)")
    path = mail.daemon.dir / f"{RULE}.txt"
    everybody = "".join(f"{member}\n" for member in people(850000))

    def make(text):
        path.write_text(text)
        mail.daemon.reload()

    make(everybody)
    assert listed(mail, RULE) == ("grown", 40, 850000)
    (subject,) = wait_for_notices(mail, 1)
    assert subject == f"Mailbrake: {RULE} has grown from 40 to 850,000 members"
    assert mail.send(ANN, RULE).accepted
    assert (mail.log()[-1].rule, mail.log()[-1].reach) == ("lists_grown", "850000")
    shown = mail.run("explain", "--from", ANN, "--to", RULE).stdout
    assert f"{RULE} has grown from 40 to 850,000, not accepted" in shown
    wait_for_notices(mail, 2)  # of the incident
    assert mail.delivered().copies == 2

    make("".join(f"{member}\n" for member in people(40)))
    assert listed(mail, RULE) == ("ok", 40, 40)
    assert mail.send(ANN, RULE).accepted
    assert mail.log()[-1].verdict == "accept"
    assert mail.delivered().copies == 2 + 40

    make(everybody)
    assert listed(mail, RULE) == ("grown", 40, 850000)
    mail.ok("lists", "accept", RULE)
    assert listed(mail, RULE) == ("ok", 850000, 850000)
    make("")
    assert listed(mail, RULE) == ("shrunk", 850000, 850000)


@memory_only
def test_a_list_that_ldap_makes_by_a_rule(administered, slapd, postfix):  # noqa: F811
    """The rule of a dynamic group takes in all people, and then only its own again."""
    pilot, all_people = "(title=pilot)", "(objectClass=inetOrgPerson)"

    def rule(filter):
        return f"ldap:///ou=people,{BASE}??sub?{filter}"

    server = slapd(
        "".join(person(f"p{i}", title="pilot") for i in range(1, 41))
        + "".join(person(f"s{i}") for i in range(260))
        + "".join(
            group(name, classes="groupOfURLs mailGroup", memberURL=rule(pilot))
            for name in ("trial", "other")
        )
    )
    mail = administered(
        lists={},
        sources=[source(server, refresh="1s")],
        rules=CAP,
        notify={"to": [ADMIN], "min_interval": "1h", "tell_sender": False},
    )
    mail.daemon.allow_log("suddenly has|have no members")
    lists_for_postfix(postfix, files={"trial": people(40)})

    def make(filter, name="trial"):
        server.modify(
            f"dn: cn={name},ou=groups,{BASE}\nchangetype: modify\nreplace: memberURL\n"
            f"memberURL: {rule(filter)}\n\n"
        )

    def wait_for(state):
        wait_until(lambda: listed(mail, RULE) == state, 20, f"not {state}:", mail.daemon.text)

    mail.expect_log("was read: ", 20)
    wait_for(("ok", 40, 40))
    make(all_people)
    wait_for(("grown", 40, 300))
    mail.expect_log(f"{RULE} has grown from 40 to 300")
    wait_for_notices(mail, 1)
    make(all_people, "other")  # a second one is logged, too, and not an hour later
    mail.expect_log("other@district.example has grown from 40 to 300", 10)
    wait_for_notices(mail, 2)
    assert mail.send(ANN, RULE).accepted
    assert (mail.log()[-1].rule, mail.log()[-1].reach) == ("lists_grown", "300")
    make(pilot)
    wait_for(("ok", 40, 40))
    assert mail.send(ANN, RULE).accepted
    assert mail.log()[-1].verdict == "accept"
    make("(uid=nobody)")
    wait_for(("shrunk", 40, 40))
    assert mail.send(ANN, RULE).accepted
    assert (mail.log()[-1].verdict, mail.log()[-1].reach) == ("accept", "40")


@memory_only
def test_a_list_that_shrinks_counts_old_and_new_members(rostered):
    mail = rostered()
    put(mail, "trial", people(140))
    assert listed(mail, RULE) == ("ok", 140, 140)
    put(mail, "trial", people(5, "q"))
    mail.expect_log("suddenly has 5 members instead of 140")
    assert listed(mail, RULE) == ("shrunk", 140, 145)
    assert listed(mail, NEWS) == ("ok", 165, 165)
    (subject,) = wait_for_notices(mail, 1)
    assert subject == f"Mailbrake: {RULE} has lost many of its 140 members"
    assert mail.send(ANN, RULE).accepted
    assert mail.log()[-1].reach == "145"

    mail.daemon.stop()
    mail.daemon.start()
    assert listed(mail, RULE) == ("shrunk", 140, 145)
    (mail.daemon.dir / f"{RULE}.txt").unlink()  # nor does a source that is away change it
    mail.daemon.allow_log("No such file")
    mail.daemon.reload()
    assert listed(mail, RULE) == ("shrunk", 140, 145)
    put(mail, "trial", people(5, "q"))
    assert "1 suddenly lost members" in mail.ok("status")
    assert f"{RULE} shrunk: 145 count for now, was 140\n" in mail.ok("status")

    shown = mail.ok("lists", "accept", "--all")
    assert shown == f"{RULE}: shrunk from 140 to 5, accepted.\n"
    assert listed(mail, RULE) == ("ok", 5, 5)
    assert mail.send(ANN, RULE).accepted
    assert mail.log()[-1].reach == "5"
    assert len(notices(mail)) == 1


@memory_only
def test_lists_grown_decides_and_the_settings_say_what_a_jump_is(relay):
    mail = relay(
        rules='{ name = "no"; reach_over = 12; action = "reject"; }',
        files={"trial": people(4)},
        lists_grown="defer",
        max_growth=1.5,
        growth_floor=5,
    )
    path = mail.daemon.dir / f"{RULE}.txt"

    def grow(count, **settings):
        path.write_text("".join(f"{member}\n" for member in people(count)))
        text = mail.daemon.config.read_text()
        for name, value in settings.items():
            text = text.replace(f'{name} = "defer"', f'{name} = "{value}"')
        mail.daemon.write(text)
        mail.daemon.reload()

    grow(9)
    assert mail.send(ANN, RULE).accepted  # more than 1.5 times, but by no more than 5
    grow(15)
    mail.expect_log("has grown from 9 to 15")
    deferred = mail.send(ANN, RULE)
    assert deferred.code == 450
    assert "has suddenly grown. (from 9 to 15) [mailbrake lists_grown" in deferred.text
    grow(15, lists_grown="accept")
    refused = mail.send(ANN, RULE)
    assert refused.code == 550 and "(reach 15, limit 12)" in refused.text  # the rules decide
    assert mail.explain(ANN, RULE)["grown"]["was"] == 9
