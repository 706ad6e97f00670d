"""A private Mailman 3 core, only its REST API: Debian's packages unpacked into a cache,
nothing installed. Mailman's own commands and its other runners are not needed."""

import base64
import fcntl
import json
import os
import pathlib
import platform
import re
import signal
import socket
import sqlite3
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest

from postfix import wait_until

USER, PASSWORD = "restadmin", "very secret"

CONFIGURATION = """
[mailman]
layout: here
[paths.here]
var_dir: {folder}
bin_dir: {bin}
[webservice]
hostname: 127.0.0.1
port: {port}
workers: 1
admin_user: {user}
admin_pass: {password}
[database]
class: mailman.database.sqlite.SQLiteDatabase
url: sqlite:///{folder}/mailman.db
[mta]
incoming: mailman.mta.null.NullMTA
"""


def program():
    """The folder that holds Mailman's usr: / if it is installed, else the cache."""
    if pathlib.Path("/usr/lib/mailman3/bin/runner").exists():
        return pathlib.Path("/")
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "debian")
    target = cache / "mailbrake" / f"mailman-{release}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.with_suffix(".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes may want it at a time
        if not target.exists():
            fetch(target)
    return target


def fetch(target):
    """Mailman, and what of Python it needs and this machine lacks."""
    apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
    done = None
    for lists_are_fresh in (False, True):
        if lists_are_fresh:
            subprocess.run([*apt, "update"], capture_output=True, timeout=300)
        simulated = subprocess.run(
            [*apt, "install", "--no-install-recommends", "-s", "mailman3"], capture_output=True, text=True
        )
        packages = re.findall(r"^Inst (mailman3|python3-\S+)", simulated.stdout, re.MULTILINE)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            done = subprocess.run(
                [*apt, "download", *packages], cwd=folder, capture_output=True, text=True, timeout=300
            )
            if packages and done.returncode == 0:
                files = pathlib.Path(folder) / "files"
                for package in pathlib.Path(folder).glob("*.deb"):
                    subprocess.run(["dpkg", "-x", package, files], check=True)
                files.rename(target)
                return
    pytest.fail(f"these tests need Debian's mailman3, and apt-get says: {done.stderr}")


class Mailman:
    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.dir.mkdir()
        self.root = program()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/3.1"
        self.bin = self.root / "usr/lib/mailman3/bin"
        text = CONFIGURATION.format(
            folder=self.dir, bin=self.bin, port=self.port, user=USER, password=PASSWORD
        )
        (self.dir / "mailman.cfg").write_text(text)
        self._process = None

    def start(self):
        packages = self.root / "usr/lib/python3/dist-packages"
        with open(self.dir / "out", "ab") as out:
            self._process = subprocess.Popen(
                ["/usr/bin/python3", "-B", self.bin / "runner"]
                + ["-C", self.dir / "mailman.cfg", "--runner=rest:0:1"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(packages)},
                start_new_session=True,
            )
        wait_until(self._answers, 60, "Mailman does not answer", (self.dir / "out").read_text)
        return self

    def stop(self):
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _answers(self):
        try:
            return self.ask("/system/versions") is not None
        except (urllib.error.URLError, ConnectionError):
            return False

    def ask(self, path, method="GET", **fields):
        """What Mailman answers, from JSON; fields are sent in a form."""
        data = urllib.parse.urlencode(fields).encode() if fields else None
        request = urllib.request.Request(self.url + path, data, method=method)
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or "null")

    def make_list(self, address, members, role="member"):
        if role == "member":
            self.ask("/domains", "POST", mail_host=address.split("@")[1])
            self.ask("/lists", "POST", fqdn_listname=address)
        for member in members:
            self.subscribe(address, member, role)

    def subscribe(self, address, member, role="member"):
        pre = {f"pre_{done}": "true" for done in ("verified", "confirmed", "approved")}
        fields = {"list_id": address.replace("@", "."), "subscriber": member, "role": role}
        self.ask("/members", "POST", **fields, **(pre if role == "member" else {}))

    def fill(self, address, count):
        """A list of so many members, m1 and on, written to the database: to subscribe each
        would take longer than reading them all."""
        self.make_list(address, ["m1@district.example"])
        database = sqlite3.connect(self.dir / "mailman.db")
        database.row_factory = sqlite3.Row
        (first,) = database.execute(
            "SELECT member.id AS member, member.preferences_id AS own, address_id AS address,"
            " address.preferences_id AS preferences FROM member JOIN address ON address.id = address_id"
            " WHERE list_id = ? AND email = 'm1@district.example'",
            [address.replace("@", ".")],
        ).fetchall()

        def copy(table, row, **changes):
            values = dict(database.execute(f"SELECT * FROM {table} WHERE id = ?", [row]).fetchone())
            values.update(changes, id=None)
            marks = ",".join("?" * len(values))
            return database.execute(
                f"INSERT INTO {table} ({','.join(values)}) VALUES ({marks})", list(values.values())
            ).lastrowid

        for number in range(2, count + 1):
            preferences = copy("preferences", first["preferences"])
            email = f"m{number}@district.example"
            person = copy("address", first["address"], email=email, preferences_id=preferences, user_id=None)
            own = copy("preferences", first["own"])
            changes = {"_member_id": uuid.uuid4().hex, "address_id": person, "preferences_id": own}
            copy("member", first["member"], **changes)
        database.commit()
        database.close()

    def set(self, address, member, **preferences):
        """The preferences of a member of a list."""
        query = urllib.parse.urlencode({"list_id": address.replace("@", "."), "subscriber": member})
        (found,) = self.ask(f"/members/find?{query}&role=member")["entries"]
        self.ask(f"/members/{found['member_id']}/preferences", "PATCH", **preferences)
