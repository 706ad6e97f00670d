"""Lists in a real Active Directory: a domain controller of Samba, one for all stories, and
what it answered once, for machines where none can be started."""

import json
import os
import re

import pytest

from between import Between
from conftest import ROOT
from domain_controller import ADMIN, BASE, PASSWORD, DomainController, Unavailable
from mailbraked import Command, Mailbraked
from postfix import wait_until
from ranges import Ranges, Recorded
from slapd import Authority
from stores import MEMORY, memory_only

pytestmark = pytest.mark.xdist_group("samba")

ANN = "ann@district.example"
CAP_1500 = '{ name = "large"; reach_over = 1500; action = "reject"; }'
RECORDING = ROOT / "test/e2e/recorded_samba.json"
USERS = 500


def person(name, unit, kind="contact", **attributes):
    if kind == "user":
        attributes.setdefault("userAccountControl", "544")  # without a password, but enabled
        attributes["sAMAccountName"] = name
    return [f"CN={name},OU=People,OU={unit}",
            {"objectClass": kind, "mail": f"{name}@district.example", **attributes}]


def members(unit, names):
    return [f"CN={name},OU=People,OU={unit}," for name in names]


def group(name, unit, mail=True, **attributes):
    if mail:
        attributes["mail"] = f"{name}@district.example"
    return [f"CN={name},OU={unit}", {"objectClass": "group", "sAMAccountName": f"{name}-list",
                                     **attributes}]


def entries():
    units = [["OU=Large", {}], ["OU=People,OU=Large", {}], ["OU=Small", {}], ["OU=People,OU=Small", {}]]
    for _, attributes in units:
        attributes["objectClass"] = "organizationalUnit"
    large = [f"p{i}" for i in range(5000)]
    small = [f"s{i}" for i in range(40)]
    return [
        *units,
        *(person(name, "Large", "user" if i < USERS else "contact") for i, name in enumerate(large)),
        *(person(name, "Small") for name in small),
        group("all", "Large", member=members("Large", large),
              proxyAddresses=["SMTP:all@district.example", "smtp:everybody@district.example",
                              "X400:c=x"]),
        group("choir", "Small", member=members("Small", small)),
        group("hidden", "Small", mail=False, member=members("Small", ["s1", "s2"])),
        group("outer", "Small", member=[*members("Small", ["s2", "s3"]), "CN=hidden,OU=Small,"]),
        group("circle", "Small", member=["CN=outer,OU=Small,", *members("Small", ["s4"])]),
        group("teachers", "Small", member=members("Small", ["s5"])),
        person("t1", "Small", "user", primaryGroup="CN=teachers,OU=Small,"),
        person("t2", "Small", "user", primaryGroup="CN=teachers,OU=Small,"),
        person("left", "Small", "user", primaryGroup="CN=teachers,OU=Small,",
               userAccountControl="514"),
    ]


@pytest.fixture(scope="module")
def authority(folder):
    return Authority(folder / "authority-of-samba")


@pytest.fixture(scope="module")
def controller(folder, authority):
    samba = DomainController(folder / "samba", authority)
    try:
        samba.provision(entries()).start()
        samba.modify(f"dn: CN=outer,OU=Small,{BASE}\nchangetype: modify\nadd: member\n"
                     f"member: CN=circle,OU=Small,{BASE}\n\n")
        yield samba
    except Unavailable as error:
        pytest.skip(f"no domain controller of Samba can be started here: {error}")
    finally:
        samba.stop()


@pytest.fixture(scope="module")
def password(folder):
    path = folder / "samba.password"
    path.write_text(PASSWORD)
    path.chmod(0o600)
    return str(path)


@pytest.fixture
def ad(password):
    def source(url, unit=None, **more):
        return {"ldap": [url], "base": f"OU={unit},{BASE}" if unit else BASE, "schema": "ad",
                "bind_dn": ADMIN, "password_file": password, **more}

    return source


@pytest.fixture
def checked(build, tmp_path):
    def run(one):
        draft = Mailbraked(build, tmp_path / "draft")
        draft.configure(dict(MEMORY), sources=[one])
        done = Command(build, draft.config).run("check")
        return done.returncode, done.stdout + done.stderr

    return run


def sizes(daemon, build):
    done = Command(build, daemon.config).run("lists", "--json")
    lists = json.loads(done.stdout)["lists"]
    return {item["address"].split("@")[0]: (item["size"], item["state"]) for item in lists}


NOT_DISABLED = "(userAccountControl:1.2.840.113556.1.4.803:=2)"
SMALL = {"choir": 40, "outer": 4, "circle": 4, "teachers": 3}


@memory_only
def test_a_group_of_5000_is_refused_with_its_reach(controller, ad, relay, build):
    """Its members come in four ranges. It is read again when the domain controller has
    restarted, and until then counts as it did."""
    between = Ranges(controller.address)
    mail = relay(rules=CAP_1500, sources=[ad(between.url, refresh="1s", people_not=NOT_DISABLED)])
    mail.expect_log(r"was read: .* 5 lists of \d+ groups .*, 50\d\d members", 30)
    mail.expect_log(r"lists contain each other: (outer|circle)@")
    ranges = [one["range"] for one in between.record if one["range"]]
    assert ranges[:3] == [f"member;range={first}-*" for first in (1500, 3000, 4500)]
    for name in ("all", "everybody"):
        refused = mail.send(ANN, f"{name}@district.example")
        assert refused.code == 550 and "(reach 5000, limit 1500)" in refused.text
    expected = {**SMALL, "all": 5000}
    assert sizes(mail.daemon, build) == {name: (size, "ok") for name, size in expected.items()}

    controller.stop()
    mail.expect_log(r"connection was lost|cannot connect", 20)
    assert sizes(mail.daemon, build)["all"] == (5000, "stale")
    assert mail.send(ANN, "all@district.example").code == 550
    controller.start()
    controller.modify(f"dn: CN=all,OU=Large,{BASE}\nchangetype: modify\nadd: member\n"
                      f"member: CN=s1,OU=People,OU=Small,{BASE}\n\n")
    wait_until(lambda: sizes(mail.daemon, build)["all"] == (5001, "ok"), 30, "not back",
               mail.daemon.text)
    between.close()


def test_it_is_reached_as_domain_controllers_want_it(controller, ad, authority, checked):
    """Without TLS Samba refuses a password, as a hardened Windows does."""
    ca = {"ca_file": str(authority.file)}
    for one in (ad(controller.tls_url, "Small", **ca),
                ad(controller.url, "Small", start_tls=True, **ca)):
        code, said = checked(one)
        assert code == 0 and "the largest with 40 persons" in said, said
    wrong = {**ad(controller.tls_url, "Small", **ca), "bind_dn": "nobody@ad.district.example"}
    nobody = {name: value for name, value in wrong.items() if name not in ("bind_dn", "password_file")}
    faults = {
        "the server wants TLS: use ldaps: or start_tls": ad(controller.url, "Small"),
        "invalid credentials: see bind_dn and password_file": wrong,
        "the server refuses (Active Directory: set bind_dn)": nobody,
        "this base does not exist": ad(controller.tls_url, "Nowhere", **ca),
        'lacks its issuer, "cn=Private-CA"': ad(controller.tls_url, "Small"),
    }
    for words, one in faults.items():
        code, said = checked(one)
        said = said[said.find("ldap:") :]
        assert code == 1 and words in said, (words, said)


def test_cut_off_between_its_ranges_it_is_no_smaller_group(controller, ad, checked):
    outcomes = set()
    behind = Ranges(controller.address, size=15)
    for cut_after in [*range(200, 12000, 900), 10**6]:
        between = Between(behind.port, cut_after)
        code, said = checked(ad(between.url, "Small"))
        between.close()
        assert (code == 0) == ("the largest with 40 persons" in said), said
        assert code == 0 or "connection was lost" in said or "cannot connect" in said, said
        outcomes.add(code)
    behind.close()
    assert outcomes == {0, 1}


def shape(searches):
    """What another domain with the same people has in common: not the SIDs, nor in which
    order members come."""
    return [
        {**one, "entries": sorted(
            [dn, sorted([name, len(values) if name.startswith("member") else values]
                        for name, values in pairs if not re.match("objectSid|primary", name))]
            for dn, pairs in one["entries"])}
        for one in searches]


def test_the_recording_is_what_samba_answers(controller, ad, checked):
    """In ranges of 15. MAILBRAKE_RECORD=1 records it again."""
    between = Ranges(controller.address, size=15)
    code, said = checked(ad(between.url, "Small", people_not=NOT_DISABLED))
    assert code == 0, said
    between.close()
    if os.environ.get("MAILBRAKE_RECORD"):
        RECORDING.write_text("[" + ",\n".join(map(json.dumps, between.record)) + "]\n")
    assert shape(between.record) == shape(json.loads(RECORDING.read_text())), (
        "mailbraked asks or Samba answers otherwise than when it was recorded")


def test_recorded_answers_give_the_same_lists(ad, mailbraked, build):
    """Without a domain controller: nested in a circle, primary groups, and ranges."""
    server = Recorded(RECORDING)
    daemon = mailbraked(dict(MEMORY), sources=[ad(server.url, "Small", people_not=NOT_DISABLED)])
    daemon.allow_log("lists contain each other")
    wait_until(lambda: len(sizes(daemon, build)) == 4, 10, "not read", daemon.text)
    assert sizes(daemon, build) == {name: (size, "ok") for name, size in SMALL.items()}
    assert not server.unknown
    server.close()
