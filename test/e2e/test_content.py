"""What an administrator may read of a held message: nothing, its Subject, or its header,
4 KB of text and what is attached. Python's own email package says what that is."""

import email
import email.message
import email.policy
import json
import random
import re
import subprocess

import pytest

from helper import helper  # noqa: F401, a fixture
from stores import memory_only, redis_only
from test_admin import ANN, CLASS, administered  # noqa: F401, a fixture

WHY = ("--purpose", "is it the real newsletter?")
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def relay(administered):  # noqa: F811
    def make(content, **more):
        mail = administered(quarantine={"content": content}, **more)
        mail.helper.allow(content)
        return mail

    return make


def hold_ids(mail):
    return {one["id"] for one in mail.api("GET", "/v1/holds")[1]["holds"]}


def hold(mail, message):
    """Sends a message, of bytes or Python's, to a class; the hold's id."""
    before = hold_ids(mail)
    data = message if isinstance(message, bytes) else message.as_bytes(email.policy.SMTP)
    session = mail.connect()
    session.envelope(ANN, CLASS)
    code, text = session.data(data)
    assert code == 250, text
    session.quit()
    mail.postfix.wait_idle(20)
    (fresh,) = hold_ids(mail) - before
    return fresh


def shown(mail, message):
    one = hold(mail, message)
    code, content = mail.api("GET", f"/v1/holds/{one}/content", **{"X-Purpose": "to see it"})
    assert code == 200, content
    for text in strings(content):
        assert not HARMFUL.search(text), text
    return content


def strings(value):
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for one in inner for text in strings(one)]


def letter(text="Dear all,\n\nhello.\n", **fields):
    message = email.message.EmailMessage()
    message["From"] = ANN
    message["Subject"] = "News"
    for name, value in fields.items():
        del message[name]
        message[name.title()] = value
    message.set_content(text)
    return message


def everywhere(mail, secret):
    """Where it can be read: the log, the helper's, the audit, the state, the store."""
    places = [mail.daemon.text(), mail.helper.text(), mail.audit_file.read_text()]
    state = [path for path in mail.audit_file.parent.rglob("*") if path.is_file()]
    places += [path.read_bytes().decode(errors="replace") for path in state]
    return [place for place in places if secret in place]


@redis_only
def test_nothing_is_shown_by_none(relay):
    mail = relay("none")
    one = hold(mail, letter())
    done = mail.run("quarantine", "show", one, "--content", *WHY)
    assert done.returncode == 1 and 'quarantine.content is "none"' in done.stderr
    assert done.stdout == "" and mail.api("GET", f"/v1/holds/{one}/content")[0] == 403
    # whatever mailbraked says, the helper shows nothing either
    queue_id = mail.holds()[0]["queue_id"]
    for what in ("subject", "text"):
        answer = mail.helper.order(f"content {queue_id} hold_id={one} {what}")
        assert answer.lines == ['error quarantine.content is "none"']


@redis_only
def test_the_subject_and_no_more(relay):
    mail = relay("subject")
    one = hold(mail, letter("the secret text\n", subject="Zeugnisse für Łukasz, 日本"))
    content = mail.json("quarantine", "show", one, "--content")["content"]
    assert content["subject"] == "Zeugnisse für Łukasz, 日本" and content["allowed"] == "subject"
    assert set(content) == {"id", "allowed", "subject"}
    words = ["quarantine", "show", one, "--content", "-c", mail.daemon.config]
    for locale, subject in [("C.UTF-8", "Zeugnisse für Łukasz, 日本"), ("C", r"Zeugnisse f\xc3\xbcr")]:
        page = subprocess.run(
            [mail.command.build.mailbrake, *words],
            **{"env": {"LC_ALL": locale}, "capture_output": True, "timeout": 60},
        ).stdout.decode()
        assert f"\nsubject        {subject}" in page and "secret" not in page
    queue_id = mail.holds()[0]["queue_id"]
    answer = mail.helper.order(f"content {queue_id} hold_id={one} text")
    assert answer.lines == ['error quarantine.content is "subject"']
    answer = mail.helper.order(f"content {queue_id} hold_id={one} subject")
    assert answer.last == "ok" and all(line.lower().startswith((" subject:", "  ")) for line in answer.body)
    assert everywhere(mail, "Zeugnisse") == []
    (entry, *_) = mail.audit("content")
    assert (entry["target"], entry["result"]) == (one, "ok")


@redis_only
def test_the_text_wants_a_purpose_and_is_written_down_first(relay):
    mail = relay("text")
    message = letter("The secret text.\nSecond line.\n", subject="A secret subject")
    message.add_attachment(b"%PDF" * 30000, maintype="application", subtype="pdf", filename="Röster 7b.pdf")
    message.add_attachment("a;b\n", subtype="csv", filename="marks.csv")
    one = hold(mail, message)
    refused = mail.run("quarantine", "show", one, "--content")
    assert refused.returncode == 1 and "needs a purpose" in refused.stderr and refused.stdout == ""
    assert mail.api("GET", f"/v1/holds/{one}/content", **{"X-Purpose": "  "})[0] == 400
    content = mail.json("quarantine", "show", one, "--content", *WHY)["content"]
    assert content["text"] == "The secret text.\nSecond line." and content["text_type"] == "text/plain"
    assert (content["text_cut"], content["complete"], content["attachment_count"]) == (False, True, 2)
    assert content["attachments"] == [
        {"name": "Röster 7b.pdf", "type": "application/pdf", "size": 120000},
        {"name": "marks.csv", "type": "text/csv", "size": 4},
    ]
    header = {field["name"]: field["value"] for field in content["header"]}
    assert header["Subject"] == "A secret subject" and one in header["X-Mailbrake"]
    page = mail.ok("quarantine", "show", one, "--content", *WHY)
    assert "Second line." in page and "marks.csv, text/csv, 4 bytes" in page
    looks = [(e["purpose"], e["result"]) for e in mail.audit("content")]
    assert ("is it the real newsletter?", "ok") in looks
    assert any("needs a purpose" in result for _, result in looks)
    assert everywhere(mail, "secret") == []
    # what can't be written down is not shown
    mail.audit_file.unlink()
    mail.audit_file.mkdir()
    mail.daemon.allow_log("the audit file was not written")
    code, answer = mail.api("GET", f"/v1/holds/{one}/content", **{"X-Purpose": "again"})
    assert code == 503 and "secret" not in json.dumps(answer)


@redis_only
def test_another_message_of_the_same_id_is_not_shown(relay):
    mail = relay("text")
    one = hold(mail, letter())
    queue_id = mail.holds()[0]["queue_id"]
    order = lambda check: mail.helper.order(f"content {queue_id} {check} text")  # noqa: E731
    assert order("hold_id=0123456789abcdef01234567").lines == ["missing"]
    assert order("sender=bob@district.example").lines == ["missing"]
    assert mail.helper.order(f"content {queue_id}").is_error
    assert mail.helper.order(f"content ALL hold_id={one} text").is_error
    assert mail.helper.order(f"content {queue_id} hold_id={one} all").is_error
    assert mail.helper.raw(f"batch\ncontent {queue_id} hold_id={one} text\n".encode()).lines[0].startswith("error")
    mail.ok("quarantine", "release", one)
    done = mail.run("quarantine", "show", one, "--content", *WHY)
    assert done.returncode == 1 and "was already released" in done.stderr
    assert mail.run("quarantine", "show", "0" * len(one), "--content", *WHY).returncode == 1


@redis_only
def test_a_reload_changes_what_may_be_shown(relay):
    mail = relay("subject")
    one = hold(mail, letter("the text\n"))
    config = mail.daemon.config
    config.write_text(config.read_text().replace('"subject"', '"text"'))
    mail.helper.allow("text")
    mail.ok("reload")
    assert mail.json("quarantine", "show", one, "--content", *WHY)["content"]["text"] == "the text"


# Hostile mail. Each has a Subject, to see that the answer is whole.


def raw(body, *fields):
    head = ["From: ann@district.example", "To: class@district.example", "Subject: here", *fields]
    lines = "\n".join(head) + "\n\n" + body
    return lines.encode("utf-8", "surrogateescape").replace(b"\n", b"\r\n")


def multipart(*parts, boundary="b", kind="mixed"):
    inner = "".join(f"--{boundary}\n{part}\n" for part in parts) + f"--{boundary}--\n"
    return inner, f'MIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary="{boundary}"'


def deep(levels):
    body, head = "Content-Type: text/plain\n\nthe core\n", ""
    for level in range(levels):
        body, head = multipart(body if level == 0 else f"{head}\n\n{body}", boundary=f"level{level}")
    return raw(body, head)


@memory_only
def test_hostile_mail(relay):
    mail = relay("text")
    take = lambda message: shown(mail, message)  # noqa: E731

    subject = raw("x", "Subject-Not: 1").replace(
        b"Subject: here", b"Subject: =?utf-8?q?=1b]0;owned=07=1b[2J_=e2=80=ae_moc=c2=9b31m?= \x1b[1m tail"
    )
    content = take(subject)
    assert content["subject"] == "\ufffd]0;owned\ufffd\ufffd[2J \ufffd moc\ufffd31m \ufffd[1m tail"

    content = take(raw("\x1b[31mred\x07\x00 a\u202eb \u2066c\u2069 \x9b2J\u200b!\ttab\n"))
    assert content["text"].startswith("\ufffd[31mred\ufffd")

    assert take(deep(10))["text"].strip() == "the core"
    content = take(deep(60))
    assert content["text"] == "" and content["subject"] == "here"
    assert content["attachments"][0]["type"] == "multipart/mixed"

    # a boundary that never comes, is empty, or begins like another
    body, head = multipart("\nnever ended", boundary="x")
    assert take(raw(body.replace("--x--", ""), head))["text"].strip() == "never ended"
    assert take(raw("--\n\ntext\n--\n", 'Content-Type: multipart/mixed; boundary=""'))["subject"] == "here"
    body, head = multipart("\nfirst\n--ab\n--a b", "\nsecond", boundary="a")
    assert take(raw(body, head))["text"] == "first\n--ab\n--a b"
    content = take(raw("--b\n" * 40000, 'Content-Type: multipart/mixed; boundary="b"'))
    assert content["subject"] == "here" and not content["attachments"]
    content = take(raw("--b\nContent-Type: image/png\n\n" * 20000, 'Content-Type: multipart/mixed; boundary="b"'))
    assert len(content["attachments"]) == 100 and content["attachment_count"] > 1000 and not content["complete"]

    # broken encodings
    for body in ("====", "QUJD=REVG!!R0hJ\x80", "A", "=", "Q\n\nU\nJ\nD"):
        assert take(raw(body, "Content-Transfer-Encoding: base64"))["subject"] == "here"
    content = take(raw("a=ZZ=3=\n=41=\n", "Content-Transfer-Encoding: Quoted-Printable"))
    assert content["text"].strip() == "a=ZZ=3A"
    for charset in ("utf-16", "utf-7", "iso-2022-jp", "x-none", "\x1b[2J", "utf-8" * 2000):
        assert take(raw("+ADw-\x1b$B\x80\xff", f'Content-Type: text/plain; charset="{charset}"'))["subject"] == "here"

    # names
    names = {
        'filename="../../etc/passwd"': "../../etc/passwd",
        'filename="a\x1b[2J\u202egpj.exe"': "a\ufffd[2J\ufffdgpj.exe",
        "filename*=utf-8''%E2%82%AC%0D%0Arates.txt": "€ rates.txt",
        "filename*0*=iso-8859-1''%E4; filename*1=b; filename*2*=%20c": "äb c",
        'filename="=?utf-8?b?w6Q=?=.txt"': "ä.txt",
        'filename="no end': "no end",
        "filename*=broken": "broken",
        "filename": "",
        f'filename="{"n" * 5000}"': "n" * 255,
    }
    parts = [f"Content-Disposition: attachment; {name}\n\n" for name in names]
    content = take(raw(*multipart(*parts)))
    assert [one["name"] for one in content["attachments"]] == list(names.values())

    # headers without end
    content = take(raw("x", *[f"X-{i}: {i}" for i in range(500)]))
    assert len(content["header"]) == 200 and not content["complete"]
    assert take(raw("x", "X: " + "\n ".join(["y" * 900] * 60)))["subject"] == "here"

    html = (
        "<style>p { color: red }</style><script>alert('</p>')</script><title>t</title>"
        "<!-- a > b --><p title='>'>One&nbsp;&amp; two&#x1b;[2J &#8238;x &lt;b&gt; &bogus; &#99999999999;"
        "<br>three<p>four<table><tr><td>5<td>6</table><" + "<p" * 10
    )
    content = take(raw(html, "Content-Type: text/html"))
    assert content["text_type"] == "text/html"
    assert content["text"] == "One & two\ufffd[2J \ufffdx <b> &bogus; \ufffd\nthree\n\nfour\n5 6\n<"
    for endless in ("<" * 300000, "<p " * 100000, "<!--" * 80000, "<script>" * 60000, "&" * 300000, "<a b='" * 60000):
        assert take(raw("\n".join(re.findall(".{1,900}", endless)), "Content-Type: text/html"))["subject"] == "here"

    # 4 KB, whole characters
    content = take(raw("é" * 400 + "\n" + ("ü" * 400 + "\n") * 20, "Content-Type: text/plain; charset=utf-8"))
    assert content["text_cut"] and 4090 <= len(content["text"].encode()) <= 4096
    content = take(raw("words " * 150000))
    assert content["text_cut"] and len(content["text"]) == 4096


@memory_only
def test_hostile_mail_answers_in_time(relay):
    mail = relay("text")
    one = hold(mail, raw(*multipart(*["Content-Type: text/plain; " + "a*0*=x; " * 1500 + "\n\n-" for _ in range(60)])))
    assert mail.json("quarantine", "show", one, "--content", *WHY)["content"]["subject"] == "here"


# Python's email package reads the same.


def some_words(rng, alphabet, most):
    return " ".join("".join(rng.choices(alphabet, k=rng.randint(1, 12))) for _ in range(rng.randint(0, most)))


def some_message(rng):
    alphabet = rng.choice(["abcdefgh", "äöüßéàñ", "жзийклмн", "日本語学校", "a=?_\"'<&%", "ab😀👩‍🏫"])
    message = letter(
        "\n".join(some_words(rng, alphabet, 12) for _ in range(rng.randint(0, 9))) + "\n",
        subject=some_words(rng, alphabet, 20) or "none",
    )
    if rng.random() < 0.4:
        message.add_alternative(f"<p>{some_words(rng, 'abc', 30)}</p>", subtype="html")
    for _ in range(rng.choice([0, 0, 1, 3])):
        data = rng.randbytes(rng.choice([0, 1, 2, 3, 57, 1000, 70000, 200000]))
        name = (some_words(rng, alphabet, 3) or "x") + ".bin"
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message


def one_line(text):
    return re.sub(r"\s+", " ", text).strip()


@memory_only
def test_python_reads_the_same(relay):
    mail = relay("text")
    for seed in range(25):
        rng = random.Random(seed)
        message = some_message(rng)
        content = shown(mail, message)
        parsed = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
        plain = parsed.get_body(("plain",)).get_content()
        assert one_line(content["subject"]) == one_line(parsed["Subject"]), seed
        if plain.strip() and not content["text_cut"]:
            assert content["text"].rstrip() == plain.rstrip(), seed
        assert [(a["name"], a["size"]) for a in content["attachments"]] == [
            (one_line(part.get_filename()), len(part.get_content())) for part in parsed.iter_attachments()
        ], seed
