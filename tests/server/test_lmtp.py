"""Mail arrives: LMTP (RFC 2033) on a port and on a Unix socket, byte by byte."""

import base64
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

import lmtp
from harness import ADMIN, Site, eml, run, wait_until
from lmtp import HEADER, Lmtp, body, mails, stuffed
from settings import PATIENT, both, limit

MSG = b"Subject: hello\r\nMessage-ID: <1@example.org>\r\n\r\nA line.\r\n"


@pytest.fixture(scope="module")
def site():
    with Site(users=("alice@example.org", "jörg"), pool=100,
              configure=both(PATIENT, lmtp.listen, limit("message-bytes", 20000000))) as s:
        yield s


@contextlib.contextmanager
def small(**limits):
    """A site with limits of its own."""
    changes = [limit(k.replace("_", "-"), v) for k, v in limits.items()]
    with Site(users=("anna", "ben"), configure=both(PATIENT, lmtp.listen, *changes)) as s:
        yield s


@pytest.fixture(params=[False, True], ids=["tcp", "unix"])
def mx(request, site):
    with Lmtp(site, unix=request.param) as k:
        yield k


# -- the greeting and LHLO ---------------------------------------------------

def test_lhlo_lists_the_extensions(site):
    """RFC 2033 section 5: PIPELINING and ENHANCEDSTATUSCODES are a must."""
    with Lmtp(site, hello=False) as k:
        assert k.greeting.code == 220 and "LMTP" in k.greeting.text
        r = k.say("LHLO mx.example.org", 250)
        words = {line[4:] for line in r.lines[1:]}
        assert words == {"PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8",
                         "SIZE 20000000"}


@pytest.mark.parametrize("hello", ["HELO a", "EHLO a", "EHLO", "helo mx.example.org"])
def test_smtp_is_told_that_this_is_lmtp(site, hello):
    """RFC 2033 section 4.1: 500."""
    with Lmtp(site, hello=False) as k:
        k.say(hello, 500, "5.5.1")
        k.say("LHLO a", 250)


@pytest.mark.parametrize("name", ["mx", "[127.0.0.1]", "[IPv6:::1]", "a.b-c.example", "m_x"])
def test_names_of_hosts(site, name):
    with Lmtp(site, hello=False) as k:
        k.say(f"lhlo {name}", 250)


@pytest.mark.parametrize("name", ["", " ", "a b", "a(b", "<a>", "a;b", "a\tb", "a\x01", "x" * 300])
def test_what_is_no_host_cannot_come_into_a_header(site, name):
    with Lmtp(site, hello=False) as k:
        k.say(f"LHLO {name}", 501, "5.5.4")
        k.say("MAIL FROM:<>", 503, "5.5.1")


def test_small_commands(mx):
    mx.say("NOOP", 250, "2.0.0")
    mx.say("NOOP something", 250, "2.0.0")
    mx.say("RSET", 250, "2.0.0")
    mx.say("VRFY alice", 252, "2.5.0")
    mx.say("HELP", 214, "2.0.0")
    mx.say("noop   ", 250)
    mx.say("EXPN list", 500, "5.5.1")
    mx.say("STARTTLS", 500, "5.5.1")
    mx.say("", 500, "5.5.1")
    mx.say("RSET now", 501, "5.5.4")
    mx.say("QUIT", 221, "2.0.0")
    mx.expect_eof()


# -- MAIL and RCPT -----------------------------------------------------------

def test_commands_out_of_order(site, alice):
    with Lmtp(site, hello=False) as k:
        k.say("MAIL FROM:<a@b>", 503, "5.5.1")
        k.say(f"RCPT TO:<{alice}>", 503, "5.5.1")
        k.say("DATA", 503, "5.5.1")
        k.say("LHLO mx", 250)
        k.say(f"RCPT TO:<{alice}>", 503, "5.5.1")
        k.say("MAIL FROM:<a@b>", 250, "2.1.0")
        k.say("MAIL FROM:<a@b>", 503, "5.5.1")
        k.say("DATA", 503, "5.5.1")       # RFC 2033 section 4.2: no recipient, no DATA
        k.say("RCPT TO:<nobody@example.org>", 550, "5.1.1")
        k.say("DATA", 503, "5.5.1")
        k.say(f"RCPT TO:<{alice}>", 250, "2.1.5")
        k.say("DATA now", 501, "5.5.4")
        k.say("LHLO mx", 250)             # as RSET (RFC 5321 section 4.1.4)
        k.say("DATA", 503, "5.5.1")


@pytest.mark.parametrize("line", [
    "FROM:<a@b>", "FROM:<>", "from:<a@b>", "FROM:<@x,@y.z:a@b>", 'FROM:<"a b\\"c"@d>',
    "FROM:<a@[127.0.0.1]>", "FROM:<a..b.@c>", "FROM:<a@b> SIZE=100", "FROM:<a@b> BODY=8BITMIME",
    "FROM:<a@b> body=7bit size=0", "FROM:<a@b> SMTPUTF8 BODY=8BITMIME SIZE=20000000",
    "FROM:<jörg@exämple.org> SMTPUTF8", "FROM:<a@b>  ", "FROM:<MAILER-DAEMON>"])
def test_senders(mx, line):
    mx.say("MAIL " + line, 250, "2.1.0")


@pytest.mark.parametrize("line, code, enhanced", [
    ("FROM:a@b", 501, "5.1.7"), ("FROM:<a@b", 501, "5.1.7"), ("FROM: <a@b>", 501, "5.1.7"),
    ("FROM:<a@>", 501, "5.1.7"), ("FROM:<@b>", 501, "5.1.7"), ("FROM:<a b@c>", 501, "5.1.7"),
    ("FROM:<a@b@c>", 501, "5.1.7"), ("FROM:<a\x01@b>", 501, "5.1.7"),
    ('FROM:<"a@b>', 501, "5.1.7"), ('FROM:<"a\\">', 501, "5.1.7"), ("FROM:<@x:>", 501, "5.1.7"),
    ("FROM:<" + "a" * 600 + ">", 501, "5.1.7"), ("FROM:<a@[1>", 501, "5.1.7"),
    ("FROM:<a@b>SIZE=1", 501, "5.5.4"), ("FROM:<a@b> SIZE=", 501, "5.5.4"),
    ("FROM:<a@b> SIZE=x", 501, "5.5.4"), ("FROM:<a@b> SIZE", 501, "5.5.4"),
    ("FROM:<a@b> SIZE=1 SIZE=1", 501, "5.5.4"), ("FROM:<a@b> BODY=BINARYMIME", 501, "5.5.4"),
    ("FROM:<a@b> SMTPUTF8=1", 501, "5.5.4"), ("FROM:<a@b> RET=HDRS", 555, "5.5.4"),
    ("FROM:<a@b> AUTH=<>", 555, "5.5.4"), ("FROM:<jörg@b>", 553, "5.6.7"),
    ("FROM:<a@b> SIZE=20000001", 552, "5.3.4"),
    ("FROM:<a@b> SIZE=99999999999999999999", 552, "5.3.4"),
    ("FROM:<a@b> SIZE=999999999999999999999", 501, "5.5.4"),
    ("TO:<a@b>", 501, "5.5.4"), ("", 501, "5.5.4")])
def test_senders_that_are_none(mx, line, code, enhanced):
    mx.say("MAIL " + line, code, enhanced)
    mx.say("MAIL FROM:<>", 250)           # no transaction has begun


def test_sender_that_is_not_utf8(mx):
    mx.say(b"MAIL FROM:<\xff@b> SMTPUTF8", 501, "5.1.7")


def test_recipients(site, mx, alice):
    mx.say("MAIL FROM:<> SMTPUTF8", 250)
    for good in (alice, alice.upper(), f"{alice}@example.org", f"{alice}@any.where",
                 f'"{alice}"@example.org', f"{alice}+folder@example.org", f"{alice}+",
                 f"@relay.example:{alice}@example.org", "alice@example.org",
                 "ALICE+x@EXAMPLE.ORG", "jörg@example.org", "jörg+ordner", ADMIN):
        mx.say(f"RCPT TO:<{good}>", 250, "2.1.5")
    for unknown in ("alice", "alice@example.net", f"x{alice}", f"{alice}-folder", f"+{alice}",
                    f"{alice}x@example.org", '"a b"@example.org', f'" {alice}"'):
        mx.say(f"RCPT TO:<{unknown}>", 550, "5.1.1")
    for bad in ("", "@example.org", f"{alice}@", f"a,{alice}"):
        mx.say(f"RCPT TO:<{bad}>", 501, "5.1.3")
    mx.say(f"RCPT TO:{alice}", 501, "5.1.3")
    mx.say(f"RCPT TO:<{alice}> NOTIFY=NEVER", 555, "5.5.4")
    mx.say("RSET", 250)
    mx.say("MAIL FROM:<>", 250)
    mx.say("RCPT TO:<jörg@example.org>", 553, "5.6.7")


def test_a_locked_user_has_his_mail_and_a_deleted_one_does_not(site):
    name = site.new_user()
    run("user", "passwd", site.dir, name, "--no-password")
    with Lmtp(site) as k:
        k.deliver(MSG, name)
        assert len(mails(site, name)) == 1
        k.begin(name)
        run("user", "del", site.dir, name)
        k.send(MSG + b".\r\n")            # deleted between RCPT and the end
        k.end(1, 550, "5.1.1")
        k.say("MAIL FROM:<>", 250)
        k.say(f"RCPT TO:<{name}>", 550, "5.1.1")


def test_too_many_recipients_get_452():
    """RFC 5321 section 4.5.3.1.10; those before are delivered."""
    with small(lmtp_recipients=3) as site, Lmtp(site) as k:
        k.say("MAIL FROM:<>", 250)
        for _ in range(3):
            k.say("RCPT TO:<anna>", 250)
        k.say("RCPT TO:<ben>", 452, "4.5.3")
        k.say("DATA", 354)
        k.send(MSG + b".\r\n")
        k.end(3, 250)
        assert len(mails(site, "ben")) == 0


# -- the message -------------------------------------------------------------

def test_what_is_put_before_a_message(site, mx, alice):
    """RFC 5321 section 4.4."""
    before = int(time.time())
    mx.deliver(MSG, f"{alice}+x@example.org", sender="Bounce+1@Example.org")
    got = mails(site, alice)
    assert len(got) == 1 and body(got[0]) == MSG
    m = HEADER.match(got[0])
    peer = b"(local socket)" if mx.sock.family.name == "AF_UNIX" else b"([127.0.0.1])"
    assert m[1] == b"Bounce+1@Example.org" and m[2] == f"{alice}+x@example.org".encode()
    assert m[3] == b"mx.example.org" and m[4] == peer and m[6] == b"LMTP"
    assert m[8] == m[2]
    at = time.mktime(time.strptime(m[9].decode(), "%a, %d %b %Y %H:%M:%S +0000")) - time.timezone
    assert before <= at <= time.time() + 1
    with site.session(alice) as k:
        k.select()
        r = k.ok("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)")
        assert f"RFC822.SIZE {len(got[0])}".encode() in r.untagged[0]
        assert b"\\Seen" not in r.untagged[0]


def test_the_null_sender_and_utf8(site, alice):
    with Lmtp(site) as k:
        k.deliver(MSG, alice, sender="")
        k.deliver(MSG, alice, sender="jörg@exämple.org", params=" SMTPUTF8 BODY=8BITMIME")
    first, second = map(HEADER.match, mails(site, alice))
    assert first[1] == b"" and first[6] == b"LMTP"
    assert second[1].decode() == "jörg@exämple.org" and second[6] == b"UTF8LMTP"


@pytest.mark.parametrize("message", [
    b"", b"\r\n", b".\r\n", b"..\r\n", b"Subject: x\r\n\r\n.\r\n..\r\n.a\r\n", b"\r\n\r\n.\r\n",
    b"no end of line is added", "Subject: \xfc\r\n\r\nföö\r\n".encode(), b"a: b\r\n\r\n\x00\xff\x80\r\n",
    b"x" * 5000 + b"\r\n" + b"." * 5000 + b"\r\n", b"a\rb\r\r\nc\nd\r\n", b"\n.\n\r.\r", b"\r",
    b".\r\r\n.\r\r.\r\n"],
    ids=lambda m: repr(m[:20]))
def test_bytes_stay_as_they_are(site, mx, alice, message):
    """Dots are doubled and undone (RFC 5321 section 4.5.2); a bare CR or LF is kept."""
    if message and not message.endswith(b"\r\n"):
        message += b"\r\n"
    mx.deliver(message, alice)
    assert body(mails(site, alice)[0]) == message


def test_sample_messages(site, alice):
    names = sorted(p.stem for p in (pathlib.Path(__file__).parent / "mail").glob("*.eml"))
    with Lmtp(site) as k:
        for name in names:
            k.deliver(eml(name), alice)
    assert [body(m) for m in mails(site, alice)] == [eml(n) for n in names]


def test_every_cut_of_the_end(site, alice):
    """The end of the message in two pieces, cut at every byte."""
    message = b"S: x\r\n\r\n..\r\n.\rx\r\n"
    wire = stuffed(message) + b".\r\nNOOP\r\n"
    with Lmtp(site) as k:
        for at in range(len(wire)):
            k.begin(alice)
            k.send(wire[:at])
            time.sleep(.002)
            k.send(wire[at:])
            k.end(1, 250)
            k.reply(250)
    got = mails(site, alice)
    assert len(got) == len(wire) and all(body(m) == message for m in got)


SMUGGLED = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"


def test_a_nul_is_shown_as_0x80_where_a_literal_has_no_place_for_it(site, mx, alice):
    """RFC 9051 section 9, CHAR8; BINARY gives the byte (RFC 3516)."""
    mx.deliver(b"a: b\r\n\r\n\0\xff\r\n", alice)
    with site.session(alice) as k:
        k.select()
        for item in ("BODY.PEEK[]", "BODY.PEEK[TEXT]", "RFC822.TEXT", "BODY.PEEK[1]"):
            r = k.ok(f"FETCH 1 {item}")
            assert b"\0" not in r.untagged[0] and b"\x80\xff\r\n" in r.untagged[0], item
        assert b"\0\xff\r\n" in k.ok("FETCH 1 BINARY.PEEK[]").untagged[0]


def test_a_message_of_nuls_does_not_keep_the_server_to_itself(site, alice):
    """Each NUL was looked for from the beginning of its chunk: seconds for a megabyte."""
    with Lmtp(site) as mx:
        mx.deliver(b"a: b\r\n\r\n" + (b"\0" * 900 + b"\r\n") * 5000, alice)
    with site.session(alice) as k:
        k.select()
        start = time.monotonic()
        k.ok("FETCH 1 BODY.PEEK[]")
        assert time.monotonic() - start < 3
        url = f"imap://{alice}@localhost/INBOX/;uid=1;urlauth=user+{alice}"
        made = k.ok(f'GENURLAUTH "{url}" INTERNAL').untagged[0]
        start = time.monotonic()
        k.ok(b"URLFETCH " + made.split(b" ", 2)[2].strip())
        assert time.monotonic() - start < 3


@pytest.mark.parametrize("fake", [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\x00.\r\n",
    b"\r\n.\x00\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\r\n.\n.\r\n.x\r\n", b"\r\n. \r\n"],
    ids=repr)
def test_nothing_but_crlf_dot_crlf_ends_a_message(site, alice, fake):
    """No second message inside of the first, whatever other servers take for its end."""
    text = b"Subject: one\r\n\r\nbefore" + fake + SMUGGLED % alice.encode()
    with Lmtp(site) as k:
        k.begin(alice)
        k.send(text + b".\r\n")
        k.end(1, 250)
        k.say("NOOP", 250)
        assert k.rx == b""
    got = mails(site, alice)
    assert len(got) == 1
    # only the dot at the beginning of a line is undone
    assert body(got[0]) == re.sub(rb"(?<=\r\n)\.", b"", text)


@pytest.mark.parametrize("line", [b"NOOP\n", b"NOOP\r\r\n", b"NO\x00OP\r\n", b"NOOP\rNOOP\r\n",
                                  b"\n", b"NOOP\r\n\n"])
def test_a_command_ends_with_crlf(site, line):
    with Lmtp(site) as k:
        k.send(line)
        if line == b"NOOP\r\n\n":
            k.reply(250)
        k.reply(500, "5.5.2")
        k.say("NOOP", 250)


def test_a_line_that_is_too_long(site):
    with Lmtp(site) as k:
        k.send(b"NOOP " + b"x" * 4089 + b"\r\n")
        k.reply(250)
        k.send(b"NOOP " + b"x" * 4090 + b"\r\n")
        k.reply(500, "5.5.2")
        k.send(b"NOOP " + b"x" * 500000 + b"\r\nNOOP\r\n")
        k.reply(500, "5.5.2")
        k.reply(250)


# -- pipelining --------------------------------------------------------------

def test_everything_in_one_packet(site, mx, alice, bob):
    """RFC 2920, and more: the message itself without waiting for 354."""
    mx.send(f"MAIL FROM:<a@b>\r\nRCPT TO:<{alice}>\r\nRCPT TO:<nobody>\r\nRCPT TO:<{bob}>\r\n"
            "DATA\r\n".encode() + MSG + b".\r\n"
            + f"MAIL FROM:<a@b>\r\nRCPT TO:<{bob}>\r\nDATA\r\n".encode() + MSG + b".\r\nQUIT\r\n")
    codes = [mx.reply().code for _ in range(11)]
    assert codes == [250, 250, 550, 250, 354, 250, 250, 250, 250, 354, 250]
    mx.reply(221)
    mx.expect_eof()
    assert len(mails(site, alice)) == 1 and len(mails(site, bob)) == 2


def test_pipelined_commands_byte_by_byte(site, alice):
    wire = (f"MAIL FROM:<a@b>\r\nRCPT TO:<{alice}>\r\nDATA\r\n".encode() + MSG
            + b".\r\nNOOP\r\nQUIT\r\n")
    with Lmtp(site) as k:
        for i in range(len(wire)):
            k.send(wire[i:i + 1])
        assert [k.reply().code for _ in range(6)] == [250, 250, 354, 250, 250, 221]
    assert len(mails(site, alice)) == 1


# -- recipients and their replies --------------------------------------------

def test_one_reply_for_each_rcpt_in_order(site, alice, bob):
    """RFC 2033 section 4.2: also for the same recipient twice."""
    with Lmtp(site) as k:
        k.say("MAIL FROM:<>", 250)
        for to, code in ((bob, 250), ("nobody", 550), (f"{alice}@x", 250), (bob, 250)):
            k.say(f"RCPT TO:<{to}>", code)
        k.say("DATA", 354)
        k.send(MSG + b".\r\n")
        texts = [k.reply(250, "2.0.0").text for _ in range(3)]
        assert [t.split(":")[0] for t in texts] == [f"<{bob}>", f"<{alice}@x>", f"<{bob}>"]
        k.say("DATA", 503)                # the transaction is over
    assert [len(mails(site, u)) for u in (alice, bob)] == [1, 1]
    assert HEADER.match(mails(site, alice)[0])[2] == f"{alice}@x".encode()


def test_hundred_recipients(site):
    """RFC 5321 section 4.5.3.1.8."""
    users = [site.new_user() for _ in range(20)]
    with site.session(users[0]) as k:
        for i in range(80):
            k.ok(f"CREATE f{i}")
    to = users + [f"{users[0]}+f{i}" for i in range(80)]
    with Lmtp(site) as k:
        k.deliver(MSG, *to)
    for u in users:
        assert [body(m) for m in mails(site, u)] == [MSG]
    assert [body(m) for m in mails(site, users[0], "f79")] == [MSG]


def test_folders(site, alice):
    with site.session(alice) as k:
        for name in ("Work", "Work/Deep", "lower", "a+b", "&AOQ-"):
            k.ok(f'CREATE "{name}"')
    with Lmtp(site) as k:
        for to, mailbox in (("+Work", "Work"), ("+work", "Work"), ("+WORK/deep", "Work/Deep"),
                            ("+lower@example.org", "lower"), ("+a+b", "a+b"), ("+inbox", "INBOX"),
                            ("+nowhere", "INBOX"), ("+", "INBOX"), ("+Work/", "INBOX"),
                            ("+../Work", "INBOX"), ("+ä", "&AOQ-"), ("+a\u0308", "&AOQ-")):
            before = len(mails(site, alice, mailbox))
            k.deliver(MSG, alice + to, params=" SMTPUTF8")
            assert len(mails(site, alice, mailbox)) == before + 1, to
        # two of the same user, and two that come to the same mailbox
        k.deliver(MSG, alice + "+Work", alice + "+lower", alice + "+work")
    assert len(mails(site, alice, "Work")) == 3 and len(mails(site, alice, "lower")) == 2


def test_several_folders_of_a_user_share_one_copy(site, alice, bob):
    """With a Delivered-To for each, and no "for", which is for one (RFC 5321 section 4.4)."""
    with site.session(alice) as k:
        k.ok("CREATE one")
        k.ok("CREATE two")
    with Lmtp(site) as k:
        k.deliver(MSG, alice + "+one", bob, alice + "+two", alice + "+ONE", alice)
    got = [mails(site, alice, m) for m in ("one", "two", "INBOX")]
    assert [len(g) for g in got] == [1, 1, 1] and got[0] == got[1] == got[2]
    assert re.findall(rb"^Delivered-To: (.*)\r$", got[0][0], re.M) == [
        alice.encode() + x for x in (b"+one", b"+two", b"")]
    assert body(got[0][0]) == MSG and HEADER.match(got[0][0])[8] is None
    assert HEADER.match(mails(site, bob)[0])[8] == bob.encode()
    run("check", site.dir)


def test_a_name_that_is_subscribed_but_no_mailbox(site, alice):
    with site.session(alice) as k:
        k.ok("SUBSCRIBE wish")
    with Lmtp(site) as k:
        k.deliver(MSG, alice + "+wish")
    assert len(mails(site, alice)) == 1


def test_a_session_in_idle_is_told(site, alice):
    with site.session(alice) as k, Lmtp(site) as mx:
        k.select()
        tag = k.start("IDLE")
        assert k.response().startswith(b"+")
        mx.deliver(MSG, alice)
        assert k.response() == b"* 1 EXISTS"
        k.send("DONE\r\n")
        k.finish(tag).ok()


# -- memory --------------------------------------------------------------------

def test_messages_that_come_are_in_the_sum_of_memory():
    """16 MiB for all: six messages of which 4 MB have come are too much; after five
    seconds those that hold most are ended, the others can go on, and IMAP notices nothing."""
    with Site(users=("anna", "ben"), pool=2, configure=both(
            PATIENT, lmtp.listen, limit("memory-bytes", 16 << 20))) as s:
        half = b"Subject: x\r\n\r\n" + b"0123456789abcde\r\n" * 240000
        rest = b"The end.\r\n"
        senders, codes = [Lmtp(s, timeout=60) for _ in range(6)], []

        def send(k, to):
            k.begin(*to)
            with contextlib.suppress(OSError, EOFError):
                k.send(half)
                arrived.wait(60)
                k.send(rest + b".\r\n")
            with contextlib.suppress(OSError, EOFError):
                codes.extend(r.code for r in k.end(1))
        arrived = threading.Event()
        # streamed for one recipient, spooled for two
        threads = [threading.Thread(target=send, args=(k, ("anna", "ben")[:1 + i % 2]))
                   for i, k in enumerate(senders)]
        for t in threads:
            t.start()
        with s.session(s.new_user()) as k:
            end = time.monotonic() + 4
            while time.monotonic() < end:
                k.append("INBOX", MSG)
                time.sleep(.05)
        wait_until(lambda: any(e["event"] == "short_of_memory" for e in s.log()), 30)
        with Lmtp(s) as k:
            k.say("MAIL FROM:<>", 250)
            k.say("RCPT TO:<anna>", 250)
            k.say("DATA", 452, "4.3.1")
        time.sleep(7)
        arrived.set()
        for t in threads:
            t.join()
        for k in senders:
            k.close()
        assert 421 in codes and 250 in codes, codes
        assert set(codes) == {421, 250}, codes


# -- size --------------------------------------------------------------------

def test_a_message_too_large_is_read_to_its_end_and_refused():
    with small(message_bytes=100000) as site, Lmtp(site) as k:
        line = b"0123456789" * 7 + b"12345678\r\n"
        fits = line * 1250
        assert len(fits) == 100000
        k.deliver(fits, "anna", "ben")
        k.deliver(fits + b"\r\n", "anna", "ben", code=552, enhanced="5.3.4")
        k.deliver(fits + b"\r\n", "anna", code=552, enhanced="5.3.4")
        k.deliver(line * 30000, "anna", code=552, enhanced="5.3.4")
        k.deliver(line * 30000, "anna", "ben", code=552, enhanced="5.3.4")
        k.deliver(MSG, "anna")
        assert [len(body(m)) for m in mails(site, "anna")] == [100000, len(MSG)]
        assert len(mails(site, "ben")) == 1


def test_dots_that_were_doubled_do_not_count(site):
    with small(message_bytes=100000) as site, Lmtp(site) as k:
        message = b".\r\n" * 33333
        k.deliver(message, "anna")
        assert body(mails(site, "anna")[0]) == message


@pytest.mark.parametrize("size", [1 << 20, (4 << 20) + 17, 9000000])
def test_large_messages_to_one_and_to_many(site, size):
    """Beyond what the spool keeps in memory, and beyond a piece of the store."""
    users = [site.new_user() for _ in range(4)]
    message = b"".join(b"%063d\r\n" % i for i in range(size // 65 + 1))
    with Lmtp(site) as k:
        k.deliver(message, users[0])
        k.deliver(message, *users)
    for i, u in enumerate(users):
        assert all(body(m) == message for m in mails(site, u)), u
        assert len(mails(site, u)) == (2 if i == 0 else 1)


def test_the_bytes_of_a_message_to_many_are_kept_once(site):
    """Each has his own headers before them, and takes nothing from another."""
    def stored():
        return sum(f.stat().st_size for f in pathlib.Path(site.dir).glob("**/segments/*"))
    users = [site.new_user() for _ in range(5)]
    message = b"Subject: many\r\n\r\n" + b"".join(
        base64.b64encode(os.urandom(48)) + b"\r\n" for _ in range(16000))
    before = stored()
    with Lmtp(site) as k:
        k.deliver(message, *users)
    assert len(message) * .7 < stored() - before < len(message) * 1.5
    for u in users:
        got, = mails(site, u)
        assert body(got) == message
        assert HEADER.match(got)[8] == u.encode()
        assert not any(o.encode() in got for o in users if o != u)
    for u in users[:4]:
        with site.session(u) as k:
            k.select()
            k.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
            k.ok("EXPUNGE")
    run("check", site.dir)
    assert body(mails(site, users[4])[0]) == message


def peak(site):
    text = pathlib.Path(f"/proc/{site.proc.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) * 1024


def test_memory_is_bounded_whatever_the_size(monkeypatch):
    """64 MiB to one and to eight: neither is ever in memory as a whole."""
    # What was freed and is only kept by AddressSanitizer is not the server's.
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=1:exitcode=99:quarantine_size_mb=1"
                                       ":thread_local_quarantine_size_kb=64")
    with Site(users=[f"u{i}" for i in range(8)],
              configure=both(PATIENT, lmtp.listen, limit("message-bytes", 100000000))) as site:
        with Lmtp(site, timeout=120) as k:
            k.deliver(MSG, *[f"u{i}" for i in range(8)])
            before = peak(site)
            line = os.urandom(37).hex().encode() + b"\r\n"
            for users in (1, 8):
                k.begin(*[f"u{i}" for i in range(users)])
                for _ in range(64):
                    k.send(line * ((1 << 20) // len(line)))
                k.send(b".\r\n")
                k.end(users, 250)
            assert peak(site) - before < (56 << 20), peak(site)


# -- limits ------------------------------------------------------------------

def test_bad_commands_end_the_connection():
    with small(bad_commands=5) as site, Lmtp(site) as k:
        k.say("MAIL FROM:<>", 250)
        for _ in range(20):
            k.say("RCPT TO:<nobody>", 550)   # unknown users are nobody's mistake
        for _ in range(5):
            k.say("WHAT", 500)
        k.reply(421, "4.7.0")
        k.expect_eof()


def test_silence_ends_the_connection():
    with small(lmtp_idle_seconds=1) as site:
        with Lmtp(site) as k:
            time.sleep(.6)
            k.say("NOOP", 250)
            time.sleep(.6)
            k.begin("anna")
            k.send("Subject: never\r\n")
            start = time.monotonic()
            k.reply(421, "4.4.2")
            k.expect_eof()
            assert .5 < time.monotonic() - start < 5
        assert mails(site, "anna") == []


def test_one_connection_too_many():
    with small(lmtp_connections=2) as site:
        with Lmtp(site), Lmtp(site, unix=True):
            with Lmtp(site, hello=False) as k:
                assert k.greeting.code == 421 and k.greeting.enhanced == "4.3.2"
                k.expect_eof()
        wait_until(lambda: Lmtp(site, hello=False).greeting.code == 220)


def test_a_server_short_of_memory_takes_no_new_message():
    """It is for IMAP's connections that it is short: 452, and the mail server keeps it."""
    with small(memory_bytes=16 << 20) as site, Lmtp(site) as k:
        hogs = [site.session("anna") for _ in range(20)]
        for h in hogs:
            h.send(b"x LIST {1000000+}\r\n" + b"y" * 999000)

        def data():
            k.say("RSET", 250)
            k.say("MAIL FROM:<>", 250)
            k.say("RCPT TO:<anna>", 250)
            code = k.say("DATA").code
            if code == 354:
                k.send(MSG + b".\r\n")
                k.end(1, 250)
            return code
        wait_until(lambda: data() == 452)
        for h in hogs:
            h.close()
        wait_until(lambda: data() == 354)


def test_a_peer_that_vanishes_in_the_message_leaves_nothing(site, alice, bob):
    for to in ((alice,), (alice, bob)):
        k = Lmtp(site)
        k.begin(*to)
        k.send(b"x" * 3000000)
        k.close()
    with Lmtp(site) as k:
        k.deliver(MSG, alice, bob)
    assert len(mails(site, alice)) == 1 and len(mails(site, bob)) == 1


def test_a_peer_that_does_not_read_its_replies(site):
    with Lmtp(site) as k, Lmtp(site) as other:
        k.sock.settimeout(.5)
        with pytest.raises(TimeoutError):
            for _ in range(2000):
                k.send(b"HELP\r\n" * 10000)
        other.say("NOOP", 250)


def test_many_at_once(site, bob):
    users = [site.new_user() for _ in range(4)]

    def work(i):
        with Lmtp(site, unix=bool(i % 2)) as k:
            for j in range(15):
                k.deliver(b"Subject: %d-%d\r\n\r\n" % (i, j), bob, users[i % 4])
    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len({body(m) for m in mails(site, bob)}) == 120 == len(mails(site, bob))
    assert sum(len(mails(site, u)) for u in users) == 120


# -- the log and the end -----------------------------------------------------

def test_the_log_has_a_line_a_delivery_and_no_text(site, alice, bob):
    before = len(site.log())
    with Lmtp(site) as k:
        k.deliver(b"Subject: not for the log\r\n\r\n", alice, bob, sender="s@example.org")
        k.say("QUIT", 221)
    e = site.wait_log(lambda e: e["event"] == "delivery", before)
    assert e["sender"] == "s@example.org" and e["recipients"] == 2 and e["delivered"] == 2
    assert e["bytes"] == 28 and e["result"] == "delivered" and e["connection"]
    end = site.wait_log(lambda x: x["event"] == "connection"
                        and x["connection"] == e["connection"], before)
    assert end["listener"] == "lmtp" and end["messages"] == 1
    assert "not for the log" not in site.stderr()


def test_the_socket_has_its_access(site):
    assert (site.dir / "lmtp.socket").stat().st_mode & 0o777 == 0o600


# -- durability --------------------------------------------------------------

def test_kill_9_right_behind_250():
    """Whatever was answered is there, whole, once."""
    with Site(users=("anna", "ben"), configure=both(PATIENT, lmtp.listen)) as site:
        for round_ in range(5):
            with Lmtp(site, unix=round_ % 2 == 1) as k:
                k.begin("anna", "ben")
                k.send(stuffed(b"Subject: %d\r\n\r\n" % round_ + b"x" * 70000 + b"\r\n") + b".\r\n")
                k.end(2, 250)
                site.kill()
            site.start()                      # the socket that was left is replaced
            for user in ("anna", "ben"):
                got = [body(m) for m in mails(site, user)]
                assert [m.split(b"\r\n")[0] for m in got] == \
                    [b"Subject: %d" % i for i in range(round_ + 1)]
                assert all(len(m) == len(got[0]) for m in got)
        site.stop()
        run("check", site.dir)


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """A site on a disk that waits while `hold` is there and has no space while `full` is."""
    lib = tmp_path / "disk.so"
    source = pathlib.Path(__file__).parent / "disk.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", lib, source, "-ldl"],
                   check=True)
    site = Site(users=("anna", "ben"), configure=both(PATIENT, lmtp.listen), start=False)
    monkeypatch.setenv("DISK", str(tmp_path))
    monkeypatch.setenv("DISK_OF", str(site.dir))
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "detect_leaks=1")
                       + ":exitcode=99:verify_asan_link_order=0")
    monkeypatch.setenv("LD_PRELOAD", str(lib))
    site.start()
    monkeypatch.delenv("LD_PRELOAD")
    site.hold, site.full = tmp_path / "hold", tmp_path / "full"
    with site:
        yield site


def test_no_reply_before_the_disk_has_it(disk):
    """One and several recipients: 250 comes when the sync has ended, not before."""
    with Lmtp(disk) as k:
        k.deliver(MSG, "anna", "ben")         # the accounts are there
        for to in (("anna",), ("anna", "ben")):
            k.begin(*to)
            disk.hold.touch()
            k.send(MSG + b".\r\n")
            k.sock.settimeout(.7)
            with pytest.raises(TimeoutError):
                k.reply()
            k.sock.settimeout(20)
            disk.hold.unlink()
            k.end(len(to), 250)


def test_a_full_disk_is_for_now(disk):
    """452 4.3.1 for each; nothing is kept, and when there is space again it goes on."""
    line = b"0123456789abcde\r\n"
    with Lmtp(disk) as k:
        k.deliver(MSG, "anna", "ben")
        disk.full.touch()
        for message in (MSG, line * 300000):  # in memory, and through the spool
            k.deliver(message, "anna", code=452, enhanced="4.3.1")
            k.deliver(message, "anna", "ben", code=452, enhanced="4.3.1")
        disk.full.unlink()
        k.deliver(MSG, "anna", "ben")
    assert len(mails(disk, "anna")) == 2 and len(mails(disk, "ben")) == 2
    failed = [e for e in disk.log() if e["event"] == "delivery_failed"]
    assert len(failed) == 6 and all("space" in e["reason"] for e in failed)
    results = [e["result"] for e in disk.log() if e["event"] == "delivery"]
    assert results == ["delivered"] + 4 * ["deferred"] + ["delivered"]


def test_sigterm_finishes_what_was_sent(disk):
    """Deliveries under way are answered; who is silent or midway is told to come again."""
    idle, midway, busy = Lmtp(disk), Lmtp(disk), Lmtp(disk)
    midway.begin("anna")
    midway.send("Subject: half\r\n")
    busy.begin("anna", "ben")
    disk.hold.touch()
    busy.send(MSG + b".\r\n")
    time.sleep(.2)
    disk.proc.send_signal(signal.SIGTERM)
    idle.reply(421, "4.3.2")
    midway.reply(421, "4.3.2")
    disk.hold.unlink()
    busy.end(2, 250)
    busy.reply(421, "4.3.2")
    for k in (idle, midway, busy):
        k.expect_eof()
        k.close()
    assert disk.proc.wait(20) == 0
    assert not (disk.dir / "lmtp.socket").exists()
    disk.start()
    assert len(mails(disk, "anna")) == 1 == len(mails(disk, "ben"))
