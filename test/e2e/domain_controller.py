"""A private domain controller of Samba: provisioned in a folder, on an address of the
loopback of its own, of all its services LDAP alone. This file is also the program that fills
it, in a process of its own, since Samba's database wants no other in the same process."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

REALM = "ad.district.example"
ADMIN, PASSWORD = f"administrator@{REALM}", "Passw0rd-of-the-DC"
BASE = "DC=ad,DC=district,DC=example"
SMB_CONF = """
[global]
netbios name = DC1
realm = {realm}
workgroup = DISTRICT
server role = active directory domain controller
server services = ldap
interfaces = {address}/8
bind interfaces only = yes
tls certfile = {certificate}
tls keyfile = {key}
tls cafile = {ca}
private dir = {dir}/private
lock directory = {dir}/lock
state directory = {dir}/state
cache directory = {dir}/cache
pid directory = {dir}/run
ncalrpc dir = {dir}/ncalrpc
binddns dir = {dir}/bind-dns
winbindd socket directory = {dir}/winbindd
ntp signd socket directory = {dir}/ntp_signd
log file = {dir}/log
[sysvol]
path = {dir}/state/sysvol
[netlogon]
path = {dir}/state/sysvol/scripts
"""


class Unavailable(Exception):
    """Says why there can be no domain controller on this machine."""


class DomainController:
    def __init__(self, folder, authority):
        self.dir = pathlib.Path(folder)
        self.dir.mkdir(parents=True, exist_ok=True)
        pid = os.getpid()
        self.address = f"127.{64 + (pid >> 16) % 64}.{pid >> 8 & 255}.{1 + pid % 254}"
        self.url, self.tls_url = f"ldap://{self.address}", f"ldaps://{self.address}"
        self.config = self.dir / "smb.conf"
        self.process = None
        certificate, key = authority.sign("dc1", names=f"IP:{self.address}")
        key.chmod(0o600)  # Samba reads no other
        self.config.write_text(SMB_CONF.format(
            realm=REALM.upper(), address=self.address, dir=self.dir, ca=authority.file,
            certificate=certificate, key=key))

    def provision(self, entries):
        """entries: (DN below the base, its attributes), groups after their members. A value
        that is a DN below the base ends in a comma."""
        for program in ("samba-tool", "samba"):
            if shutil.which(program) is None:
                raise Unavailable(f"there is no {program}: script/bootstrap installs it")
        self._run(
            ["samba-tool", "domain", "provision", "-s", self.config, f"--realm={REALM}",
             "--domain=DISTRICT", "--domain-sid=S-1-5-21-1-2-3", "--server-role=dc",
             "--dns-backend=NONE", "--host-name=dc1", f"--host-ip={self.address}",
             f"--adminpass={PASSWORD}"])
        self._run([sys.executable, "-B", __file__, self.dir], json.dumps(entries))
        return self

    def _run(self, words, text=""):
        done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise Unavailable(f"{words[0]} failed: " + (done.stderr + done.stdout)[-600:])

    def start(self):
        from postfix import wait_until

        with open(self.dir / "output", "ab") as output:
            self.process = subprocess.Popen(
                ["samba", "-s", self.config, "-F", "-M", "single", "--no-process-group"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            wait_until(self._answers, 20, "it does not answer")
        except TimeoutError as error:
            self.stop()
            log = (self.dir / "output").read_text() + (self.dir / "log").read_text()
            raise Unavailable(f"{error}: {log[-600:]}") from error
        return self

    def _answers(self):
        done = subprocess.run(
            ["ldapsearch", "-x", "-H", self.url, "-b", "", "-s", "base", "-o", "nettimeout=1",
             "defaultNamingContext"], capture_output=True, text=True)
        if self.process.poll() is not None:
            raise TimeoutError("it ended")
        return BASE in done.stdout

    def modify(self, ldif):
        done = subprocess.run(
            ["ldapmodify", "-x", "-H", self.tls_url, "-D", ADMIN, "-w", PASSWORD],
            input=ldif, capture_output=True, text=True,
            env={**os.environ, "LDAPTLS_REQCERT": "never"})
        assert done.returncode == 0, done.stderr

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def fill(folder, entries):
    """In one transaction, and without a look at the whole domain for each entry."""
    import ldb
    from samba.auth import system_session
    from samba.param import LoadParm
    from samba.samdb import SamDB

    settings = LoadParm()
    settings.load(f"{folder}/smb.conf")
    database = SamDB(url=f"{folder}/private/sam.ldb", session_info=system_session(),
                     lp=settings, options=["batch_mode:1"])
    database.transaction_start()
    for rdn, attributes in entries:
        whole = {name: [value + BASE if value.endswith(",") else value for value in
                        (values if isinstance(values, list) else [values])]
                 for name, values in attributes.items()}
        primary = whole.pop("primaryGroup", None)
        database.add({"dn": f"{rdn},{BASE}", **whole})
        for dn in primary or ():
            # Only who is its member already can have it as primary group.
            found = database.search(dn, ldb.SCOPE_BASE, attrs=["objectSid"])
            sid = database.schema_format_value("objectSid", found[0]["objectSid"][0]).decode()
            user = f"{rdn},{BASE}"
            for change in (
                f"dn: {dn}\nchangetype: modify\nadd: member\nmember: {user}\n",
                f"dn: {user}\nchangetype: modify\nreplace: primaryGroupID\n"
                f"primaryGroupID: {sid.split('-')[-1]}\n",
            ):
                database.modify_ldif(change)
    database.transaction_commit()


if __name__ == "__main__":
    fill(sys.argv[1], json.load(sys.stdin))
