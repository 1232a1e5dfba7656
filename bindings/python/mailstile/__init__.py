"""IMAP for programs that act for many users with one administrator's credential.

    import mailstile

    with mailstile.Client("mail.example", login="gateway", password="...") as imap:
        for user in users:
            imap.act_for(user)              # UNAUTHENTICATE, or another connection: RFC 8437
            imap.run("SELECT", mailstile.Mailbox("INBOX"))
            imap.append("INBOX", open("greeting.eml", "rb"), flags=["\\\\Seen"])

The library's header, mailstile.h, is the manual. A client belongs to one thread at a time;
a pool may be used by any.
"""

import contextlib
import ctypes
import dataclasses
import enum
import os
import tempfile
from typing import BinaryIO, Callable, Iterable, Iterator, List, Optional, Union

from . import _library

__all__ = ["Client", "Data", "Error", "How", "Mailbox", "Pool", "Rc", "Reply", "Stats", "Tls",
           "version"]


class Rc(enum.IntEnum):
    OK, NO, BAD, REFUSED, UNKNOWN, CLOSED, UNREACHABLE, UNTRUSTED, UNSUPPORTED, CORRUPT, \
        TIMEOUT, LIMIT, INVALID = range(13)


class How(enum.IntEnum):
    SAME, CONNECTED, LOGGED_IN, SWITCHED, RECONNECTED = range(5)


class Tls(enum.IntEnum):
    IMPLICIT, START, NONE = range(3)


class Error(Exception):
    """What is not OK. `rc` says what; `code` is the server's response code, or ""."""

    def __init__(self, rc: Rc, text: str, code: str = "") -> None:
        super().__init__(text)
        self.rc, self.code = rc, code


class Mailbox(str):
    """An argument of `run` that is a mailbox name."""


Value = Union[None, bytes, List["Value"]]
Argument = Union[str, int, bytes, Mailbox]


@dataclasses.dataclass(frozen=True)
class Data:
    """An untagged response. `values`: its tokens, lists in lists, strings and atoms as
    bytes, NIL as None."""
    name: str
    number: Optional[int]
    raw: bytes
    code: str
    args: str
    text: str

    @property
    def values(self) -> List[Value]:
        top: List[Value] = []
        open_lists = [top]
        for kind, value in _tokens(self.raw):
            if kind == "(":
                inner: List[Value] = []
                open_lists[-1].append(inner)
                open_lists.append(inner)
            elif kind == ")":
                if len(open_lists) > 1:
                    open_lists.pop()
            else:
                open_lists[-1].append(value)
        return top


@dataclasses.dataclass(frozen=True)
class Reply:
    """The tagged OK and the data before it."""
    code: str
    args: str
    text: str
    data: List[Data]

    def find(self, name: str) -> Optional[Data]:
        return next((d for d in self.data if d.name == name.upper()), None)


@dataclasses.dataclass(frozen=True)
class Stats:
    bytes_in: int
    bytes_out: int
    connections: int
    logins: int
    refused: int
    switches: int
    reconnects: int
    lost: int
    resumed: int


_lib = _library.load()


def version() -> str:
    return _lib.mailstile_version().decode()


def _text(value: Optional[bytes]) -> str:
    return (value or b"").decode("utf-8", "replace")


def _tokens(raw: bytes) -> Iterator[tuple]:
    at, token = ctypes.c_size_t(0), _library.Token()
    while True:
        kind = _lib.mailstile_token_next(raw, len(raw), ctypes.byref(at), ctypes.byref(token))
        if kind == 0:
            return
        if kind == 1:
            yield "atom", ctypes.string_at(token.p, token.n)
        elif kind == 2:
            into = ctypes.create_string_buffer(token.n + 1)
            n = _lib.mailstile_token_copy(ctypes.byref(token), into)
            yield "string", into.raw[:n]
        elif kind == 3:
            yield "nil", None
        else:
            yield "(" if kind == 4 else ")", None


def _data(d: _library.Data) -> Data:
    return Data(_text(d.name), d.number if d.has_number else None,
                ctypes.string_at(d.bytes, d.length) if d.length else b"",
                _text(d.code), _text(d.args), _text(d.text))


def _bytes(value: Union[None, str, os.PathLike]) -> Optional[bytes]:
    return None if value is None else os.fsencode(value)


def _options(host: Optional[str], port: int, tls: Tls, settings: dict) -> _library.Options:
    o = _library.Options(size=ctypes.sizeof(_library.Options), host=_bytes(host), port=port,
                         tls=int(tls))
    for name, value in settings.items():
        if name in ("size", "dial", "dial_arg") or not hasattr(o, name):
            raise TypeError(f"there is no option {name!r}")
        setattr(o, name, _bytes(value) if isinstance(value, (str, os.PathLike)) else value)
    return o


class Client:
    """A connection that is made when it is needed. Options: those of struct
    mailstile_options (login, password, mechanism, ca_file, pin_sha256, certificate, key,
    deadline_ms, retry_ms, never_switch ...)."""

    def __init__(self, host: Optional[str] = None, port: int = 0, tls: Tls = Tls.IMPLICIT,
                 **settings: object) -> None:
        why = ctypes.create_string_buffer(256)
        self._m: Optional[int] = _lib.mailstile_new(
            ctypes.byref(_options(host, port, tls, settings)), why, len(why))
        self._pool: Optional[int] = None
        if not self._m:
            raise Error(Rc.INVALID, _text(why.value))

    @classmethod
    def _of(cls, m: int, pool: int) -> "Client":
        self = cls.__new__(cls)
        self._m, self._pool = m, pool
        return self

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_m", None):
            self.close()

    def close(self) -> None:
        """LOGOUT; a client of a pool is given back."""
        m, self._m = self._m, None
        if m and self._pool:
            _lib.mailstile_pool_give(self._pool, m)
        elif m:
            _lib.mailstile_free(m)

    def _handle(self) -> int:
        if not self._m:
            raise Error(Rc.CLOSED, "the client is closed")
        return self._m

    def _check(self, rc: int) -> None:
        if rc != Rc.OK:
            raise Error(Rc(rc), _text(_lib.mailstile_error(self._handle())))

    def act_for(self, user: str) -> How:
        how = ctypes.c_int()
        self._check(_lib.mailstile_act_for(self._handle(), user.encode(), ctypes.byref(how)))
        return How(how.value)

    @property
    def user(self) -> Optional[str]:
        name = _lib.mailstile_user(self._handle())
        return None if name is None else name.decode()

    @property
    def stats(self) -> Stats:
        s = _library.Stats()
        _lib.mailstile_stats(self._handle(), ctypes.byref(s), ctypes.sizeof(s))
        return Stats(*(getattr(s, name) for name, _ in s._fields_))

    def has(self, capability: str) -> bool:
        return _lib.mailstile_has(self._handle(), capability.encode())

    def forget(self) -> None:
        _lib.mailstile_forget(self._handle())

    def run(self, words: str, *arguments: Argument) -> Reply:
        """A command: words as they are, then arguments with a space before each: str is
        words, too; Mailbox a mailbox name; int a number; bytes a string of any bytes."""
        cmd = _lib.mailstile_command(self._handle())
        if not cmd:
            raise Error(Rc.CLOSED, "nobody is logged in")
        _lib.mailstile_put(cmd, words.encode())
        for a in arguments:
            _lib.mailstile_put(cmd, b" ")
            if isinstance(a, Mailbox):
                _lib.mailstile_put_mailbox(cmd, a.encode())
            elif isinstance(a, bytes):
                _lib.mailstile_put_string(cmd, a, len(a))
            else:
                _lib.mailstile_put(cmd, str(a).encode())
        reply = ctypes.POINTER(_library.Reply)()
        rc = _lib.mailstile_run(cmd, ctypes.byref(reply))
        try:
            r = reply.contents
            if rc != Rc.OK:
                raise Error(Rc(rc), _text(r.text), _text(r.code))
            return Reply(_text(r.code), _text(r.args), _text(r.text),
                         [_data(r.line[i]) for i in range(r.lines)])
        finally:
            _lib.mailstile_reply_free(reply)

    def append(self, mailbox: str, message: Union[bytes, BinaryIO],
               flags: Iterable[str] = (), when: int = -1) -> int:
        """APPEND; a file is streamed. The new UID, or 0 where the server does not tell."""
        with contextlib.ExitStack() as stack:
            if isinstance(message, bytes):
                file = stack.enter_context(tempfile.TemporaryFile())
                file.write(message)
                file.flush()
            else:
                file = message
            fd, uid = file.fileno(), ctypes.c_uint32()
            self._check(_lib.mailstile_append(
                self._handle(), mailbox.encode(), " ".join(flags).encode() or None, when, fd,
                os.fstat(fd).st_size, ctypes.byref(uid)))
            return uid.value

    def fetch(self, uid: int, write: Callable[[bytes], object], section: str = "") -> None:
        """Streams BODY.PEEK[section] into `write`. What that raises ends the connection."""
        raised: List[BaseException] = []

        @_library.WRITE
        def piece(_: object, p: int, n: int) -> bool:
            try:
                write(ctypes.string_at(p, n))
            except BaseException as e:      # not through C
                raised.append(e)
            return not raised

        rc = _lib.mailstile_fetch(self._handle(), uid, section.encode(), piece, None)
        if raised:
            raise raised[0]
        self._check(rc)

    def idle(self, seconds: float, wanted: Callable[[Data], bool]) -> bool:
        """IDLE until `wanted` says True, or for so long: False then."""
        raised: List[BaseException] = []

        @_library.EVENT
        def event(_: object, d: int) -> bool:
            try:
                return bool(wanted(_data(_library.Data.from_address(d))))
            except BaseException as e:
                raised.append(e)
                return True

        rc = _lib.mailstile_idle_wait(self._handle(), int(seconds * 1000), event, None)
        if raised:
            raise raised[0]
        if rc != Rc.TIMEOUT:
            self._check(rc)
        return rc == Rc.OK


class Pool:
    """Connections kept for the next user. Options of the pool (struct
    mailstile_pool_options) and of the connections (as Client's)."""

    def __init__(self, host: Optional[str] = None, port: int = 0, tls: Tls = Tls.IMPLICIT, *,
                 connections: int = 8, wait_ms: int = 30000, keep_login: bool = False,
                 **settings: object) -> None:
        po = _library.PoolOptions(size=ctypes.sizeof(_library.PoolOptions),
                                  connections=connections, wait_ms=wait_ms,
                                  keep_login=keep_login)
        self._options = _options(host, port, tls, settings)
        self._p: Optional[int] = _lib.mailstile_pool_new(ctypes.byref(po))

    def _handle(self) -> int:
        if not self._p:
            raise Error(Rc.CLOSED, "the pool is closed")
        return self._p

    @contextlib.contextmanager
    def acting_for(self, user: str) -> Iterator[Client]:
        why, m = ctypes.create_string_buffer(256), ctypes.c_void_p()
        pool = self._handle()
        rc = _lib.mailstile_pool_take(pool, ctypes.byref(self._options),
                                      user.encode(), ctypes.byref(m), None, why, len(why))
        if rc != Rc.OK or not m.value:
            raise Error(Rc(rc), _text(why.value))
        client = Client._of(m.value, pool)
        try:
            yield client
        finally:
            client.close()

    def close(self) -> None:
        """What is still out is closed when it is given back."""
        p, self._p = self._p, None
        if p:
            _lib.mailstile_pool_free(p)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
