"""The page's process, without a browser: who gets in, who doesn't, and what of it all can
touch mail. The attacks are played as an attacker would send them."""

import json
import re
import resource
import signal
import socket
import subprocess
import sys
import time

import pytest

from conftest import ROOT
from console import as_user, console, free_port, service  # noqa: F401, fixtures
from helper import helper  # noqa: F401, a fixture
from postfix import wait_until
from stores import redis_only
from test_admin import ANN, CLASS, administered  # noqa: F401, a fixture
from test_roles import HOLD_MANY, ROLES

pytestmark = redis_only

SECRET = re.compile(r"mailbrake-\d+=[0-9a-f]{32}; Path=/; HttpOnly; SameSite=Strict")


@pytest.fixture
def mail(administered):  # noqa: F811
    return administered(rules=HOLD_MANY, control={"roles": ROLES})


def states(mail):
    return [hold["state"] for hold in mail.holds("--all")]


def test_an_address_is_good_once(mail, console):  # noqa: F811
    page = console(mail)
    assert page.ask("GET", "/").status == 200 and page.get("/v1/status").status == 401
    assert page.enter("0" * 32) == 401 and page.enter("") == 401
    assert page.enter() == 204 and SECRET.fullmatch(page.set_cookie)
    assert page.get("/v1/whoami").json["user"] == "root"
    assert page.enter() == 401  # whoever finds the address in a history
    assert page.get("/v1/status").status == 200
    for cookie in (None, page.cookie[:-1] + "x", page.cookie.replace("=", "=0"), "mailbrake=1"):
        assert page.get("/v1/status", cookie=cookie).status == 401
    assert page.token not in page.text().partition("\n")[2]


def test_a_person_has_the_rights_of_the_person(mail, console):  # noqa: F811
    (hold,) = mail.hold()
    looker, decider = console(mail, "news"), console(mail, "uucp")
    assert looker.enter() == 204 and decider.enter() == 204
    assert looker.get("/v1/whoami").json == {"user": "news", "uid": 9, "roles": ["look"]}
    assert [h["id"] for h in looker.get("/v1/holds").json["holds"]] == [hold["id"]]
    refused = looker.change("POST", "/v1/holds/release", {"ids": [hold["id"]]})
    assert refused.status == 403 and refused.json["missing"] == "decide"
    named = {"x_on_behalf_of": "uucp", "x_remote_user": "uucp"}
    assert looker.change("POST", "/v1/holds/release", {"ids": [hold["id"]]}, **named).status == 403
    assert states(mail) == ["held"]
    released = decider.change(
        "POST", "/v1/holds/release", {"ids": [hold["id"]], "purpose": "asked the sch\u00f6l"}
    )
    assert released.status == 200 and released.json["done"] == 1
    (entry,) = mail.audit("release")
    assert entry["user"] == "uucp" and entry["purpose"] == "asked the sch\u00f6l" and "via" not in entry


def test_a_purpose_comes_in_any_letters(mail, console):  # noqa: F811
    (hold,) = mail.hold()
    page = console(mail)
    page.enter()
    said = page.get(f"/v1/holds/{hold['id']}/content", x_purpose="v%C3%A9rifi%C3%A9%0d%0aX-On-Behalf-Of: x")
    assert said.status == 200, said.text
    (entry,) = mail.audit("content")
    assert entry["purpose"] == "v\u00e9rifi\u00e9  X-On-Behalf-Of: x" and entry["user"] == "root"


def attacks(page):
    """Requests that a browser with the cookie would send for somebody else's page."""
    ours, mark = page.marks["origin"], {"x_mailbrake": "1"}
    form = {"content_type": "application/x-www-form-urlencoded"}
    return [
        {},  # the cookie, stolen, in a script
        mark,
        {"origin": ours},
        {"origin": "http://evil.example", **form},
        {"origin": "null", **mark, **form},
        {"origin": "http://evil.example", **mark},
        {"origin": f"http://127.0.0.1:{page.port + 1}", **mark},
        {"origin": ours, **mark, "sec_fetch_site": "cross-site"},
        {"origin": "http://evil.example:8025", "host": "evil.example:8025", **mark},  # DNS rebinding
        {"origin": ours, **mark, "host": "evil.example"},
        {"origin": ours, **mark, "host": None},
    ]


def test_other_sites_can_do_nothing(mail, console):  # noqa: F811
    (hold,) = mail.hold()
    page = console(mail)
    assert page.enter() == 204
    body = {"ids": [hold["id"]]}
    for said in attacks(page):
        answer = page.ask("POST", "/api/v1/holds/release", body, **said)
        assert answer.status in (400, 403), (said, answer.text)
        assert page.ask("POST", "/api/session", **said, x_token=page.token).status in (400, 403)
    for method in ("OPTIONS", "TRACE", "PATCH", "CONNECT", "get", "HEAD"):
        assert page.ask(method, "/api/v1/status", **page.marks).status in (400, 403, 405), method
    for method, path, allowed in (
        ("HEAD", "/api/v1/status", "GET, POST, PUT, DELETE"),
        ("OPTIONS", "/main.js", "GET, HEAD"),
        ("POST", "/main.js", "GET, HEAD"),
        ("GET", "/api/session", "POST"),
    ):
        answer = page.ask(method, path, **page.marks)
        assert answer.status == 405 and answer.headers["Allow"] == allowed, (method, path)
    for said in ({"host": "evil.example"}, {"origin": "http://evil.example"}, {"sec_fetch_site": "same-site"}):
        answer = page.get("/v1/holds", **said)
        assert answer.status == 403 and hold["id"] not in answer.text
        assert not any(name.startswith("Access-Control") for name in answer.headers)
    assert states(mail) == ["held"]
    assert [e for e in mail.audit() if e["action"] in ("release", "list") and e["user"] != "root"] == []


def test_each_answer_keeps_the_page_to_itself(mail, console):  # noqa: F811
    page = console(mail)
    page.enter()
    for path in ("/", "/style.css", "/main.js", "/api/v1/status", "/nothing", "/api/v1/holds/x"):
        headers = page.ask("GET", path).headers
        policy = headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "frame-ancestors 'none'", "script-src 'self'", "base-uri 'none'"):
            assert part in policy
        assert "unsafe" not in policy and headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer" and headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == ("no-store" if "api" in path or path == "/nothing" else "no-cache")
    first = page.ask("GET", "/")
    assert page.ask("GET", "/", if_none_match=first.headers["ETag"]).status == 304
    for path in ("/../mailbrake_console.c", "/%2e%2e/server.c", "//etc/passwd", "/app/", "/.", "/index.html/"):
        assert page.ask("GET", path).status == 404
    for path in ("/api/healthz", "/api/../v1/status", "/api/v2/x", "/api/v1/../../metrics", "/api/v1/a%00b"):
        assert page.ask("GET", path).status == 404, path


def test_a_phone_gets_a_tenth(mail, console):  # noqa: F811
    page = console(mail)
    page.enter()
    mail.hold(20)
    plain = page.get("/v1/holds")
    for said, packed in (("gzip, deflate, br", True), ("br", False), ("gzip;q=0, *", False), ("gzip;q=0.5", True)):
        answer = page.get("/v1/holds", accept_encoding=said)
        assert answer.json == plain.json and (len(answer.bytes) < len(plain.bytes) / 4) == packed
    files = [page.ask("GET", f"/{path.name}", accept_encoding="gzip") for path in (ROOT / "console/app").iterdir()]
    assert sum(len(answer.bytes) for answer in files) < 100_000  # the whole page
    for path, answer in zip((ROOT / "console/app").iterdir(), files, strict=True):
        assert answer.text == path.read_text()


def test_what_somebody_wrote_is_no_markup(mail, console):  # noqa: F811
    image = "<img src=x onerror=alert(1)>"
    mail.hold(headers={"Subject": image})
    page = console(mail)
    page.enter()
    mail.ok("brake", "set", "login:eve", "--reason", image)
    (hold,) = page.get("/v1/holds").json["holds"]
    for path in ("/v1/brakes", f"/v1/holds/{hold['id']}/content", "/v1/audit"):
        answer = page.get(path)
        assert answer.headers["Content-Type"] == "application/json" and answer.text.isascii()
    assert page.get("/v1/brakes").json["brakes"][0]["reason"] == image


def test_it_comes_back_with_mailbraked_and_goes_without_mail(mail, console):  # noqa: F811
    page = console(mail)
    page.enter()
    mail.daemon.kill()
    answer = page.get("/v1/status")
    assert answer.status == 502 and "can't reach mailbraked" in answer.json["error"]
    mail.daemon.start()
    assert page.get("/v1/status").status == 200
    page.process.send_signal(signal.SIGKILL)
    page.process.wait()
    mail.hold()
    assert states(mail) == ["held"]


def test_it_ends_though_mailbraked_hangs(mail, console):  # noqa: F811
    page = console(mail)
    page.enter()
    mail.daemon.signal(signal.SIGSTOP)
    waits = raw(page, f"GET /api/v1/status HTTP/1.1\r\nHost: {page.host}\r\nCookie: {page.cookie}\r\n\r\n".encode())
    time.sleep(0.5)
    try:
        started = time.monotonic()
        assert page.stop(signal.SIGINT) == 0 and time.monotonic() - started < 5
    finally:
        mail.daemon.signal(signal.SIGCONT)
    waits.close()


def test_it_ends_when_nobody_uses_it(mail, console):  # noqa: F811
    page = console(mail, idle="2s")
    page.enter()
    for _ in range(2):
        time.sleep(1.2)
        page.get("/v1/status")
    asked = time.monotonic()
    while page.process.poll() is None and time.monotonic() < asked + 15:
        try:  # a page that only stands open
            page.get("/v1/events")
            page.get("/v1/incidents", x_refresh="1")
        except OSError:
            break
        time.sleep(0.3)
    assert page.process.wait(10) == 0 and "nobody has used it" in page.text()
    assert 1 < time.monotonic() - asked < 12


def test_one_sees_what_another_has_done(mail, console):  # noqa: F811
    (hold,) = mail.hold()
    one, other = console(mail, "uucp"), console(mail, "proxy")
    one.enter(), other.enter()

    def changes():
        return other.get("/v1/events").json["changes"]

    def changed_by(deed):
        before = changes()
        assert deed().status == 200
        wait_until(lambda: changes() != before, 2, "nothing has changed")

    body = {"ids": [hold["id"]]}
    changed_by(lambda: one.change("POST", "/v1/holds/release", body))
    changed_by(lambda: other.change("PUT", "/v1/brakes", {"key": "login:eve"}))
    changed_by(lambda: other.change("DELETE", "/v1/brakes?key=login:eve"))
    wait_until(lambda: changes() == (time.sleep(1.2), changes())[1], 20, "it never rests")
    again = one.change("POST", "/v1/holds/release", body)
    assert again.json["done"] == 0  # somebody was faster: himself


def test_a_page_that_looks_again_fills_no_audit(mail, console):  # noqa: F811
    mail.hold()
    page = console(mail, "uucp")
    page.enter()
    for _ in range(5):
        assert page.get("/v1/incidents", x_refresh="1").status == 200
        assert page.get("/v1/events").status == 200
    assert len([e for e in mail.audit("incidents") if e["user"] == "uucp"]) == 1
    page.get("/v1/incidents")  # by a person
    assert len([e for e in mail.audit("incidents") if e["user"] == "uucp"]) == 2


# Whoever would keep it busy.


def raw(page, data):
    connection = socket.create_connection(("127.0.0.1", page.port), timeout=30)
    connection.sendall(data)
    return connection


def first_line(connection):
    """Of the answer; "" when the connection was just closed."""
    try:
        return connection.recv(4096).decode().partition("\r\n")[0]
    except ConnectionError:
        return ""


def test_huge_requests_are_refused(mail, console):  # noqa: F811
    page = console(mail)
    page.enter()
    big = page.change("POST", "/v1/explain", b"x" * 70_000)
    assert big.status == 413
    head = f"POST /api/v1/explain HTTP/1.1\r\nHost: {page.host}\r\nOrigin: http://{page.host}\r\n"
    head += f"X-Mailbrake: 1\r\nCookie: {page.cookie}\r\n"
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    with raw(page, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk * 2) as connection:
        connection.sendall(chunk)
        assert "200" not in first_line(connection)
    with raw(page, f"{head}X-Long: ".encode() + b"x" * 40_000) as connection:
        assert re.match(r"HTTP/1.1 (400|413|431)|$", first_line(connection))
    with raw(page, b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n") as connection:
        assert re.match(r"HTTP/1.1 (400|404|403|413|414|431)|$", first_line(connection))
    for nonsense in (b"\0" * 100, b"\r\n" * 100, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00" * 10):
        raw(page, nonsense).close()
    assert page.get("/v1/status").status == 200


def test_what_two_programs_may_read_otherwise_is_refused(mail, console):  # noqa: F811
    """Of two Hosts, or lengths, a proxy may believe the one and we the other."""
    page = console(mail)
    page.enter()
    inner = f"GET /api/v1/whoami HTTP/1.1\r\nHost: {page.host}\r\nCookie: {page.cookie}\r\n\r\n"
    head = f"POST /api/v1/explain HTTP/1.1\r\nHost: {page.host}\r\nCookie: {page.cookie}\r\n"
    head += f"Origin: http://{page.host}\r\nX-Mailbrake: 1\r\n"
    for said, body in (
        ("Content-Length: 2\r\nContent-Length: 0", "{}"),
        (f"Content-Length: {len(inner) + 5}\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        (f"Host: {page.host}\r\nContent-Length: 2", "{}"),
        ("Origin: http://evil.example\r\nContent-Length: 2", "{}"),
    ):
        with raw(page, f"{head}{said}\r\n\r\n{body}{inner}".encode()) as connection:
            answer = connection.makefile("rb").read().decode()  # to its end: it is closed
        assert answer.startswith("HTTP/1.1 400 ") and answer.count("HTTP/1.1") == 1, (said, answer)
    assert page.get("/v1/status").status == 200


@pytest.mark.timing
def test_slow_peers_and_ten_thousand_connections(mail, console):  # noqa: F811
    resource.setrlimit(resource.RLIMIT_NOFILE, (12_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    page = console(mail)
    page.enter()
    slow = [raw(page, b"GET / HTTP/1.1\r\nHost: ") for _ in range(20)]
    started = time.monotonic()
    crowd = []
    for i in range(10_000):
        crowd.append(raw(page, b"G" if i % 2 else b""))
        if i % 1000 == 999:
            before = time.monotonic()
            assert page.get("/v1/whoami").status == 200
            assert time.monotonic() - before < 5
    for connection in crowd:
        connection.close()
    drip = raw(page, b"GET / HTTP/1.1\r\n")
    ended = None
    while ended is None and time.monotonic() - started < 120:
        try:
            drip.sendall(b"X-A: b\r\n")
            drip.settimeout(1)
            ended = drip.recv(1) == b"" or None
        except TimeoutError:
            pass
        except OSError:
            ended = True
    assert ended and page.get("/v1/whoami").status == 200
    for connection in (*slow, drip):
        connection.close()
    assert re.findall(r"error|warning", page.text()) == []


# Behind a proxy.

SERVICE, PROXY = "list", "www-data"
CONSOLE = {"hosts": ["mail.district.example"], "user": SERVICE, "proxy_user": PROXY}


@pytest.fixture
def proxied(administered, service):  # noqa: F811
    mail = administered(rules=HOLD_MANY, control={"roles": ROLES}, console=CONSOLE)
    return mail, service(mail, SERVICE)


def say(user):
    return ["-H", f"X-Remote-User: {user}"]


CHANGE = ["-H", "Origin: https://mail.district.example", "-H", "X-Mailbrake: 1", "-X", "POST"]


def test_the_proxy_says_who_asks(proxied):
    mail, page = proxied
    (hold,) = mail.hold()
    code, text = page.curl(PROXY, "/api/v1/whoami", *say("news"))
    assert code == 200 and json.loads(text) == {"user": "news", "uid": 9, "roles": ["look"]}
    release = [*CHANGE, "-d", json.dumps({"ids": [hold["id"]], "purpose": "asked"})]
    assert page.curl(PROXY, "/api/v1/holds/release", *say("news"), *release)[0] == 403
    assert page.curl(PROXY, "/api/v1/holds/release", *say("uucp"), *release[2:])[0] == 403  # no Origin
    assert states(mail) == ["held"]
    code, text = page.curl(PROXY, "/api/v1/holds/release", *say("uucp"), *release)
    assert code == 200 and json.loads(text)["done"] == 1
    (entry,) = mail.audit("release")
    assert (entry["user"], entry["via"], entry["purpose"]) == ("uucp", "console", "asked")
    assert "uucp by console" in mail.ok("audit")


def test_nobody_else_says_who_asks(proxied):
    mail, page = proxied
    for user in ("news", "games", SERVICE, None):  # None: root
        assert page.curl(user, "/api/v1/holds", *say("uucp"))[0] == 0
    for said in ([], say(""), [*say("uucp"), *say("news")], say("uucp,news"), say("a b"), say("x" * 100)):
        assert page.curl(PROXY, "/api/v1/holds", *said)[0] == 401, said
    for user in ("root", "games", "no-such-user", SERVICE, PROXY + "x"):
        code, text = page.curl(PROXY, "/api/v1/holds", *say(user))
        assert code == 403 and json.loads(text)["missing"] == "look", (user, text)
    assert page.curl(PROXY, "/api/session", *CHANGE, "-H", "X-Token: x")[0] == 404
    assert page.curl(PROXY, "/api/v1/holds", *say("uucp"), "-H", "Host: evil.example")[0] == 403
    # The header that only the service may send, at mailbraked itself.
    curl = ["curl", "-s", "--unix-socket", mail.socket, "-H", "X-On-Behalf-Of: uucp", "http://x/v1/whoami"]
    for user, roles in (("games", []), ("news", ["look"]), (PROXY, [])):
        done = subprocess.run([*as_user(user), *curl], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["roles"] == roles and json.loads(done.stdout)["user"] == user
    done = subprocess.run([*as_user(SERVICE), *curl[:-3], curl[-1]], capture_output=True, text=True)
    assert json.loads(done.stdout)["roles"] == []  # for nobody
    refused = {(e["user"], e.get("via")) for e in mail.audit("connect")}
    assert ("no-such-user", "console") in refused and ("root", "console") in refused


SEND = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.stdin.buffer.read())
print("sent", flush=True)
try: sys.stdout.write(s.makefile().read())
except OSError: pass
"""


def test_what_a_stranger_has_sent_already_is_not_done(proxied):
    """It waits in the socket when the service sees who has connected."""
    mail, page = proxied
    (hold,) = mail.hold()
    body = json.dumps({"ids": [hold["id"]]})
    said = ["Host: mail.district.example", "X-Remote-User: uucp", *CHANGE[1:4:2], f"Content-Length: {len(body)}"]
    text = "\r\n".join(["POST /api/v1/holds/release HTTP/1.1", *said, "Connection: close", "", body])

    def send(user):
        page.process.send_signal(signal.SIGSTOP)
        sender = subprocess.Popen(
            [*as_user(user), sys.executable, "-c", SEND, page.socket],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True},
        )
        sender.stdin.write(text)
        sender.stdin.close()
        assert sender.stdout.readline() == "sent\n"
        page.process.send_signal(signal.SIGCONT)
        return sender.stdout.read()

    assert send("games") == "" and mail.audit("release") == [] and states(mail) == ["held"]
    assert "200 OK" in send(PROXY) and states(mail) == ["released"]


def test_without_names_the_service_does_not_start(administered, service):  # noqa: F811
    mail = administered(console={"user": SERVICE})
    page = service(mail, SERVICE)
    assert page.process.wait(20) == 1 and "console.hosts is empty" in page.text()
    page.process.returncode = 0


def readme_block(kind):
    return re.search(rf"```{kind}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]


SIGN_ON = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        user = self.headers.get("Cookie", "").partition("sso=")[2]
        self.send_response(202 if user else 401)
        self.send_header("X-Auth-Request-Preferred-Username", user)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def make_certificate(folder):
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-subj", "/CN=mail.district.example", "-keyout", key, "-out", certificate],
        **{"check": True, "capture_output": True},
    )
    return certificate, key


@pytest.fixture
def nginx(tmp_path):
    """A real nginx with README's lines, and a stand-in for oauth2-proxy."""
    started = []

    def start(page):
        port, sign_on = free_port(), free_port()
        certificate, key = make_certificate(tmp_path)
        text = readme_block("nginx")
        for ours, theirs in (
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("/etc/ssl/certs/mail.district.example.pem", str(certificate)),
            ("/etc/ssl/private/mail.district.example.key", str(key)),
            ("http://127.0.0.1:4180", f"http://127.0.0.1:{sign_on}"),
            ("/run/mailbrake-console.sock", str(page.socket)),
        ):
            assert ours in text
            text = text.replace(ours, theirs)
        config = tmp_path / "nginx.conf"
        temporary = "".join(
            f"{name}_temp_path {tmp_path}/{name};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config.write_text(
            f"user {PROXY}; daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;\n"
            f"events {{}}\nhttp {{ access_log off;\n{temporary}{text}}}\n"
        )
        started.append(subprocess.Popen(["python3", "-c", SIGN_ON, str(sign_on)]))
        started.append(subprocess.Popen(["nginx", "-c", config, "-e", "stderr"]))
        for place in (port, sign_on):
            wait_until(lambda: is_open(place), 20, f"nobody listens at {place}")
        return port

    yield start
    for process in started:
        process.terminate()
        process.wait(20)


def ask_proxy(port, path, *words):
    done = subprocess.run(
        ["curl", "-sk", "-w", "\n%{http_code} %{redirect_url}", "--connect-to", f"::127.0.0.1:{port}"]
        + [f"https://mail.district.example/{path}", *words],
        **{"capture_output": True, "text": True, "check": True},
    )
    text, _, status = done.stdout.rpartition("\n")
    code, _, place = status.partition(" ")
    return int(code), place or text


def serves_by(curl, mail):
    """What README promises of each proxy; curl(path, *words, user) is a browser."""
    (hold,) = mail.hold()
    assert "<title>Mailbrake" in curl("mailbrake/")[1]
    assert curl("mailbrake")[1].endswith("/mailbrake/")
    assert curl("mailbrake/", user="")[0] == 401
    for lie in ("X-Remote-User", "X-On-Behalf-Of", "x_remote_user"):  # the browser says what it likes
        code, text = curl("mailbrake/api/v1/whoami", "-H", f"{lie}: root")
        assert code == 200 and json.loads(text)["user"] == "uucp"
    release = [*CHANGE, "-d", json.dumps({"ids": [hold["id"]]})]
    assert curl("mailbrake/api/v1/holds/release", *release, user="news")[0] == 403
    assert curl("mailbrake/api/v1/holds/release", *release[4:])[0] == 403
    assert curl("mailbrake/api/v1/limits?subject=login%3Aa%2Fb")[0] == 200  # an encoded slash
    assert curl("mailbrake/api/v1/holds/release", *release)[0] == 200
    assert states(mail) == ["released"]


def test_readme_serves_it_by_nginx(proxied, nginx):
    mail, page = proxied
    port = nginx(page)

    def curl(path, *words, user="uucp"):
        return ask_proxy(port, path, "-H", f"Cookie: sso={user}", *words)

    serves_by(curl, mail)


def test_readme_serves_it_by_apache(proxied):
    """Its Kerberos is played by a file of passwords."""
    mail, page = proxied
    folder, port = page.socket.parent, free_port()
    text = readme_block("apache")
    for ours, theirs in (
        ("    AuthType GSSAPI\n", f"    AuthType Basic\n    AuthUserFile {folder}/users\n"),
        ("    GssapiLocalName On\n", ""),
        ("/run/mailbrake-console.sock", str(page.socket)),
    ):
        assert ours in text
        text = text.replace(ours, theirs)
    made = subprocess.run(["openssl", "passwd", "-1", "x"], capture_output=True, text=True, check=True)
    (folder / "users").write_text("".join(f"{user}:{made.stdout}" for user in ("uucp", "news")))
    modules = "mpm_event authn_core authn_file authz_core authz_user auth_basic alias headers proxy proxy_http ssl"
    certificate, key = make_certificate(folder)
    config = folder / "apache.conf"
    config.write_text(
        "".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n" for m in modules.split())
        + f"ServerRoot {folder}\nDefaultRuntimeDir {folder}\nPidFile pid\nErrorLog error.log\n"
        + f"Listen 127.0.0.1:{port}\nUser {PROXY}\nGroup {PROXY}\nServerName mail.district.example\n"
        + f"SSLEngine on\nSSLCertificateFile {certificate}\nSSLCertificateKeyFile {key}\n{text}"
    )
    apache = subprocess.Popen(["apache2", "-DFOREGROUND", "-f", config])
    try:
        wait_until(lambda: is_open(port), 20, "apache2 does not listen")
        serves_by(lambda path, *words, user="uucp": ask_proxy(port, path, "-u", f"{user}:x", *words), mail)
    finally:
        apache.terminate()
        apache.wait(20)
