#!/usr/bin/python3
"""Compares mail's summaries with what Python's email and GMime make of the same messages.

differential.py SUMMARIZE [ORACLE_GMIME] -- over samples/ and, when MAILSTILE_CORPUS is set, over
every .eml below that folder. Each kind of disagreement that is right has its entry, with the reason,
in EXPLAINED (differential_reasons.py); any other one fails.
"""

import email
import email.policy
import email.utils
import glob
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LISTS = ["from", "sender", "reply_to", "to", "cc", "bcc"]


def latin1(text):
    return None if text is None else text.encode("latin-1")


# -- our summary ---------------------------------------------------------------------------------

def read_imap(data):
    """ENVELOPE as nested lists of bytes and None (RFC 9051 section 9)."""
    pos = 0

    def item():
        nonlocal pos
        if data[pos:pos + 1] == b"(":
            pos += 1
            out = []
            while data[pos:pos + 1] != b")":
                if data[pos:pos + 1] == b" ":
                    pos += 1
                    continue
                out.append(item())
            pos += 1
            return out
        if data[pos:pos + 3] == b"NIL":
            pos += 3
            return None
        if data[pos:pos + 1] == b'"':
            end = pos + 1
            while data[end:end + 1] != b'"':
                end += 2 if data[end:end + 1] == b"\\" else 1
            raw, pos = data[pos + 1:end], end + 1
            return re.sub(rb"\\(.)", rb"\1", raw)
        m = re.compile(rb"\{(\d+)\}\r\n").match(data, pos)
        n = int(m.group(1))
        pos = m.end() + n
        return data[m.end():pos]

    value = item()
    assert pos == len(data)
    return value


def flat_addresses(items):
    """[(name, addr)] of mailboxes; groups opened up."""
    out = []
    for name, _route, mailbox, host in items or []:
        if host is None:
            continue
        out.append((name or b"", mailbox + (b"@" + host if host else b"")))
    return out


def our_view(s, message):
    env = read_imap(latin1(s["envelope"]))
    parts = []
    for p in s["parts"]:
        parts.append({
            "depth": p["depth"], "kind": p["kind"], "start": p["header_start"],
            "type": (p["type"] + "/" + p["subtype"]).lower(),
            "raw": message[p["body_start"]:p["body_end"]],
            "head": message[p["header_start"]:p["body_start"]],
            "decoded": latin1(p["decoded"]) if "decoded" in p else None,
        })
    return {
        "parts": parts, "subject": env[1], "subject_text": s.get("subject_utf8"),
        "message_id": env[9], "date": s.get("sent"),
        **{k: flat_addresses(env[2 + i]) for i, k in enumerate(LISTS)},
    }


# -- Python ---------------------------------------------------------------------------------------

def to_bytes(text):
    return text.encode("ascii", "surrogateescape")


def python_parts(m, depth, out):
    payload = m._payload
    if m.is_multipart() and m.get_content_maintype() == "multipart":
        kind = "multipart"
    else:
        kind = "message" if m.is_multipart() else "leaf"
    p = {"depth": depth, "kind": kind, "type": m.get_content_type(), "raw": None, "decoded": None}
    out.append(p)
    if m.is_multipart():
        for child in payload:
            python_parts(child, depth + 1, out)
        return
    p["raw"] = to_bytes(payload or "")
    try:
        p["decoded"] = m.get_payload(decode=True)
    except Exception:  # a charset Python cannot look up
        p["decoded"] = None


def unfold(value):
    return re.sub(rb"\r?\n", b"", to_bytes(value)).strip(b" \t\r\n")


def raw_header(m, name):
    for k, v in m._headers:
        if k.lower() == name:
            return v
    return None


def python_addresses(m, name):
    values = [to_bytes(v).decode("latin-1") for k, v in m._headers if k.lower() == name]
    if name not in ("to", "cc", "bcc"):
        values = values[:1]
    return [(n.encode("latin-1"), a.encode("latin-1")) for n, a in email.utils.getaddresses(values)
            if n or a]


def python_view(message):
    m = email.message_from_bytes(message, policy=email.policy.compat32)
    parts = []
    python_parts(m, 0, parts)
    subject, mid, date = (raw_header(m, n) for n in ("subject", "message-id", "date"))
    view = {"parts": parts, "subject": None if subject is None else unfold(subject),
            "message_id": None if mid is None else unfold(mid), "date": None}
    if date is not None:
        tup = email.utils.parsedate_tz(to_bytes(date).decode("latin-1"))
        try:
            view["date"] = email.utils.mktime_tz(tup) if tup else None
        except (ValueError, OverflowError):
            pass
    for k in LISTS:
        view[k] = python_addresses(m, k.replace("_", "-"))
    for k in ("sender", "reply_to"):
        view[k] = view[k] or view["from"]
    return view


# -- GMime ----------------------------------------------------------------------------------------

def gmime_addresses(items):
    out = []
    for a in items:
        if "members" in a:
            out += gmime_addresses(a["members"])
        else:
            out.append(((a["name"] or "").encode(), (a["addr"] or "").encode()))
    return out


def gmime_view(g):
    parts = [{"depth": p["depth"], "kind": p["kind"],
              "type": ((p["type"] or "") + "/" + (p["subtype"] or "")).lower(),
              "raw": latin1(p.get("raw")), "decoded": latin1(p.get("decoded"))} for p in g["parts"]]
    view = {"parts": parts, "subject_text": g["subject"], "date": g.get("date"),
            "message_id": None if g["message_id"] is None else b"<" + g["message_id"].encode() + b">"}
    for k in LISTS:
        view[k] = gmime_addresses(g[k])
    for k in ("sender", "reply_to"):
        view[k] = view[k] or view["from"]
    return view


# -- comparing -------------------------------------------------------------------------------------

class Difference:
    """What one oracle says otherwise of one message."""

    def __init__(self, path, message, oracle, what, ours, theirs, view):
        self.path, self.message, self.oracle, self.what = path, message, oracle, what
        self.ours, self.theirs, self.view = ours, theirs, view

    def __str__(self):
        def short(v):
            text = repr(v)
            return text if len(text) < 400 else text[:200] + " ... " + text[-150:]
        return "%s: %s: %s\n    ours   %s\n    theirs %s" % (
            self.path, self.oracle, self.what, short(self.ours), short(self.theirs))


def shape(view):
    return [(p["depth"], p["kind"], p["type"]) for p in view["parts"]]


def compare(path, message, oracle, ours, theirs):
    def differ(what, a, b):
        out.append(Difference(path, message, oracle, what, a, b, ours))

    out = []
    if shape(ours) != shape(theirs):
        differ("structure", shape(ours), shape(theirs))
    else:
        for a, b in zip(ours["parts"], theirs["parts"]):
            if a["kind"] != "leaf":
                continue
            if a["raw"] != b["raw"]:
                differ("body", a["raw"], b["raw"])
            elif a["decoded"] is not None and b["decoded"] is not None and \
                    a["decoded"] != b["decoded"]:
                differ("decoded", a["decoded"], b["decoded"])
    for k in ("subject", "subject_text", "message_id", "date"):
        if k in theirs and k in ours and ours[k] != theirs[k]:
            differ(k, ours[k], theirs[k])
    for k in LISTS:
        a, b = [x[1] for x in ours[k]], [x[1] for x in theirs[k]]
        if a != b:
            differ(k, ours[k], theirs[k])
        elif oracle == "python" and ours[k] != theirs[k]:
            differ(k + " names", ours[k], theirs[k])
    return out


def run(tool, paths):
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
    text = subprocess.run([tool, *paths], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=True, env=env).stdout
    lines = text.split(b"\n")[:-1]
    assert len(lines) == len(paths), (tool, len(lines), len(paths))
    return [json.loads(line) for line in lines]


def messages():
    paths = sorted(glob.glob(os.path.join(HERE, "samples", "*.eml")))
    corpus = os.environ.get("MAILSTILE_CORPUS")
    if corpus:
        paths += sorted(glob.glob(os.path.join(glob.escape(corpus), "**", "*.eml"), recursive=True))
    return paths


def main():
    sys.path.insert(0, HERE)
    from differential_reasons import EXPLAINED

    summarize, gmime = sys.argv[1], (sys.argv[2:] + [None])[0]
    paths = messages()
    summaries = run(summarize, paths)
    oracles = run(gmime, paths) if gmime else [None] * len(paths)
    used, bad = {}, []
    for path, s, g in zip(paths, summaries, oracles):
        with open(path, "rb") as f:
            message = f.read()
        ours = our_view(s, message)
        found = compare(path, message, "python", ours, python_view(message))
        if g and g.get("parts"):
            found += compare(path, message, "gmime", ours, gmime_view(g))
        for d in found:
            why = next((e for e in EXPLAINED if e.applies(d)), None)
            if why:
                used.setdefault(why.name, []).append(d)
            else:
                bad.append(d)
    for name in sorted(used):
        print("explained: %-28s %4d" % (name, len(used[name])))
        if os.environ.get("SHOW") == name:
            for d in used[name]:
                print(d)
    for d in bad:
        print(d)
    print("%d messages, %d explained differences, %d not explained" % (
        len(paths), sum(map(len, used.values())), len(bad)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
