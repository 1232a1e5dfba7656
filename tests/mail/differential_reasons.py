"""Where mail and the oracles of differential.py differ, who is right, and why.

An entry says when it applies, as narrowly as can be told from the message itself. Structures are
compared after undoing what an oracle is known to do otherwise: each step has its reason too.
"""

import re

TEXT = "text/plain"


class Reason:
    def __init__(self, name, why, applies):
        self.name, self.why, self.applies = name, why, applies


# -- what a message has ------------------------------------------------------------------------------

def boundaries(message):
    """The boundary parameters that stand in the message, unfolded, quotes off."""
    found = re.findall(rb'boundary(?:\*0)?[ \t]*=[ \t]*(?:\([^)]*\)[ \t]*)?("(?:[^"\\]|\\.)*"|[^\s;"(]+)',
                       message, re.I)
    return [re.sub(rb"\r?\n", b"", b[1:-1] if b[:1] == b'"' else b) for b in found]


def has_longer_delimiter(message):
    """A line that begins with a delimiter and goes on with something else."""
    for b in boundaries(message):
        b = b.rstrip()
        for m in re.finditer(rb"^--" + re.escape(b) + rb"(.*?)\r?$", message, re.M):
            if b and not re.fullmatch(rb"(--)?[ \t]*", m.group(1)):
                return True
    return False


def has_same_boundary_twice(message):
    bs = boundaries(message)
    return len(bs) != len(set(bs))


def type_fields(message):
    return re.findall(rb"^content-type[ \t]*:((?:.|\n[ \t])*)", message, re.I | re.M)


def has_fold_or_comment_in_type(message):
    return any(re.search(rb'"[^"]*\n[^"]*"|\(|boundary[ \t]+=|=[ \t]+', f, re.I)
               for f in type_fields(message))


def header_of(message):
    return re.split(rb"\r?\n\r?\n", message, maxsplit=1)[0]


def has_broken_header_line(message):
    """A line that is no field and no continuation, in a header block somewhere."""
    return any(not re.match(rb"[!-9;-~]+:|[ \t]|From |\r?$", line)
               for line in header_of(message).split(b"\n"))


def has_bare_cr(message):
    return re.search(rb"\r(?!\n)", message) is not None


def repeats(message, field):
    return len(re.findall(rb"^" + field + rb"[ \t]*:", header_of(message), re.I | re.M)) > 1


def field(message, name):
    m = re.search(rb"^" + name + rb"[ \t]*:((?:.|\n[ \t])*)", header_of(message), re.I | re.M)
    return m.group(1) if m else b""


# -- structures: undoing what an oracle does otherwise -------------------------------------------------

def no_parts_is_text(d, ours, theirs):
    """A multipart must hold a part (RFC 2046 section 5.1.1); where none can be found, the field is not
    what it says, and text/plain is what is assumed (RFC 2045 section 5.2). So its text is seen at least,
    and BODYSTRUCTURE has the one body that body-type-mpart demands (RFC 9051 section 9)."""
    out = []
    for i, (depth, kind, typ) in enumerate(theirs):
        has_child = i + 1 < len(theirs) and theirs[i + 1][0] > depth
        out.append((depth, "leaf", TEXT) if typ.startswith("multipart/") and not has_child
                   else (depth, kind, typ))
    return ours, out


def only_two_messages_nest(d, ours, theirs):
    """Python takes every message/* for a message. Only message/rfc822 and message/global are
    (RFC 9051 section 9, media-message); message/partial, external-body and delivery-status have their
    own contents (RFC 2046 section 5.2, RFC 3464)."""
    out, below = [], None
    for depth, kind, typ in theirs:
        if below is not None and depth > below:
            continue
        below = None
        if d.oracle == "python" and kind == "message" and typ not in ("message/rfc822", "message/global"):
            kind, below = "leaf", depth
        out.append((depth, kind, typ))
    return ours, out


def bad_types_are_text(d, ours, theirs):
    """A Content-Type without type and subtype means text/plain (RFC 2045 section 5.2). GMime says
    application/octet-stream; Python gives what it found, a missing ";" included."""
    out = list(theirs)
    heads = [p["head"] for p in d.view["parts"]]
    for i, (a, b) in enumerate(zip(ours, theirs)):
        if len(ours) != len(theirs) or a[0] != b[0] or i >= len(heads):
            break
        types = type_fields(heads[i])
        is_bad = types and not re.match(rb"\s*[^\s;/]+/[^\s;/]+\s*(;|$)", types[0])
        if is_bad and a[2] == TEXT:
            out[i] = a
    return ours, out


def empty_messages_have_a_body(d, ours, theirs):
    """message/rfc822 with nothing in it: GMime gives no message. IMAP wants envelope and body of
    it (RFC 9051 section 9, body-type-msg): both are empty."""
    out = []
    for i, (depth, kind, typ) in enumerate(theirs):
        out.append((depth, kind, typ))
        has_child = i + 1 < len(theirs) and theirs[i + 1][0] > depth
        if d.oracle == "gmime" and kind == "message" and not has_child:
            out.append((depth + 1, "leaf", TEXT))
    return ours, out


def empty_parts_count(d, ours, theirs):
    """Two delimiters in a row have a part between them, though an empty one: body-part may be empty
    (RFC 2046 section 5.1.1). Both oracles pass over it, and over one that the message ends in."""
    parts = d.view["parts"]
    if len(parts) != len(ours):
        return ours, theirs
    return [s for s, p in zip(ours, parts) if p["raw"] or p["head"] or
            (d.message[p["start"]:p["start"] + 2] != b"--" and p["start"] < len(d.message))], theirs


def digest_of_a_part(d, ours, theirs):
    """GMime takes a bad type inside a digest's message for application/octet-stream; see
    bad_types_are_text."""
    if d.oracle != "gmime" or len(ours) != len(theirs):
        return ours, theirs
    return ours, [a if a[2] == TEXT and b[2] == "application/octet-stream" and
                  b"digest" in d.message.lower() else b for a, b in zip(ours, theirs)]


STEPS = [no_parts_is_text, only_two_messages_nest, bad_types_are_text, empty_messages_have_a_body,
         empty_parts_count, digest_of_a_part]


def same_after_steps(d):
    if d.what != "structure":
        return False
    ours, theirs = d.ours, d.theirs
    for step in STEPS:
        ours, theirs = step(d, ours, theirs)
        if ours == theirs:
            return True
    return False


def structure(test):
    return lambda d: d.what == "structure" and test(d)


def qp_spaces(d):
    if d.what != "decoded":
        return False
    trim = re.compile(rb"[ \t]+(?=\r?\n|$)")
    soft = re.compile(rb"=[ \t]*\r?\n")
    return trim.sub(b"", soft.sub(b"", trim.sub(b"", d.theirs))) == trim.sub(b"", d.ours)


ADDRESSES = ("from", "sender", "reply_to", "to", "cc", "bcc")

EXPLAINED = [
    Reason("structure steps", "Each step of STEPS has its reason.", same_after_steps),
    Reason("deeper than the limit",
           "Ours stops at SUMMARY_MAX_DEPTH: the limits are there to bound work (mail/summary.h).",
           structure(lambda d: max(s[0] for s in d.theirs) > 100 and max(s[0] for s in d.ours) == 100)),
    Reason("boundary over the limit",
           "RFC 2046 section 5.1.1 allows 70 bytes; ours takes 250, one of 7,000 is as good as absent.",
           structure(lambda d: any(len(b) > 250 for b in boundaries(d.message)))),
    Reason("boundary is empty",
           "RFC 2046 section 5.1.1: 1 to 70 characters. GMime and Python take every line \"--\".",
           structure(lambda d: b"" in boundaries(d.message))),
    Reason("delimiter goes on",
           "RFC 2046 section 5.1.1: an exact match of the entire line is not required, it is "
           "sufficient that the boundary appear in its entirety. The oracles want the whole line; and "
           "white space at the end of a boundary is no part of it.",
           structure(lambda d: has_longer_delimiter(d.message))),
    Reason("one boundary twice",
           "Nested multiparts with one boundary: a delimiter is the innermost one's until that is closed. "
           "Python gives it to the outer one.",
           structure(lambda d: d.oracle == "python" and has_same_boundary_twice(d.message))),
    Reason("fold or comment in Content-Type",
           "Folds mean nothing within quotes (RFC 5322 section 2.2.3), comments and space may stand "
           "between tokens (RFC 2045 section 5.1). Python keeps the line end in the boundary and loses a "
           "parameter with space before its \"=\".",
           structure(lambda d: d.oracle == "python" and has_fold_or_comment_in_type(d.message))),
    Reason("rubbish behind the subtype",
           "\"message/rfc822 Content-Type: ...\" names its type well enough; Python falls back to text.",
           structure(lambda d: d.oracle == "python" and
                     any(re.match(rb"\s*[^\s;/]+/[^\s;/]+\s+[^;(]*/", f) for f in type_fields(d.message)))),
    Reason("byte order mark",
           "A mark before the first field is not part of its name; GMime loses the field.",
           lambda d: d.message.startswith(b"\xef\xbb\xbf")),
    Reason("missing semicolon",
           "\"multipart/mixed boundary=x\" leaves no doubt of what is meant; without it, the parts are not seen.",
           structure(lambda d: any(re.match(rb"\s*[^\s;/]+/[^\s;/]+\s+boundary=", f)
                                   for f in type_fields(d.message)))),
    Reason("bare CR",
           "A line ends with CRLF or LF; CR alone is a character (RFC 5322 section 2.2 knows no line end CR). "
           "Python ends lines at CR too.",
           lambda d: d.oracle == "python" and d.what in ("structure", "body", "subject") and
           has_bare_cr(d.message)),
    Reason("encoded message",
           "message/rfc822 must not be encoded (RFC 2046 section 5.2.1); when it is, IMAP still wants an envelope "
           "(RFC 9051 section 9), so the bytes are read as they stand. GMime makes it a leaf.",
           structure(lambda d: d.oracle == "gmime" and b"message/rfc822" in d.message and
                     re.search(rb"base64|quoted-printable", d.message, re.I) is not None)),
    Reason("a field that stands twice",
           "RFC 5322 section 3.6 allows one, section 4.5.3 puts destination fields together, of all "
           "others the meaning is open: ours takes the first, GMime the last or all.",
           lambda d: d.oracle == "gmime" and (
               (d.what == "structure" and repeats(d.message, rb"content-type")) or
               (d.what in ("subject_text", "message_id") and
                repeats(d.message, d.what.replace("_text", "").replace("_", "-").encode())) or
               (d.what in ("from", "sender", "reply_to") and
                (repeats(d.message, rb"from") or repeats(d.message, rb"reply-to"))))),

    Reason("broken line in a header",
           "A header ends at its first empty line (RFC 5322 section 2.1). Python ends it at a line that is no "
           "field, or has space before its colon (which obs-fields allow, section 4.5), and takes the fields "
           "behind it for the body.",
           lambda d: d.oracle == "python" and has_broken_header_line(d.message)),
    Reason("last line end of an open multipart",
           "Without a delimiter behind it the last line end is the body's. Python takes it off when a "
           "multipart was not closed.",
           lambda d: d.oracle == "python" and d.what == "body" and
           re.sub(rb"\r?\n\Z", b"", d.ours) == d.theirs and d.message.endswith(d.ours)),
    Reason("GMime's line end before a delimiter",
           "The line end before a delimiter is one LF or one CRLF, whatever the lines around it have. GMime "
           "takes the width of another line.",
           lambda d: d.oracle == "gmime" and d.what == "body" and
           (d.ours[:-1] == d.theirs or d.theirs[:-1] == d.ours)),
    Reason("GMime's text for a message",
           "A message/rfc822 whose first line is no field has an empty header and the text for its body. "
           "GMime loses the text.",
           lambda d: d.oracle == "gmime" and d.what == "body" and d.theirs == b"" and
           b"message/rfc822" in d.message and not re.match(rb"[!-9;-~]+[ \t]*:", d.ours)),
    Reason("space at line ends of quoted-printable",
           "RFC 2045 section 6.7 rule 3: white space at the end of a line must be deleted, also "
           "behind the \"=\" of a soft line break.",
           qp_spaces),
    Reason("base64 with an unfinished end",
           "Whole bytes that are there are given out, padded or not, and what follows padding begins anew "
           "(RFC 2045 section 6.8: decoders skip what does not belong). GMime drops an unpadded end, Python "
           "gives up and hands back the undecoded text.",
           lambda d: d.what == "decoded" and (
               d.ours.startswith(d.theirs) or
               (d.oracle == "python" and not re.fullmatch(
                   rb"(?:[A-Za-z0-9+/\s]{4})*[A-Za-z0-9+/\s]*=?\s*=?\s*",
                   re.sub(rb"\s", b"", d.theirs)) or
                d.oracle == "python" and len(re.sub(rb"[^A-Za-z0-9+/]", b"", d.theirs)) % 4 != 0))),

    Reason("raw 8-bit subject",
           "8-bit header text is UTF-8 (RFC 6532); what is not is marked as unreadable. GMime guesses a "
           "charset.",
           lambda d: d.what == "subject_text" and "\ufffd" in (d.ours or "")),
    Reason("unknown charset of an encoded word",
           "A word whose charset is not known is shown as it stands (RFC 2047 section 6.2).",
           lambda d: d.what == "subject_text" and (d.ours or "").startswith("=?NONE?")),
    Reason("encoded words that GMime joins",
           "GMime joins adjacent words before it decodes base64, also over the end of a padded one.",
           lambda d: d.oracle == "gmime" and d.what == "subject_text" and
           field(d.message, rb"subject").lower().count(b"?b?") > 1),
    Reason("NUL in a header",
           "No IMAP string can hold NUL (RFC 9051 section 9, CHAR8), so it is left out; GMime ends the "
           "text there.",
           lambda d: d.what in ("subject", "subject_text") and b"\0" in field(d.message, rb"subject")),
    Reason("Message-ID without its brackets",
           "The envelope has the field as it stands; GMime gives the id in it, as far as it can parse it.",
           lambda d: d.oracle == "gmime" and d.what == "message_id" and (
               d.ours is not None and d.theirs == b"<" + d.ours + b">" or
               (d.ours or b"").count(b"@") > 1)),
    Reason("dates that GMime does not read",
           "Leap seconds and years before 1900 are dates (RFC 5322 section 3.3); a zone of three digits "
           "and dates beyond that are read as far as they can be.",
           lambda d: d.oracle == "gmime" and d.what == "date" and
           (d.theirs is None or re.search(rb"[+-]\d{3}\s*$", field(d.message, rb"date").strip()))),
    Reason("12-hour clock",
           "\"06:09:22 PM\" is seen in mail; both pass over the PM, Python over a zone behind it too.",
           lambda d: d.what == "date" and
           re.search(rb"\d [AP]M\b", field(d.message, rb"date"))),

    Reason("comments in a display name",
           "A comment is no part of a display name (RFC 5322 section 3.2.2); Python adds it in brackets, and "
           "folds and comments that stand elsewhere too.",
           lambda d: d.oracle == "python" and d.what.endswith(" names") and
           (b"(" in field(d.message, d.what.split()[0].replace("_", "-").encode()) + field(d.message, rb"from") or
            b"\n" in field(d.message, d.what.split()[0].encode()))),
    Reason("addresses that are none",
           "Python gives nothing at all when a list has one flaw; GMime drops what it cannot parse. "
           "Ours shows the nearest thing (mail/address.h), since IMAP clients see nothing else: an encoded "
           "word with a comma, a name with \"@\" in it, a forgotten comma, two dots, a route.",
           lambda d: d.what in ADDRESSES and flawed_addresses(d)),
]


def flawed_addresses(d):
    name = d.what.replace("_", "-").encode()
    text = field(d.message, name) or field(d.message, rb"from")
    if d.oracle == "python" and d.theirs == []:
        return True
    flaw = (rb"=\?[^ ]*,[^ ]*\?="      # a comma in an encoded word
            rb"|<@[^>]*:"              # a route
            rb"|\.\.|\.@"              # dots in a row
            rb"|@[^,<>\"]*[ ]+[^,<>\s]+@"  # no comma between
            rb"|@[^,]*<|<>"            # a name with "@"; no address
            rb"|^\s*[^@,]+\s*$")       # no address at all
    return re.search(flaw, text) is not None
