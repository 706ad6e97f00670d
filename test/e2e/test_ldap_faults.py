"""LDAP servers that fail while mailbraked runs: what counted goes on to count, the log says
once why, and nobody has to do anything when they are well again."""

import json
import re
import shutil

import pytest

from between import Between
from mailbraked import Command
from postfix import wait_until
from slapd import BASE, dn, group, person
from stores import MEMORY
from test_ldap import NO_LIMIT, authority, checked, slapd, source  # noqa: F401, fixtures

FIVE = [f"p{i}" for i in range(5)]
EIGHT = [f"p{i}" for i in range(8)]


def listed(daemon, build):
    """State and age of the one list, whose size never changes; None: never read."""
    lists = json.loads(Command(build, daemon.config).run("lists", "--json").stdout)["lists"]
    for five in lists:
        assert five["size"] == 5
        return five["state"], five["age_s"]
    return None


@pytest.fixture
def watched(slapd, authority, mailbraked, build, tmp_path):  # noqa: F811
    """A daemon that reads one list over TLS and with a password, once a second; its
    server, what stands between them, and the file with the password."""
    certificate = [tmp_path / name for name in ("certificate", "key")]
    for name, file in zip(authority.sign("good"), certificate):
        shutil.copy(name, file)
    server = slapd("".join(map(person, FIVE)) + person("reader", userPassword="first")
                   + group("five", FIVE), NO_LIMIT, certificate)
    between = Between(server.ports["ldaps"], scheme="ldaps")
    password = tmp_path / "password"
    password.write_text("first")
    password.chmod(0o600)
    daemon = mailbraked(dict(MEMORY), sources=[source(
        between.url, refresh="1s", request_timeout="1s", ca_file=str(authority.file),
        bind_dn=dn("reader"), password_file=str(password))])
    is_well(daemon, build)
    yield daemon, server, between, password, certificate
    between.close()


def is_well(daemon, build):
    def well():
        state = listed(daemon, build)
        return state is not None and state[0] == "ok" and state[1] <= 2

    wait_until(well, 20, "not well", daemon.text)


def fails(daemon, build, words, meanwhile=lambda: None):
    """Several reads fail; the log says each reason once."""
    pattern = rf"ldap:{BASE}: .*(?:{words}).*\(last read "
    before = len(re.findall(pattern, daemon.text()))
    meanwhile()
    wait_until(lambda: len(re.findall(pattern, daemon.text())) > before, 20,
               f"not said: {words}", daemon.text)
    daemon.allow_log(pattern)
    wait_until(lambda: listed(daemon, build)[1] >= 3, 20, "it was read?", daemon.text)
    assert listed(daemon, build)[0] == "stale"
    said = re.findall(pattern, daemon.text())[before:]
    assert len(said) == len(set(said)), daemon.text()


def test_one_fault_after_the_other(watched, authority, build, tmp_path):  # noqa: F811
    daemon, server, between, password, (certificate, key) = watched

    wait_until(lambda: between.came > 300, 10, "no connection has ended")
    middle = between.came - 300  # of its answer
    between.stall_after = middle
    fails(daemon, build, "no answer in time")
    between.stall_after = None
    is_well(daemon, build)

    between.stall_after = middle
    wait_until(lambda: listed(daemon, build)[1] >= 2, 10, "it does not stall")
    fails(daemon, build, "connection was lost|cannot connect", server.stop)
    between.stall_after = None
    server.start()
    is_well(daemon, build)

    def expire():
        server.stop()
        for name, file in zip(authority.sign("expired", days=0), (certificate, key)):
            shutil.copy(name, file)
        server.start()

    fails(daemon, build, "its certificate expired on 20", expire)
    # the one that was refused may be gone when a second look asks why
    daemon.allow_log("its certificate is not trusted")
    server.stop()
    for name, file in zip(authority.sign("renewed"), (certificate, key)):
        shutil.copy(name, file)
    server.start()
    is_well(daemon, build)

    def change_password():
        server.modify(f"dn: {dn('reader')}\nchangetype: modify\nreplace: userPassword\n"
                      "userPassword: second\n\n")

    fails(daemon, build, "invalid credentials: see bind_dn and password_file", change_password)
    password.write_text("second")
    is_well(daemon, build)


def test_cut_off_under_tls_or_for_postfix_it_is_no_smaller_list(
    slapd, authority, checked, tmp_path  # noqa: F811
):
    server = slapd("".join(map(person, EIGHT)) + group("eight", EIGHT), NO_LIMIT,
                   authority.sign("good"))
    table = tmp_path / "groups.cf"

    def tls(between):
        return source(between.url, ca_file=str(authority.file), page_size=3)

    def postfix(between):
        table.write_text(
            f"server_host = {between.url}\nsearch_base = {BASE}\nversion = 3\nbind = no\n"
            "query_filter = (&(objectClass=groupOfNames)(mail=%s))\nresult_attribute = mail\n"
            "special_result_attribute = member\n")
        return {"postfix": str(table)}

    for one, scheme, cuts in ((tls, "ldaps", [1, 100, *range(900, 6000, 400)]),
                              (postfix, "ldap", [1, *range(13, 1500, 160)])):
        outcomes = set()
        for cut_after in [*cuts, 10**6]:
            between = Between(server.ports[scheme], cut_after, scheme=scheme)
            code, said = checked(one(between))
            between.close()
            assert (code == 0) == ("the largest with 8 persons" in said), said
            assert code == 0 or "connection was lost" in said or "cannot connect" in said, said
            outcomes.add(code)
        assert outcomes == {0, 1}
