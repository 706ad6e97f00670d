#!/usr/bin/python3
"""What buckets, windows, sets of clients and latches are to do, said once more and in another
way than policy/window.c, store/memory.c and store/limiter_state.lua say it: with fractions,
and with all that ever happened to a window or a client. Prints the vectors that those are run
against:

    ./model.py window > window.txt
    ./model.py clients > clients.txt
    ./model.py charge > charge.txt
"""
import random
import sys
from fractions import Fraction

T0 = 1787000000123
SECOND, MINUTE, HOUR, DAY = 1000, 60000, 3600000, 86400000
MEMORY = 400 * DAY
LATCH_MAX = 366 * DAY


class Rule:
    def __init__(self, kind, amount, span, size, latch=0, flags=""):
        self.kind, self.amount, self.span, self.size = kind, amount, span, size
        self.latch = latch
        self.monitor, self.trains = "m" in flags, "t" in flags
        self.along, self.permit = "a" in flags, "p" in flags

    def line(self, name, key):
        words = ["rule", name, key, self.kind, self.amount, self.span, self.size,
                 self.latch]
        words += ["monitor"] * self.monitor + ["trains"] * self.trains
        words += ["along"] * self.along + ["permit"] * self.permit
        return " ".join(map(str, words))


class Bucket:
    """level is a fraction of tokens, as of stamp."""

    def __init__(self, rule, now, level=None):
        self.rule = rule
        self.level = Fraction(rule.size if level is None else level)
        self.stamp = now
        self.latch = 0

    def roll(self, now):
        healed = self.stamp > now
        gained = Fraction(max(0, now - self.stamp) * self.rule.amount, self.rule.span)
        self.level = min(Fraction(self.rule.size), self.level + gained)
        self.stamp = now
        return healed

    def left(self):
        return self.level.numerator // self.level.denominator

    def size(self):
        return self.rule.size

    def take(self, cost, now):
        self.level -= cost

    def reset(self):
        self.level = Fraction(self.rule.size)

    def keep(self, now):
        if self.rule.amount == 0:
            return self.rule.span if self.level < self.rule.size else 0
        missing = (self.rule.size - self.level) * self.rule.span / self.rule.amount
        return min(-(-missing.numerator // missing.denominator), 10**13)

    def value(self, now):
        rest = (self.level - self.left()) * self.rule.span
        assert rest.denominator == 1
        text = f"{self.left()} {rest} {self.stamp}"
        return text + (f" {self.latch}" if self.latch > now else "")


class Window:
    """closed: every window that is over, [end, copies], oldest first."""

    def __init__(self, rule):
        self.rule = rule
        self.opened, self.copies, self.trained = None, 0, 0
        self.closed = []
        self.braked = False
        self.latch = 0

    def times(self, copies):
        return self.rule.amount * copies // 1000

    def roll(self, now):
        healed = False
        if self.total() and self.opened > now:
            self.opened, healed = now, True
        if self.total() and now >= self.opened + self.rule.span:
            if self.matters():
                self.closed.append([self.opened + self.rule.span, self.total()])
            self.reset()
        self.closed = self.closed[-8:]
        for one in self.closed:
            if one[0] > now:
                one[0], healed = now, True
        self.closed = [one for one in self.closed if one[0] + MEMORY > now]
        return healed

    def size(self):
        return max([self.rule.size] + [self.times(one[1]) for one in self.closed])

    def left(self):
        return max(0, self.size() - self.copies)

    def total(self):
        return min(10**9, self.copies + self.trained)

    def take(self, cost, now):
        if self.total() == 0 and cost:
            self.opened = now
        self.copies = min(10**9, self.copies + cost)

    def announce(self, cost, now):
        if self.total() == 0:
            self.opened = now
        self.trained = min(10**9, self.trained + cost)

    def train(self, cost, now):
        self.announce(cost, now)
        self.braked = False

    def matters(self):
        return not self.braked and self.times(self.total()) > self.rule.size

    def reset(self):
        self.copies, self.trained, self.braked = 0, 0, False

    def keep(self, now):
        ends = [one[0] + MEMORY - now for one in self.closed]
        if self.total():
            end = self.opened + self.rule.span - now
            ends.append(end + (MEMORY if self.matters() else 0))
        return max(ends + [0])

    def value(self, now):
        latch = self.latch if self.latch > now else 0
        start = self.opened if self.total() else 0
        past = "".join(f" {end}:{copies}" for end, copies in reversed(self.closed))
        return f"{'wW'[self.braked]} {start} {self.copies} {self.trained} {latch}{past}"


class Clients:
    """last: when each client was last accepted, oldest first."""

    def __init__(self, rule):
        self.rule = rule
        self.last = {}
        self.asks = 0
        self.latch = 0

    def roll(self, now):
        ahead = [client for client, stamp in self.last.items() if stamp > now]
        self.last.update({client: now for client in ahead})
        self.last = {client: self.last[client] for client in self.alive(now)}
        return bool(ahead)

    def alive(self, now):
        return [c for c, stamp in self.last.items() if stamp + self.rule.span > now]

    def left(self):
        return self.rule.size - len(set(self.last) - {self.asks})

    def size(self):
        return self.rule.size

    def take(self, cost, now):
        self.last.pop(self.asks, None)
        self.last[self.asks] = now

    def reset(self):
        self.last = {}

    def keep(self, now):
        return max([0] + [stamp + self.rule.span - now for stamp in self.last.values()])

    def value(self, now):
        latch = self.latch if self.latch > now else 0
        return f"c {latch}" + self.shown()

    def shown(self):
        return "".join(f" {client}:{stamp}" for client, stamp in self.last.items())


class Store:
    """meters: what is kept, by key, as of the last write."""

    def __init__(self):
        self.meters = {}

    def read(self, rule, key, now):
        import copy
        meter = copy.deepcopy(self.meters.get(key))
        if meter is None:
            kinds = {"window": Window, "clients": Clients}
            meter = Bucket(rule, now) if rule.kind == "bucket" else kinds[rule.kind](rule)
        meter.rule = rule
        meter.healed = meter.roll(now)
        limit = now + (rule.latch or LATCH_MAX)
        if meter.latch > limit:
            meter.latch, meter.healed = limit, True
        return meter

    def write(self, key, meter, now):
        if meter.latch <= now:
            meter.latch = 0
        if max(meter.keep(now), meter.latch - now) > 0:
            self.meters[key] = meter
        else:
            self.meters.pop(key, None)

    def kept(self, key, rule, now):
        """(TTL, value) as they were written, or None when that is long ago."""
        meter = self.meters.get(key)
        if meter is None:
            return None
        stamp = meter.written
        ttl = max(meter.keep(stamp), meter.latch - stamp)
        return (ttl, meter.value(stamp)) if ttl > now - stamp else None

    def charge(self, mode, charges, now):
        """charges: (rule, key, cost). What was found of each: (left, size, latched)."""
        meters = [self.read(rule, key, now) for rule, key, _ in charges]
        for i, (rule, key, client) in enumerate(charges):
            if rule.kind == "clients":
                meters[i].asks = client
                charges[i] = (rule, key, min(client, 1))
        found = []
        for (rule, _, cost), meter in zip(charges, meters):
            latched = max(0, meter.latch - now) if rule.latch else 0
            found.append((meter.left(), meter.size(), latched))
        if mode != "peek" and self.permit(charges, meters, found, now):
            return found
        fires = [f[2] > 0 or c[2] > f[0] for f, c in zip(found, charges)]
        stops = [i for i, f in enumerate(fires) if f and not charges[i][0].monitor]
        end = stops[0] if stops else len(charges) - 1
        trained = end
        while trained + 1 < len(charges) and charges[trained + 1][0].along:
            trained += 1
        for i, ((rule, key, cost), meter) in enumerate(zip(charges, meters)):
            changed = meter.healed
            fits = cost <= found[i][0]
            if mode == "peek":
                continue
            counts = False
            if mode == "take" and not stops:
                counts = fits or rule.kind == "window"
            if i <= trained and rule.trains and rule.kind == "window":
                counts = True
            if counts and cost:
                meter.take(cost, now)
                changed = True
            beyond = rule.kind == "bucket" and cost > rule.size
            if i <= end and fires[i] and rule.latch and not beyond:
                meter.latch = now + rule.latch
                changed = True
            if stops and i == end and rule.kind == "window" and meter.total() and not rule.trains:
                meter.braked = changed = True
            if changed:
                meter.written = now
                self.write(key, meter, now)
        return found

    def permit(self, charges, meters, found, now):
        """Draws from the first permit with room; False when there is none."""
        roomy = [i for i, c in enumerate(charges) if c[0].permit and c[2] <= found[i][0]]
        for i, ((rule, key, cost), meter) in enumerate(zip(charges, meters)):
            if not roomy:
                return False
            changed = meter.healed
            if i == roomy[0]:
                meter.take(cost, now)
                changed = True
            elif rule.kind == "window" and cost:
                meter.announce(cost, now)
                changed = True
            if changed:
                meter.written = now
                self.write(key, meter, now)
        return True

    def amend(self, what, charges, now):
        for rule, key, cost in charges:
            meter = self.read(rule, key, now)
            if what == "train":
                if rule.kind != "window":
                    continue
                meter.train(cost, now)
            else:
                meter.latch = 0
                if what == "reset":
                    meter.reset()
            meter.written = now
            self.write(key, meter, now)


# --- windows -----------------------------------------------------------------------------

WINDOW_HEAD = """\
# The window of a surge: policy/window.c, store/memory.c and store/limiter_window.lua must all agree.
#
#   window NAME FACTOR FLOOR WINDOW_MS
#   AT_MS COST LEFT SIZE START_MS COPIES KEEP_MS END_MS:COPIES ...
#
# A window begins without a past, and is asked for COST at each AT_MS in turn. LEFT and SIZE
# are what it had then; COPIES since START_MS (0: none is open), and past windows, are what
# stays when COST was counted if it fit; with "!" behind it, it is counted in any case.
# KEEP_MS is then the time for which that is worth keeping. A step back of the clock follows
# one that counted something. Made by model.py.
"""


def window(name, comment, factor, floor, span, steps):
    rule = Rule("window", factor, span, floor)
    meter = Window(rule)
    print(f"\n# {comment}\nwindow {name} {factor} {floor} {span}")
    for at, cost in steps:
        forced = isinstance(cost, str)
        amount = int(str(cost).rstrip("!"))
        meter.roll(at)
        left, size = meter.left(), meter.size()
        if forced or amount <= left:
            meter.take(amount, at)
        start = meter.opened if meter.copies else 0
        past = "".join(f" {end}:{copies}" for end, copies in reversed(meter.closed))
        print(f"{at} {cost} {left} {size} {start} {meter.copies} {meter.keep(at)}{past}")


def windows():
    print(WINDOW_HEAD, end="")
    window("floor", "Without a past the floor passes, to the copy; the window ends to the ms.",
           2000, 500, DAY,
           [(T0, 1), (T0, 499), (T0, 1), (T0 + DAY - 1, 1), (T0 + DAY - 1, 0),
            (T0 + DAY, 1), (T0 + DAY, 999), (T0 + DAY, 1)])
    window("usual", "A newsletter twice, and its script run wild.", 2000, 500, DAY,
           [(T0, 400), (T0 + 7 * DAY, 800), (T0 + 14 * DAY, 900), (T0 + 21 * DAY, 1601),
            (T0 + 21 * DAY, 1600)])
    window("grows", "Each window may be twice the largest before.", 2000, 100, HOUR,
           [(T0 + i * HOUR, 100 * 2**i) for i in range(12)])
    window("edge", "One ms before its end, and at its end.", 1500, 10, SECOND,
           [(T0, 10), (T0 + 999, 1), (T0 + 1000, 15), (T0 + 1999, 1), (T0 + 2000, 1),
            (T0 + 2000, 21), (T0 + 2999, 0), (T0 + 3000, 31), (T0 + 4000, 0)])
    window("within", "What factor x copies keeps within the floor is not remembered.",
           2000, 500, DAY,
           [(T0, 250), (T0 + DAY, 0), (T0 + DAY, 251), (T0 + 2 * DAY, 0),
            (T0 + 2 * DAY, 250), (T0 + 3 * DAY, 1)])
    window("nine", "The ninth past window pushes out the oldest, which was the largest.",
           2000, 10, HOUR,
           [(T0, "90!")] + [(T0 + i * 2 * HOUR, 6 + i) for i in range(1, 9)] +
           [(T0 + 18 * HOUR, 30), (T0 + 20 * HOUR, 30), (T0 + 20 * HOUR, 29)])
    window("small", "Daily small mail does not push out the monthly run.", 2000, 500, DAY,
           [(T0, "3000!")] + [(T0 + i * DAY, 200) for i in range(1, 31)] +
           [(T0 + 31 * DAY, 6000)])
    end = T0 + DAY
    window("400-days", "A past window is remembered 400 days, to the ms.", 2000, 500, DAY,
           [(T0, 500), (end + MEMORY - 1, 0), (end + MEMORY - 1, 1000),
            (end + MEMORY, 0), (end + MEMORY + DAY - 2, 0), (end + MEMORY + DAY, 500)])
    window("400-days-open", "Forgotten while the next one is open.", 3000, 10, 10 * DAY,
           [(T0, "100!"), (T0 + 400 * DAY, 200), (T0 + 10 * DAY + MEMORY - 1, 100),
            (T0 + 10 * DAY + MEMORY, 1), (T0 + 10 * DAY + MEMORY, 0)])
    window("clock-back", "An hour back: what is open began now, what is past ended now.",
           2000, 10, HOUR,
           [(T0, "50!"), (T0 + 2 * HOUR, 30), (T0 + HOUR, 10), (T0, 20), (T0, 41), (T0, 40),
            (T0 + HOUR - 1, 0), (T0 + HOUR, 1), (T0 - DAY, 1), (T0 - DAY, 200)])
    window("clock-forward", "A day forward and back again.", 2000, 10, HOUR,
           [(T0, 8), (T0 + DAY, 9), (T0, 5), (T0 + HOUR - 1, 0), (T0 + HOUR, 1),
            (T0 + HOUR + 1, 26), (T0 + HOUR + 1, 27)])
    window("rounding", "1.001 times the usual: a thousandth, rounded down.", 1001, 10, HOUR,
           [(T0, "999!"), (T0 + HOUR, 1000), (T0 + HOUR, 999), (T0 + HOUR, "1!"),
            (T0 + 2 * HOUR, 1002), (T0 + 2 * HOUR, 1001), (T0 + 3 * HOUR, 1003),
            (T0 + 3 * HOUR, "998!"), (T0 + 4 * HOUR, 1002)])
    window("same", "Once the usual, and no more.", 1000, 10, HOUR,
           [(T0, 10), (T0 + HOUR, "11!"), (T0 + 2 * HOUR, 12), (T0 + 2 * HOUR, 11),
            (T0 + 3 * HOUR, 0)])
    window("over", "More than it holds never fits; the empty window is as it was.",
           2000, 5, DAY, [(T0, 6), (T0, 5), (T0, 0), (T0 + DAY, 11), (T0 + DAY, 10)])
    window("largest", "Counted up to a milliard, and factor x copies below 2^53.",
           1000000, 1000000000, 366 * DAY,
           [(T0, 1000000000), (T0, "9007199254740991!"), (T0 + 366 * DAY, 0),
            (T0 + 366 * DAY, 999999999999), (T0 + 366 * DAY, "1!")])
    window("smallest", "", 1000, 1, 1000,
           [(T0, 1), (T0, 1), (T0 + 999, 1), (T0 + 1000, 1), (T0 + 2000, 2)])
    random.seed(1)
    steps, at = [], T0
    for _ in range(60):
        at += random.choice([0, 1, 400, 999, 1000, 1001, 3500, 90000])
        steps.append((at, random.choice([0, 1, 3, 8, 20, 55, "70!", "9!"])))
    window("random", "Whatever comes.", 1700, 8, 3500, steps)


# --- clients -----------------------------------------------------------------------------

CLIENTS_HEAD = """\
# Sets of clients: policy/client_set.c, store/memory.c and store/limiter_window.lua must agree.
#
#   clients NAME N PERIOD_MS
#   AT_MS CLIENT LEFT KEEP_MS CLIENT:STAMP_MS ...
#
# A set begins empty, and CLIENT asks at each AT_MS in turn; 0 is nobody. LEFT is how many
# clients the set still took, this one included. What stays when it was counted if it fit is
# each client with its last accepted message, oldest first, and worth keeping for KEEP_MS. A
# step back of the clock follows one that counted. Made by model.py.
"""


def clients_of(name, comment, count, span, steps):
    meter = Clients(Rule("clients", count, span, count))
    print(f"\n# {comment}\nclients {name} {count} {span}")
    for at, client in steps:
        meter.roll(at)
        meter.asks = client
        left = meter.left()
        if client and left >= 1:
            meter.take(1, at)
        print(f"{at} {client} {left} {meter.keep(at)}{meter.shown()}")


def clients():
    print(CLIENTS_HEAD, end="")
    clients_of("n-plus-one", "Three pass, however often; the fourth never does.", 3, DAY,
               [(T0, 1), (T0, 2), (T0 + 1, 1), (T0 + 2, 3), (T0 + 3, 4), (T0 + 4, 5),
                (T0 + 5, 3), (T0 + 6, 2), (T0 + 7, 1), (T0 + 8, 4), (T0 + 8, 0)])
    clients_of("last-message", "Each counts from its last message, to the ms.", 2, DAY,
               [(T0, 1), (T0 + HOUR, 2), (T0 + 2 * HOUR, 1), (T0 + DAY, 3),
                (T0 + DAY + HOUR - 1, 3), (T0 + DAY + HOUR, 3), (T0 + DAY + 2 * HOUR - 1, 2),
                (T0 + DAY + 2 * HOUR, 2), (T0 + DAY + 2 * HOUR, 1)])
    clients_of("refused", "Who is refused takes no room, and does not renew others.", 1, DAY,
               [(T0, 1), (T0 + 1, 2), (T0 + DAY - 1, 2), (T0 + DAY, 2), (T0 + DAY, 1)])
    clients_of("one", "The smallest.", 1, SECOND,
               [(T0, 1), (T0, 1), (T0 + 999, 2), (T0 + 1000, 2), (T0 + 1999, 2),
                (T0 + 2999, 1)])
    clients_of("clock-back", "A day back: all came now, and stay a period from now.", 2, HOUR,
               [(T0, 1), (T0, 2), (T0 - DAY, 1), (T0 - DAY + HOUR - 1, 3),
                (T0 - DAY + HOUR, 3), (T0 - DAY + 2 * HOUR, 4)])
    clients_of("clock-forward", "A day forward and back again.", 2, HOUR,
               [(T0, 1), (T0 + DAY, 2), (T0, 3), (T0, 1), (T0 + HOUR, 1)])
    clients_of("large-numbers", "As large as a hash may be, and the longest period.", 3,
               366 * DAY, [(T0, 2**53 - 1), (T0 + 1, 2**53 - 2), (T0 + 2, 2**53 - 1),
                           (T0 + 366 * DAY, 1), (T0 + 366 * DAY + 1, 2)])
    random.seed(3)
    steps, at = [], T0
    for _ in range(90):
        at += random.choice([0, 1, 400, 999, 1000, 1001, 3500, 9000])
        steps.append((at, random.choice([0, 1, 2, 3, 4, 5, 6, 7])))
    clients_of("random", "Whoever comes.", 4, 7000, steps)


# --- charges -----------------------------------------------------------------------------

CHARGE_HEAD = """\
# Charges and what they leave behind: store/memory.c and store/charge.lua must agree.
#
#   scene NAME
#   rule NAME KEY bucket TOKENS PERIOD_MS BURST LATCH_MS [monitor] [trains] [along] [permit]
#   rule NAME KEY window FACTOR WINDOW_MS FLOOR LATCH_MS [monitor] [trains] [along] [permit]
#   rule NAME KEY clients N PERIOD_MS N LATCH_MS [monitor] [trains] [along]
#   do AT_MS MODE NAME COST ...      peek, latch, take; reset, unlatch, train
#   found LEFT SIZE LATCHED_MS ...   three numbers a charge, before anything was changed
#   kept KEY TTL_MS [VALUE]          what Redis then has under each key, with the TTL that
#                                    it was written with; 0: nothing, or nothing any more
#
# Two rules may have one key: the same rule at another time. COST of a set of clients is who
# asks, 0 for nobody: that costs 1, or nothing. Made by model.py.
"""


class Scene:
    def __init__(self, name, comment, **rules):
        self.store = Store()
        self.rules = {}
        print(f"\n# {comment}\nscene {name}")
        for word, rule in rules.items():
            key = word[0]
            self.rules[word] = (rule, key)
            print(rule.line(word, key))

    def __call__(self, at, mode, *words):
        charges = []
        for name, cost in zip(words[::2], words[1::2]):
            charges.append(self.rules[name] + (cost,))
        print(f"do {at} {mode} " + " ".join(map(str, words)))
        if mode in ("peek", "latch", "take"):
            found = self.store.charge(mode, charges, at)
            print("found " + "  ".join(" ".join(map(str, one)) for one in found))
        else:
            self.store.amend(mode, charges, at)
        for rule, key, _ in charges:
            kept = self.store.kept(key, rule, at)
            print(f"kept {key} " + (f"{kept[0]} {kept[1]}" if kept else "0"))


def bucket(amount, span, size, latch=0, flags=""):
    return Rule("bucket", amount, span, size, latch, flags)


def surge(factor, span, floor, latch=0, flags=""):
    return Rule("window", factor, span, floor, latch, flags)


def set_of(count, span, latch=0, flags=""):
    return Rule("clients", count, span, count, latch, flags)


def permit(copies, span):
    return Rule("bucket", 0, span, copies, 0, "mp")


def scenes():
    print(CHARGE_HEAD, end="")
    s = Scene("latch", "What fired stays shut for an hour after the last try, to the ms.",
              a=bucket(10, MINUTE, 10, HOUR))
    s(T0, "take", "a", 10)
    s(T0, "take", "a", 1)
    s(T0 + HOUR - 1, "peek", "a", 1)
    s(T0 + HOUR - 1, "take", "a", 1)
    s(T0 + 2 * HOUR - 2, "take", "a", 0)
    s(T0 + 3 * HOUR - 3, "peek", "a", 1)
    s(T0 + 3 * HOUR - 2, "peek", "a", 1)
    s(T0 + 3 * HOUR - 2, "take", "a", 1)
    s(T0 + 3 * HOUR, "take", "a", 11)
    s(T0 + 3 * HOUR, "take", "a", 10)

    s = Scene("latch-refills", "The bucket fills behind the latch, and is kept for it.",
              a=bucket(10, DAY, 10, HOUR))
    s(T0, "take", "a", 9)
    s(T0, "take", "a", 2)
    s(T0 + HOUR // 2, "take", "a", 1)
    s(T0 + 3 * HOUR // 2 - 1, "peek", "a", 1)
    s(T0 + 3 * HOUR // 2, "take", "a", 1)
    s(T0 + 2 * HOUR, "latch", "a", 1)
    s(T0 + 2 * HOUR + DAY, "take", "a", 1)

    s = Scene("latch-outlives", "Full long before the latch lapses: the key stays.",
              a=bucket(10, SECOND, 10, DAY))
    s(T0, "take", "a", 10)
    s(T0, "take", "a", 1)
    s(T0 + DAY - 1, "peek", "a", 0)
    s(T0 + DAY, "peek", "a", 0)

    s = Scene("over-burst", "A cost that can never fit sets no latch, and renews none.",
              a=bucket(10, DAY, 10, HOUR))
    s(T0, "take", "a", 11)
    s(T0, "take", "a", 10)
    s(T0, "take", "a", 1)
    s(T0 + 1000, "take", "a", 11)
    s(T0 + 2000, "latch", "a", 10)

    s = Scene("over-size", "A window has no cost that can never fit.",
              a=surge(2000, DAY, 10, HOUR))
    s(T0, "take", "a", 11)
    s(T0 + HOUR - 1, "take", "a", 0)
    s(T0 + 2 * HOUR - 1, "take", "a", 10)

    s = Scene("decides", "The first that fires decides: it latches, those below do not.",
              a=bucket(10, DAY, 10, HOUR), b=bucket(5, DAY, 5, HOUR),
              c=surge(2000, DAY, 3, HOUR))
    s(T0, "take", "a", 3, "b", 3, "c", 3)
    s(T0 + 1, "take", "a", 3, "b", 3, "c", 3)
    s(T0 + 2, "take", "a", 8, "b", 0, "c", 9)
    s(T0 + 3, "take", "c", 9, "b", 9, "a", 9)
    s(T0 + HOUR, "take", "a", 0, "b", 0, "c", 0)
    s(T0 + HOUR + 3, "take", "a", 1, "b", 1, "c", 0)

    s = Scene("stopped", "A rule that fires by matching stands below: latches only.",
              a=bucket(10, DAY, 10, HOUR), b=surge(2000, DAY, 3, HOUR))
    s(T0, "latch", "a", 10, "b", 3)
    s(T0, "latch", "a", 10, "b", 4)
    s(T0, "latch", "a", 11, "b", 4)
    s(T0 + HOUR, "latch", "b", 4, "a", 11)

    s = Scene("monitor", "Monitor rules latch, draw what is there, and stop nothing.",
              a=bucket(10, DAY, 10, HOUR, "m"), b=bucket(5, DAY, 5, HOUR),
              c=bucket(2, DAY, 2, HOUR, "m"))
    s(T0, "take", "a", 8, "b", 1, "c", 1)
    s(T0, "take", "a", 8, "b", 1, "c", 1)
    s(T0 + 1, "take", "a", 1, "b", 1, "c", 1)
    s(T0 + 2, "take", "a", 1, "b", 9, "c", 1)
    s(T0 + 3, "take", "a", 1, "b", 3, "c", 0)
    s(T0 + 4, "latch", "c", 1, "a", 20, "b", 0)
    s(T0 + HOUR + 4, "peek", "c", 1, "a", 20, "b", 0)

    s = Scene("braked", "A window in which the brake closed is not remembered; a release says "
              "that it was usual, and takes no room.", a=surge(2000, DAY, 10))
    s(T0, "take", "a", 10)
    s(T0 + 1, "take", "a", 1)
    s(T0 + DAY, "take", "a", 9)
    s(T0 + DAY + 1, "take", "a", 2)
    s(T0 + DAY + 2, "train", "a", 2)
    s(T0 + DAY + 2, "peek", "a", 1)
    s(T0 + DAY + 2, "take", "a", 1)
    s(T0 + 2 * DAY, "take", "a", 22)
    s(T0 + 2 * DAY + 1, "latch", "a", 1)
    s(T0 + 2 * DAY + 1, "train", "a", 0)
    s(T0 + 2 * DAY + 1, "latch", "a", 1)
    s(T0 + 2 * DAY + 2, "reset", "a", 0)
    s(T0 + 2 * DAY + 3, "take", "a", 23)
    s(T0 + 2 * DAY + 4, "take", "a", 22)
    s(T0 + 3 * DAY + 4, "take", "a", 44)

    s = Scene("braked-by-another", "Only the rule that fires brakes its own window.",
              a=surge(2000, DAY, 10), b=bucket(2, DAY, 2))
    s(T0, "take", "a", 6, "b", 2)
    s(T0 + 1, "take", "a", 1, "b", 1)
    s(T0 + DAY, "take", "a", 12, "b", 0)

    s = Scene("monitor-window", "A monitor window counts though it has no room.",
              a=surge(2000, DAY, 10, HOUR, "m"), b=bucket(50, DAY, 50))
    s(T0, "take", "a", 11, "b", 11)
    s(T0 + 1, "take", "a", 7, "b", 7)
    s(T0 + 2, "take", "a", 7, "b", 70)
    s(T0 + 3, "latch", "a", 7, "b", 7)
    s(T0 + DAY, "take", "a", 36, "b", 0)
    s(T0 + DAY, "take", "a", 1, "b", 0)
    s(T0 + DAY + 1, "take", "a", 0, "b", 0)

    s = Scene("trains", "Where all is monitored, windows learn what is stopped, too.",
              a=surge(2000, DAY, 10, HOUR, "t"), b=bucket(5, DAY, 5, HOUR, "t"),
              c=surge(2000, DAY, 2, 0, "t"))
    s(T0, "take", "a", 1, "b", 1, "c", 1)
    s(T0, "take", "a", 20, "b", 1, "c", 1)
    s(T0 + HOUR, "take", "a", 0, "b", 5, "c", 1)
    s(T0 + HOUR, "latch", "a", 0, "b", 0, "c", 1)
    s(T0 + 2 * HOUR, "latch", "a", 0, "b", 0, "c", 1)
    s(T0 + 2 * HOUR, "latch", "a", 0, "b", 0, "c", 1)
    s(T0 + DAY, "take", "a", 42, "b", 0, "c", 6)
    s(T0 + DAY + HOUR, "take", "c", 3, "a", 1)
    s(T0 + DAY + HOUR, "peek", "c", 3, "a", 1)

    s = Scene("along", "Of several lists in one message, all learn, whichever is short.",
              a=surge(2000, DAY, 10, HOUR, "t"), b=surge(2000, DAY, 20, HOUR, "ta"),
              c=surge(2000, DAY, 5, HOUR, "ta"), d=surge(2000, DAY, 50, 0, "t"))
    s(T0, "take", "a", 11, "b", 12, "c", 6, "d", 29)
    s(T0, "latch", "a", 1, "b", 9, "c", 1, "d", 11)
    s(T0 + DAY, "take", "d", 1, "a", 1, "b", 1, "c", 1)
    s(T0 + DAY, "peek", "a", 30, "b", 1, "c", 1, "d", 1)

    s = Scene("allowed", "Let pass by hand: it counts, sees no latch, and leaves it be.",
              a=surge(2000, DAY, 10, HOUR), a_allowed=surge(2000, DAY, 10, 0, "m"))
    s(T0, "take", "a", 11)
    s(T0 + 1, "take", "a_allowed", 30)
    s(T0 + 2, "take", "a", 0)
    s(T0 + DAY + 1, "take", "a", 60)
    s(T0 + DAY + 1, "take", "a", 1)

    s = Scene("changed", "A shorter latch in a new configuration holds at once.",
              a=bucket(1, HOUR, 1, DAY), a_new=bucket(1, HOUR, 1, MINUTE),
              a_none=bucket(1, HOUR, 1, 0))
    s(T0, "take", "a", 1)
    s(T0, "take", "a", 1)
    s(T0 + 1, "peek", "a_new", 1)
    s(T0 + 1, "peek", "a_none", 1)
    s(T0 + 2, "take", "a_none", 0)
    s(T0 + 3, "latch", "a_new", 2)
    s(T0 + 4, "peek", "a", 1)

    s = Scene("clock-back", "A latch never stands longer than it was set for.",
              a=bucket(10, DAY, 10, HOUR), b=surge(2000, DAY, 10, HOUR))
    s(T0 + DAY, "take", "a", 10, "b", 10)
    s(T0 + DAY, "take", "a", 1, "b", 1)
    s(T0 + DAY, "take", "b", 1)
    s(T0, "peek", "a", 0, "b", 0)
    s(T0, "take", "b", 1, "a", 1)
    s(T0 + MINUTE, "take", "a", 0, "b", 0)
    s(T0 - DAY, "latch", "a", 11, "b", 0)
    s(T0 - DAY + HOUR, "take", "a", 0, "b", 0)
    s(T0 - DAY + DAY - 1, "take", "a", 1, "b", 1)
    s(T0 - DAY + DAY, "take", "a", 1, "b", 1)

    s = Scene("clock-back-past", "Then no past window lies ahead, and none is kept longer.",
              a=surge(2000, DAY, 10, HOUR))
    s(T0, "take", "a", 10)
    s(T0 + DAY, "take", "a", 5)
    s(T0 + DAY, "reset", "a", 0)
    s(T0 - DAY, "peek", "a", 0)
    s(T0 - DAY, "latch", "a", 0)
    s(T0 - DAY + 400 * DAY - 1, "peek", "a", 20)
    s(T0 - DAY + 400 * DAY, "peek", "a", 20)

    s = Scene("clock-forward", "A day forward: refilled, closed, lapsed.",
              a=bucket(10, DAY, 10, HOUR), b=surge(2000, DAY, 10, HOUR))
    s(T0, "take", "a", 10, "b", 10)
    s(T0, "take", "a", 1)
    s(T0, "take", "b", 1)
    s(T0 + DAY, "take", "a", 1, "b", 1)
    s(T0, "take", "a", 1, "b", 1)
    s(T0 + 1, "take", "a", 9, "b", 19)

    s = Scene("amend", "Reset, unlatch and train.",
              a=bucket(10, DAY, 10, HOUR), b=surge(2000, DAY, 10, HOUR))
    s(T0, "reset", "a", 0, "b", 0)
    s(T0, "train", "a", 5, "b", 0)
    s(T0, "take", "a", 10, "b", 10)
    s(T0, "take", "a", 1, "b", 1)
    s(T0, "take", "b", 1)
    s(T0 + 1, "unlatch", "a", 0, "b", 0)
    s(T0 + 1, "peek", "a", 0, "b", 0)
    s(T0 + 1, "take", "a", 1, "b", 1)
    s(T0 + 2, "reset", "a", 0)
    s(T0 + 2, "take", "a", 4, "b", 0)
    s(T0 + 3, "take", "b", 1)
    s(T0 + 4, "train", "a", 3, "b", 30)
    s(T0 + 5, "reset", "b", 0)
    s(T0 + 5, "take", "b", 7)
    s(T0 + 6, "train", "b", 30)
    s(T0 + DAY + 6, "take", "a", 0, "b", 74)
    s(T0 + DAY + 7, "take", "b", 1)
    s(T0 + DAY + 8, "reset", "b", 0)
    s(T0 + DAY + 8, "take", "b", 75)
    s(T0 + DAY + 8, "unlatch", "b", 0)
    s(T0 + DAY + 9, "take", "b", 74)

    s = Scene("permit", "What fits into a permit draws from it alone, and never refills.",
              p=permit(100, 2 * HOUR), a=bucket(10, DAY, 10, HOUR),
              b=surge(2000, DAY, 10, HOUR), q=permit(30, DAY))
    s(T0, "peek", "p", 60, "a", 60, "b", 60)
    s(T0, "take", "p", 60, "a", 60, "b", 60)
    s(T0 + HOUR, "take", "p", 41, "a", 1, "b", 1)
    s(T0 + HOUR, "take", "p", 41, "a", 41)
    s(T0 + HOUR + 1, "latch", "p", 40, "b", 40)
    s(T0 + 3 * HOUR, "latch", "p", 1, "a", 1)
    s(T0 + 3 * HOUR, "take", "p", 1, "q", 1, "b", 1)
    s(T0 + 3 * HOUR, "take", "p", 31, "q", 31, "b", 9)
    s(T0 + 3 * HOUR + 1, "take", "p", 31, "q", 31, "b", 1)
    s(T0 + 3 * HOUR + 1, "peek", "p", 30)
    s(T0 + 3 * HOUR + 2, "take", "p", 1, "q", 29, "b", 29)
    s(T0 + 3 * HOUR + 2, "take", "q", 1)
    s(T0 - DAY, "take", "q", 1)
    s(T0 + DAY, "take", "b", 0)
    s(T0 + 2 * DAY, "reset", "q", 0)

    s = Scene("permit-braked", "A window that fired stays so, whatever a permit lets pass.",
              p=permit(100, 2 * HOUR), b=surge(2000, DAY, 10))
    s(T0, "take", "b", 10)
    s(T0, "take", "b", 1)
    s(T0, "take", "p", 50, "b", 50)
    s(T0 + DAY, "take", "b", 1)

    s = Scene("clients", "A client that is stopped is not counted, whatever stops it.",
              c=set_of(2, DAY, HOUR), a=bucket(3, DAY, 3), b=surge(2000, DAY, 4))
    s(T0, "take", "c", 1, "a", 1, "b", 1)
    s(T0 + 1, "take", "c", 2, "a", 9, "b", 1)
    s(T0 + 2, "latch", "c", 3, "a", 0)
    s(T0 + 3, "peek", "c", 4)
    s(T0 + 4, "take", "c", 5, "a", 1, "b", 1)
    s(T0 + 5, "take", "c", 1, "b", 1)
    s(T0 + 6, "take", "c", 6, "b", 1)
    s(T0 + 7, "take", "c", 1, "b", 1)
    s(T0 + HOUR + 7, "take", "c", 0, "a", 1)
    s(T0 + HOUR + 7, "take", "c", 5, "b", 0)
    s(T0 + DAY + 5, "take", "a", 0, "c", 6)
    s(T0 + DAY + 6, "unlatch", "c", 0)
    s(T0 + DAY + 6, "take", "c", 7)
    s(T0 + DAY + 7, "train", "c", 0)
    s(T0 + DAY + 7, "reset", "c", 0)
    s(T0 + DAY + 7, "take", "c", 7)

    s = Scene("clients-monitor", "A rule that only watches counts whom it has room for.",
              c=set_of(1, DAY, HOUR, "m"), d=set_of(2, DAY, 0, "m"), e=set_of(1, DAY, 0, "t"),
              b=surge(2000, DAY, 4, 0, "t"))
    s(T0, "take", "c", 1, "d", 1)
    s(T0 + 1, "take", "c", 2, "d", 2)
    s(T0 + 2, "take", "c", 1, "d", 3, "e", 1)
    s(T0 + 3, "take", "d", 1, "e", 2, "b", 1, "c", 1)
    s(T0 + 4, "take", "b", 1, "e", 2)
    s(T0 + DAY, "peek", "c", 9, "d", 9, "e", 9)

    s = Scene("clients-permit", "What a permit lets pass counts no client.",
              p=permit(100, 2 * HOUR), c=set_of(1, DAY, HOUR))
    s(T0, "take", "p", 60, "c", 1)
    s(T0 + 1, "take", "c", 2)
    s(T0 + 2, "take", "p", 40, "c", 1)
    s(T0 + 3, "take", "p", 1, "c", 1)

    s = Scene("clients-clock", "Whatever the clock does.", c=set_of(2, HOUR, MINUTE))
    s(T0 + DAY, "take", "c", 1)
    s(T0 + DAY, "take", "c", 2)
    s(T0, "peek", "c", 3)
    s(T0, "take", "c", 3)
    s(T0 + HOUR - 1, "latch", "c", 3)
    s(T0 + HOUR, "take", "c", 3)
    s(T0 + HOUR + MINUTE, "take", "c", 3)
    s(T0 + HOUR + MINUTE, "take", "c", 3)

    random.seed(2)
    s = Scene("random", "Whatever comes.",
              a=bucket(7, 10 * SECOND, 20, 4 * SECOND), b=surge(1500, 5 * SECOND, 9, SECOND),
              a_m=bucket(7, 10 * SECOND, 20, 4 * SECOND, "m"),
              b_m=surge(1500, 5 * SECOND, 9, SECOND, "m"),
              b_t=surge(1500, 5 * SECOND, 9, SECOND, "t"),
              c=surge(3000, MINUTE, 5, MINUTE, "mt"), d=bucket(3, SECOND, 3))
    at = T0
    for _ in range(250):
        at += random.choice([0, 1, 250, 999, 1001, 2500, 5000, 30000, -700])
        mode = random.choice(["take"] * 9 + ["latch"] * 4 +
                             ["peek", "reset", "unlatch", "train"])
        names = [random.choice(["a", "a_m"]), random.choice(["b", "b_m", "b_t"]), "c", "d"]
        random.shuffle(names)
        words = []
        for name in names[:random.randint(1, 4)]:
            words += [name, random.choice([0, 1, 1, 2, 4, 9, 21])]
        s(at, mode, *words)


if __name__ == "__main__":
    {"window": windows, "clients": clients, "charge": scenes}[sys.argv[1]]()
