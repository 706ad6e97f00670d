"""A message is counted by whom it really reaches."""

import json

import pytest

from mailbraked import people
from postfix import wait_until
from stores import memory_only

CAP_50 = '{ name = "small"; reach_over = 50; action = "reject"; }'
ANN = "ann@district.example"


def test_reach_of_51_is_refused_and_50_is_delivered(relay):
    mail = relay(rules=CAP_50, lists={"fifty": people(50), "more": people(51)})

    refused = mail.send(ANN, "more@district.example")
    assert refused.code == 550
    assert "(reach 51, limit 50) [mailbrake small]" in refused.text
    assert mail.delivered() == []

    assert mail.send(ANN, "fifty@district.example").accepted
    assert mail.delivered().by_recipient() == dict.fromkeys(people(50), 1)


def test_persons_addressed_one_by_one_count_the_same(relay):
    mail = relay(rules=CAP_50)
    assert mail.send(ANN, people(51)).code == 550
    assert mail.send(ANN, people(50)).accepted
    assert mail.delivered().copies == 50


def test_a_great_list_is_delivered_to_everyone_once(relay):
    mail = relay(rules="", lists={"allstudents": people(10000)})
    assert mail.send(ANN, "allstudents@district.example").accepted
    assert mail.verdict().reach == "10000"
    assert mail.delivered(60).by_recipient() == dict.fromkeys(people(10000), 1)


def test_nested_lists_are_flattened(relay):
    mail = relay(
        rules=CAP_50,
        lists={
            "school": ["lower", "upper", "head"],
            "lower": people(25, "l"),
            "upper": people(24, "u"),
            "district": ["school", "board"],
            "board": ["b1", "b2"],
        },
    )
    assert mail.send(ANN, "school@district.example").accepted
    assert mail.verdict().reach == "50"
    assert mail.delivered().copies == 50
    refused = mail.send(ANN, "district@district.example")
    assert refused.code == 550 and "reach 52," in refused.text


def test_a_cycle_ends_and_everybody_is_counted(relay):
    """Postfix gives up on a cycle by itself, so it gets the flat list here."""
    cycle = {
        "one": ["two", "a1", "a2"],
        "two": ["three", "b1", "a1"],
        "three": ["one", "c1"],
    }
    flat = [f"{name}@district.example" for name in ("a1", "a2", "b1", "c1")]
    mail = relay(
        rules='{ name = "three"; reach_over = 3; action = "reject"; }',
        lists=cycle,
        postfix_lists={"lists": dict.fromkeys(cycle, flat)},
    )
    mail.expect_log(r"one@district\.example.*(two|three)@district\.example")
    for name in cycle:
        refused = mail.send(ANN, f"{name}@district.example")
        assert "(reach 4, limit 3)" in refused.text, name


def test_overlapping_lists_count_each_person_once(relay):
    mail = relay(rules=CAP_50, lists={"left": people(40), "right": people(50)[10:]})
    assert mail.send(ANN, ["left@district.example", "right@district.example"]).accepted
    assert mail.verdict().reach == "50"


def test_a_list_and_its_member_count_once(relay):
    mail = relay(rules=CAP_50, lists={"fifty": people(50)})
    assert mail.send(ANN, ["fifty@district.example", "p7@district.example"]).accepted
    assert mail.verdict().reach == "50"
    assert mail.send(ANN, ["fifty@district.example", "other@district.example"]).code == 550


@memory_only
@pytest.mark.parametrize(
    "spelling",
    [
        "{}+anything@district.example",
        "{}@school.example",
        "{}@[127.0.0.1]",
        '"{}"@district.example',
        "<@relay.example:{}@district.example>",
        "{}@district.example.",
        "{}+tag@school.example",
    ],
)
@pytest.mark.parametrize("kind", ["virtual", "aliases"])
def test_every_spelling_of_a_list_is_the_list(relay, kind, spelling):
    """A bare name in virtual(5) or aliases(5), which answers in every own domain."""
    name = "al-many"
    members = ", ".join(people(51, domain="families.example"))
    text = f"{name} {members}\n" if kind == "virtual" else f"{name}: {members}\n"
    mail = relay(rules=CAP_50, **{kind: text})
    for written in (spelling.format(name), spelling.format(name.upper())):
        refused = mail.send(ANN, written)
        assert refused.code == 550 and "reach 51," in refused.text, written
    assert mail.delivered() == []


def test_a_hundred_tags_of_a_list_charge_a_hundred_times_its_size(relay):
    mail = relay(
        rules='{ name = "copies"; key = "sender"; limit = "1000 recipients per 366d";'
        ' action = "reject"; }',
        lists={"ten": people(10)},
    )
    tags = [f"ten+{i}@district.example" for i in range(100)]

    above = mail.send("bob@district.example", [*tags, "ten@district.example"])
    assert above.code == 550 and "cost 1010," in above.text

    assert mail.send(ANN, tags).accepted
    assert [verdict.reach for verdict in mail.log(2)] == ["10", "10"]
    assert mail.delivered().copies == 1000  # what was charged is what was delivered
    empty = mail.send(ANN, "one@district.example")
    assert "(cost 1, left 0 of 1000) [mailbrake copies]" in empty.text


@memory_only
def test_a_member_file_is_a_list(relay):
    mail = relay(rules=CAP_50, files={"class": people(50), "classes": ["class", "one@b.example"]})
    assert mail.send(ANN, "class@district.example").accepted
    assert mail.delivered().copies == 50
    assert mail.send(ANN, "classes@district.example").code == 550


@memory_only
def test_aliases_with_an_include_are_followed_as_local_does(relay, folder):
    include = folder / "included.txt"
    include.write_text("# the parents\n" + "\n".join(people(30, "i", "families.example")) + "\n")
    mail = relay(
        rules=CAP_50,
        aliases=f"al-parents: :include:{include},\n"
        f"  {', '.join(people(20, 'q', 'families.example'))}\n"
        "al-everybody: al-parents, board@b.example\n",
    )
    assert mail.send(ANN, "al-parents@district.example").accepted
    assert mail.verdict().reach == "50"
    assert mail.delivered().copies == 50
    assert mail.send(ANN, "al-everybody@district.example").code == 550
    include.unlink()


@memory_only
def test_explain_says_what_live_mail_meets(relay):
    mail = relay(rules=CAP_50, lists={"many": people(51), "few": people(3)})
    for name in ("many", "few"):
        live = mail.send(ANN, f"{name}@district.example")
        told = mail.explain(ANN, f"{name}@district.example", client="10.1.2.3")
        verdict = mail.log()[-1]
        assert str(told["reach"]) == verdict.reach
        assert told["verdict"] == verdict.verdict
        assert told["identity"] == verdict.identity
        assert told["recipients"][0]["list"] is True
        if not live.accepted:
            assert told["reply"] == f"{live.code} {live.text}"
            assert told["rule"] == "small"


@memory_only
def test_a_list_whose_file_is_suddenly_empty_counts_as_before(relay):
    mail = relay(rules=CAP_50, files={"class": people(150)})
    (mail.daemon.dir / "class@district.example.txt").write_text("Error: no connection\n")
    mail.daemon.reload()
    mail.expect_log("class@district.example suddenly has 2 members instead of 150")
    mail.daemon.allow_log("is not an address")
    refused = mail.send(ANN, "class@district.example")
    assert refused.code == 550 and "reach 152," in refused.text
    listed = json.loads(mail.command.run("lists", "--json").stdout)["lists"]
    assert [(entry["size"], entry["was"], entry["state"]) for entry in listed] == [
        (152, 150, "shrunk")
    ]
    status = mail.command.run("status")
    assert "1 suddenly lost members" in status.stdout
    assert json.loads(mail.command.run("status", "--json").stdout)["lists"]["shrunk"] == 1


@memory_only
def test_a_folder_has_a_list_in_each_file(relay, folder):
    rosters = folder / "rosters"
    rosters.mkdir()
    (rosters / "class.txt").write_text("\n".join(people(50)) + "\n")

    def export(count):
        """As a program exports a table: in full beside it, then renamed."""
        rows = "".join(f'"P. {name}";"{name}"\r\n' for name in people(count))
        (rosters / ".grade.csv.new").write_text("\ufeffName;Email\r\n" + rows)
        (rosters / ".grade.csv.new").rename(rosters / "grade.csv")

    def listed():
        lists = json.loads(mail.command.run("lists", "--json").stdout)["lists"]
        return {entry["address"]: (entry["size"], entry["state"]) for entry in lists}

    export(51)
    mail = relay(
        rules=CAP_50,
        sources=[{"folder": str(rosters), "domain": "district.example", "refresh": "1s"}],
        postfix_lists={"lists": {"class": people(50), "grade": people(51)}},
    )
    assert mail.send(ANN, "class@district.example").accepted
    assert mail.verdict().reach == "50"
    assert "reach 51, limit 50" in mail.send(ANN, "grade@district.example").text
    export(40)
    (rosters / "class.txt").unlink()
    wait_until(lambda: listed()["grade@district.example"] == (40, "ok"), 10, "not read again")
    mail.expect_log("class@district.example suddenly has 0 members instead of 50")
    assert listed()["class@district.example"] == (50, "shrunk")
    (rosters / "no local part.txt").write_text("ann@b.example\n")
    check = mail.command.check()
    assert check.returncode == 1
    assert f"{rosters}/no local part.txt: the name can't be the local part" in check.stderr
