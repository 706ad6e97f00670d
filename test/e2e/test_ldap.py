"""Lists in LDAP: a real slapd, with the attributes of Active Directory where they count,
read by mailbraked as it is, cut off, hanging or lying."""

import json
import re
import socket
import struct
import time

import pytest

from between import Between
from mailbraked import Command, Mailbraked
from postfix import wait_until
from slapd import ADMIN, BASE, PASSWORD, Authority, Slapd, dn, entry, group, person
from stores import MEMORY, memory_only

ANN = "ann@district.example"
GROUPS = f"ou=groups,{BASE}"
NO_LIMIT = "limits * size=unlimited"
CAP_1500 = '{ name = "large"; reach_over = 1500; action = "reject"; }'


def sid(rid):
    return bytes([1, 5, 0, 0, 0, 0, 0, 5]) + struct.pack("<5I", 21, 1, 2, 3, rid)


def source(server, **more):
    return {"ldap": [server if isinstance(server, str) else server.url], "base": BASE, **more}


@pytest.fixture(scope="module")
def authority(folder):
    return Authority(folder / "authority")


@pytest.fixture
def slapd(folder, tmp_path_factory):
    servers = []

    def start(ldif, extra=NO_LIMIT, certificate=None):
        server = Slapd(tmp_path_factory.mktemp("slapd"))
        servers.append(server)
        return server.load(ldif, extra, certificate).start()

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def checked(build, tmp_path):
    """What check says of one source: exit code, and all its words."""

    def run(one, *words):
        draft = Mailbraked(build, tmp_path / "draft")
        draft.configure(dict(MEMORY), sources=[one])
        done = Command(build, draft.config).run("check", *words)
        return done.returncode, done.stdout + done.stderr

    return run


def reach(daemon, build, name):
    return Command(build, daemon.config).explain(ANN, f"{name}@district.example")["reach"]


def states(daemon, build, domain="district.example"):
    done = Command(build, daemon.config).run("lists", "--json")
    lists = [(*item["address"].split("@"), item) for item in json.loads(done.stdout)["lists"]]
    return {name: (item["size"], item["state"]) for name, of, item in lists if of == domain}


def nested(daemon, build, *names):
    """The lists that those of these names contain, each with its size."""

    def show(address):
        done = Command(build, daemon.config).run("lists", address, "--json")
        return json.loads(done.stdout)["lists"][0]

    inner = sum((show(f"{name}@district.example")["nested"] for name in names), [])
    return {(address.split("@")[0], show(address)["size"]) for address in inner}


# ---- what counts ----


def test_every_kind_of_group_counts_its_people(slapd, mailbraked, build, checked):
    """The reach by hand: nested in a circle and through a group without an address, users'
    names, searches, those who are gone, and a group outside of the base."""
    far = entry("cn=far", "groupOfNames", member=[dn("p8"), dn("p9")])
    server = slapd(
        "".join(person(f"p{i}") for i in range(10))
        + person("nomail", mail=False)
        + group("small", ["p1", "P2", "nomail"])
        + group("outer", ["p1", "p3", f"cn=small,{GROUPS}", f"cn=inner,{GROUPS}"])
        + group("inner", ["p4", f"CN=Outer, {GROUPS}"], mail=False)
        + entry("cn=posix,ou=groups", "posixGroup mailGroup", mail="posix@district.example",
                gidNumber="7", memberUid=["p1", "P5", "unheard-of"])
        + entry("cn=dyn,ou=groups", "groupOfURLs mailGroup", mail="dyn@district.example",
                memberURL=f"ldap:///ou=people,{BASE}??sub?(uid=p*)")
        + entry("cn=below,ou=groups", "groupOfURLs mailGroup", mail="below@district.example",
                memberURL=f"ldap:///ou=people,{BASE}??children?(uid=*)")
        + far
        + group("faraway", ["p1", f"cn=far,{BASE}", dn("gone"), dn("nomail")])
        + group("one", ["p1"])
    )
    daemon = mailbraked(dict(MEMORY), sources=[
        source(server, base=GROUPS, people_base=f"ou=people,{BASE}")])
    wait_until(lambda: len(states(daemon, build)) == 7, 10, "not read", daemon.text)
    expected = {"small": 3, "outer": 5, "posix": 3, "dyn": 10, "below": 11, "faraway": 5,
                "one": 1}
    assert states(daemon, build) == {name: (size, "ok") for name, size in expected.items()}
    assert reach(daemon, build, "outer") == 5
    assert daemon.text().count("was read: ") == 1
    daemon.expect_log(r"contain each other: outer@\S+ -> inner\.\w+@group\.invalid -> outer@")
    assert states(daemon, build, "group.invalid") == {}
    assert {name.split(".")[0]: size
            for name, size in nested(daemon, build, "outer", "faraway")} == {
        "small": 3, "inner": 5, "far": 2}

    code, said = checked(source(server, base=GROUPS, people_base=f"ou=people,{BASE}"))
    assert code == 0, said
    assert "7 lists of 9 groups (0 without members), 12 members (2 without an address), 0." in said


@memory_only
def test_a_group_of_5000_in_active_directory_is_refused(slapd, relay):
    """Its members come in two ranges; there are proxyAddresses, a primary group, and
    disabled people whom the filter leaves out."""
    classes = {"classes": "user"}
    server = slapd(
        "".join(person(f"p{i}", **classes) for i in range(5000))
        + person("new", objectSid=sid(2001), primaryGroupID="513", **classes)
        + person("off", userAccountControl="514", **classes)
        + group("all", [], classes="group", mail=False,
                proxyAddresses=["SMTP:all@district.example", "smtp:everybody@district.example",
                                "X500:/o=x"],
                **{"member;range=0-2499": [dn(f"p{i}") for i in range(2500)],
                   "memberRange2500Last": [dn(f"p{i}") for i in range(2500, 5000)]})
        + group("users", ["p1", "off"], classes="group", objectSid=sid(513))
    )
    between = Between(server.ports["ldap"],
                      replace=[(b"member;range=2500-*", b"memberRange2500Last")])
    mail = relay(rules=CAP_1500, sources=[
        source(between.url, schema="ad", page_size=500, people_not="(userAccountControl=514)")])
    mail.expect_log(r"was read: .* 2 lists of 2 groups \(0 without members\), 5001 members", 20)
    for name in ("all", "everybody"):
        refused = mail.send(ANN, f"{name}@district.example")
        assert refused.code == 550 and "(reach 5000, limit 1500)" in refused.text
    assert mail.explain(ANN, "users@district.example")["reach"] == 2
    between.close()


def test_postfix_s_own_table_says_the_same(slapd, checked, tmp_path):
    server = slapd(
        "".join(person(f"p{i}") for i in range(4))
        + group("staff", ["p1", "p2", f"cn=more,{GROUPS}"])
        + group("more", ["p3"], mail=False)
    )
    table = tmp_path / "groups.cf"
    table.write_text(
        f"# lists\nserver_host = {server.url}\nsearch_base = {BASE}\nversion = 3\n"
        "query_filter = (&(objectClass=groupOfNames)\n (mail=%s))\nresult_attribute = mail\n"
        "special_result_attribute = member\nbind = no\n"
    )
    code, said = checked({"postfix": str(table)})
    assert code == 0 and "1 list of 2 groups" in said and "largest with 3 persons" in said
    table.write_text("server_host = x\nbind = sasl\nsearch_base = dc=x\n")
    code, said = checked({"postfix": str(table)})
    assert code == 1 and "of SASL only EXTERNAL can be used" in said


def test_a_filter_that_matches_people_makes_no_lists_of_them(
        slapd, mailbraked, build, tmp_path):
    """A person with an address is no list of nobody, and a forward is no list."""
    server = slapd(
        "".join(person(f"p{i}") for i in range(3))
        + person("forward", description="p1@district.example")
        + group("staff", ["p0", "p1", "p2", "forward"])
    )
    table = tmp_path / "groups.cf"
    table.write_text(
        f"server_host = {server.url}\nsearch_base = {BASE}\nbind = no\n"
        "query_filter = (&(mail=%s)(|(objectClass=person)(objectClass=groupOfNames)))\n"
        "result_attribute = description\nspecial_result_attribute = member\n"
        "leaf_result_attribute = mail\n"
    )
    for one, staff in ({"postfix": str(table)}, 3), (source(server, filter="(mail=*)"), 4):
        daemon = mailbraked(dict(MEMORY), sources=[one])
        daemon.expect_log(r"was read: .* 1 list of \d groups? \(0 without members\)")
        assert states(daemon, build) == {"staff": (staff, "ok")}
        for name, people in (("staff", staff), ("p0", 1), ("forward", 1)):
            assert reach(daemon, build, name) == people, (one, name)


def test_one_group_that_cannot_be_read_leaves_the_others_alone(
        slapd, mailbraked, build, checked):
    """Whoever owns a group writes its memberURL; and a member may be in another directory."""
    def dynamic(name, url):
        return entry(f"cn={name},ou=groups", "groupOfURLs mailGroup",
                     mail=f"{name}@district.example", memberURL=url)

    server = slapd(
        "".join(person(f"p{i}") for i in range(5))
        + group("good", ["p0", "p1"])
        + dynamic("dyn", f"ldap:///ou=people,{BASE}??sub?(uid=p*)")
        + dynamic("host", f"ldap://dc9.example/ou=people,{BASE}??sub?(uid=p*)")
        + dynamic("gone", f"ldap:///ou=nowhere,{BASE}??sub?(uid=p*)")
        + dynamic("junk", f"ldap:///ou=people,{BASE}??sub?(uid=p*")
        + entry("ou=far", "referral extensibleObject", ref=f"ldap://dc2.example/ou=far,{BASE}")
        + group("away", ["p0", f"uid=x,ou=far,{BASE}"])
        + group("around", ["p0", f"cn=away,{GROUPS}"])
    )
    one = source(server, base=GROUPS, people_base=f"ou=people,{BASE}", refresh="1s")
    code, said = checked(one)
    assert code == 1, said
    for words in (
        f"cn=host,{GROUPS} keeps its last good members: ldap://dc9.example/",
        "names another server, which isn't asked", "this base does not exist",
        "the filter is invalid",
        f"cn=away,{GROUPS} keeps its last good members: for its member uid=x,ou=far,{BASE}",
    ):
        assert words in said, (words, said)
    daemon = mailbraked(dict(MEMORY), sources=[one])
    daemon.expect_log(r"was read: ")
    unknown = {name: "unknown" for name in ("host", "gone", "junk", "away", "around")}
    found = states(daemon, build)
    assert {name: state for name, (_, state) in found.items()} == {
        "good": "ok", "dyn": "ok", **unknown}
    server.modify(
        f"dn: cn=dyn,{GROUPS}\nchangetype: modify\nreplace: memberURL\n"
        f"memberURL: ldap://x/??base\n\n"
        f"dn: cn=good,{GROUPS}\nchangetype: modify\nadd: member\nmember: {dn('p2')}\n\n")
    wait_until(lambda: states(daemon, build)["good"] == (3, "ok"), 10, "not read", daemon.text)
    assert states(daemon, build)["dyn"] == (5, "stale")
    daemon.expect_log(r"keeps its last good members")


# ---- how it is reached ----


def test_each_way_to_reach_it_and_each_fault_in_words(slapd, authority, checked, tmp_path):
    people = person("p1") + person("p2") + group("two", ["p1", "p2"])
    server = slapd(people, f"{NO_LIMIT}\nsasl-host localhost\n", authority.sign("good"))
    password, wrong = tmp_path / "password", tmp_path / "wrong"
    password.write_text(f"{PASSWORD}\n")
    password.chmod(0o600)
    wrong.write_text("mine\n")
    large = tmp_path / "large"
    large.write_text("x" * 1024)
    bind = {"bind_dn": ADMIN, "password_file": str(password)}
    ca = {"ca_file": str(authority.file)}
    silent = socket.create_server(("127.0.0.1", 0))
    silent_port = silent.getsockname()[1]
    short = {"request_timeout": "1s"}
    good = [
        source(server.tls_url, **ca, **bind),
        source(server, start_tls=True, **ca),
        source(server.ldapi, sasl="external"),
        source(server, ca_file=str(tmp_path / "none")), # not needed without TLS
        {**source(server), "ldap": ["ldap://127.0.0.1:1", server.url]},
    ]
    for one in good:
        code, said = checked(one)
        assert code == 0 and "1 list, the largest with 2 persons" in said, (one, said)
    faults = {
        "cannot connect: connection refused": source("ldap://127.0.0.1:1"),
        'ca_file lacks its issuer, "cn=Private-CA"': source(server.tls_url),
        'ca_file lacks its issuer, "cn=Private-CA" ': source(server, start_tls=True),
        "invalid credentials: see bind_dn and password_file":
            source(server, bind_dn=ADMIN, password_file=str(wrong)),
        "this base does not exist": source(server, base="dc=nowhere"),
        "the filter is invalid": source(server, filter="(mail="),
        "no such host": source("ldap://no.such.invalid"),
        "binding: no answer in time": source(f"ldap://127.0.0.1:{silent_port}", **short),
        "connecting: no answer in time":
            source(f"ldaps://127.0.0.1:{silent_port}", **short),
        "password_file": source(server, bind_dn=ADMIN, password_file=str(tmp_path / "none")),
        "has a first line of more than 1023 bytes":
            source(server, bind_dn=ADMIN, password_file=str(large)),
    }
    for words, one in faults.items():
        code, said = checked(one)
        assert code == 1 and words.strip() in said, (words, said)
    began = time.monotonic()
    code, said = checked(source(f"ldaps://127.0.0.1:{silent_port}", timeout="1s"))
    assert code == 1 and time.monotonic() - began < 4, said
    code, said = checked(source(server, bind_dn=ADMIN, password_file=str(wrong)))
    assert f"{wrong}: warning: anybody on this machine can read this password" in said
    table = tmp_path / "table.cf"
    table.write_text(
        f"server_host = {server.url}\nsearch_base = {BASE}\nbind_dn = {ADMIN}\n"
        f"bind_pw = {PASSWORD}\nquery_filter = (mail=%s)\nspecial_result_attribute = member\n"
        "result_attribute = mail\n")
    code, said = checked({"postfix": str(table)})
    assert code == 0 and f"{table}: warning: anybody on this machine can read" in said, said
    server.stop()

    expired = slapd(people, "", authority.sign("expired", days=0))
    assert "its certificate expired on 20" in checked(source(expired.tls_url, **ca))[1]
    expired.stop()
    other = slapd(people, "", authority.sign("other", names="DNS:other.example"))
    assert "for another name" in checked(source(other.tls_url, **ca))[1]
    other.stop()
    limited = slapd(people, "limits * size.soft=1 size.hard=1 size.prtotal=disabled")
    code, said = checked(source(limited))
    assert code == 1 and "limit" in said, said


class Slow(Between):
    """Answers in time, each time, but slowly."""

    def _changed(self, data, back):
        if back and data:
            time.sleep(0.3)
        return data


def test_a_slow_server_leaves_time_for_the_next(slapd, checked):
    server = slapd("".join(person(f"p{i}") for i in range(16)) + group("two", ["p1", "p2"]))
    slow = Slow(server.ports["ldap"])
    code, said = checked({**source(server, page_size=1, timeout="4s", request_timeout="3s"),
                          "ldap": [slow.url, server.url]})
    assert code == 0 and f"{server.url}: 1 list of 1 group" in said, said
    code, said = checked(source(slow, page_size=1, timeout="2s"))
    assert code == 1 and "searching: no answer in time" in said, said
    slow.close()


def test_members_outside_of_people_base_are_a_warning(slapd, checked):
    """They are looked up one by one, which may be why a read takes too long."""
    server = slapd(group("large", [f"p{i}" for i in range(10001)]))
    code, said = checked(source(server, people_base=GROUPS, timeout="1s"))
    assert "warning: 10001 members are not below people_base" in said, said
    assert "no answer in time" in said or code == 0, said


def test_members_that_may_not_be_read_are_a_warning(slapd, checked):
    server = slapd(group("two", ["p1", "p2"]), f"{NO_LIMIT}\naccess to attrs=member by * none\n"
                                               "access to * by * read")
    said = checked(source(server))[1]
    assert "1 list of 1 group (1 without members)" in said, said
    assert "warning: no members are found for 1 of 1 lists: may bind_dn read them?" in said


# ---- when it fails ----


def test_cut_off_anywhere_it_is_never_a_smaller_list(slapd, checked):
    """After each number of bytes: all of it, or nothing and an error."""
    server = slapd("".join(person(f"p{i}") for i in range(8)) + group("eight", [f"p{i}" for i in range(8)]))
    outcomes = set()
    for cut_after in [*range(1, 60, 8), *range(60, 1600, 130), 100000]:
        between = Between(server.ports["ldap"], cut_after)
        code, said = checked(source(between.url, people_base=f"ou=people,{BASE}", page_size=3))
        between.close()
        assert (code == 0) == ("the largest with 8 persons" in said), said
        assert code == 0 or "connection was lost" in said or "cannot connect" in said, said
        outcomes.add(code)
    assert outcomes == {0, 1}


def test_without_the_server_the_last_members_count(slapd, mailbraked, build, tmp_path):
    """Hanging and then gone: told once, no reload waits for it, and it comes back by itself;
    a restart meanwhile keeps the members, too."""
    server = slapd("".join(person(f"p{i}") for i in range(5)) + group("five", [f"p{i}" for i in range(5)]))
    store = {**MEMORY, "state_file": str(tmp_path / "state")}
    daemon = mailbraked(store, rules=CAP_1500, sources=[
        source(server, refresh="1s", request_timeout="1s")])
    wait_until(lambda: states(daemon, build) == {"five": (5, "ok")}, 10, "not read", daemon.text)

    server.freeze()
    daemon.expect_log(r"ldap:dc=district,dc=example: .*no answer in time \(last read", 10)
    began = time.monotonic()
    done = Command(build, daemon.config).run("reload", "--json")
    assert done.returncode == 0 and time.monotonic() - began < 3
    assert json.loads(done.stdout)["reading"] == [f"ldap:{BASE}"]
    assert states(daemon, build)["five"] == (5, "stale")
    server.thaw()
    wait_until(lambda: states(daemon, build)["five"][1] == "ok", 10, "not back", daemon.text)

    server.stop()
    daemon.expect_log(r"cannot connect|connection was lost", 10)
    daemon.stop()
    daemon.start()
    assert states(daemon, build)["five"][0] == 5
    wait_until(lambda: states(daemon, build)["five"] == (5, "stale"), 10, "not stale", daemon.text)
    server.start()
    server.modify(f"dn: cn=five,{GROUPS}\nchangetype: modify\nadd: member\nmember: {dn('p6')}\n\n")
    wait_until(lambda: states(daemon, build)["five"] == (6, "ok"), 15, "not back", daemon.text)


def test_a_server_that_never_answered_leaves_its_lists_unknown(mailbraked, build):
    daemon = mailbraked(dict(MEMORY), sources=[source("ldap://127.0.0.1:1")])
    daemon.expect_log(r"cannot connect: connection refused \(never read successfully")
    said = Command(build, daemon.config).run("explain", "--from", ANN, "--to", "x@district.example")
    assert re.search(r"defer", said.stdout), said.stdout + said.stderr


def test_a_source_that_a_reload_removes_while_it_is_read(slapd, mailbraked, build, tmp_path):
    """Its members are gone then, also from the folder of those that are kept."""
    server = slapd(person("p1") + person("p2") + group("two", ["p1", "p2"]))
    store = {**MEMORY, "state_file": str(tmp_path / "state")}
    daemon = mailbraked(store, rules=CAP_1500, sources=[source(server, refresh="1s")])
    wait_until(lambda: states(daemon, build) == {"two": (2, "ok")}, 10, "not read", daemon.text)
    kept = tmp_path / "lists"
    assert len(list(kept.glob("*.members"))) == 1
    server.freeze()
    time.sleep(1.5)  # it is being read
    text = daemon.config.read_text()
    daemon.write(re.sub(r"\{ ldap.*?\}", "", text.replace("\n", " ")))
    daemon.reload()
    assert states(daemon, build) == {} and not list(kept.glob("*.members"))
    server.thaw()
    time.sleep(1.5)  # it was read
    assert states(daemon, build) == {} and not list(kept.glob("*.members"))
