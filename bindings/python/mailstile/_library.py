"""libmailstile.so.0 by ctypes: structs and calls as include/mailstile.h has them."""

import ctypes as c
import os

EVENT = c.CFUNCTYPE(c.c_bool, c.c_void_p, c.c_void_p)
WRITE = c.CFUNCTYPE(c.c_bool, c.c_void_p, c.c_void_p, c.c_size_t)
DIAL = c.CFUNCTYPE(c.c_int, c.c_void_p)


class Options(c.Structure):
    _fields_ = [
        ("size", c.c_size_t), ("host", c.c_char_p), ("port", c.c_uint16), ("tls", c.c_int),
        ("dial", DIAL), ("dial_arg", c.c_void_p), ("ca_file", c.c_char_p),
        ("pin_sha256", c.c_char_p), ("certificate", c.c_char_p), ("key", c.c_char_p),
        ("login", c.c_char_p), ("password", c.c_char_p), ("mechanism", c.c_char_p),
        ("connect_ms", c.c_uint32), ("silence_ms", c.c_uint32), ("retry_ms", c.c_uint32),
        ("deadline_ms", c.c_uint32), ("idle_ms", c.c_uint32), ("no_compress", c.c_bool),
        ("never_switch", c.c_bool), ("literal_max", c.c_uint64), ("reply_max", c.c_size_t),
    ]


class PoolOptions(c.Structure):
    _fields_ = [
        ("size", c.c_size_t), ("connections", c.c_uint), ("wait_ms", c.c_uint32),
        ("idle_ms", c.c_uint32), ("age_ms", c.c_uint32), ("check_ms", c.c_uint32),
        ("users", c.c_uint), ("keep_login", c.c_bool),
    ]


class Data(c.Structure):
    _fields_ = [
        ("name", c.c_char_p), ("has_number", c.c_bool), ("number", c.c_uint32),
        ("bytes", c.c_void_p), ("length", c.c_size_t), ("code", c.c_char_p),
        ("args", c.c_char_p), ("text", c.c_char_p),
    ]


class Reply(c.Structure):
    _fields_ = [
        ("rc", c.c_int), ("code", c.c_char_p), ("args", c.c_char_p), ("text", c.c_char_p),
        ("lines", c.c_size_t), ("line", c.POINTER(Data)),
    ]


class Stats(c.Structure):
    _fields_ = [(name, c.c_uint64) for name in (
        "bytes_in", "bytes_out", "connections", "logins", "refused", "switches",
        "reconnects", "lost", "resumed")]


class Token(c.Structure):
    _fields_ = [("kind", c.c_int), ("p", c.c_void_p), ("n", c.c_size_t),
                ("has_escapes", c.c_bool)]


CALLS = {
    "version": (c.c_char_p,),
    "new": (c.c_void_p, c.POINTER(Options), c.c_char_p, c.c_size_t),
    "free": (None, c.c_void_p),
    "is_ready": (c.c_bool, c.c_void_p),
    "has": (c.c_bool, c.c_void_p, c.c_char_p),
    "user": (c.c_char_p, c.c_void_p),
    "why_no_switch": (c.c_char_p, c.c_void_p),
    "stats": (None, c.c_void_p, c.POINTER(Stats), c.c_size_t),
    "forget": (None, c.c_void_p),
    "act_for": (c.c_int, c.c_void_p, c.c_char_p, c.POINTER(c.c_int)),
    "error": (c.c_char_p, c.c_void_p),
    "rc_text": (c.c_char_p, c.c_int),
    "command": (c.c_void_p, c.c_void_p),
    "cancel": (None, c.c_void_p),
    "put": (None, c.c_void_p, c.c_char_p),
    "put_string": (None, c.c_void_p, c.c_char_p, c.c_size_t),
    "put_mailbox": (None, c.c_void_p, c.c_char_p),
    "put_bytes": (None, c.c_void_p, c.c_char_p, c.c_size_t),
    "run": (c.c_int, c.c_void_p, c.POINTER(c.POINTER(Reply))),
    "reply_free": (None, c.POINTER(Reply)),
    "append": (c.c_int, c.c_void_p, c.c_char_p, c.c_char_p, c.c_int64, c.c_int, c.c_uint64,
               c.POINTER(c.c_uint32)),
    "fetch": (c.c_int, c.c_void_p, c.c_uint32, c.c_char_p, WRITE, c.c_void_p),
    "idle_wait": (c.c_int, c.c_void_p, c.c_uint32, EVENT, c.c_void_p),
    "token_next": (c.c_int, c.c_char_p, c.c_size_t, c.POINTER(c.c_size_t), c.POINTER(Token)),
    "token_copy": (c.c_size_t, c.POINTER(Token), c.c_char_p),
    "pool_new": (c.c_void_p, c.POINTER(PoolOptions)),
    "pool_free": (None, c.c_void_p),
    "pool_take": (c.c_int, c.c_void_p, c.POINTER(Options), c.c_char_p, c.POINTER(c.c_void_p),
                  c.POINTER(c.c_int), c.c_char_p, c.c_size_t),
    "pool_give": (None, c.c_void_p, c.c_void_p),
}


def load() -> c.CDLL:
    """The library; MAILSTILE_LIBRARY names another one than the system's."""
    library = c.CDLL(os.environ.get("MAILSTILE_LIBRARY") or "libmailstile.so.0")
    for name, (result, *arguments) in CALLS.items():
        call = getattr(library, "mailstile_" + name)
        call.restype, call.argtypes = result, arguments
    return library
