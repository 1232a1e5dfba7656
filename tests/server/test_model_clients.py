"""Many model clients (model_client.py) at random on the mailboxes of two users, with and
without CONDSTORE, QRESYNC, UIDONLY and IMAP4rev2; at checkpoints each picture is compared
with a fresh FETCH.

MAILSTILE_MODEL_SECONDS: how long (60); MAILSTILE_MODEL_CLIENTS: how many (8);
MAILSTILE_SEED: a run like another one, as far as threads allow that.
"""

import os
import random
import threading
import time

from harness import Site
from model_client import BOXES, Client, Wrong, truth_of
from settings import PATIENT, both, limit

SECONDS = float(os.environ.get("MAILSTILE_MODEL_SECONDS", "60"))
CLIENTS = int(os.environ.get("MAILSTILE_MODEL_CLIENTS", "8"))
SEED = int(os.environ.get("MAILSTILE_SEED", str(int(time.time()))))
ROUND_S = 4


def work(client, until, errors):
    try:
        while time.monotonic() < until and not errors:
            client.step()
    except BaseException as e:
        errors.append((client, e))


def told(client):
    return b"\n".join(client.history[-60:]).decode(errors="replace")


def judge(site, users, clients):
    truths = {}
    for user in users:
        with site.session(user) as k:
            for box in BOXES:
                truths[user, box] = truth_of(k, box)
    for n, c in enumerate(clients):
        try:
            c.judge(truths[c.user, c.box])
        except Wrong as e:
            raise AssertionError(f"client {n}: {e}\n{told(c)}") from e
    return sum(len(t) for t in truths.values())


def test_each_picture_is_the_mailbox():
    print("MAILSTILE_SEED", SEED)
    setup = both(PATIENT, both(limit("sessions-per-user", 0), both(
        limit("switches-per-minute", 0), limit("expunge-history", 16))))
    with Site(pool=2, configure=setup) as site:
        users = [site.new_user(), site.new_user()]
        for user in users:
            with site.session(user) as k:
                for box in BOXES[1:]:
                    k.ok(f"CREATE {box}")
        clients = [Client(site, users, random.Random(f"{SEED} {n}")) for n in range(CLIENTS)]
        end, rounds = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            errors, until = [], min(end, time.monotonic() + ROUND_S)
            threads = [threading.Thread(target=work, args=(c, until, errors))
                       for c in clients]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            for c, e in errors:
                raise AssertionError(f"{e!r}\n{told(c)}") from e
            judge(site, users, clients)
            rounds += 1
        total = {}
        for c in clients:
            for word, n in c.count.items():
                total[word] = total.get(word, 0) + n
            c.k.close()
        print(f"{rounds} checkpoints, {total}")
        assert sum(total.values()) > 20 * SECONDS
