"""What arrived at the far end, and what must have: each message once, never twice, never lost."""

import collections
import re
import threading

from sink import Sink

OUR_ID = re.compile(r"<(m\d+@soak\.example)>")


class CountingSink(Sink):
    """Keeps of each message no more than who got it how often."""

    def __init__(self, path):
        self.arrived = collections.defaultdict(collections.Counter)
        self._counting = threading.Lock()
        super().__init__(path)

    def keep(self, delivery):
        found = OUR_ID.search(delivery["Message-ID"] or "")
        if found:
            with self._counting:
                self.arrived[found[1]].update(delivery.recipients)


class Accounts:
    """What became of all messages, once nothing moves any more."""

    def __init__(self, post, relays):
        self.post, self.relays = post, relays
        self.counts = collections.Counter()
        self.wrong = []

    def close(self, orders):
        for relay, parts in self.relays.items():
            # A helper killed in the middle of a release leaves the rest to the next queue run.
            parts.postfix.flush()
            try:
                parts.postfix.wait_idle(120)
            except TimeoutError as stays:
                self.wrong.append(f"{relay}: {str(stays)[:300]}")
        held = self._held()
        for mail in self.post.mails.values():
            why = self._what_is_wrong(mail, mail.mid in held)
            if why:
                self.wrong.append(f"{mail.mid} by {mail.relay}, answered {mail.code}, {mail.decided}: {why}")
        self._check_records(orders)

    def _held(self):
        """Message-IDs of what is in the hold queues."""
        out = set()
        for relay, parts in self.relays.items():
            for entry in parts.postfix.held():
                mid = self.post.logs[relay].by_queue_id.get(entry["queue_id"])
                if mid is None:
                    self.wrong.append(f"{entry['queue_id']} is held by {relay}, and nobody knows why")
                out.add(mid)
        return out

    def _what_is_wrong(self, mail, is_held):
        arrived = self.relays[mail.relay].postfix.sink.arrived.get(mail.mid, {})
        once = arrived == {address: 1 for address in mail.recipients()}
        if arrived and not once:
            return f"it arrived as {dict(arrived)}"
        if arrived and is_held:
            return "it arrived, and is held"
        expected = self._may_be(mail)
        found = "arrived" if arrived else "held" if is_held else "gone"
        self.counts[found] += 1
        return None if found in expected else f"it is {found}, not {' or '.join(sorted(expected))}"

    @staticmethod
    def _may_be(mail):
        if mail.code == 0:  # the client was not told
            return {"arrived", "held", "gone"}
        if mail.code != 250:
            return {"gone"}
        verdict = mail.line["verdict"] if mail.line else None
        if verdict == "accept":
            return {"arrived"}
        if verdict != "quarantine":
            return set()
        ends = {"release": "arrived", "refuse": "gone", "delete": "gone"}
        for verb, is_done in mail.decided:
            if is_done:
                return {ends[verb]}
        # What failed, or whose answer was lost, may have been done all the same.
        return {"held", *(ends[verb] for verb, _ in mail.decided)}

    def _check_records(self, orders):
        """After a look at the queue, the records know what is held, and nothing else."""
        for relay in self.relays:
            orders.run(relay, "quarantine", "sync")
        listed = orders.run(next(iter(self.relays)), "quarantine", "list") or {}
        records = {(h["host"], h["queue_id"]) for h in listed.get("holds", []) if h["state"] == "held"}
        queued = {
            (relay, entry["queue_id"])
            for relay, parts in self.relays.items()
            for entry in parts.postfix.held()
        }
        self.counts["records"] = len(records)
        for relay, queue_id in queued ^ records:
            where = "has no record" if (relay, queue_id) in queued else "has a record, and is not held"
            self.wrong.append(f"{queue_id} of {relay} {where}")
