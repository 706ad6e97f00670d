"""Redis over TLS, where hiredis is built with it (Debian 13): what `check` and `status` say
of it, mail, a failover by Sentinels, a Cluster; certificates of a private authority."""

import json
import pathlib
import shutil
import tempfile
import time

import pytest

import milter
from between import Between
from cluster import Cluster
from mailbraked import Command
from postfix import wait_until
from redis import Redis
from sentinels import Sentinels, free_ports
from slapd import Authority
from test_sentinel import check_store, wait_for_redis

pytestmark = [pytest.mark.timing, pytest.mark.xdist_group("sentinels")]

TIMEOUT_MS = 250
BURST = 50
RATE = (
    f'{{ name = "storm"; key = "sender"; limit = "1 messages per 366d"; burst = {BURST};'
    ' action = "reject"; }'
)


class Certificates:
    """Of servers and of mailbraked, by one authority; and what is wrong with others."""

    def __init__(self, folder):
        self.authority = Authority(folder / "ca")
        self.other = Authority(folder / "other-ca")
        self.server = self.authority.sign("redis")
        self.own = self.authority.sign("mailbrake")

    def words(self, server=None):
        """For Redis, which by default asks for a certificate of its clients."""
        certificate, key = server or self.server
        words = ["--tls-cert-file", certificate, "--tls-key-file", key]
        return [str(word) for word in [*words, "--tls-ca-cert-file", self.authority.file]]

    def settings(self, **options):
        certificate, key = (str(file) for file in self.own)
        files = {"ca_file": str(self.authority.file), "cert_file": certificate, "cert_key_file": key}
        return {**files, **options}


@pytest.fixture(scope="module")
def certificates(build, folder):
    done = check_store(build, folder, {"type": "redis", "server": "tls:127.0.0.1:1"})
    if "TLS is not built in" in done.stderr:
        pytest.skip("TLS is not built in")
    return Certificates(pathlib.Path(tempfile.mkdtemp(prefix="tls-", dir=folder)))


@pytest.fixture(scope="module")
def start(folder):
    """Starts servers, and stops them at the end."""
    started = []

    def start(make, *args, **kwargs):
        server = make(pathlib.Path(tempfile.mkdtemp(prefix="tls-", dir=folder)), *args, **kwargs)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="module")
def tls_redis(certificates, start):
    return start(Redis, free_ports(1)[0], tls=certificates.words())


def at(port, certificates, **options):
    server = {"type": "redis", "server": f"tls:127.0.0.1:{port}", "timeout_ms": 2000}
    return {**server, **certificates.settings(), **options}


def status(daemon, build):
    return json.loads(Command(build, daemon.config).run("status", "--json").stdout)["store"]


def test_check_status_and_mail(tls_redis, certificates, mailbraked, build, folder):
    store = at(tls_redis.port, certificates)
    done = check_store(build, folder, store)
    assert "store: " not in done.stderr, done.stderr
    assert f"the store is at tls:127.0.0.1:{tls_redis.port}" in done.stdout
    daemon = mailbraked(store, rules=RATE)
    result = milter.load(build, daemon.milter, messages=BURST * 2, connections=16)
    assert (result["accept"], result["reject"]) == (BURST, BURST), result
    assert {v.store for v in daemon.verdicts()} == {"redis"}
    assert status(daemon, build)["server"] == f"tls:127.0.0.1:{tls_redis.port}"


def test_check_says_what_is_wrong(tls_redis, certificates, start, build, folder):
    port = tls_redis.port
    clear = start(Redis, free_ports(1)[0])
    stranger = [str(file) for file in certificates.other.sign("stranger")]
    anonymous = {"cert_file": "", "cert_key_file": ""}

    def served(certificate, *words):
        return start(Redis, free_ports(1)[0], words, certificates.words(certificate)).port

    name = served(certificates.authority.sign("name", names="DNS:localhost"))
    old = served(certificates.server, "--tls-protocols", "TLSv1.2")
    for right in (
        at(name, certificates, server=f"tls:localhost:{name}"),
        at(old, certificates),
    ):
        done = check_store(build, folder, right)
        assert f"the store is at {right['server']}" in done.stdout, done.stderr

    for words, store in (
        (
            "store.ca_file lacks the issuer of the server's certificate (self-signed certificate in certificate chain)",
            at(port, certificates, ca_file=str(certificates.other.file)),
        ),
        ("store.ca_file lacks the issuer of the server's certificate", at(port, certificates, ca_file="")),
        ("the server wants a certificate of ours: set store.cert_file", at(port, certificates, **anonymous)),
        ("the server wants a certificate of ours: set store.cert_file", at(old, certificates, **anonymous)),
        (
            "the server does not accept our certificate",
            at(port, certificates, cert_file=stranger[0], cert_key_file=stranger[1]),
        ),
        (
            "the server's certificate is not valid: certificate has expired",
            at(served(certificates.authority.sign("expired", days=0)), certificates),
        ),
        (
            "the server's certificate is for another name than 127.0.0.1",
            at(name, certificates),
        ),
        (
            "the server's certificate is for another name than localhost",
            at(port, certificates, server=f"tls:localhost:{port}"),
        ),
        ("no answer to the TLS handshake in time", at(clear.port, certificates)),
        (
            'is it a port for TLS? Write "tls:HOST:PORT"',
            at(port, certificates, server=f"tcp:127.0.0.1:{port}", ca_file="", **anonymous),
        ),
        (
            "none.pem: No such file or directory (store.ca_file)",
            at(port, certificates, ca_file=f"{folder}/none.pem"),
        ),
        (
            "key values mismatch (store.cert_key_file)",
            at(port, certificates, cert_key_file=str(certificates.server[1])),
        ),
    ):
        done = check_store(build, folder, store)
        assert words in done.stderr, done.stdout + done.stderr


def test_a_handshake_has_a_deadline(tls_redis, certificates, mailbraked, build):
    """Whoever accepts connections and then says nothing, or stops after half a
    certificate, delays no message."""
    between = Between(tls_redis.port)
    store = at(between.port, certificates, timeout_ms=TIMEOUT_MS, on_failure="tempfail")
    daemon = mailbraked(store, rules=RATE)
    daemon.allow_log(r"(?i)redis|store|suppressed")
    assert milter.load(build, daemon.milter, messages=1, connections=1, from_="a@x.example")["accept"] == 1
    for stall in (0, 700):
        between.stall_after = stall
        tls_redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        wait_until(lambda: status(daemon, build)["reason"], 5, "nobody notices")
        wait_until(
            lambda: "no answer to the TLS handshake in time" in status(daemon, build)["reason"],
            5,
            "status does not say why",
        )
        result = milter.load(build, daemon.milter, messages=20, connections=4, from_="a@x.example")
        assert result["tempfail"] == 20, result
        between.stall_after = None
        wait_for_redis(build, daemon, time.monotonic(), 5)
    limit_us = (TIMEOUT_MS + build.slack_ms) * 1000
    assert max(int(v.us) for v in daemon.verdicts()) <= limit_us
    between.close()


def test_a_renewed_certificate_needs_no_restart(certificates, start, mailbraked, build, folder):
    """Of another authority even, when ca_file has both."""
    ca_file, server = folder / "ca.pem", [folder / "redis.pem", folder / "redis.key"]
    shutil.copy(certificates.authority.file, ca_file)
    for old, new in zip(certificates.server, server):
        shutil.copy(old, new)
    redis = start(Redis, free_ports(1)[0], tls=certificates.words(server))
    daemon = mailbraked(at(redis.port, certificates, ca_file=str(ca_file)), rules=RATE)
    daemon.allow_log(r"(?i)redis|store|suppressed")
    wait_for_redis(build, daemon, time.monotonic(), 5)
    redis.kill()
    both = [certificates.authority, certificates.other]
    ca_file.write_text("".join(one.file.read_text() for one in both))
    for renewed, file in zip(certificates.other.sign("renewed"), server):
        shutil.copy(renewed, file)
    redis.start()
    wait_for_redis(build, daemon, time.monotonic(), 5)


def test_a_failover_in_the_middle_of_a_storm(certificates, start, mailbraked, build, folder):
    sentinels = start(Sentinels, certificates.words())
    options = certificates.settings(timeout_ms=TIMEOUT_MS, on_failure="tempfail")
    store = sentinels.settings(**options)
    done = check_store(build, folder, {**store, "timeout_ms": 2000})
    assert f"the store is at tls:127.0.0.1:{sentinels.first.port}, which Sentinel tls:" in done.stdout, done.stderr
    daemon = mailbraked(store, rules=RATE)
    daemon.allow_log(r"(?i)redis|store|suppressed")
    wait_for_redis(build, daemon, time.monotonic(), 5)
    load = milter.Load(
        build, [daemon.milter], messages=500, connections=16, rate=100, from_="storm@x.example"
    )
    time.sleep(1)
    sentinels.first.kill()
    wait_until(lambda: sentinels.master_port() == sentinels.second.port, 10, "no failover")
    wait_for_redis(build, daemon, time.monotonic(), 5)
    daemon.expect_log(f"store at tls:127.0.0.1:{sentinels.second.port}, which Sentinel tls:")
    result = load.result()
    assert result["unanswered"] == result["broken"] == 0, result
    assert BURST - 5 <= result["accept"] <= BURST + 5 and result["tempfail"] > 0, result
    assert max(int(v.us) for v in daemon.verdicts()) <= (TIMEOUT_MS + build.slack_ms) * 1000


def test_a_slot_moves_in_a_cluster(certificates, start, mailbraked, build):
    """ASK and MOVED lead to TLS as well."""
    cluster = start(Cluster, tls=certificates.words())
    daemon = mailbraked(cluster.settings(timeout_ms=5000, **certificates.settings()), rules=RATE)
    daemon.allow_log(r"the Cluster moves our keys|suppressed")
    source, target = cluster.owner, cluster.other
    assert milter.load(build, daemon.milter, messages=10, connections=2)["accept"] == 10
    cluster.begin_move(target)
    cluster.move_keys(target)
    assert milter.load(build, daemon.milter, messages=10, connections=2)["accept"] == 10
    cluster.end_move(target)
    result = milter.load(build, daemon.milter, messages=BURST, connections=2)
    assert BURST - 22 <= result["accept"] <= BURST - 20, result  # what is under way may count twice
    assert {v.store for v in daemon.verdicts()} == {"redis"}
    assert source is not target
    assert status(daemon, build)["server"].startswith(f"tls:127.0.0.1:{target.port}, the Cluster's node")
