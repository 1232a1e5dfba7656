"""A client that must not notice what another one does, and what the server holds."""

import os
import re
import threading
import time

# What a NOOP, a STORE and a FETCH may take beside a hostile peer: sanitizers and other
# work on the machine are in it, so a server that waits for its peer is what it finds.
PATIENCE = float(os.environ.get("MAILSTILE_PATIENCE", "3"))


def rss(site):
    """Resident memory of the server, bytes."""
    text = open(f"/proc/{site.proc.pid}/status").read()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) * 1024


def is_sanitized(site):
    """Memory is then another one's to judge (shadow, quarantine)."""
    maps = open(f"/proc/{site.proc.pid}/maps", "rb").read()
    return re.search(rb"lib[atm]san|libclang_rt", maps) is not None


class Neighbour:
    """`with Neighbour(site, user):` works all the time; at the end no command was slow.

    One connection on each loop of the server: they are handed out in turn."""

    COMMANDS = ("NOOP", "STORE 1 +FLAGS (\\Flagged)", "FETCH 1 (FLAGS BODY.PEEK[])",
                "STORE 1 -FLAGS (\\Flagged)", "STATUS INBOX (MESSAGES)")

    def __init__(self, site, user, loops=2):
        self.conns = [site.session(user) for _ in range(loops)]
        self.worst, self.count, self.error = 0.0, 0, None
        self.conns[0].append("INBOX", b"Subject: calm\r\n\r\ncalm\r\n")
        for k in self.conns:
            k.select()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        try:
            while not self.stop.is_set():
                for command in self.COMMANDS:
                    for k in self.conns:
                        start = time.monotonic()
                        k.ok(command)
                        self.worst = max(self.worst, time.monotonic() - start)
                        self.count += 1
                time.sleep(.005)
        except BaseException as e:      # told in the test's own thread
            self.error = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *unused):
        self.stop.set()
        self.thread.join()
        for k in self.conns:
            k.close()
        if kind is None:
            assert self.error is None, repr(self.error)
            assert self.count > 0
            assert self.worst < PATIENCE, f"a neighbour waited for {self.worst:.2f} s"
