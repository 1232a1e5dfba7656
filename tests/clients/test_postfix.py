"""Debian's Postfix delivers by LMTP, over a port and over a Unix socket.

Its own configuration, queue and ports; its master is started and ended here by its
process id, and no system service is touched.  Postfix wants to be root.
"""

import grp
import os
import pathlib
import pwd
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time

import pytest

from harness import Site, wait_until
from lmtp import HEADER, mails
from settings import PATIENT, both, limit

SBIN = pathlib.Path("/usr/lib/postfix/sbin")
USERS = ("anna", "ben", "sender", "jörg")

pytestmark = [
    pytest.mark.skipif(not (SBIN / "master").exists(), reason="no Postfix is installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix starts as root alone"),
]

MAIN = """
compatibility_level = 3.6
queue_directory = {top}/queue
data_directory = {top}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {top}/log
maillog_file_prefixes = {top}
myhostname = mx.example.org
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
virtual_mailbox_domains = example.org
virtual_mailbox_maps = static:all
virtual_transport = lmtp:{where}
default_transport = error:nothing leaves this machine
smtpd_relay_restrictions = permit_mynetworks reject
smtpd_reject_unlisted_recipient = no
smtpd_tls_security_level = none
lmtp_tls_security_level = none
smtp_dns_support_level = disabled
smtputf8_enable = yes
local_header_rewrite_clients =
message_size_limit = 60000000
virtual_mailbox_limit = 0
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_minfree = 0
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Postfix:
    def __init__(self, where):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="postfix-test-"))
        self.top.chmod(0o755)
        self.port = free_port()
        for name, owner in (("conf", "root"), ("queue", "root"), ("data", "postfix")):
            (self.top / name).mkdir()
            os.chown(self.top / name, pwd.getpwnam(owner).pw_uid, 0)
        values = {"top": self.top, "where": where, "port": self.port}
        (self.top / "conf/main.cf").write_text(MAIN.format(**values))
        (self.top / "conf/master.cf").write_text(MASTER.format(**values))
        conf = self.top / "conf"
        # makes the folders of the queue
        subprocess.run(["/usr/sbin/postfix", "-c", conf, "check"], check=True,
                       capture_output=True)
        self.out = open(self.top / "out", "wb")
        self.master = subprocess.Popen([SBIN / "master", "-c", conf, "-d"],
                                       stdin=subprocess.DEVNULL, stdout=self.out,
                                       stderr=self.out)
        wait_until(self.answers, what="Postfix answers")

    def answers(self):
        assert self.master.poll() is None, self.log()
        try:
            smtplib.SMTP("127.0.0.1", self.port, timeout=5).quit()
        except (OSError, smtplib.SMTPException):
            return False
        return True

    def log(self):
        return "".join(p.read_text(errors="replace") for p in (self.top / "out", self.top / "log")
                       if p.exists())[-5000:]

    def end(self):
        """Its children end when the master does (master(8), SIGTERM)."""
        self.master.send_signal(signal.SIGTERM)
        try:
            self.master.wait(20)
        finally:
            self.master.kill()
            self.master.wait()
            self.out.close()
            shutil.rmtree(self.top, ignore_errors=True)

    def send(self, message, *to, sender="sender@example.org", options=()):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as s:
            s.ehlo("client.example.org")
            s.sendmail(sender, [f"{t}@example.org" for t in to], message, options)

    def queued(self):
        """Messages that wait; those being worked on as well."""
        queue = self.top / "queue"
        ways = ["maildrop", "incoming", "active", "deferred"]
        # there and back: one may move while this looks
        return [f for d in ways + ways[::-1] for f in (queue / d).rglob("*") if f.is_file()]

    def settled(self):
        wait_until(lambda: not self.queued(), 60, f"an empty queue; the log:\n{self.log()}")


class Place:
    """A site, a Postfix, and the listener that is between them."""

    def __init__(self, kind):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="lmtp-"))
        self.top.chmod(0o711)
        if kind == "unix":
            # as doc/lmtp.md has it: the folder's group is the socket's, and may connect
            run = self.top / "run"
            run.mkdir()
            os.chown(run, 0, grp.getgrnam("postfix").gr_gid)
            run.chmod(0o2750)
            self.where = f"unix:{run}/lmtp"
            address = f'    address: "{self.where}"\n    socket-access: group\n'
        else:
            port = free_port()
            self.where = f"inet:127.0.0.1:{port}"
            address = f"    address: 127.0.0.1\n    port: {port}\n"
        entry = f"  - name: lmtp\n    protocol: lmtp\n{address}    tls: none\n"
        self.site = self.mta = None
        try:
            self.site = Site(users=USERS, configure=both(
                PATIENT, limit("message-bytes", 20000000),
                lambda text: text.replace("\nlisteners:\n", "\nlisteners:\n" + entry)))
            self.mta = Postfix(self.where)
        except BaseException:
            self.end(None)
            raise

    def end(self, kind):
        if self.mta:
            self.mta.end()
        if self.site:
            self.site.__exit__(kind, kind, None)
        shutil.rmtree(self.top, ignore_errors=True)


@pytest.fixture(scope="module", params=["tcp", "unix"])
def place(request):
    place = Place(request.param)
    yield place
    place.end(None)


@pytest.fixture(autouse=True)
def empty(place):
    for user in USERS:
        with place.site.session(user) as k:
            if k.select().exists:
                k.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
                k.ok("EXPUNGE")


def received(place, user, mailbox="INBOX"):
    """Header of ours, then what Postfix sent: (envelope, message) of each."""
    out = []
    for mail in mails(place.site, user, mailbox):
        m = HEADER.match(mail)
        assert m, mail[:500]
        assert mail[m.end():].startswith(b"Received: "), mail[:800]
        out.append((m, mail[m.end():]))
    return out


def ends_with(mail, text):
    assert mail.endswith(text), (mail[-500:], text[-500:])


def test_a_message_arrives(place):
    text = b"From: a@b\r\nSubject: hello\r\n\r\n.dot\r\n..\r\n.\r\nend\r\n"
    place.mta.send(text, "anna")
    place.mta.settled()
    [(m, mail)] = received(place, "anna")
    assert m[1] == b"sender@example.org" and m[2] == b"anna@example.org" == m[8]
    assert m[3] == b"mx.example.org" and m[6] == b"LMTP"
    assert m[4] == (b"(local socket)" if "unix" in place.where else b"([127.0.0.1])")
    ends_with(mail, text)


def test_several_recipients_folders_and_an_unknown_one(place):
    with place.site.session("ben") as k:
        if not k.ok('LIST "" Work').untagged:
            k.ok("CREATE Work")
    place.mta.send(b"Subject: many\r\n\r\nx\r\n", "anna", "ben+work", "nobody", "ben",
                   "anna+nofolder")
    place.mta.settled()
    assert len(received(place, "ben")) == 1 and len(received(place, "ben", "Work")) >= 1
    [(m, _)] = received(place, "anna")    # both addresses lead to one mailbox
    assert m[2] in (b"anna+nofolder@example.org", b"anna@example.org")
    [(m, bounce)] = wait_until(lambda: received(place, "sender"), what="a bounce")
    assert m[1] == b"" and b"nobody@example.org" in bounce and b"550 5.1.1" in bounce
    assert b"anna@example.org" not in bounce


def test_eight_bits_and_utf8(place):
    place.mta.send("Subject: föö\r\n\r\nbär\r\n".encode(), "jörg", sender="jörg@example.org",
                   options=["SMTPUTF8", "BODY=8BITMIME"])
    place.mta.settled()
    [(m, mail)] = received(place, "jörg")
    assert m[1].decode() == "jörg@example.org" == m[2].decode() and m[6] == b"UTF8LMTP"
    ends_with(mail, "Subject: föö\r\n\r\nbär\r\n".encode())


def test_a_large_message_to_two(place):
    text = b"Subject: large\r\n\r\n" + b"".join(b"%070d\r\n" % i for i in range(150000))
    place.mta.send(text, "anna", "ben")
    place.mta.settled()
    for user in ("anna", "ben"):
        [(_, mail)] = received(place, user)
        ends_with(mail, text)


def test_a_message_too_large_comes_back(place):
    """Postfix looks at SIZE and asks; the answer is final."""
    place.mta.send(b"Subject: huge\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 998 + b"\r\n") * 21000,
                   "anna")
    place.mta.settled()
    [(_, bounce)] = wait_until(lambda: received(place, "sender"), what="a bounce")
    assert re.search(rb"5\.3\.4|size limit", bounce) and received(place, "anna") == []


def test_mail_waits_while_the_server_is_away(place):
    place.site.stop()
    for i in range(5):
        place.mta.send(b"Subject: %d\r\n\r\n" % i, "anna", "ben")
    time.sleep(1)
    assert len(set(place.mta.queued())) >= 5
    place.site.start()
    place.mta.settled()
    for user in ("anna", "ben"):
        subjects = [re.search(rb"\r\nSubject: (\d)\r\n", mail)[1]
                    for _, mail in received(place, user)]
        assert sorted(subjects) == [b"%d" % i for i in range(5)]


def test_kill_9_under_delivery_loses_nothing(place):
    """What Postfix was told 250 for is gone from its queue, so it must be here."""
    for round_ in range(3):
        for i in range(20):
            place.mta.send(b"Subject: %d-%d\r\n\r\n%s" % (round_, i, b"x\r\n" * 9000), "anna", "ben")
        place.site.kill()
        place.site.start()
    place.mta.settled()
    want = {b"%d-%d" % (r, i) for r in range(3) for i in range(20)}
    for user in ("anna", "ben"):
        got = received(place, user)
        assert {re.search(rb"\r\nSubject: (\S+)\r\n", mail)[1] for _, mail in got} == want
        for _, mail in got:
            ends_with(mail, b"\r\n\r\n" + b"x\r\n" * 9000)
