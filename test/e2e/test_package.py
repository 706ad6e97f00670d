"""The Debian package, on a Debian of its own with a running systemd and Postfix: installed,
set up by the words that it prints, upgraded, removed, purged."""

import re
import resource
import subprocess

import pytest

from debian import booting, debian, package  # noqa: F401, fixtures
from postfix import wait_until

ANN = "ann@district.example"
PEOPLE = ["ann", "bob", "eve", "kim", "lou"]
ALIASES = "three: ann, bob, eve\nall: ann, bob, eve, kim, lou\n"
CONFIGURATION = """\
domains = [ "district.example" ];
trusted = [ "client:127.0.0.1" ];
store = { type = "memory"; state_file = "/var/lib/mailbrake/state"; };
privacy = { key_file = "/etc/mailbrake/key"; };
control = { roles = { look = [ "ann" ]; }; };
console = { hosts = [ "mail.district.example" ]; };
lists = ( { aliases = "/etc/aliases"; } );
rules = (
  { name = "cap"; reach_over = 4; action = "reject"; },
  { name = "many"; reach_over = 2; action = "quarantine"; }
);
"""
SETTINGS = [
    "mydestination=district.example, Schools.district.example",
    "myorigin=district.example",
    "inet_interfaces=192.0.2.1, 127.0.0.1",  # the queue's programs look for them
]
UNITS = [
    *("mailbrake-mta.socket", "mailbrake-mta.service", "mailbraked.service"),
    *("mailbrake-console.socket", "mailbrake-console.service"),
]
CONFIG_FILE = "/etc/mailbrake/mailbrake.conf"


def set_up_postfix(machine):
    machine.add_address("192.0.2.1")
    script = f"for user in {' '.join(PEOPLE)}; do useradd $user; done" """
        echo district.example >/etc/mailname
        cat >/etc/aliases
        newaliases
        postconf -X mynetworks
        postconf -e "$@"
        systemctl restart postfix"""
    machine.run("sh", "-ec", script, "sh", *SETTINGS, input=ALIASES)


def do_what_it_says(machine, said):
    """Types the commands that the package prints, one after another, into a shell."""
    commands = re.findall(r"^    ((?:systemctl|mailbrake|postconf) .*)$", said, re.MULTILINE)
    assert len(commands) == 7, said
    for command in commands:
        machine.run("sh", "-ec", command)


def brake(machine, package):  # noqa: F811
    """Installs the package, and sets it up as it says."""
    said = machine.install(package)
    machine.write(CONFIG_FILE, CONFIGURATION)
    do_what_it_says(machine, said)


@pytest.fixture
def machine(debian):  # noqa: F811
    machine = debian("postfix")
    set_up_postfix(machine)
    return machine


@pytest.fixture
def braked(machine, package):  # noqa: F811
    brake(machine, package)
    return machine


@pytest.fixture(scope="module")
def shared(package, tmp_path_factory):  # noqa: F811
    with booting(package, tmp_path_factory.mktemp("shared")) as boot:
        machine = boot("postfix")
        set_up_postfix(machine)
        brake(machine, package)
        yield machine


@pytest.fixture
def running(shared):
    """One for all stories that change no configuration and leave the queue empty."""
    shared.run("sh", "-c", "rm -f /var/mail/*")
    return shared


def pid(machine, unit="mailbraked.service"):
    return machine.state(unit, "MainPID")


def process(machine, unit):
    """What the kernel says of a unit's process."""
    text = machine.read(f"/proc/{pid(machine, unit)}/status")
    return dict(re.findall(r"^(\w+):\t(.*)$", text, re.MULTILINE))


def held_in_queue(machine):
    """The queue ids of held mail, but of no notice that is on its way."""
    lines = machine.run("postqueue", "-j").stdout.splitlines()
    return [re.search(r'"queue_id": "(\w+)"', line)[1] for line in lines if '"queue_name": "hold"' in line]


def held(machine):
    """The id of the only message that waits."""
    (hold,) = re.findall(r"(?m)^([0-9a-f]{16})\s", machine.run("mailbrake", "quarantine", "list").stdout)
    return hold


def of_version(package, version, folder, changes=()):  # noqa: F811
    """The same package with another version, and other files, which are conffiles in /etc."""
    tree = folder / f"package-{version}"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: .*", f"Version: {version}", control.read_text()))
    for name, text in changes:
        path = tree / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    conffiles = [f"{name}\n" for name, _ in changes if name.startswith("/etc/")]
    if conffiles:
        (tree / "DEBIAN" / "conffiles").write_text("".join(conffiles))
    out = folder / f"mailbrake_{version}.deb"
    options = ["--root-owner-group", "-b"]
    subprocess.run(["dpkg-deb", *options, tree, out], check=True, capture_output=True)
    return out


def test_installing_starts_nothing(machine, package):  # noqa: F811
    before = machine.read("/etc/postfix/main.cf")
    said = machine.install(package)
    assert "unix:mailbrake/milter.sock" in said
    for unit in UNITS:
        assert machine.state(unit, "ActiveState") == "inactive"
        assert machine.state(unit, "UnitFileState") in ("disabled", "static")
    assert machine.read("/etc/postfix/main.cf") == before
    assert machine.send(ANN, ["bob@district.example"]).accepted
    assert machine.mailbox("bob") == ["hello"]
    folders = machine.run("stat", "-c", "%n %a %U:%G", *(
        ["/run/mailbrake", "/var/lib/mailbrake", "/var/spool/postfix/mailbrake"]
    )).stdout.splitlines()
    assert folders == [
        "/run/mailbrake 2755 mailbrake:mailbrake",
        "/var/lib/mailbrake 750 mailbrake:mailbrake",
        "/var/spool/postfix/mailbrake 2750 mailbrake:postfix",
    ]
    key = machine.run("stat", "-c", "%a %U:%G %s", "/etc/mailbrake/key").stdout.strip()
    assert key == "640 root:mailbrake 32"
    settings = re.sub(r"(?m)^ *#.*", "", machine.read(CONFIG_FILE))
    assert 'mode = "monitor";' in settings
    assert 'domains = [ "district.example", "schools.district.example" ];' in settings
    done = machine.type("mailbrake check")  # as it comes, it needs nothing else
    assert done.stderr == "" and "2 lists" in done.stdout
    assert machine.run("dpkg-query", "-W", "-f", "${Conffiles}", "mailbrake").stdout.strip() == ""


def test_units_are_as_systemd_wants_them(running):
    done = running.run("systemd-analyze", "verify", "--man=no", *UNITS)
    assert "mailbrake" not in done.stdout + done.stderr


def test_set_up_as_it_says_mail_is_judged(running):
    assert running.send(ANN, ["bob@district.example"]).accepted
    refused = running.send(ANN, ["all@district.example"])
    assert refused.code == 550 and "(reach 5, limit 4)" in refused.text
    assert running.send(ANN, ["three@district.example"], "held").accepted
    assert running.mailbox("bob") == ["hello"]
    assert "verdict=quarantine" in running.journal("mailbraked")
    running.type(f"mailbrake quarantine delete {held(running)}")


def test_held_mail_is_decided_by_the_confined_helper(running):
    for subject in ("one", "two", "three"):
        assert running.send(ANN, ["three@district.example"], subject).accepted
    ids = []
    for queue_id in held_in_queue(running):
        header = running.run("postcat", "-qh", queue_id).stdout
        ids.append((re.search("Subject: (.*)", header)[1], re.search(r"X-Mailbrake:.*id=(\w+)", header)[1]))
    ids = dict(ids)
    running.type(f"mailbrake quarantine release {ids['one']}")
    running.type(f"mailbrake quarantine delete {ids['two']}")
    running.type(f"mailbrake quarantine refuse {ids['three']}")
    assert running.mailbox("bob") == ["one"]
    told = running.mailbox("ann")
    assert "one" in told and len(told) > 1, told  # and the notices
    wait_until(lambda: running.run("postqueue", "-j").stdout == "", 10, "mail stays in the queue")
    assert "result=error" not in running.journal("mailbrake-mta")
    assert not re.search("warning|error|can't", running.journal("mailbraked"))
    assert "inet_protocols" not in running.journal()
    assert running.state("mailbrake-mta.service", "NRestarts") == "0"


def test_old_mail_is_released_with_a_new_life_by_the_confined_helper(running):
    assert running.send(ANN, ["three@district.example"], "old").accepted
    running.run("postconf", "-e", "maximal_queue_lifetime=2s")
    running.run("sleep", "2")
    running.type(f"mailbrake quarantine release {held(running)}")
    assert running.mailbox("bob") == ["old"]
    assert "requeued" in running.journal()
    running.run("postconf", "-X", "maximal_queue_lifetime")


def test_nobody_has_more_than_he_needs(running):
    running.type("mailbrake quarantine sync")  # has started the helper
    daemon, helper = (process(running, f"{name}.service") for name in ("mailbraked", "mailbrake-mta"))
    user = running.run("id", "-u", "mailbrake").stdout.strip()
    assert daemon["Uid"].split() == [user] * 4
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(daemon[name], 16) == 0
    assert int(helper["CapBnd"], 16) == 1 << 1 | 1 << 6 | 1 << 7
    for status in (daemon, helper):
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    files = re.search(r"Max open files +(\d+) ", running.read(f"/proc/{pid(running)}/limits"))
    assert int(files[1]) == min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    inside = ["nsenter", "-t", pid(running), "-m"]
    assert "-" in running.run(*inside, "cat", "/proc/sys/kernel/random/boot_id").stdout
    sockets = running.run("stat", "-c", "%a %U:%G", *(
        ["/run/mailbrake/mta.sock", "/run/mailbrake/control.sock"]
        + ["/var/spool/postfix/mailbrake/milter.sock"]
    )).stdout.splitlines()
    assert sockets == ["660 root:mailbrake", "666 mailbrake:mailbrake", "660 mailbrake:postfix"]


# What the proxy's user gets: it connects in the machine's /run.
AS_PROXY = """
import os, pwd, socket, sys
os.chdir(f"/proc/{sys.argv[1]}/root/run")
proxy = pwd.getpwnam("www-data")
os.setgroups([proxy.pw_gid]), os.setgid(proxy.pw_gid), os.setuid(proxy.pw_uid)
s = socket.socket(socket.AF_UNIX)
s.connect("mailbrake-console.sock")
s.sendall(sys.stdin.buffer.read())
sys.stdout.write(s.makefile().read())
"""


def test_the_page_is_served_under_its_restrictions(running):
    def ask(path, user):
        head = f"Host: mail.district.example\r\nX-Remote-User: {user}\r\nConnection: close"
        return running.python(AS_PROXY, running.init, input=f"GET {path} HTTP/1.1\r\n{head}\r\n\r\n")

    running.run("systemctl", "enable", "--now", "mailbrake-console.socket")
    assert running.state("mailbrake-console.service", "ActiveState") == "inactive"
    page = ask("/", "ann")
    assert "200 OK" in page and "<title>Mailbrake" in page
    assert '"user":"ann"' in ask("/api/v1/whoami", "ann") and '"mode":"enforce"' in ask("/api/v1/status", "ann")
    for user in ("bob", "root", "mailbrake", "mailbrake-console"):
        assert "403 Forbidden" in ask("/api/v1/status", user)
    running.run("sh", "-c", "runuser -u ann -- mailbrake console >/root/address 2>&1 &")
    wait_until(lambda: "#" in running.read("/root/address"), 20, "mailbrake console does not come up")
    fetch = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8025/').read().decode())"
    assert "<title>Mailbrake" in running.python(fetch)
    running.run("pkill", "-u", "ann", "mailbrake-conso")
    status = process(running, "mailbrake-console.service")
    user = running.run("id", "-u", "mailbrake-console").stdout.strip()
    assert status["Uid"].split() == [user] * 4 and int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    mode = running.run("stat", "-c", "%a %U:%G", "/run/mailbrake-console.sock").stdout.strip()
    assert mode == "660 root:www-data"
    running.run("systemctl", "disable", "--now", "mailbrake-console.socket")
    running.run("systemctl", "stop", "mailbrake-console.service")
    assert running.state("mailbrake-console.service", "Result") == "success"


def test_it_reloads_restarts_and_stops(braked):
    before = pid(braked)
    braked.write(CONFIG_FILE, CONFIGURATION.replace("reach_over = 4", "reach_over = 3"))
    braked.run("systemctl", "reload", "mailbraked")
    wait_until(lambda: "reloaded: rules 2" in braked.journal("mailbraked"), 10, "not reloaded")
    assert "rules 2" in braked.state("mailbraked", "StatusText")
    braked.write(CONFIG_FILE, "nonsense")
    braked.run("systemctl", "reload", "mailbraked")
    wait_until(lambda: "not reloaded" in braked.state("mailbraked", "StatusText"), 10, "no word")
    assert pid(braked) == before
    braked.write(CONFIG_FILE, CONFIGURATION)
    braked.run("kill", "-9", before)
    wait_until(lambda: braked.state("mailbraked", "NRestarts") == "1", 20, "not restarted")
    wait_until(lambda: braked.state("mailbraked", "ActiveState") == "active", 20, "not up again")
    assert braked.send(ANN, ["all@district.example"]).code == 550
    braked.run("systemctl", "stop", "mailbraked")
    assert braked.state("mailbraked", "Result") == "success"
    assert braked.send(ANN, ["bob@district.example"]).code == 451


def test_a_list_that_cannot_be_read_does_not_keep_it_from_starting(braked):
    """check calls it an error; mailbraked has the members from before."""
    braked.run("mv", "/etc/aliases", "/etc/away")
    braked.run("systemctl", "restart", "mailbraked")
    assert braked.send(ANN, ["all@district.example"]).code == 550


def test_what_the_manual_says_lies_elsewhere_needs_a_drop_in_and_no_more(braked):
    """A list below /home, a state file elsewhere: what is missing is told, what is written
    in mailbraked(8) mends it."""
    drop_in = "/etc/systemd/system/mailbraked.service.d/here.conf"
    braked.run("install", "-d", "-m", "0755", "/home/ann", "/etc/systemd/system/mailbraked.service.d")
    braked.run("useradd", "class")
    braked.write("/home/ann/class.txt", "ann\nbob\neve\nkim\nlou\n")
    text = CONFIGURATION.replace(
        "lists = (", 'lists = ( { address = "class"; file = "/home/ann/class.txt"; },'
    ).replace("/var/lib/mailbrake/state", "/srv/brake/state")
    braked.write(CONFIG_FILE, text)
    said = braked.run("mailbrake", "check").stderr
    (making,) = set(re.findall(r"install -d -m 2750 -o mailbrake -g mailbrake /srv/brake", said))
    braked.type(making)
    assert braked.run("mailbrake", "check").stderr == ""
    braked.run("systemctl", "restart", "mailbraked")
    assert "/home/ann/class.txt" in braked.journal("mailbraked")
    assert braked.send(ANN, ["class@district.example"]).code == 450  # nobody knows who that is
    braked.run("systemctl", "stop", "mailbraked")
    assert "Read-only file system" in braked.journal("mailbraked")
    braked.write(drop_in, "[Service]\nProtectHome=read-only\nReadWritePaths=/srv/brake\n")
    braked.run("systemctl", "daemon-reload")
    braked.run("systemctl", "start", "mailbraked")
    assert braked.send(ANN, ["class@district.example"]).code == 550
    braked.run("systemctl", "stop", "mailbraked")
    assert braked.run("stat", "-c", "%U", "/srv/brake/state").stdout == "mailbrake\n"


def test_missing_folders_and_keys_are_made_by_the_commands_that_are_told(braked):
    braked.run("systemctl", "stop", "mailbraked.service", "mailbrake-mta.socket")
    folders = ["/run/mailbrake", "/var/lib/mailbrake", "/var/spool/postfix/mailbrake"]
    modes = ["stat", "-c", "%a %U:%G", *folders]
    before = braked.run(*modes).stdout
    braked.run("rm", "-r", "/etc/mailbrake/key", *folders)
    done = braked.run("mailbrake", "check", check=False)
    assert done.returncode == 1 and "/etc/mailbrake/key: can't read the key" in done.stderr
    for name in ("milter.socket", "control.socket", "mta.helper", "store.state_file"):
        assert re.search(rf"{name}: the folder of .* does not exist; create it: systemd-tmpfiles --create mailbrake.conf", done.stderr), done.stderr
    braked.type("systemd-tmpfiles --create mailbrake.conf")
    assert braked.run(*modes).stdout == before
    for name in ("mailbrake/first.conf", "doc/mailbrake/examples/mailbrake.conf"):
        making = re.search(r"(?m)^ *# +(\(umask 027; .*)$", braked.read(f"/usr/share/{name}"))[1]
        braked.run("sh", "-ec", making)
    done = braked.run("mailbrake", "check")
    assert done.stderr == ""
    braked.run("systemctl", "start", "mailbrake-mta.socket", "mailbraked.service")
    assert braked.send(ANN, ["all@district.example"]).code == 550


def test_an_upgrade_keeps_the_configuration_and_restarts(braked, package, tmp_path):  # noqa: F811
    before = pid(braked)
    said = braked.install(of_version(package, "9.0", tmp_path))
    assert "postconf" not in said
    assert pid(braked) not in ("0", before)
    assert braked.read(CONFIG_FILE) == CONFIGURATION
    assert braked.send(ANN, ["all@district.example"]).code == 550


def test_an_upgrade_over_a_conffile_leaves_it_alone(machine, package, tmp_path):  # noqa: F811
    """Before, the configuration was one: what is there may well be in force."""
    sample = (CONFIG_FILE, 'domains = [ "old.example" ];\n')
    members = ("/etc/mailbrake/lists/allstudents.txt", "ann@old.example\n")
    old = of_version(package, "0.0.1", tmp_path, [sample, members])
    for configuration in (sample[1], CONFIGURATION):
        machine.install(old)
        machine.write(CONFIG_FILE, configuration)
        key = machine.run("sha256sum", "/etc/mailbrake/key").stdout
        machine.install(package)
        assert machine.read(CONFIG_FILE) == configuration
        assert machine.read(members[0]) == members[1]
        assert machine.run("sha256sum", "/etc/mailbrake/key").stdout == key
        assert machine.state("mailbraked", "ActiveState") == "inactive"
        machine.run("dpkg", "-P", "mailbrake")
        assert machine.run("ls", "/etc/mailbrake", check=False).stdout == ""


def test_removed_and_installed_again_it_starts_what_was_enabled(braked, package):  # noqa: F811
    braked.run("dpkg", "-r", "mailbrake")
    braked.install(package)
    wait_until(lambda: braked.state("mailbraked", "ActiveState") == "active", 20, "is not up")
    assert braked.state("mailbrake-mta.socket", "ActiveState") == "active"
    assert braked.send(ANN, ["all@district.example"]).code == 550
    braked.run("systemctl", "disable", "--now", "mailbrake-mta.socket", "mailbraked.service")
    braked.run("dpkg", "-r", "mailbrake")
    braked.install(package)
    for unit in UNITS:
        assert braked.state(unit, "ActiveState") == "inactive"


def test_an_upgrade_leaves_the_old_one_running_when_the_check_fails(braked, package, tmp_path):  # noqa: F811
    before = pid(braked)
    braked.write(CONFIG_FILE, CONFIGURATION + "colour = 7;\n")
    said = braked.install(of_version(package, "9.0", tmp_path))
    assert "was not restarted" in said, said
    assert f"{CONFIG_FILE}:12:" in said, said
    assert pid(braked) == before
    assert braked.send(ANN, ["all@district.example"]).code == 550


def test_purging_leaves_nothing_but_what_administrators_did(machine, package):  # noqa: F811
    def users():
        return set((machine.read("/etc/passwd") + machine.read("/etc/group")).splitlines())

    files, people = machine.files(), users()
    said = machine.install(package)
    machine.write(CONFIG_FILE, CONFIGURATION)
    do_what_it_says(machine, said)
    machine.run("mkdir", "/etc/mailbrake/lists")
    machine.write("/etc/mailbrake/lists/mine.txt", "ann\n")
    assert machine.send(ANN, ["three@district.example"]).accepted
    machine.type("mailbrake brake set login:eve --for 1h")  # is in the audit
    (held,) = held_in_queue(machine)
    done = machine.run("dpkg", "-r", "mailbrake")
    assert "Postfix still asks Mailbrake" in done.stderr
    assert re.search(rf"stay held in the queue of the mail server: 1\n    {held}\n", done.stderr)
    taking_out = re.search(r"(?ms)^    for name in.*?^    done$", done.stderr)[0]
    machine.run("sh", "-ec", taking_out)
    assert machine.run("postconf", "-h", "smtpd_milters", "non_smtpd_milters").stdout.split() == []
    for unit in UNITS:
        assert machine.state(unit, "ActiveState") == "inactive"
    assert machine.read(CONFIG_FILE) == CONFIGURATION
    done = machine.run("dpkg", "-P", "mailbrake")
    audit = "/var/lib/mailbrake/audit.log"
    assert f"stays in {audit}" in done.stderr
    left = machine.files() - files
    mine = {"/etc/mailbrake", "/etc/mailbrake/lists", "/etc/mailbrake/lists/mine.txt"}
    backups = {"/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-"}
    assert left - backups - {f"/root/{package.name}", "/var/mail/ann"} == mine | {audit, "/var/lib/mailbrake"}
    assert {line.split(":")[0] for line in users() - people} == {"mailbrake", "mailbrake-console"}
    machine.install(package)
    machine.run("env", "MAILBRAKE_PURGE_AUDIT=yes", "dpkg", "-P", "mailbrake")
    assert machine.run("ls", "/var/lib/mailbrake", check=False).stdout == ""
