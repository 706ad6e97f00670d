"""Two Redis, a master and its replica, and three Sentinels with a password that watch
them: private, on ports of this machine alone."""

import os
import socket
import subprocess

from postfix import wait_until
from redis import Redis, RedisError, talk

MASTER = "mail"
PASSWORD = "of sentinels"


def free_ports(count):
    """All of them at once, so that they differ; below those that clients get by chance."""
    sockets, ports = [], []
    for port in range(20000 + os.getpid() % 8000, 32000):
        one = socket.socket()
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            one.close()
            continue
        sockets.append(one)
        ports.append(port)
        if len(ports) == count:
            break
    for one in sockets:
        one.close()
    return ports


class Sentinels:
    def __init__(self, folder, tls=()):
        """tls: what redis.py says by it, for all of them, among themselves, too."""
        self.dir = folder
        ports = free_ports(5)
        among = ["--tls-replication", "yes"] if tls else []
        follow = ["--replicaof", "127.0.0.1", str(ports[0])]
        self.first = Redis(folder / "first", ports[0], among, tls)
        self.second = Redis(folder / "second", ports[1], among + follow, tls)
        self.ports = ports[2:]
        self._tls = tls
        self._processes = []

    def start(self):
        self.first.start()
        self.second.start()
        wait_until(self._replicates, 20, "the replica does not find its master")
        for port in self.ports:
            config = self.dir / f"sentinel-{port}.conf"
            config.write_text(
                self._listening(port)
                + f"unixsocket {self._socket(port)}\nbind 127.0.0.1\ndir {self.dir}\nlogfile {self.dir}/sentinel-{port}.log\n"
                f'requirepass "{PASSWORD}"\nsentinel sentinel-pass "{PASSWORD}"\n'
                f"sentinel monitor {MASTER} 127.0.0.1 {self.first.port} 2\n"
                f"sentinel down-after-milliseconds {MASTER} 600\n"
                f"sentinel failover-timeout {MASTER} 3000\n"
            )
            program = os.environ.get("MAILBRAKE_REDIS_SERVER", "redis-server")
            self._processes.append(subprocess.Popen([program, config, "--sentinel"], stdout=subprocess.DEVNULL))
        wait_until(self._know_each_other, 20, "the Sentinels do not find each other")

    def _listening(self, port):
        if not self._tls:
            return f"port {port}\n"
        words = list(self._tls)
        lines = [f"{name[2:]} {value}\n" for name, value in zip(words[::2], words[1::2])]
        return f"port 0\ntls-port {port}\ntls-replication yes\n" + "".join(lines)

    def _socket(self, port):
        return f"{self.dir}/sentinel-{port}.sock"

    def stop_sentinels(self):
        for process in self._processes:
            process.kill()
            process.wait()

    def stop(self):
        self.stop_sentinels()
        for redis in (self.first, self.second):
            redis.stop()

    def settings(self, **options):
        password = self.dir / "password"
        password.write_text(PASSWORD + "\n")
        password.chmod(0o600)
        return {
            "type": "redis",
            "sentinels": [f"{'tls' if self._tls else 'tcp'}:127.0.0.1:{port}" for port in self.ports],
            "master": MASTER,
            "sentinel_password_file": str(password),
            **options,
        }

    def master_port(self):
        """By the first Sentinel."""
        return int(self.command("SENTINEL", "get-master-addr-by-name", MASTER)[1])

    def command(self, *words):
        """To the first Sentinel."""
        return self._ask(self.ports[0], *words)

    def _ask(self, port, *words):
        return talk(self._socket(port), ["AUTH", PASSWORD], words)

    def _replicates(self):
        return "master_link_status:up" in self.second.command("INFO", "replication")

    def _know_each_other(self):
        """Each knows the other two and the replica."""
        try:
            for port in self.ports:
                found = self._ask(port, "SENTINEL", "MASTER", MASTER)
                facts = dict(zip(found[::2], found[1::2]))
                if (facts["num-other-sentinels"], facts["num-slaves"]) != ("2", "1"):
                    return False
        except (OSError, RedisError):
            return False
        return True
