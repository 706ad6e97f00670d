"""The one table, and what is amiss."""

import os
import re
import statistics

from farm import TIMEOUT_MS
from mailbraked import SANITIZERS

GROWTH_MAX, GROWTH_MAX_SHORT = 0.05, 0.15  # of resident memory; below ten minutes caches still fill
RESIDENT_MAX_MB = 256
REDIS_BYTES_MAX = 1000  # for each of the flood's messages: what is left of a sender, thread, campaign
THREADS_MAX = 100
LEFT_OPEN_MAX = 8  # descriptors more than at the beginning
SHOWN = 12  # of what is amiss, of each kind


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0


class Report:
    def __init__(self, options, farm):
        self.options, self.farm = options, farm
        self.rows, self.wrong = [], []

    def row(self, name, text, bound="", ok=True):
        self.rows.append((name, bound, "" if ok else "MISSED", text))
        if not ok:
            self.wrong.append(f"{name.strip()}: {text}")

    def details(self, texts):
        self.wrong += texts[:SHOWN] + [f"and {len(texts) - SHOWN} more"] * (len(texts) > SHOWN)

    def is_clean(self):
        return not self.wrong

    def print(self):
        seed = f"seed {self.options.seed}"
        print(f"\nscript/soak: {self.options.minutes:g} minutes, {seed}, {os.cpu_count()} cores")
        widths = [max(len(row[n]) for row in self.rows) for n in range(3)]
        for row in self.rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, (*widths, 0))).rstrip())
        for text in self.wrong:
            print(f"amiss: {text}")
        print("clean" if self.is_clean() else f"not clean: repeat it with --seed {self.options.seed}")

    # Before it begins.

    def flood(self, name, messages, result, redis_bytes, resident_kb, spent):
        """spent: of those who use up what they may, how many messages passed before, and after."""
        seconds = result["elapsed_us"] / 1e6
        self.row(f"flood, {name}", f"{messages} random messages, {messages / seconds:.0f}/s")
        passed = result["accept"]
        self.row("  accepted", str(passed), "all", passed == messages)
        self.row("  mailbraked's memory", f"{resident_kb / 1024:.0f} MB", f"under {RESIDENT_MAX_MB} MB",
                 resident_kb < RESIDENT_MAX_MB * 1024)
        if redis_bytes:
            each = redis_bytes / messages
            self.row("  Redis' memory", f"{redis_bytes / 2**20:.0f} MB, {each:.0f} bytes a message",
                     f"under {REDIS_BYTES_MAX}", each < REDIS_BYTES_MAX)
        self.row("  of used-up limits", f"{spent[0]} passed before, {spent[1]} after", "0 after",
                 spent[0] > 0 and spent[1] == 0)

    # The long part.

    def take(self, post, orders, faults, accounts, watch, metronome):
        self._verdicts(post)
        self._messages(post, accounts)
        self._faults(faults)
        self._times(metronome, post.history)
        for name, samples in watch.samples.items():
            self._process(name, samples)
        self.row("Redis' memory", f"{self.farm.redis_bytes() / 2**20:.1f} MB")
        done = {name: count for name, count in sorted(orders.results.items())}
        self.row("orders", ", ".join(f"{name} {count}" for name, count in done.items()))
        self._logs()

    def _verdicts(self, post):
        counts = post.counts
        kinds = ("accept", "quarantine", "reject", "defer", "tempfail", "none")
        self.row("verdicts", ", ".join(f"{kind} {counts[kind]}" for kind in kinds))
        judged = f"{counts['exact']} with no fault near, {counts['by hand']} by hand, {counts['races']} races"
        self.row("  that are wrong", f"{len(post.wrong)} ({judged})", "none", not post.wrong)
        self.details(post.wrong)

    def _messages(self, post, accounts):
        counts = accounts.counts
        kinds = ("arrived", "held", "gone")
        self.row("messages", f"{len(post.mails)}: " + ", ".join(f"{kind} {counts[kind]}" for kind in kinds))
        self.row("  lost, doubled, unknown", str(len(accounts.wrong)), "none", not accounts.wrong)
        self.details(accounts.wrong)

    def _faults(self, faults):
        self.row("faults", f"{sum(faults.counts.values())}: "
                 + ", ".join(f"{name} {count}" for name, count in sorted(faults.counts.items())))
        slowest = f"{max(faults.returns, default=0):.1f} s at most"
        self.row("  until Redis is used again", slowest, "5 s", not faults.slow_returns)
        self.details([f"Redis is not used again by {text}" for text in faults.slow_returns])

    def _times(self, metronome, history):
        verdicts = [(at, us / 1000) for log in self.farm.logs.values() for at, us, _ in log.verdicts]
        times, calm = [ms for _, ms in verdicts], {}
        for at, _ in verdicts:
            if int(at) not in calm:
                calm[int(at)] = history.is_calm(int(at) - 1, int(at) + 1)
        peace = [ms for at, ms in verdicts if calm[int(at)]]
        bound = TIMEOUT_MS + self.farm.build.slack_ms
        # The machine's own lateness, for each of the three who must wake in turn.
        late = [ms for at, ms in verdicts if ms > bound and ms > bound + 3 * metronome.around(at)]
        for name, some in (("verdicts take", times), ("  with no fault near", peace)):
            self.row(name, f"p50 {percentile(some, 0.5):.1f} ms, p99 {percentile(some, 0.99):.1f} ms, "
                     f"at most {max(some, default=0):.0f} ms", f"{bound} ms", some is peace or not late)
        slow = [ms for _, ms in metronome.late]
        self.row("  the machine itself wakes", f"p50 {percentile(slow, 0.5):.0f} ms late, "
                 f"at most {max(slow, default=0):.0f} ms")

    def _process(self, name, samples):
        if not samples:
            self.row(name, "no sample", ok=False)
            return
        size = max(1, len(samples) // 10)
        first = statistics.median(s.resident_kb for s in samples[size : 3 * size] or samples)
        last = statistics.median(s.resident_kb for s in samples[-size:])
        growth = (last - first) / first
        # The second relay's mailbraked and the helpers are killed and begin anew.
        watched = name == "relay1 mailbraked"
        threads = max(s.threads for s in samples)
        # In the middle: while Redis is away, there are none to it.
        opened = (statistics.median(s.descriptors for s in samples[-size:])
                  - statistics.median(s.descriptors for s in samples[: 3 * size]))
        text = (f"{first / 1024:.1f} MB, then {last / 1024:.1f} MB ({growth:+.1%}); threads at most {threads}; "
                f"descriptors {samples[0].descriptors} to {samples[-1].descriptors}")
        growth_max = GROWTH_MAX if self.options.minutes >= 10 else GROWTH_MAX_SHORT
        ok = threads < THREADS_MAX and (not watched or (growth <= growth_max and opened <= LEFT_OPEN_MAX))
        self.row(name, text, f"{growth_max:.0%}, 100 threads" if watched else "100 threads", ok)

    def _logs(self):
        for relay, log in self.farm.logs.items():
            bad = [line for line in log.others if re.search(SANITIZERS, line)]
            self.row(f"{relay} says", f"{sum(log.others.values())} lines besides verdicts", ok=not bad)
            self.details(bad)
