"""UNAUTHENTICATE, AUTHENTICATE, SELECT, STORE of many users in one write, cut at every
byte (S57, U13): the same answers, for the right users.  Over TLS each piece is a
record of its own."""

import time

import pytest

from harness import ADMIN, ADMIN_PW, Site, eml, plain
from settings import PATIENT

USERS = 4


@pytest.fixture(scope="module")
def site():
    with Site(pool=40, configure=PATIENT) as s:
        yield s


@pytest.fixture
def users(site):
    """Each has as many messages as his number and one keyword of his own."""
    out = [site.new_user() for _ in range(USERS)]
    for i, user in enumerate(out):
        with site.session(user) as c:
            for _ in range(i + 1):
                c.append("INBOX", eml("plain"), f"(own{i})")
            c.select()
    return out


def burst(users, wrong=None):
    out = b""
    for i, user in enumerate(users):
        password = "wrong" if i == wrong else ADMIN_PW
        out += (f"u{i} UNAUTHENTICATE\r\n"
                f"a{i} AUTHENTICATE PLAIN {plain(user, ADMIN, password)}\r\n"
                f"s{i} SELECT INBOX\r\n"
                f"f{i} STORE 1 +FLAGS (\\Flagged did{i})\r\n").encode()
    return out


def read(conn, users, wrong=None):
    """All answers of a burst, checked: each user's own mailbox, nobody else's."""
    for i in range(len(users)):
        if wrong is not None and i == wrong + 1:
            conn.finish(f"u{i}").bad()       # nobody is logged in
        else:
            assert not conn.finish(f"u{i}").ok().untagged
        if i == wrong:
            conn.finish(f"a{i}").no("AUTHENTICATIONFAILED")
            assert not conn.finish(f"s{i}").bad().untagged
            assert not conn.finish(f"f{i}").bad().untagged
            continue
        conn.finish(f"a{i}").ok()
        r = conn.finish(f"s{i}").ok()
        r.one(rb"\* %d EXISTS$" % (i + 1))
        flags = conn.finish(f"f{i}").ok().one(rb"\* 1 FETCH \(FLAGS \((.*)\)\)$")[1]
        assert set(flags.decode().split()) - {"\\Recent"} == \
            {"\\Flagged", f"own{i}", f"did{i}"}, flags
    assert conn.pos == len(conn.rx)


def pieces(conn, data, cuts):
    """Sends `data` in pieces; in plain TCP a pause keeps them apart."""
    start = 0
    for cut in [*cuts, len(data)]:
        conn.send(data[start:cut])
        start = cut
        if conn.how == "plain" and cut < len(data):
            time.sleep(0.0005)


@pytest.mark.parametrize("how", ["plain", "tls", "starttls"])
def test_S57_cut_at_every_byte(site, how, users):
    data = burst(users)
    with site.session(users[-1], how) as k:
        for cut in range(1, len(data)):
            pieces(k, data, [cut])
            read(k, users)


@pytest.mark.parametrize("how", ["plain", "tls"])
def test_S57_every_byte_alone(site, how, users):
    data = burst(users)
    with site.session(users[-1], how) as k:
        for _ in range(3):
            pieces(k, data, range(1, len(data)))
            read(k, users)


@pytest.mark.parametrize("how", ["plain", "tls"])
def test_S57_two_cuts_around_every_line_end(site, how, users):
    data = burst(users)
    ends = [i for i in range(len(data)) if data[i:i + 1] == b"\r"]
    with site.session(users[-1], how) as k:
        for end in ends:
            for before in (0, 1, 2, 3):
                for after in (1, 2, 3):
                    pieces(k, data, [end - before, end + after])
                    read(k, users)


@pytest.mark.parametrize("how", ["plain", "tls"])
def test_S57_wrong_password_stops_only_that_user(site, how, users):
    """s and f behind it are BAD, and nobody's mail is touched by them."""
    wrong = 0
    few = users[:2]
    data = burst(few, wrong)
    with site.session(users[-1], how) as k:
        for cut in range(1, len(data)):
            pieces(k, data, [cut])
            read(k, few, wrong)
    with site.session(users[wrong]) as w:
        w.select(examine=True)
        w.ok("FETCH 1 FLAGS").one(rb"\* 1 FETCH \(FLAGS \(own0\)\)$")
    with site.session(users[1]) as w:
        w.select(examine=True)
        flags = w.ok("FETCH 1 FLAGS").one(rb"\* 1 FETCH \(FLAGS \((.*)\)\)$")[1]
        assert set(flags.split()) == {b"\\Flagged", b"own1", b"did1"}


def test_S57_many_users_in_one_write(site):
    users = [site.new_user() for _ in range(20)]
    for user in users:
        with site.session(user) as c:
            c.append("INBOX", eml("plain"))
    data = b"".join(
        f"u{i} UNAUTHENTICATE\r\na{i} AUTHENTICATE PLAIN {plain(u, ADMIN, ADMIN_PW)}\r\n"
        f"s{i} SELECT INBOX\r\nf{i} STORE 1 +FLAGS (did{i})\r\n".encode()
        for i, u in enumerate(users))
    with site.session(users[0], "tls") as k:
        for _ in range(10):
            k.send(data)
            for i in range(len(users)):
                for t in "usaf".replace("sa", "as"):
                    r = k.finish(f"{t}{i}").ok()
                r.one(rb"\* 1 FETCH \(FLAGS \((?:\\Recent )?did%d(?: \\Recent)?\)\)$" % i)
