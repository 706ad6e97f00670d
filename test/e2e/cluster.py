"""A Redis Cluster of three masters and one replica: private, on ports of this machine
alone. The replica is of the node that has the keys of one prefix, the owner."""

from postfix import wait_until
from redis import Redis, RedisError
from sentinels import free_ports

SLOTS = 16384


class Cluster:
    def __init__(self, folder, prefix="mailbrake", tls=()):
        """tls: what redis.py says by it, for all of them, among themselves, too."""
        ports = free_ports(100)
        among = ["--tls-replication", "yes", "--tls-cluster", "yes"] if tls else []
        self._kind = "tls" if tls else "tcp"
        self._buses = dict(zip(ports[:4], ports[50:54]))
        self.prefix = prefix
        self.nodes = [
            Redis(
                folder / f"node-{port}",
                port,
                ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"]
                + ["--cluster-node-timeout", "1000", "--cluster-port", str(bus), *among],
                tls,
            )
            for port, bus in self._buses.items()
        ]

    def start(self):
        for node in self.nodes:
            node.start()
        masters = self.nodes[:3]
        for i, node in enumerate(masters):
            node.command("CLUSTER", "ADDSLOTSRANGE", i * SLOTS // 3, (i + 1) * SLOTS // 3 - 1)
        for node in self.nodes[1:]:
            node.command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, self._buses[self.nodes[0].port])
        self.slot = masters[0].command("CLUSTER", "KEYSLOT", "{" + self.prefix + "}:")
        self.owner = masters[self.slot * 3 // SLOTS]
        self.other = next(node for node in masters if node is not self.owner)
        self.replica = self.nodes[3]
        wait_until(self._is_up, 20, "the Cluster does not come up")
        self.replica.command("CLUSTER", "REPLICATE", self.owner.command("CLUSTER", "MYID"))
        wait_until(self._replicates, 20, "the replica does not follow")

    def stop(self):
        for node in self.nodes:
            if node.is_started():
                node.stop()

    def settings(self, **options):
        seeds = [f"{self._kind}:127.0.0.1:{node.port}" for node in self.nodes]
        return {"type": "redis", "server": seeds, "prefix": self.prefix, **options}

    # The slot's way to another node.

    def begin_move(self, to):
        to.command("CLUSTER", "SETSLOT", self.slot, "IMPORTING", self.owner.command("CLUSTER", "MYID"))
        self.owner.command("CLUSTER", "SETSLOT", self.slot, "MIGRATING", to.command("CLUSTER", "MYID"))

    def move_keys(self, to, most=1000):
        keys = self.owner.command("CLUSTER", "GETKEYSINSLOT", self.slot, most)
        for key in keys:
            self.owner.command("MIGRATE", "127.0.0.1", to.port, key, 0, 1000)
        return keys

    def end_move(self, to):
        """Keys that come meanwhile are moved as well: the owner keeps none."""
        number = to.command("CLUSTER", "MYID")
        while self.move_keys(to):
            pass
        for node in (to, self.owner, *self.nodes):
            try:
                node.command("CLUSTER", "SETSLOT", self.slot, "NODE", number)
            except RedisError:
                pass  # a replica is told by its master
        self.owner = to

    def _is_up(self):
        return all(
            "cluster_state:ok" in node.command("CLUSTER", "INFO")
            and f"cluster_known_nodes:{len(self.nodes)}" in node.command("CLUSTER", "INFO")
            for node in self.nodes
        )

    def _replicates(self):
        return "master_link_status:up" in self.replica.command("INFO", "replication")
