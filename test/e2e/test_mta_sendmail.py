"""mailbrake-mta on a real Sendmail: the same orders as with Postfix."""

import fcntl
import os
import threading

import pytest

from helper import helper, hold_id_of  # noqa: F401, fixtures
from mailbraked import people
from postfix import wait_until
from sendmail import helper_beside, sendmail_program, sendmail_relay  # noqa: F401, fixtures

ANN, EVE = "ann@district.example", "eve@district.example"
HOLD_MANY = '{ name = "many"; reach_over = 2; action = "quarantine"; }'
NOTICE = f"From: MAILER-DAEMON\nTo: {ANN}\nSubject: returned\n\nSorry.\n"


@pytest.fixture
def mail(sendmail_relay, helper):  # noqa: F811
    """A relay with the helper beside it, and a bystander in its quarantine that no test
    may touch."""
    mail = sendmail_relay(rules=HOLD_MANY)
    mail.daemon.allow_log("mailbrake-mta")
    helper_beside(mail.mta, helper)
    mail.helper = helper
    (bystander,) = hold(mail, frm=EVE)
    yield mail
    assert bystander.id in [held.id for held in mail.held()]


def hold(mail, count=1, frm=ANN):
    before = {held.id for held in mail.held()}
    for _ in range(count):
        assert mail.send(frm, people(3)).accepted
    return [held for held in mail.held() if held.id not in before]


def files(mail):
    return sorted(path.name for path in mail.mta.queue.glob("[hqdtx]f*"))


def give_back(mail, held):
    """Into the queue, where Sendmail leaves it: nothing runs it here."""
    mail.mta.run("-qQ", "-Q", f"-qI{held.id}")


def test_list_and_header_show_what_is_held(mail):
    (held,) = hold(mail)
    listed = mail.helper.list()
    assert len(listed) == 2
    entry = listed[held.id]
    assert entry.pop("arrival_time") > 1_600_000_000
    assert entry.pop("size") > 0
    assert entry == {
        "queue_name": "hold",
        "queue_id": held.id,
        "sender": ANN,
        "recipients": 3,
    }
    assert mail.helper.order(f"header {held.id}").lines == [held.headers["X-Mailbrake"], "ok"]
    assert mail.helper.order("header 6ALJrYpv023510").lines == ["missing"]


def test_queue_names_its_folder(mail):
    config = mail.mta.config
    assert mail.helper.order("queue").lines == [str(mail.mta.queue), "ok"]
    text = config.read_text()
    config.write_text(text.replace(f"{mail.mta.queue}\n", f"{mail.mta.queue}/q[0-9]*/x\n"))
    assert mail.helper.order("queue").lines == [str(mail.mta.queue), "ok"]
    config.write_text(text.replace("QueueDirectory", "QueueFolder"))
    assert mail.helper.order("queue").last == f"error {config}: no QueueDirectory"


def test_release_delivers_once(mail):
    (held,) = hold(mail)
    assert mail.helper.order(f"release {held.id} {hold_id_of(held)}").lines == ["ok"]
    assert mail.delivered(timeout=5).by_recipient() == dict.fromkeys(people(3), 1)
    assert mail.helper.order(f"release {held.id} {hold_id_of(held)}").lines == ["missing"]


def test_a_double_release_delivers_once(mail):
    (held,) = hold(mail)
    answers = []
    line = f"release {held.id} {hold_id_of(held)}"
    both = [
        threading.Thread(target=lambda: answers.append(mail.helper.order(line).last))
        for _ in range(2)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(answers)[-1] == "ok" and answers != ["ok", "ok"], answers
    assert mail.delivered(timeout=5).by_recipient() == dict.fromkeys(people(3), 1)


def test_delete_removes_its_files_alone(mail):
    before = files(mail)
    (held,) = hold(mail)
    assert len(files(mail)) == len(before) + 2
    assert mail.helper.order(f"delete {held.id} {hold_id_of(held)}").lines == ["ok"]
    assert files(mail) == before
    assert mail.helper.order(f"delete {held.id} {hold_id_of(held)}").lines == ["missing"]
    assert mail.delivered() == []


def test_delete_waits_for_no_lock(mail):
    (held,) = hold(mail)
    with open(mail.mta.queue / f"hf{held.id}") as at_work:
        fcntl.flock(at_work, fcntl.LOCK_EX)  # as Sendmail does
        answer = mail.helper.order(f"delete {held.id} {hold_id_of(held)}")
    assert answer.lines == ["error Sendmail is processing the message"]
    assert held.id in mail.helper.list()


def test_refuse_tells_the_sender_and_deletes(mail):
    before = files(mail)
    (held,) = hold(mail)
    assert mail.helper.order(f"refuse {held.id} {hold_id_of(held)} {ANN}", NOTICE).lines == ["ok"]
    wait_until(lambda: mail.mta.sink.kept(), 10, "no notice")
    (notice,) = mail.delivered()
    # That is how Sendmail's local mailer writes <>.
    assert (notice.sender, notice.recipients) == ("MAILER-DAEMON", [ANN])
    assert notice["Subject"] == "returned"
    assert files(mail) == before


def test_notice_goes_to_each(mail):
    to = ["far@away.example", "near@away.example"]
    assert mail.helper.order(f"notice {' '.join(to)}", NOTICE).lines == ["ok"]
    wait_until(lambda: mail.mta.sink.kept().copies == 2, 10, "no notice")
    assert {d.sender for d in mail.delivered()} == {""}
    assert mail.delivered().by_recipient() == dict.fromkeys(to, 1)


def test_hold_stops_what_waits_in_the_queue(mail):
    (held,) = hold(mail)
    assert mail.helper.order(f"hold {held.id} sender={ANN}").is_error
    give_back(mail, held)
    assert mail.helper.list()[held.id]["queue_name"] == "deferred"
    assert mail.helper.order(f"release {held.id} {hold_id_of(held)}").is_error
    assert mail.helper.order(f"delete {held.id} {hold_id_of(held)}").is_error
    assert mail.helper.order(f"hold {held.id} sender={EVE}").last == "missing"
    assert mail.helper.order(f"hold {held.id} sender={ANN}").lines == ["ok"]
    assert mail.helper.list()[held.id]["queue_name"] == "hold"


def test_nothing_else_moves(mail):
    (held,) = hold(mail)
    (other,) = [h for h in mail.held() if h.id != held.id]
    before = files(mail)
    for verb in ("release", "delete", "hold"):
        for queue_id in ("ALL", "-", "", "--help", "../x", "hf6ALJrYpv023510", held.id[:8]):
            answer = mail.helper.order(f"{verb} {queue_id} {hold_id_of(held)}")
            assert answer.lines == ["error not a queue id"]
    for verb in ("release", "delete"):
        assert mail.helper.order(f"{verb} {other.id} {hold_id_of(held)}").lines == ["missing"]
        assert mail.helper.order(f"{verb} {other.id} sender={ANN}").lines == ["missing"]
        assert mail.helper.order(f"{verb} 6ALJrYpv023510 {hold_id_of(held)}").lines == ["missing"]
    assert files(mail) == before


def test_what_is_no_queue_file_is_not_read(mail):
    """Whoever may write to the queue can't make us wait for ever, or read what he can't."""
    (held,) = hold(mail)
    queue, answers = mail.mta.queue, []
    os.mkfifo(queue / "hf6ALJrYpv023510")
    answers.append(mail.helper.order("list").last)
    answers.append(mail.helper.order("header 6ALJrYpv023510").last)
    (queue / "hf6ALJrYpv023510").unlink()
    (queue / "hf6ALJrYpv023510").symlink_to(queue / f"hf{held.id}")
    answers.append(mail.helper.order("list").last)
    answers.append(mail.helper.order(f"delete 6ALJrYpv023510 {hold_id_of(held)}").last)
    assert mail.helper.order(f"header {held.id}").last == "ok"
    (queue / "hf6ALJrYpv023510").unlink()
    assert set(answers) == {f"error {queue}/hf6ALJrYpv023510 can't be read"}
    assert mail.helper.list().keys() >= {held.id}


def test_an_id_inside_another_moves_nothing(mail):
    """sendmail -qI takes every id that contains the one it is given."""
    (held,) = hold(mail)
    longer = mail.mta.queue / f"hf{held.id}0"
    longer.write_bytes((mail.mta.queue / f"hf{held.id}").read_bytes())
    before = files(mail)
    answer = mail.helper.order(f"release {held.id} {hold_id_of(held)}")
    assert answer.lines == ["error another message's id contains this one"]
    assert files(mail) == before
    longer.unlink()


def test_whom_sendmail_does_not_write_to_is_refused_all_the_same(mail):
    letters = {}
    for to in ("o'brien@district.example", '"a b"@district.example', "a`b@district.example"):
        (held,) = hold(mail)
        answer = mail.helper.order(f"refuse {held.id} {hold_id_of(held)} {to}", NOTICE)
        assert answer.lines == ["ok"], to
        letters[to.replace("\"", "")] = 1  # as the sink shows it
    for to in ("|x@district.example", '"/tmp/x"@district.example', "jürgen@district.example"):
        (held,) = hold(mail)
        answer = mail.helper.order(f"refuse {held.id} {hold_id_of(held)} {to}", NOTICE)
        assert answer.lines == ["ok untold"], to
    assert mail.delivered(timeout=5).by_recipient() == letters


def test_a_batch_releases_what_is_meant_alone(mail):
    held = hold(mail, 4)
    lines = ["batch", *(f"release {h.id} {hold_id_of(h)}" for h in held[:3])]
    lines.append(f"release {held[3].id} {hold_id_of(held[0])}")
    answer = mail.helper.raw("\n".join(lines).encode() + b"\n")
    assert answer.lines == ["ok", "ok", "ok", "missing", "ok 4"]
    assert mail.delivered(timeout=5).by_recipient() == dict.fromkeys(people(3), 3)
    (found, last) = mail.helper.raw(f"batch\nenvelope {held[3].id}\n".encode()).lines
    assert '"sender":"ann@district.example"' in found and '"local":false' in found
    assert '"client":"127.1.2.3"' in found and last == "ok 1"
