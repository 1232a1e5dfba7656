"""The body index: with it, without it, made later; the answers are the same."""

import pathlib
import random

from harness import Site, eml

SAMPLES = sorted(p.stem for p in (pathlib.Path(__file__).parent / "mail").glob("*.eml"))
QUERIES = ["BODY elephants", "BODY elephantine", "NOT BODY elephants", "TEXT zebra",
           "OR BODY elephants BODY hello", "BODY the", "BODY th", "NOT (BODY the TEXT ann)",
           "BODY large BODY text", "BODY beyond"]


def off(text):
    assert "body-index: true" in text
    return text.replace("body-index: true", "body-index: false")


def on(text):
    return text.replace("body-index: false", "body-index: true")


def large():
    """Comes in pieces: its index is made when it is first asked for."""
    filler = b"x" * 70 + b"\r\n"
    return (b"Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
            b"a large text\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n"
            + filler * 70000 + b"\r\n--b\r\n\r\nand far beyond\r\n--b--\r\n")


def answers(site, user):
    with site.session(user) as k:
        k.select()
        return {q: k.ok("SEARCH " + q).untagged for q in QUERIES}


def test_answers_are_the_same_without_with_and_with_one_made_later():
    with Site(pool=2, configure=off) as site:
        old, new = site.new_user(), site.new_user()
        mails = [eml(s) for s in SAMPLES] + [large()]

        def fill(user):
            with site.session(user) as k:
                for m in mails:
                    k.append("INBOX", m)
        fill(old)
        scanned = answers(site, old)
        site.stop()
        site.configure(on)
        site.start()
        assert answers(site, old) == scanned
        assert answers(site, old) == scanned      # by what was made and put back
        fill(new)
        assert answers(site, new) == scanned
        site.stop()
        site.configure(off)
        site.start()
        assert answers(site, new) == scanned      # those there are not asked


def test_whatever_words_a_message_has_are_found():
    rng = random.Random(4)
    words = ["alpha", "Beta", "GAMMA", "grüße", "Straße", "x1", "zz", "née", "ﬁne"]
    with Site(pool=1) as site, site.session(site.new_user()) as k:
        texts = [" ".join(rng.choice(words) for _ in range(rng.randrange(1, 6)))
                 for _ in range(60)]
        for t in texts:
            k.append("INBOX", b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
                     + t.encode() + b"\r\n")
        k.select()
        for _ in range(60):
            t = rng.choice(texts)
            a = rng.randrange(len(t))
            needle = t[a:a + rng.randrange(1, 12)]
            r = k.ok("UID SEARCH CHARSET UTF-8 BODY {}", needle.encode())
            found = {int(n) for n in r.one(rb"\* SEARCH(.*)$")[1].split()}
            assert {i + 1 for i, x in enumerate(texts) if needle in x} <= found, needle
