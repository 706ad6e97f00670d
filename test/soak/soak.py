#!/usr/bin/python3
"""soak.py [MINUTES]: real Postfix before two mailbraked that share a Redis, faults at random,
a reload every 5 s, administrators who release, refuse and delete. Every verdict is checked
against a model of the limits (model.py), every message against the far end: delivered once,
held, or gone by an administrator's word. Prints one table; exit 1 if anything is amiss."""

import argparse
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time
import traceback

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "e2e")]

import milter  # noqa: E402
from accounts import Accounts  # noqa: E402
from conftest import Build  # noqa: E402
from farm import TIMEOUT_MS, Farm  # noqa: E402
from faults import Faults  # noqa: E402
from mailbraked import people  # noqa: E402
from model import RETURN_S, History  # noqa: E402
from orders import Orders  # noqa: E402
from postfix import wait_until  # noqa: E402
from report import Report  # noqa: E402
from traffic import CLASS_SIZE, Post, Race, Worker  # noqa: E402
from watch import Metronome, Sample, Watch  # noqa: E402

WORKERS = 8
RELOAD_S = 5
SPENT, SPENT_BURST = 20, 4
FLOOD, FLOOD_LONG = 40000, 1000000
SHOWN = 2000  # bytes of an exception


def reload_often(farm, orders, done):
    """Each time the same list in another order, now by signal, now by command."""
    chance = random.Random("reload")
    while not done.wait(RELOAD_S):
        with farm.list_lock:
            farm.write_list(chance.sample(people(CLASS_SIZE), CLASS_SIZE))
            farm.reload(orders.any_relay())
            orders.run(orders.any_relay(), "reload")


def send_at_once(farm, **options):
    """Past Postfix, to both relays; the counts of verdicts."""
    return milter.load(farm.build, *(parts.daemon.milter for parts in farm.relays.values()), **options)


def spend(farm, name):
    """Some use up what they may, and more; how many messages passed."""
    everybody = {"connections": SPENT, "messages": 3 * SPENT_BURST * SPENT, "from_": f"{name}%c@spent.example"}
    passed = [send_at_once(farm, **everybody)["accept"]]
    while passed[-1] > 0:  # one connection may have sent more than another
        passed.append(send_at_once(farm, **everybody)["accept"])
    return sum(passed)


def flood(farm, messages, report, name):
    """Random senders, recipients, threads and campaigns: nothing that was used up is given
    back for that, and all tables of fixed size are in use before memory is watched."""
    before, bytes_before = spend(farm, name), farm.redis_bytes() if name == "redis" else 0
    result = send_at_once(
        farm, messages=messages, connections=16, from_="s%n@flood.example", to="r%n@else.example",
        subject="about %w",
    )
    again = spend(farm, name)
    redis_bytes = farm.redis_bytes() - bytes_before if name == "redis" else 0
    resident = max(Sample(parts.daemon.process.pid).resident_kb for parts in farm.relays.values())
    report.flood(name, messages, result, redis_bytes, resident, (before, again))


def warm_up(farm, messages, report):
    flood(farm, messages, report, "redis")
    farm.redis.command("FLUSHALL", "ASYNC")
    farm.redis.freeze()
    flood(farm, messages, report, "local")
    farm.redis.thaw()
    for parts in farm.relays.values():
        os.truncate(parts.daemon.log_path, 0)  # a verdict each
    for log in farm.logs.values():
        log.start()
    wait_until(lambda: is_back(farm), 20, "Redis is not used again")


def is_back(farm):
    spend(farm, "back")
    time.sleep(0.2)
    return all(log.verdicts and log.verdicts[-1][2] == "redis" for log in farm.logs.values())


def soak(farm, options):
    report = Report(options, farm)
    history = History()
    post = Post(history, {name: parts.postfix for name, parts in farm.relays.items()}, farm.logs)
    orders = Orders(farm.build, farm.relays, post, options.seed)
    metronome, watch = Metronome(), Watch(farm.processes())
    try:
        metronome.start()
        warm_up(farm, options.flood, report)
        watch.start()
        faults = Faults(farm, history, random.Random(options.seed), options.minutes * 60)
        work(farm, post, orders, faults, options)
        accounts = Accounts(post, farm.relays)
        accounts.close(orders)
        watch.stop()
        report.take(post, orders, faults, accounts, watch, metronome)
    finally:
        metronome.stop()
    return report


def work(farm, post, orders, faults, options):
    """Everybody at once, until the faults are over and forgotten."""
    threading.excepthook = lambda args: post.complain("".join(traceback.format_exception(args.exc_value))[:SHOWN])
    pause_s = WORKERS / options.rate
    threads = [Worker(post, n, options.seed, pause_s, orders.reset) for n in range(WORKERS)]
    threads += [Race(post), *orders.threads()]
    threads.append(threading.Thread(target=reload_often, args=(farm, orders, post.done), daemon=True))
    for thread in (*threads, faults):
        thread.start()
    faults.join()
    time.sleep(RETURN_S)
    post.done.set()
    for thread in threads:
        thread.join(120)
        if thread.is_alive():
            post.complain(f"{thread.name} does not end")
    for name in farm.ended():
        post.complain(f"{name} has ended by itself")


def main():
    parser = argparse.ArgumentParser(prog="script/soak", description=__doc__.split("\n")[0])
    parser.add_argument("minutes", nargs="?", type=float, default=30)
    parser.add_argument("--build", default="build/release", help="folder of the build")
    parser.add_argument("--rate", type=float, default=40, help="messages a second (default 40)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6, help="of all that is random")
    parser.add_argument("--flood", type=int, help="messages before it begins (default: 10^6; 40,000 if shorter than 10 minutes)")
    options = parser.parse_args()
    options.flood = options.flood or (FLOOD_LONG if options.minutes >= 10 else FLOOD)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    build = Build(options.build)
    with tempfile.TemporaryDirectory(prefix="mailbrake-soak-", dir="/run") as folder:
        os.chmod(folder, 0o755)  # for Postfix
        farm = Farm(build, folder)
        try:
            farm.start()
            report = soak(farm, options)
        finally:
            farm.stop()
    report.print()
    sys.exit(0 if report.is_clean() else 1)


if __name__ == "__main__":
    main()
