"""`mailbrake check --mta`: faults, each seeded alone into the configuration of a private
Postfix that is right otherwise, are each found, with the line to change."""

import getpass
import json
import pathlib
import shutil
import subprocess

import pytest

from mailbraked import people
from stores import MEMORY

MAIN = """
compatibility_level = 3.7
queue_directory = {queue}
mail_owner = postfix
myhostname = relay.district.example
mydestination = district.example, school.example
recipient_delimiter = +
alias_maps = hash:{dir}/aliases
virtual_alias_maps = hash:{dir}/virtual
smtpd_milters = inet:127.0.0.1:8891, unix:milter/milter.sock
non_smtpd_milters = unix:milter/milter.sock
milter_default_action = tempfail
enable_long_queue_ids = yes
smtpd_forbid_bare_newline = yes
"""

MASTER = """
smtp inet n - y - - smtpd
submission inet n - y - - smtpd
  -o syslog_name=postfix/submission
cleanup unix n - y - 0 cleanup
local unix - n n - - local
"""

# What stands in main.cf or master.cf, what is written instead, and what must be said.
FAULTS = {
    "not asked": ("inet:127.0.0.1:8891, unix:milter/milter.sock", "inet:127.0.0.1:8891",
                  "smtpd_milters = inet:127.0.0.1:8891, unix:milter/milter.sock"),
    "not last": ("inet:127.0.0.1:8891, unix:milter/milter.sock",
                 "unix:milter/milter.sock, { inet:127.0.0.1:8891, connect_timeout=5s }",
                 "must come last"),
    "a service is not asked": ("-o syslog_name=postfix/submission", "-o smtpd_milters=",
                               "submission (smtpd_milters)"),
    "sendmail(1) is not asked about": ("non_smtpd_milters = unix:milter/milter.sock", "",
                                       "non_smtpd_milters = unix:milter/milter.sock"),
    "open when away": ("milter_default_action = tempfail", "milter_default_action = accept",
                       "milter_default_action = tempfail"),
    "open when away, in braces": (
        "inet:127.0.0.1:8891, unix:milter/milter.sock",
        "{ unix:milter/milter.sock, default_action=accept }", "default_action=tempfail"),
    "open when away, with blanks": (
        "inet:127.0.0.1:8891, unix:milter/milter.sock",
        "{ unix:milter/milter.sock, default_action =accept }", "default_action=tempfail"),
    "judged twice": ("inet:127.0.0.1:8891, unix:milter/milter.sock",
                     "$non_smtpd_milters unix:milter/milter.sock",
                     "is listed here twice"),
    "a proxy filter": ("-o syslog_name=postfix/submission",
                       "-o smtpd_proxy_filter=127.0.0.1:10024", "smtpd_proxy_filter"),
    "no milters": ("enable_long_queue_ids = yes",
                   "enable_long_queue_ids = yes\nreceive_override_options = no_milters",
                   "no_milters"),
    "judged again": ("cleanup unix",
                     "127.0.0.1:10025 inet n - y - - smtpd\n"
                     "  -o content_filter=\n"
                     "scan inet n - y - - smtpd\n"
                     "  -o content_filter=smtp:127.0.0.1:10024\n"
                     "cleanup unix", "receive_override_options=no_milters"),
    "bare newlines": ("smtpd_forbid_bare_newline = yes", "smtpd_forbid_bare_newline = no",
                      "smtpd_forbid_bare_newline = yes"),
    "short queue ids": ("enable_long_queue_ids = yes", "", "enable_long_queue_ids = yes"),
    "another domain": ("mydestination = district.example",
                       "mydestination = old.example, district.example",
                       'add "old.example" to domains'),
    "another delimiter": ("recipient_delimiter = +", "recipient_delimiter = -",
                          'recipient_delimiter = "-"'),
    "aliases that we do not read": ("hash:{dir}/aliases", "hash:{dir}/aliases, hash:{dir}/more",
                                    '{ aliases = "{dir}/more"; }'),
    "virtual lists that we do not read": ("hash:{dir}/virtual", "hash:{dir}/more",
                                          '{ virtual = "{dir}/more"; }'),
    "lists in LDAP that we do not read": ("= hash:{dir}/virtual",
                                          "= hash:{dir}/virtual, proxy:ldap:{dir}/ldap.cf",
                                          '{ postfix = "{dir}/ldap.cf"; }'),
}


# What is written at the end of main.cf, or instead of a line of master.cf, and what must be
# said: Postfix would deliver one recipient to staff, whom Mailbrake counted as one.
STAFF = "staff@district.example"
REACHES = {
    "canonical": "canonical_maps = inline:{ ann@district.example=" + STAFF + " }",
    "canonical, a text": "canonical_maps = hash:{dir}/canonical",
    "canonical, without a domain": "recipient_canonical_maps = inline:{ friends=staff }",
    "canonical, all of a domain": "canonical_maps = inline:{ @far.example=" + STAFF + " }",
    "canonical, domain to domain": "canonical_maps = inline:{ @old.example=@district.example }",
    "canonical, a pattern": "canonical_maps = regexp:{ { /^pals@/ " + STAFF + " } }",
    "canonical, through others":
        "canonical_maps = unionmap:{ fail:no, proxy:hash:{dir}/canonical }",
    "canonical, whatever comes": "canonical_maps = static:" + STAFF,
    "masquerade": "masquerade_domains = district.example\n"
                  "masquerade_classes = envelope_sender, envelope_recipient",
    "always_bcc": "always_bcc = " + STAFF,
    "always_bcc with a tag": "always_bcc = staff+archive@school.example",
    "sender_bcc_maps": "sender_bcc_maps = inline:{ @district.example=" + STAFF + " }",
    "recipient_bcc_maps": "recipient_bcc_maps = pcre:{ { /./ staff } }",
    "header_checks": "header_checks = regexp:{ { /^Subject: x/ REDIRECT " + STAFF + " } }",
    "nested_header_checks": "nested_header_checks = regexp:{ { /^X/ BCC " + STAFF + " } }",
    "body_checks": "body_checks = regexp:{dir}/checks",
    "milter_header_checks": "milter_header_checks = regexp:{ { /^X-/ redirect staff } }",
    "an access map": "smtpd_recipient_restrictions = check_sender_access "
                     "inline:{ { ann@far.example = REDIRECT " + STAFF + " } }, reject",
    "an access map of a class": "smtpd_restriction_classes = strict\n"
        "strict = check_client_access cidr:{ { 10.0.0.0/8 BCC " + STAFF + " } }",
    "luser_relay": "luser_relay = " + STAFF,
    "aliases in main.cf": "alias_maps = inline:{ { all = ann, bob } }",
    "virtual lists by pattern": "virtual_alias_maps = regexp:{ { /^all@/ a@b.example b@b.example } }",
    "virtual lists within others": "virtual_alias_maps = "
        "proxy:unionmap:{ hash:{dir}/virtual, inline:{ { all@district.example = ann, bob } } }",
    "mydestination, a table": "mydestination = hash:{dir}/domains",
    "mydestination, a file": "mydestination = district.example, {dir}/names",
    "mydestination, a table in a file": "mydestination = {dir}/tables",
    "another domain by local(8)": "transport_maps = inline:{ old.example=local: }",
    "a list elsewhere by local(8)": "transport_maps = inline:{ staff@old.example=local:x }",
    "relayed to local(8)": "relay_transport = local\nrelay_domains = old.example",
    "virtual by local(8)":
        "virtual_transport = local:\nvirtual_mailbox_domains = hash:{dir}/domains",
    "a virtual list in myorigin":
        "virtual_alias_maps = hash:{dir}/bare\nmyorigin = old.example",
    "milters off for some": "smtpd_milter_maps = cidr:{ { 10.0.0.0/8 DISABLE } }",
    "other milters for some": "smtpd_milter_maps = inline:{ 10.1.2.3=inet:127.0.0.1:8891 }",
    "all mail of some while we are away":
        "smtpd_milter_maps = inline:{ { 10.1.2.3 = { unix:milter/milter.sock, default_action = accept } } }",
    "a login for all": "milter_macro_defaults = {auth_authen}=superintendent",
}
# Of these nobody can tell: warnings.
UNCLEAR = {
    "canonical by LDAP": "canonical_maps = ldap:{dir}/ldap.cf",
    "canonical, parts of a pattern":
        "canonical_maps = regexp:{ { /^(.*)@old.example$$/ $$1@district.example } }",
    "copies by SQL": "recipient_bcc_maps = proxy:mysql:{dir}/mysql.cf",
    "mydestination by SQL": "mydestination = mysql:{dir}/mysql.cf",
    "mydestination by pattern": "mydestination = pcre:{ { /./ x } }",
    "aliases of NIS": "alias_maps = nis:mail.aliases",
    "milters by LDAP": "smtpd_milter_maps = ldap:{dir}/ldap.cf",
    "luser_relay with the name": "luser_relay = $user@school.example",
    "a stale map": "virtual_alias_maps = hash:{dir}/stale",
    "a map without its text": "virtual_alias_maps = hash:{dir}/textless",
    "a copy's map without its text": "sender_bcc_maps = hash:{dir}/textless",
    "a .forward": "forward_path = {dir}/$user.forward",
    "a .forward to a list": "forward_path = {dir}/list.forward",
    "any domain by local(8)": "default_transport = local",
    "domains by pattern by local(8)": "transport_maps = pcre:{ { /./ local: } }",
    "Postfix's own notices to many": "error_notice_recipient = crowd",
    "what is for nobody to many": "empty_address_recipient = crowd@district.example",
    "a filter that is a program": "content_filter = scan:dummy",
}
# And these are right.
HARMLESS = """
canonical_maps = inline:{ ann=ann.smith@district.example, @host.example=@far.example }
recipient_canonical_maps = static:staff@district.example
recipient_canonical_classes = header_recipient
sender_canonical_maps = static:staff@district.example
masquerade_domains = district.example
always_bcc = archive@district.example
recipient_bcc_maps = inline:{ staff@district.example=archive@district.example },
  regexp:{ { /^(.*)@school.example$$/ $${1}@far.example } }
header_checks = regexp:{ { /^Subject: x/ REDIRECT ann@district.example }, { /^Y/ HOLD },
  { /^Z/ FILTER smtp:[127.0.0.1]:10025 } }
smtpd_client_restrictions = check_client_access cidr:{ { 10.0.0.0/8 OK } },
  check_policy_service { unix:private/policy, default_action=OK }
smtpd_sender_restrictions = check_sender_access hash:{dir}/textless
transport_maps = inline:{ far.example=smtp:[10.0.0.9], district.example=local:,
  ann@far.example=local: }
virtual_transport = local
smtpd_milters = { inet:127.0.0.1:8891, default_action = accept }, unix:milter/milter.sock
virtual_alias_maps = hash:{dir}/bare
myorigin = district.example
luser_relay = $user@far.example
delay_notice_recipient = staff
smtpd_milter_maps = cidr:{ { 10.9.0.0/16 inet:127.0.0.1:8891, unix:milter/milter.sock },
  { 10.0.0.2 DISABLE } }
milter_protocol = 2
"""


def batches(cases):
    """As few lists of their lines as there may be, in each of which a setting stands once."""
    left = list(cases.values())
    while left:
        batch = {}
        for lines in left:
            batch.setdefault(lines.split(" = ")[0], lines)
        left = [lines for lines in left if batch[lines.split(" = ")[0]] != lines]
        yield list(batch.values())


class Checked:
    def __init__(self, build, daemon, postfix, path):
        self.build, self.daemon, self.postfix, self.dir = build, daemon, postfix, path
        self.main, self.master = MAIN, MASTER
        self.usual = []

    def full(self, text):
        values = {"dir": str(self.dir), "queue": str(self.postfix.dir)}
        for key, value in values.items():
            text = text.replace("{" + key + "}", value)
        return text

    def write(self):
        for name, text in (("main.cf", self.main), ("master.cf", self.master)):
            (self.dir / name).write_text(self.full(text))

    def add(self, lines):
        """To main.cf, where each setting stands once."""
        names = {line.split(" = ")[0] for line in lines.splitlines() if " = " in line}
        kept = [line for line in MAIN.splitlines() if line.split(" = ")[0] not in names]
        self.main = "\n".join([*kept, lines, ""])

    def run(self):
        """What is wrong, as texts; answer has all of it."""
        self.write()
        done = subprocess.run(
            [self.build.mailbrake, "check", "--mta", "--json", "-c", self.daemon.config],
            capture_output=True, text=True, timeout=60, check=False)
        self.answer = answer = json.loads(done.stdout)
        assert done.returncode == (1 if answer["errors"] else 0), done
        return [problem["text"] for problem in answer["errors"]]

    def warnings(self):
        """Those that the right relay has not, whose are about our own configuration."""
        texts = [problem["text"] for problem in self.answer["warnings"]]
        return [text for text in texts if text not in self.usual]


@pytest.fixture
def checked(build, postfix, mailbraked, folder):
    path = pathlib.Path(folder) / "checked"
    path.mkdir()
    path.chmod(0o755)
    for name in ("aliases", "virtual", "more"):
        (path / name).write_text("")
    (path / "canonical").write_text("# names\nsome.one@district.example\n  " + STAFF + "\n")
    (path / "checks").write_text("if /^X/\n/^Y/i\n  BCC " + STAFF + "\nendif\n")
    (path / "domains").write_text("old.example yes\n")
    (path / "names").write_text("# ours\nold.example, school.example\n")
    (path / "tables").write_text("district.example # ours\nhash:" + str(path / "domains") + "\n")
    (path / "stale").write_text("staff@district.example ann, bob\n")
    subprocess.run(["postmap", path / "stale"], check=True)
    (path / "stale").write_text("staff@district.example ann, bob, eve\n")
    (path / "textless.db").touch()
    (path / "list.forward").write_text("\n " + STAFF + "\n")
    (path / "bare").write_text("old.example anything\npals ann, bob\n")
    (path / f"{getpass.getuser()}.forward").write_text(",\n".join(people(40)) + "\n")
    (path / "aliases").write_text(
        "staff: " + ", ".join(people(3)) + "\ncrowd: " + ", ".join(people(40)) + "\n")
    checked = Checked(build, None, postfix, path)
    checked.write()
    checked.daemon = mailbraked(
        MEMORY,
        milter_socket=postfix.milter_socket,
        sources=[{"aliases": str(path / "aliases")}, {"virtual": str(path / "virtual")},
                 {"virtual": str(path / "stale")}, {"virtual": str(path / "bare")}],
        relays=["client:10.0.0.2"],
        mta={"type": "postfix", "config_directory": str(path)},
    )
    checked.run()
    checked.usual = [problem["text"] for problem in checked.answer["warnings"]]
    yield checked
    shutil.rmtree(path)


def test_each_fault_is_found_and_a_right_relay_passed_in_silence(checked):
    """One daemon for all: only files differ."""
    assert checked.run() == []
    assert not any(str(checked.dir) in p["file"] for p in checked.answer["warnings"])
    for name, (right, wrong, said) in FAULTS.items():
        assert right in MAIN + MASTER, name
        checked.main = MAIN.replace(right, wrong)
        checked.master = MASTER.replace(right, wrong)
        found = checked.run()
        assert found, name
        assert all(said.replace("{dir}", str(checked.dir)) in text for text in found), (name, found)
    checked.main, checked.master = MAIN, MASTER


def test_what_reaches_lists_behind_our_back(checked):
    for lines in batches(REACHES):
        checked.add("\n".join(lines))
        found = checked.run()
        assert len(found) == len(lines) and not checked.warnings(), (lines, checked.answer)
        main = (checked.dir / "main.cf").read_text().splitlines()
        for problem in checked.answer["errors"]:
            if problem["file"] == str(checked.dir / "main.cf"):
                name = main[problem["line"] - 1].split(" = ")[0]
                assert any(line.startswith(name) or f"\n{name} = " in line for line in lines)
            else:
                assert 'add "old.example" to domains' in problem["text"]


def test_of_what_nobody_can_tell(checked):
    checked.master = MASTER + "scan unix - n n - - pipe user=nobody argv=/bin/scan\n"
    for lines in batches(UNCLEAR):
        checked.add("\n".join(lines))
        assert checked.run() == [], (lines, checked.answer)
        assert len(checked.warnings()) == len(lines), (lines, checked.answer)


def test_other_milters_that_went_missing(checked):
    """As README's line would do it on a relay that had others."""
    checked.master = MASTER.replace("-o syslog_name=postfix/submission",
                                    "-o { smtpd_milters=unix:a, unix:milter/milter.sock }")
    right = "smtpd_milters = inet:127.0.0.1:8891, unix:milter/milter.sock"
    kept = checked.daemon.dir / "milters"
    config = checked.daemon.config.read_text()
    state = checked.daemon.dir / "state"
    checked.daemon.config.write_text(config.replace("store = {", f'store = {{ state_file = "{state}"; '))
    assert checked.run() == [] and checked.warnings() == []
    assert kept.read_text() == ("smtpd_milters inet:127.0.0.1:8891\n"
                                "submission/inet/smtpd_milters unix:a\n")
    checked.add("smtpd_milters = unix:milter/milter.sock")
    checked.master = MASTER
    for _ in range(2):
        assert checked.run() == []
        lost, own = checked.warnings()
        assert f"write: {right}; or, if that is intended, remove {kept}" in lost
        assert "submission/inet/smtpd_milters named unix:a" in own
    checked.main = MAIN
    kept.write_text("smtpd_milters inet:127.0.0.1:8891\nsubmission/inet/smtpd_milters inet:1.2.3.4:5\n")
    assert checked.run() == [] and "inet:1.2.3.4:5" in "".join(checked.warnings())
    kept.unlink()
    assert checked.run() == [] and checked.warnings() == []


def test_what_is_right_is_passed_in_silence(checked):
    checked.add(HARMLESS)
    checked.master = MASTER + "127.0.0.1:10026 inet n - y - - smtpd\n" \
        "  -o receive_override_options=no_milters\n"
    assert checked.run() == [] and checked.warnings() == [], checked.answer


# What Debian's package writes for an Internet site, and its master.cf.
DEBIAN = """
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no
append_dot_mydomain = no
readme_directory = no
compatibility_level = 3.6
smtpd_tls_security_level=may
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = relay.district.example
alias_maps = hash:{dir}/aliases
alias_database = hash:{dir}/aliases
myorigin = /etc/mailname
mydestination = $myhostname, district.example, localhost.district.example, , localhost
relayhost =
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = all
inet_protocols = all
queue_directory = {queue}
"""
# README's lines.
OURS = """
smtpd_milters = unix:milter/milter.sock
non_smtpd_milters = unix:milter/milter.sock
milter_default_action = tempfail
enable_long_queue_ids = yes
smtpd_forbid_bare_newline = yes
"""


def test_debians_postfix_with_readmes_lines(checked):
    checked.main = DEBIAN + OURS
    checked.master = pathlib.Path("/usr/share/postfix/master.cf.dist").read_text()
    missing = ["relay.district.example", "localhost.district.example", "localhost"]
    found = checked.run()
    assert [f'add "{domain}" to domains' in text for domain, text in zip(missing, found)] == [True] * 3
    assert len(found) == 3 and checked.warnings() == []
    config = checked.daemon.config.read_text()
    names = ", ".join(f'"{domain}"' for domain in missing)
    checked.daemon.config.write_text(config.replace("domains = [", f"domains = [ {names}, ", 1))
    assert checked.run() == [] and checked.warnings() == []
    checked.main = DEBIAN
    assert len(checked.run()) >= 3, checked.answer


# The lines that sendmail.mc turns into, as README has them.
SENDMAIL = """# sendmail.cf
Cwdistrict.example
Fw-o {dir}/local-host-names
C{w}school.example
DL
Kvirtuser hash -o {dir}/virtusertable.db
Kgenerics hash {dir}/genericstable
O AliasFile={dir}/aliases
O ForwardPath=$z/.forward.$w:$z/.forward
O DaemonPortOptions=Name=MTA, Port=25
O QueueDirectory={queue}
O InputMailFilters=spam, mailbrake
Xspam, S=unix:/run/spam.sock, F=T
Xmailbrake, S=unix:{queue}/milter/milter.sock, F=T, T=C:30s;S:30s;R:30s;E:1m
"""
# What stands in sendmail.cf, what instead, what must be said, and whether it is sure.
SENDMAIL_FAULTS = {
    "no filter": ("O InputMailFilters=spam, mailbrake", "O InputMailFilters=spam",
                  "INPUT_MAIL_FILTER", True),
    "not last": ("spam, mailbrake", "mailbrake, spam", "must come last", True),
    "open when away": ("milter.sock, F=T", "milter.sock", "F=T", True),
    "a port without": ("Port=25", "Port=25, InputMailFilters=spam", "DaemonPortOptions", True),
    "another domain": ("Cwdistrict.example", "Cwold.example", 'add "old.example"', True),
    "domains in a file": ("local-host-names", "domains", 'add "old.example"', True),
    "aliases that we do not read": ("AliasFile={dir}/aliases", "AliasFile={dir}/aliases,{dir}/more",
                                    '{ aliases = "{dir}/more"; }', True),
    "aliases of NIS": ("AliasFile=", "AliasFile=nis:mail.aliases,", "nis:mail.aliases", False),
    "virtusertable": ("virtusertable", "canonical", "becomes the list", True),
    "LUSER_RELAY": ("DL\n", "DLlocal:staff\n", "mail to unknown users", True),
    ".forward": ("$z/.forward.$w", "{dir}/$u.forward", "40 addresses", False),
}


def test_sendmail(checked):
    for name in ("local-host-names", "domains"):
        (checked.dir / name).write_text("district.example\n")
    (checked.dir / "domains").write_text("old.example\n")
    (checked.dir / "virtusertable").write_text(
        "info@school.example ann\n@old.example %1@far.example\n@no.example error:nouser No\n")
    config = checked.daemon.config.read_text()
    checked.daemon.config.write_text(config.replace('type = "postfix"', 'type = "sendmail"'))
    cf = checked.dir / "sendmail.cf"
    cf.write_text(checked.full(SENDMAIL))
    checked.run()
    checked.usual = [problem["text"] for problem in checked.answer["warnings"]]
    assert checked.answer["errors"] == [] and not any(
        str(cf) in problem["file"] for problem in checked.answer["warnings"]), checked.answer
    for name, (right, wrong, said, sure) in SENDMAIL_FAULTS.items():
        assert right in SENDMAIL, name
        cf.write_text(checked.full(SENDMAIL.replace(right, wrong)))
        found = checked.run()
        found = found if sure else checked.warnings()
        assert len(found) == 1 and checked.full(said) in found[0], (name, checked.answer)


def test_each_service_has_its_own(checked):
    checked.master = MASTER + "pre-cleanup unix n - y - 0 cleanup\n" \
        "  -o canonical_maps=static:" + STAFF + "\n" \
        "pickup unix n - y 60 1 pickup\n  -o receive_override_options=no_milters\n" \
        "local unix - n n - - local\n  -o luser_relay=" + STAFF + "\n"
    found = checked.run()
    assert len(found) == 3 and {p["file"] for p in checked.answer["errors"]} == {
        str(checked.dir / "master.cf")}
    for start in ("pre-cleanup (canonical_maps)", "pickup (receive_override_options)",
                  "local (luser_relay)"):
        assert any(text.startswith(start) for text in found), found


def test_a_socket_that_postfix_cannot_reach(checked):
    folder = checked.postfix.milter_socket.parent
    mode = folder.stat().st_mode & 0o7777
    folder.chmod(0o700)
    shutil.chown(folder, "root", "root")
    try:
        (text,) = checked.run()
    finally:
        folder.chmod(mode)
        shutil.chown(folder, "root", "postfix")
    assert "user postfix cannot pass" in text


def test_no_daemon(checked):
    checked.daemon.stop()
    assert any("is mailbraked running?" in text for text in checked.run())


def test_no_postfix(checked):
    checked.main = checked.master = ""
    (checked.dir / "gone").mkdir()
    checked.daemon.config.write_text(
        checked.daemon.config.read_text().replace(str(checked.dir) + '"', str(checked.dir) + '/no"'))
    assert any("mta.config_directory" in text for text in checked.run())
