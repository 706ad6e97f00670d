"""The administrators: release, refuse and delete what is held, from either relay; set and
clear brakes and permits; reset limits; look at everything."""

import collections
import json
import random
import subprocess
import threading
import time

from traffic import CLASS, CLASS_SIZE, Client

VERBS = ["release"] * 6 + ["refuse", "delete"]
LOOKS = [("status",), ("incidents",), ("incidents", "--would"), ("lists",), ("audit", "--since", "1m"),
         ("limits", "top"), ("report", "--since", "1d"), ("brake", "list"), ("permit", "list"),
         ("explain", "--from", "a@rate.example", "--to", CLASS)]
TAKES_EFFECT_S = 1.5  # each relay reads brakes every 250 ms
CALM_S = 6.0


class Orders:
    def __init__(self, build, relays, post, seed):
        self.build, self.relays, self.post = build, relays, post
        self.chance = random.Random(f"{seed} orders")
        self._lock = threading.Lock()
        self.results = collections.Counter()

    def threads(self):
        return [
            threading.Thread(target=job, daemon=True)
            for job in (self.decide, self.look, self.brake, self.permit)
        ]

    def run(self, relay, *words):
        """Its JSON document, or None: it failed, or took a minute."""
        command = [self.build.mailbrake, *words, "-c", self.relays[relay].daemon.config, "--json"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            self.post.complain(f"mailbrake {' '.join(words[:3])} on {relay} does not return")
            return None
        with self._lock:
            self.results[words[0] + (" done" if done.returncode == 0 else " failed")] += 1
        try:
            return json.loads(done.stdout) if done.stdout else None
        except ValueError:
            self.post.complain(f"mailbrake {' '.join(words[:3])} says {done.stdout[:200]!r}")
            return None

    def any_relay(self):
        return self.chance.choice(list(self.relays))

    # What is held.

    def decide(self):
        while not self.post.done.wait(0.7):
            self.decide_once(self.any_relay(), self.chance.choice(VERBS))

    def decide_once(self, relay, verb):
        listed = self.run(relay, "quarantine", "list")
        holds = [hold for hold in (listed or {}).get("holds", []) if hold["state"] == "held"]
        chosen = self.chance.sample(holds, min(len(holds), 30))
        if not chosen:
            return
        done = self.run(relay, "quarantine", verb, *(hold["id"] for hold in chosen), "--purpose", "soak")
        results = {one["id"]: one["ok"] for one in (done or {}).get("results", [])}
        for hold in chosen:
            mail = self.mail_of(hold)
            if mail is not None:  # a killed relay's answer to it may have been lost
                mail.decided += ((verb, results.get(hold["id"])),)

    def mail_of(self, hold):
        mid = self.post.logs[hold["host"]].find_queue_id(hold["queue_id"], 5)
        return self.post.mails.get(mid)

    def look(self):
        while not self.post.done.wait(1.0):
            self.run(self.any_relay(), *self.chance.choice(LOOKS))

    # Limits.

    def reset(self, relay, subject, limit):
        started = time.monotonic()
        done = self.run(relay, "limits", "reset", subject)
        is_done = done is not None and self.post.history.is_calm(started, time.monotonic(), CALM_S)
        limit.reset(is_done, relay, time.monotonic())

    # Brakes and permits, each of a sender of its own.

    def brake(self):
        client, number = Client(self.post), 0
        while not self.post.done.wait(3.0):
            number += 1
            sender = f"b{number}@plain.example"
            started = time.monotonic()
            if self.run(self.any_relay(), "brake", "set", f"sender:{sender}", "--for", "1h") is None:
                continue
            time.sleep(TAKES_EFFECT_S)
            self.expect(client, started, sender, "r@else.example", "brake", "defer", 4)
            if self.run(self.any_relay(), "brake", "clear", f"sender:{sender}") is None:
                continue
            time.sleep(TAKES_EFFECT_S)
            self.expect(client, started, sender, "r@else.example", "-", "accept", 2)
        client.close()

    def permit(self):
        """For two messages to the class; the third is held by its rule."""
        client, number = Client(self.post), 0
        while not self.post.done.wait(3.0):
            number += 1
            sender = f"p{number}@plain.example"
            started = time.monotonic()
            words = ("--copies", str(2 * CLASS_SIZE), "--for", "1h")
            if self.run(self.any_relay(), "permit", "set", f"sender:{sender}", *words) is None:
                continue
            time.sleep(TAKES_EFFECT_S)
            self.expect(client, started, sender, CLASS, "permit", "accept", 2)
            self.expect(client, started, sender, CLASS, "class", "quarantine", 1)
        client.close()

    def expect(self, client, since, sender, to, rule, verdict, count):
        """So many messages get this, if nothing was wrong meanwhile."""
        for _ in range(count):
            _, answer = client.send(self.any_relay(), sender, to, "hello")
            found = (answer.line["rule"], answer.line["verdict"]) if answer.line else None
            if self.post.history.is_calm(since, answer.end, CALM_S):
                self.post.count("by hand")
                if found != (rule, verdict):
                    self.post.complain(f"{sender} by {answer.relay}: {found}, not {rule} {verdict}")
