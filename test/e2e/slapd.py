"""A private slapd with the people and groups that a test wants, on a unix socket and on a
port of 127.0.0.1, with TLS by a CA of its own where asked for. Beside OpenLDAP's schemas it
knows the few attributes of Active Directory that count here."""

import base64
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.parse

from postfix import wait_until

BASE = "dc=district,dc=example"
ADMIN, PASSWORD = f"cn=admin,{BASE}", "secret"
SCHEMAS = ["core", "cosine", "nis", "inetorgperson", "dyngroup"]
AD = """
attributetype ( 1.2.840.113556.1.4.146 NAME 'objectSid'
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.98 NAME 'primaryGroupID'
  EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl'
  EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.2.210 NAME 'proxyAddresses'
  EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.2.840.113556.1.2.999 NAME 'memberRange2500Last' SUP distinguishedName )
objectclass ( 1.2.840.113556.1.5.8 NAME 'group' SUP top STRUCTURAL MUST cn
  MAY ( member $ memberRange2500Last $ mail $ proxyAddresses $ objectSid ) )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL
  MAY ( proxyAddresses $ objectSid $ primaryGroupID $ userAccountControl ) )
objectclass ( 1.2.840.113556.1.5.999 NAME 'mailGroup' SUP top AUXILIARY MAY mail )
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def entry(rdn, classes, **attributes):
    """An entry below the base, as LDIF. Values may be lists; bytes are written in base64."""
    lines = [f"dn: {rdn},{BASE}"] + [f"objectClass: {name}" for name in classes.split()]
    name, value = rdn.split(",")[0].split("=", 1)
    lines.append(f"{name}: {value}")
    for name, values in attributes.items():
        for value in values if isinstance(values, (list, tuple)) else [values]:
            if isinstance(value, bytes):
                lines.append(f"{name}:: {base64.b64encode(value).decode()}")
            else:
                lines.append(f"{name}: {value}")
    return "\n".join(lines) + "\n\n"


def person(uid, mail=True, classes="inetOrgPerson", **attributes):
    if mail is True:
        mail = f"{uid}@district.example"
    if mail:
        attributes["mail"] = mail
    return entry(f"uid={uid},ou=people", classes, cn=uid, sn=uid, **attributes)


def dn(uid):
    return f"uid={uid},ou=people,{BASE}"


def group(cn, members=(), classes="groupOfNames mailGroup", mail=True, **attributes):
    if mail is True:
        mail = f"{cn}@district.example"
    if mail:
        attributes["mail"] = mail
    if members:
        attributes["member"] = [m if "=" in m else dn(m) for m in members]
    return entry(f"cn={cn},ou=groups", classes, **attributes)


class Authority:
    """A CA, and certificates for 127.0.0.1 that it signs."""

    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.file = self.dir / "ca.pem"
        self._openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
            " -subj /CN=Private-CA -keyout ca.key -out ca.pem"
        )

    def _openssl(self, words):
        subprocess.run(["openssl", *words.split()], cwd=self.dir, check=True, capture_output=True)

    def sign(self, name, days=30, names="IP:127.0.0.1"):
        (self.dir / f"{name}.ext").write_text(f"subjectAltName={names}\n")
        self._openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
            f" -subj /CN={name} -keyout {name}.key -out {name}.csr"
        )
        self._openssl(
            f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial"
            f" -days {days} -extfile {name}.ext -out {name}.pem"
        )
        if days == 0:
            time.sleep(1.1)  # its end is the second in which it was made
        return self.dir / f"{name}.pem", self.dir / f"{name}.key"


class Slapd:
    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.config = self.dir / "slapd.conf"
        self.ports = {"ldap": free_port(), "ldaps": free_port()}
        self.ldapi = "ldapi://" + urllib.parse.quote(str(self.dir / "ldapi"), safe="")
        self.process = None

    @property
    def url(self):
        return f"ldap://127.0.0.1:{self.ports['ldap']}"

    @property
    def tls_url(self):
        return f"ldaps://127.0.0.1:{self.ports['ldaps']}"

    def load(self, ldif, extra="", certificate=None):
        """Writes the configuration and all entries; before start."""
        data = self.dir / "data"
        data.mkdir(exist_ok=True)
        schema = self.dir / "ad.schema"
        schema.write_text(AD)
        tls = ""
        if certificate:
            tls = f"TLSCertificateFile {certificate[0]}\nTLSCertificateKeyFile {certificate[1]}\n"
        includes = [f"include /etc/ldap/schema/{name}.schema" for name in SCHEMAS]
        self.config.write_text(
            "\n".join([*includes, f"include {schema}"])
            + f"\n{tls}pidfile {self.dir}/pid\nargsfile {self.dir}/args\n"
            "modulepath /usr/lib/ldap\nmoduleload back_mdb\nattributeoptions lang- range=\n"
            "threads 4\n"
            f"database mdb\nsuffix {BASE}\nrootdn {ADMIN}\nrootpw {PASSWORD}\n"
            f"directory {data}\nmaxsize 2147483648\nindex objectClass,mail eq,pres\n"
            f"dbnosync\n{extra}\n"
        )
        text = (
            f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: District\ndc: district\n\n"
            f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n\n"
            f"dn: ou=groups,{BASE}\nobjectClass: organizationalUnit\nou: groups\n\n"
        )
        (self.dir / "data.ldif").write_text(text + ldif)
        done = subprocess.run(
            ["/usr/sbin/slapadd", "-q", "-f", self.config, "-l", self.dir / "data.ldif"],
            capture_output=True, text=True,
        )
        assert done.returncode == 0, done.stderr
        return self

    def start(self):
        urls = f"{self.url} {self.ldapi}"
        if "TLSCertificateFile" in self.config.read_text():
            urls += f" {self.tls_url}"
        self.process = subprocess.Popen(
            ["/usr/sbin/slapd", "-d", "0", "-f", self.config, "-h", urls],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers, 10, "slapd does not answer")
        return self

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.ports["ldap"]), 1).close()
            return True
        except OSError:
            return False

    def modify(self, ldif):
        done = subprocess.run(
            ["ldapmodify", "-x", "-H", self.url, "-D", ADMIN, "-w", PASSWORD],
            input=ldif, capture_output=True, text=True,
        )
        assert done.returncode == 0, done.stderr

    def freeze(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.thaw()
            self.process.kill()
            self.process.wait()
