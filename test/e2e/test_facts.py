"""Threads, campaigns and topics, as Postfix hands over the fields that they are made of."""

import pytest

ANN = "ann@district.example"
BOB = "bob@district.example"


def one_a_year(key, more=""):
    return (
        f'{{ name = "one"; key = "{key}"; limit = "1 messages per 366d"; action = "reject";'
        f" {more} }}"
    )


def test_a_thread_is_one_in_all_its_answers(relay):
    mail = relay(rules=one_a_year("thread"))
    first = {"Message-ID": "<first@district.example>"}
    assert mail.send(ANN, BOB, headers=first).accepted
    answers = (
        {"In-Reply-To": "<first@district.example>"},
        {"References": "<first@district.example>\r\n <second@x>", "In-Reply-To": "<third@x>"},
        {"References": "\r\n (as she said)\r\n < first\r\n @district.example>"},
    )
    for answer in answers:
        assert mail.send(BOB, ANN, headers=answer).code == 550, answer
    assert mail.send(BOB, ANN, headers={"In-Reply-To": "<First@district.example>"}).accepted


def test_a_campaign_is_one_however_it_is_written(relay):
    mail = relay(rules=one_a_year("campaign"))
    assert mail.send(ANN, BOB, headers={"Subject": "Invoice 20181105: Müller"}).accepted
    same = (
        "INVOICE 7: MÜLLER",
        "=?utf-8?q?Invoice_17=3A_M=C3=BCller?=",
        "=?iso-8859-1?B?SW52b2ljZSAxNzogTfxsbGVy?=",
        "Re: FWD: =?utf-8?b?SW52b2ljZSAxNzogTcM=?=\r\n =?utf-8?b?vGxsZXI=?=",
        "Invoice\u00a0\u200b12:\r\n\tMüller",
    )
    for subject in same:
        assert mail.send(ANN, BOB, headers={"Subject": subject}).code == 550, subject
    assert mail.send(ANN, BOB, headers={"Subject": "Invoices"}).accepted
    assert mail.send(BOB, ANN, headers={"Subject": "Invoice 1: Müller"}).accepted


def test_a_topic_is_one_whoever_sends_it(relay):
    mail = relay(rules=one_a_year("topic", more='from_not = ["<>"];'))
    assert mail.send(ANN, BOB, headers={"Subject": "Invoice 20181105: Müller"}).accepted
    same = (
        "Fwd: invoice 7: MÜLLER",
        "=?utf-8?q?In=C2=ADvoice_17=3A_M=C3=BCller?=",
        "Invoice\u00a0\u200b12:\r\n\tMüller",
    )
    for sender, login in ((BOB, None), ("carol@x.example", None), (ANN, "dave")):
        for subject in same:
            headers = {"Subject": subject}
            assert mail.send(sender, ANN, login=login, headers=headers).code == 550, subject
    assert mail.sendmail(BOB, ANN, headers={"Subject": same[0]}).verdict == "reject"
    for nothing in ("", "Re:", "Re: \u200b\u00ad", "=?utf-8?q?_?="):
        assert mail.send(BOB, ANN, headers={"Subject": nothing}).accepted, nothing
        assert mail.send(ANN, BOB, headers={"Subject": nothing}).accepted, nothing


# Postfix passes a field of up to header_size_limit, 100 KB, in lines of any length.
@pytest.mark.parametrize("field", ["Subject", "References", "To"])
def test_a_field_of_100_kb_is_judged(relay, field):
    mail = relay(rules=one_a_year("sender"))
    line = {"Subject": "=?utf-8?q?R?= e: ", "References": "<a@x> <", "To": "a@x, (b@x"}[field]
    value = "\r\n ".join([line * 60] * (100000 // (60 * len(line) + 3)))
    assert 98000 < len(value) < 102000
    assert mail.send(ANN, BOB, headers={field: value}).accepted
    assert mail.send(ANN, BOB, headers={field: value}).code == 550
    assert [v.verdict for v in mail.log(2)] == ["accept", "reject"]
