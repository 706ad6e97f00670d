"""What each verdict may be: every limit kept once more, in this process. Redis may have
charged a message whose answer was lost, and a Redis that lost its data knows no more than
the relays have seen; so a limit has two levels, the least and the most that may be left.
In peace they are one number, and only one verdict is right."""

import collections
import threading

NODES = 2
# From when a Redis without its data answers until each relay has written back what it saw:
# a second, and as much again for a machine that has other things to do.
WRITE_BACK_S = 2.5
# What was charged when a loss began, or a moment later, only one relay may know.
IN_FLIGHT_S = 0.1
# A store that came back is asked again within 5 s; so long a relay may decide by itself.
RETURN_S = 5.0
# What passed without Redis is taken there afterwards, and perhaps twice: Redis may have
# charged it before an answer that was lost, or be told of it again after one.
DEBT = 2
NEVER, MAYBE, SURE = range(3)  # whether a latch is set
DAY = 86400.0


class Fault:
    """From start to end (None: it goes on), by the monotonic clock."""

    def __init__(self, name, start, loses=False, relay=None):
        self.name, self.start, self.end = name, start, None
        self.loses = loses  # Redis forgets everything
        self.relay = relay  # whose mailbraked was killed

    def overlaps(self, begin, end, after=0.0):
        return self.start <= end and (self.end is None or begin <= self.end + after)


class History:
    """The faults so far, in order."""

    def __init__(self):
        self._lock = threading.Lock()
        self._faults = []

    def add(self, fault):
        with self._lock:
            self._faults.append(fault)
        return fault

    def all(self):
        with self._lock:
            return list(self._faults)

    def losses(self):
        return [fault for fault in self.all() if fault.loses]

    def kills(self, relay):
        return [fault for fault in self.all() if fault.relay == relay]

    def near(self, begin, end, before=20.0):
        """The faults of this time, and shortly before, in words."""
        found = [fault for fault in self.all() if fault.overlaps(begin, end, before)]
        return ", ".join(f"{fault.name} {fault.start:.2f} to {fault.end or end:.2f}" for fault in found)

    def is_calm(self, begin, end, after=RETURN_S):
        """No fault is in this time, nor ended so shortly before it."""
        return not any(fault.overlaps(begin, end, after) for fault in self.all())


class Share:
    """A relay's own part of a limit, for when the store is away."""

    def __init__(self, limit):
        quota = max(1, limit.burst // NODES)
        self.size = quota if limit.by_rate else limit.burst  # of a surge, what was usual as well
        self.least, self.most = float(quota), float(self.size)
        self.latched = False
        self.kills = 0  # that were taken into account


class Limit:
    """A key of a rule: burst, and so many tokens a second."""

    def __init__(self, history, relays, burst, rate=1 / (366 * DAY), latches=False, by_rate=True):
        self.history, self.relays = history, relays
        self.burst, self.rate, self.latches, self.by_rate = burst, rate, latches, by_rate
        self.least = self.most = float(burst)
        self.least_ever, self.was_reset = float(burst), False
        self.least_at = self.most_at = None  # when they were so
        self.debt = 0.0  # may yet be taken
        self.views = {relay: float(burst) for relay in relays}  # the most that each saw last
        self.extra = 0.0  # of a loss: what may pass besides until each has written back
        self.latch = self.latch_ever = NEVER
        self.losses = 0
        self.lost_until = self.loose_until = 0.0  # by itself, and with what came after it
        self.straddles = False  # whether the message at hand was under way at a loss
        self.seen = {}  # when each relay had Redis' word of it last
        self.shares = {relay: Share(self) for relay in relays}
        self.recent = collections.deque(maxlen=16)  # what the last messages were told

    def note(self, answer):
        line = answer.line or {"verdict": f"none, {answer.code}", "store": "-"}
        self.recent.append(f"{answer.relay[-1]} {line['store']} {line['verdict']} {answer.end:.2f}")

    # Time goes on: tokens come back, and faults were.

    def advance(self, relay, begin, end):
        """A message's answer came between begin and end."""
        if self.least_at is not None:
            self.least = min(self.burst, self.least + self.rate * max(0.0, begin - self.least_at))
            back = self.rate * (end - self.most_at)
            self.most = min(self.burst, self.most + back)
            self.views = {name: min(self.burst, view + back) for name, view in self.views.items()}
        self.straddles = False
        for fault in self.history.losses()[self.losses :]:
            if fault.start <= end:
                self._lose(fault)
                self.straddles = self.straddles or begin <= fault.start + IN_FLIGHT_S
        self._stay_loose()
        if not self.is_loose(begin):
            self.extra = 0.0
        for share in self.shares.values():
            share.least = min(share.size, share.least)
            share.most = min(share.size, share.most + self.rate * (end - (self.most_at or end)))
        self.least_at, self.most_at = end, begin
        if self.debt and self.history.is_calm(begin, end):  # paid, perhaps a moment ago
            self.take_perhaps(self.debt)
            self.debt = 0.0
        for name, share in self.shares.items():
            kills = [kill for kill in self.history.kills(name) if kill.start <= end]
            if len(kills) > share.kills:
                share.kills = len(kills)
                share.least, share.most, share.latched = 0.0, float(share.size), False
                self.views[name] = float(self.burst)
                if self.is_loose(kills[-1].start):  # it may not have written back
                    self._leave_views(self.views)

    def _leave_views(self, views):
        """Redis has what is written back: first by any relay, which charges it, then by all,
        and keeps the least. So what passes twice is what the first had not seen, no more."""
        most = max(self.most, min(views.values()))
        self.extra = max(self.extra, max(views.values()) - most)
        self.most = most

    def _lose(self, fault):
        if fault.end is None:
            self.lost_until = float("inf")  # looked at again with the next message
        else:
            self.losses += 1
            self.lost_until = fault.end + WRITE_BACK_S
            self._leave_views({
                relay: view if self._could_write_back(relay, fault) else float(self.burst)
                for relay, view in self.views.items()
            })
            if not self._is_known(fault):
                self.latch = min(self.latch, MAYBE)
            if self.was_reset:  # a relay may write back what it saw before
                self.least = min(self.least, self.least_ever)
                self.latch = max(self.latch, min(self.latch_ever, MAYBE))

    def _is_known(self, loss):
        """Whoever saw it last has lived until it could write back."""
        if not self.seen:
            return True
        return self._could_write_back(max(self.seen, key=self.seen.get), loss)

    def _could_write_back(self, relay, loss):
        since = self.seen.get(relay, loss.start)
        return not any(kill.overlaps(since, loss.end + WRITE_BACK_S) for kill in self.history.kills(relay))

    def _stay_loose(self):
        """Another fault of Redis keeps one relay from it for longer, perhaps."""
        until = self.lost_until
        for fault in self.history.all():
            if fault.relay is None and fault.overlaps(until - WRITE_BACK_S, until):
                until = float("inf") if fault.end is None else max(until, fault.end + WRITE_BACK_S)
        self.loose_until = until

    def is_loose(self, begin):
        return begin <= self.loose_until

    # What an answer of Redis may be.

    def may_pass(self, cost, begin):
        latched = self.latch == SURE and not self.is_loose(begin)
        return not latched and self.most + self.extra + 1e-6 >= cost

    def may_stop(self, cost):
        least = self.least - self.debt
        return self.latch > NEVER or least + 1e-6 < cost + (0 if self.rate < 1e-3 else 1e-3)

    # What the share of a relay may be.

    def may_pass_locally(self, relay, cost):
        share = self.shares[relay]
        return not share.latched and share.most + 1e-6 >= cost

    def may_stop_locally(self, relay, cost):
        share = self.shares[relay]
        # Its part of what it saw, in whole tokens.
        least = max(0.0, self.least - self.debt)
        known = min(share.least, least // NODES - (1 if self.rate > 1e-3 else 0))
        return share.latched or self.latch > NEVER or known < cost

    # What it was.

    def passed(self, relay, cost, begin):
        if self.is_loose(begin):
            if not self.straddles:
                besides = min(self.extra, cost)
                self.extra -= besides
                self.most -= cost - besides
            self.debt += cost  # a relay that can't tell whether Redis kept it tells it again
        else:
            self.most -= cost
            self.least = max(self.least, float(cost))
            self.latch = NEVER if self.latch == MAYBE else self.latch
        self.take_perhaps(cost)
        self.saw(relay)

    def had_room(self, relay, cost, begin):
        """And yet was not charged."""
        if not self.is_loose(begin):
            self.least = max(self.least, float(cost))
        self.saw(relay)

    def saw(self, relay):
        self.views[relay] = min(self.burst, self.most + self.extra)

    def stopped(self, relay, cost, begin):
        if self.latch == NEVER and not self.is_loose(begin):
            self.most = min(self.most, cost - 1e-6 if self.rate >= 1e-3 else cost - 1.0 + 1e-3)
        if self.latches:
            self.latch = self.latch_ever = SURE
            self.shares[relay].latched = True
        self.saw(relay)

    def take_perhaps(self, cost):
        self.least = max(0.0, self.least - cost)
        self.least_ever = min(self.least_ever, self.least)

    def latch_perhaps(self, cost):
        if self.latches and self.least - self.debt < cost:
            self.latch = max(self.latch, MAYBE)
            self.latch_ever = max(self.latch_ever, MAYBE)

    def passed_locally(self, relay, cost):
        share = self.shares[relay]
        share.most -= cost
        share.least = max(0.0, share.least - cost)
        self.debt += DEBT * cost

    def stopped_locally(self, relay):
        if self.latches:
            self.shares[relay].latched = True
            self.latch = max(self.latch, MAYBE)
            self.latch_ever = max(self.latch_ever, MAYBE)

    def reset(self, is_done, relay, now):
        """By an administrator; not is_done: perhaps."""
        self.advance(relay, now, now)
        self.was_reset = True
        self.most = float(self.burst)
        self.views[relay] = float(self.burst)
        self.latch = NEVER if is_done else min(self.latch, MAYBE)
        if is_done:
            self.least = float(self.burst)
            self.seen[relay] = now
        for share in self.shares.values():
            share.least, share.most, share.latched = min(share.least, 0.0), float(share.size), False


class Step:
    """A rule that a message meets: fires by matching (limit None), or when it is short."""

    def __init__(self, rule, verdict, limit=None, cost=1):
        self.rule, self.verdict, self.limit, self.cost = rule, verdict, limit, cost


class Answer:
    """What a message was told, and what the log says of it (None: nothing)."""

    def __init__(self, relay, begin, end, code, line):
        self.relay, self.begin, self.end, self.code, self.line = relay, begin, end, code, line


CODES = {"accept": 250, "quarantine": 250, "reject": 550, "defer": 450, "tempfail": 451}


def judge(history, steps, answer):
    """Why this answer can't be right, or None. The limits then know of it."""
    charged = [step for step in steps if step.limit]
    for step in charged:
        step.limit.note(answer)
        step.limit.advance(answer.relay, answer.begin, answer.end)
    if answer.line is None or answer.line["verdict"] == "tempfail":
        return _judge_failure(history, charged, answer)
    line = answer.line
    if answer.code != CODES[line["verdict"]]:
        # The answer was lost between mailbraked and the client.
        return _judge_failure(history, charged, answer)
    decided = [n for n, step in enumerate(steps) if step.rule == line["rule"]]
    if not decided and line["verdict"] != "accept":
        return f"the rule {line['rule']} is none that it meets"
    last = steps[decided[0]] if decided else None
    if last is not None and last.verdict != line["verdict"]:
        return f"the rule {last.rule} says {last.verdict}"
    above = steps[: decided[0]] if decided else steps
    if any(step.limit is None for step in above):
        return f"the rule {next(s.rule for s in above if s.limit is None)} is passed over"
    if line["store"] == "local":
        return _judge_local(history, charged, above, last, answer)
    return _judge_shared(above, last, answer)


def _judge_failure(history, charged, answer):
    for step in charged:
        step.limit.debt += DEBT * step.cost
        step.limit.latch_perhaps(step.cost)
        share = step.limit.shares[answer.relay]
        share.least = max(0.0, share.least - step.cost)
    if history.is_calm(answer.begin, answer.end):
        return "no verdict, though nothing is wrong"
    return None


def _judge_shared(above, last, answer):
    for step in above:
        if not step.limit.may_pass(step.cost, answer.begin):
            return f"{step.rule} has no room: {step.limit.most:.3f} left, latch {step.limit.latch}"
    if last is not None and last.limit and not last.limit.may_stop(last.cost):
        return f"{last.rule} has room: {last.limit.least:.3f} left"
    for step in above:
        if last is None:
            step.limit.passed(answer.relay, step.cost, answer.begin)
        else:
            step.limit.had_room(answer.relay, step.cost, answer.begin)
        step.limit.seen[answer.relay] = answer.end
    if last is not None and last.limit:
        last.limit.stopped(answer.relay, last.cost, answer.begin)
        last.limit.seen[answer.relay] = answer.end
    return None


def _judge_local(history, charged, above, last, answer):
    if history.is_calm(answer.begin, answer.end):
        return "decided without the store, though nothing is wrong"
    for step in above:
        if not step.limit.may_pass_locally(answer.relay, step.cost):
            return f"{step.rule} has no room here: {step.limit.shares[answer.relay].most:.3f} left"
    if last is not None and last.limit and not last.limit.may_stop_locally(answer.relay, last.cost):
        return f"{last.rule} has room here: {last.limit.shares[answer.relay].least:.3f} left"
    for step in charged:
        if last is None:
            step.limit.passed_locally(answer.relay, step.cost)
        else:
            step.limit.debt += step.cost  # Redis may have charged it all the same, too late
    if last is not None and last.limit:
        last.limit.stopped_locally(answer.relay)
        last.limit.latch_perhaps(last.cost)
    return None
