"""Many IDLE connections: what they cost while nothing happens, and that one APPEND reaches
all of them.

    many_idle.py [--connections 10000] [--own]

On one mailbox, or with --own each on the INBOX of a user of its own.  Prints one JSON
object: memory a connection, processor time of the server over ten quiet seconds, and how
long the news take.  Needs as many descriptors (ulimit -n) in both processes.
"""

import argparse
import json
import os
import resource
import select
import socket
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])

from harness import ADMIN, ADMIN_PW, Site, eml, plain   # noqa: E402
from settings import both, limit                        # noqa: E402

QUIET = 10


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def rss(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def until(sock, what):
    got = b""
    while what not in got:
        data = sock.recv(65536)
        assert data, got
        got += data


def enter(port, user):
    """A connection in IDLE on the user's INBOX."""
    s = socket.create_connection(("127.0.0.1", port))
    s.settimeout(60)
    s.sendall(f"a AUTHENTICATE PLAIN {plain(user, ADMIN, ADMIN_PW)}\r\n"
              "b SELECT INBOX\r\nc IDLE\r\n".encode())
    until(s, b"+ ")
    return s


def hear(socks, deliver):
    """Seconds until each has got its EXISTS; `deliver` makes it so."""
    poll = select.epoll()
    left = {s.fileno(): s for s in socks}
    for fd in left:
        poll.register(fd, select.EPOLLIN)
    start = time.monotonic()
    deliver()
    seen = {}
    while left:
        events = poll.poll(60)
        assert events, f"{len(left)} heard nothing"
        for fd, _ in events:
            seen[fd] = seen.get(fd, b"") + left[fd].recv(65536)
            if b" EXISTS\r\n" in seen[fd]:
                poll.unregister(fd)
                del left[fd]
    return time.monotonic() - start


def measure(site, n, own):
    pid, port = site.proc.pid, site.ports["imap"]
    one = site.new_user()
    users = [site.new_user() for _ in range(n)] if own else [one] * n
    enter(port, one).close()
    before = rss(pid)
    t = time.monotonic()
    socks = [enter(port, u) for u in users]
    opened = time.monotonic() - t
    time.sleep(2)
    after = rss(pid)
    quiet = cpu(pid)
    time.sleep(QUIET)
    quiet = cpu(pid) - quiet

    def deliver():
        for u in users if own else [one]:
            with site.session(u) as c:
                c.append("INBOX", eml("plain"))

    busy = cpu(pid)
    took = hear(socks, deliver)
    busy = cpu(pid) - busy
    for s in socks:
        s.close()
    return {"connections": n, "mailboxes": n if own else 1,
            "kib_each": round((after - before) / n, 2), "open_seconds": round(opened, 2),
            "quiet_cpu_seconds": round(quiet, 3), "quiet_seconds": QUIET,
            "news_seconds": round(took, 3), "news_cpu_seconds": round(busy, 3)}


def main():
    p = argparse.ArgumentParser(description="many IDLE connections")
    p.add_argument("--connections", type=int, default=10000)
    p.add_argument("--own", action="store_true", help="a mailbox each")
    args = p.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    n = args.connections
    limits = both(limit("connections", n + 1000), limit("connections-per-address", n + 1000),
                  limit("sessions-per-user", 0))
    with Site(pool=(n if args.own else 0) + 10, configure=limits) as site:
        print(json.dumps(measure(site, n, args.own)))


if __name__ == "__main__":
    main()
