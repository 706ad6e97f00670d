"""What a message reaches, by Postfix itself: hundreds of small tables made at random, each
addressed a few times; who gets a copy must be who was counted."""

import collections
import random
import re

from stores import memory_only

SEED = 20261129
ORIGIN = "relay.district.example"  # what Postfix appends to a bare member
OWN = ("district.example", "school.example")
VIRTUAL_CASES = 100
ALIAS_CASES = 100
MIXED_CASES = 100
ASKED = 3  # messages a case


def spelled(rng, address):
    """As an administrator may write it in a table."""
    return rng.choice(
        [
            address,
            address,
            address,
            address.upper(),
            f"<{address}>",
            f'"Some Body" <{address}>',
            f"{address} (a comment)",
            f'"{address.split("@")[0]}"@{address.split("@")[1]}' if "@" in address else address,
        ]
    )


class VirtualCase:
    """Keys and values of one case share names that no other case has. A value is its key, or
    comes later (by domain, then by name): what runs in a circle, Postfix delivers to nobody."""

    def __init__(self, rng, number):
        self.rng, self.tag = rng, f"v{number}"
        self.domains = [*OWN, f"{self.tag}.example", f"{self.tag}.test"]
        keys = sorted({self.key() for _ in range(rng.randint(1, 6))})
        self.entries = {key: self.values(key) for key in keys}
        self.asked = [
            [self.address() for _ in range(rng.choice([1, 1, 1, 2, 3]))] for _ in range(ASKED)
        ]

    def address(self, later_than=(0, "")):
        choices = [
            (rank, name)
            for rank in range(len(self.domains))
            for name in "abcd"
            if (rank, name) > later_than
        ]
        if not choices:
            return f"{self.tag}-out{self.rng.randint(1, 3)}@families.example"
        rank, name = self.rng.choice(choices)
        return f"{self.tag}-{name}{self.rng.choice(['', '', '', '+t'])}@{self.domains[rank]}"

    def bare(self, later_than=""):
        """Never a name that stands with a domain, too: Postfix's first domain is another."""
        return f"{self.tag}-{self.rng.choice([n for n in 'efg' if n > later_than] or ['h'])}"

    def key(self):
        kind = self.rng.random()
        if kind < 0.2:
            return f"@{self.rng.choice(self.domains[2:])}"
        return self.bare() if kind < 0.35 else self.address().replace("+t", "")

    def values(self, key):
        """ "@domain" only alone, as virtual(5) has it."""
        name, _, domain = key.rpartition("@")
        rank = self.domains.index(domain) if "@" in key else 0
        later = (rank, name[-1:] if "@" in key and name else "z")
        if self.rng.random() < 0.15 and rank < 3:
            return [f"@{self.domains[self.rng.randint(max(rank + 1, 2), 3)]}"]
        count = self.rng.choice([1, 1, 1, 2, 3, 4])
        return [self.value(key, later) for _ in range(count)]

    def value(self, key, later):
        kind = self.rng.random()
        if kind < 0.15 and not key.startswith("@"):
            return key
        if kind < 0.25 and "@" not in key:
            return self.bare(key[-1])
        if kind < 0.4:
            return f"{self.tag}-out{self.rng.randint(1, 3)}@families.example"
        return spelled(self.rng, self.address(later))

    def __str__(self):
        join = self.rng.choice([", ", ",\n   "])
        return "".join(f"{key} {join.join(values)}\n" for key, values in self.entries.items())


class AliasCase:
    def __init__(self, rng, number):
        self.rng, self.tag = rng, f"al-{number}"
        names = sorted({self.local() for _ in range(rng.randint(1, 5))})
        self.entries = {name: self.values(name) for name in names}
        self.asked = [
            [self.address() for _ in range(rng.choice([1, 1, 1, 2, 3]))] for _ in range(ASKED)
        ]

    def local(self):
        return f"{self.tag}-{self.rng.choice('abcd')}"

    def address(self):
        tag = self.rng.choice(["", "", "", "+t"])
        return f"{self.local()}{tag}@{self.rng.choice(OWN)}"

    def values(self, name):
        return [self.value(name) for _ in range(self.rng.choice([1, 1, 2, 3, 4]))]

    def value(self, name):
        """Only itself, or a name further down: local(8) follows a circle a hundred times."""
        kind = self.rng.random()
        below = f"{self.tag}-{self.rng.choice('bcdef')}"
        if kind < 0.15 or below <= name:
            return self.rng.choice([name, f"\\{name}", f"{name}@{OWN[0]}"])
        tag = self.rng.choice(["", "", "+t"])
        if kind < 0.5:
            return below + tag
        if kind < 0.65:
            return f"x{self.tag}-out{self.rng.randint(1, 3)}@families.example"
        return spelled(self.rng, f"{below}{tag}@{self.rng.choice(OWN)}")

    def __str__(self):
        join = self.rng.choice([", ", ",\n   "])
        return "".join(f"{name}: {join.join(values)}\n" for name, values in self.entries.items())


class MixedCase(AliasCase):
    """The same names in both tables: those of aliases(5) meet virtual(5) only when they are
    written to. A key is one of its values, or moved away."""

    def __init__(self, rng, number):
        super().__init__(rng, f"m{number}")
        keys = sorted({f"{self.local()}@{self.rng.choice(OWN)}" for _ in range(rng.randint(1, 3))})
        self.virtual = "".join(f"{key} {', '.join(self.full(key))}\n" for key in keys)

    def full(self, key):
        values = self.values(key.split("@")[0])
        full = [v if "@" in v else f"{v}@{OWN[0]}" for v in values]
        return [f"x{self.tag}-out9@families.example"] if len(full) == 1 else [key, *full]


def person(address):
    """An address as the sink got it, in the one spelling that counts."""
    local, _, domain = address.lower().rpartition("@")
    domain = OWN[0] if domain == ORIGIN else domain
    local = local.strip('"')
    return f"{local.split('+')[0]}@{domain}"  # Postfix takes the tag of a list to its members


def send_all(mail, cases):
    """What each message was counted as, by its number."""
    queued = {}
    session = mail.connect()
    for number, (_, asked) in enumerate(cases):
        reply = session.message("ann@district.example", asked, {"X-Case": str(number)})
        assert reply.accepted, reply
        queued[re.search(r"queued as (\w+)", reply.text)[1]] = number
    session.quit()
    verdicts = mail.log(len(queued))
    return {queued[v.qid]: int(v.reach) for v in verdicts if v.qid in queued}


@memory_only
def test_reach_is_what_postfix_delivers_to(relay):
    rng = random.Random(SEED)
    virtual = [VirtualCase(rng, i) for i in range(VIRTUAL_CASES)]
    aliases = [AliasCase(rng, i) for i in range(ALIAS_CASES)]
    mixed = [MixedCase(rng, i) for i in range(MIXED_CASES)]
    mail = relay(
        rules="",
        virtual="".join([str(case) for case in virtual] + [case.virtual for case in mixed]),
        aliases="".join(str(case) for case in [*aliases, *mixed]),
    )
    cases = [(case, asked) for case in [*virtual, *aliases, *mixed] for asked in case.asked]
    counted = send_all(mail, cases)
    reached = collections.defaultdict(set)
    for delivery in mail.delivered(60):
        reached[int(delivery["X-Case"])] |= {person(r) for r in delivery.recipients}
    under = [
        f"{asked}: counted {counted[n]}, delivered to {sorted(reached[n])}\n{case}"
        for n, (case, asked) in enumerate(cases)
        if n in counted and counted[n] < len(reached[n])
    ]
    exact = sum(counted[n] == len(reached[n]) for n in counted if n in reached)
    assert not under, f"{len(under)} counted too few\n" + "\n".join(under[:20])
    assert len(reached) > len(cases) * 9 / 10
    assert exact > len(reached) * 9 / 10  # one box in two own domains counts as two


@memory_only
def test_a_long_line_of_an_include_is_cut_as_postfix_cuts_it(relay, folder):
    include = folder / "long.txt"
    long = ",".join(f"p{i:03}@families.example" for i in range(250))
    include.write_text(f"{long}\n#{'x' * 2040},#y\n#{'x' * 2047}q@families.example\n")
    mail = relay(rules="", aliases=f"al-long: :include:{include}\n")
    mail.daemon.allow_log("a member of 17 bytes is not an address")
    assert mail.send("ann@district.example", "al-long@district.example").accepted
    delivered = mail.delivered()
    assert int(mail.verdict().reach) == len({person(r) for d in delivered for r in d.recipients})
