#!/usr/bin/python3
"""Evolution's IMAP engine (Camel's imapx), without a screen, a bus or a registry.

    camel_qresync.py PORT USER PASSWORD FOLDER [WHAT...]

Opens INBOX with what FOLDER keeps of it from before, then does WHAT, in turn:
`+UID FLAG`, `-UID FLAG`, `keep` (what was kept the last time goes out), `wait` (says so and
reads a line), `refresh`.  Tells the messages and flags that it then knows, as JSON.
"""

import json
import sys
import time

import gi

gi.require_version("Camel", "1.2")
from gi.repository import Camel, GLib  # noqa: E402

MOST = 40
FLAGS = {n: getattr(Camel.MessageFlags, n) for n in
         ("ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN")}


class Session(Camel.Session):
    password = None

    def do_authenticate_sync(self, service, mechanism, cancellable):
        service.set_password(self.password)
        result = service.authenticate_sync(mechanism, cancellable)
        return (result[0] if isinstance(result, tuple) else result) == \
            Camel.AuthenticationResult.ACCEPTED


def open_store(port, user, password, folder):
    Camel.init(folder, False)
    Camel.provider_init()
    session = Session(user_data_dir=folder + "/data", user_cache_dir=folder + "/cache")
    session.password = password
    session.set_online(True)
    store = session.add_service("account", "imapx", Camel.ProviderType.STORE)
    settings = store.ref_settings()
    settings.set_host("127.0.0.1")
    settings.set_port(port)
    settings.set_user(user)
    settings.set_security_method(Camel.NetworkSecurityMethod.NONE)
    settings.props.use_qresync = True
    settings.props.use_idle = False
    settings.props.filter_inbox = False
    settings.props.concurrent_connections = 1
    store.set_online_sync(True, None)
    store.connect_sync(None)
    return session, store


def known(folder):
    """By UID; get_uids() cannot be asked from Python, which frees what is the folder's."""
    out = {}
    for uid in map(str, range(1, MOST)):
        if (info := folder.get_message_info(uid)) is not None:
            flags = info.get_flags()
            out[uid] = {"flags": sorted(n for n, f in FLAGS.items() if flags & int(f)),
                        "subject": info.get_subject()}
    return out


def do(folder, what, more):
    if what[0] in "+-":
        flag = FLAGS[more.pop(0)]
        folder.set_message_flags(what[1:], flag, flag if what[0] == "+" else 0)
    elif what == "keep":
        end = time.monotonic() + 1
        while time.monotonic() < end:
            GLib.MainContext.default().iteration(False)
            time.sleep(.01)
        folder.synchronize_sync(True, None)
    elif what == "wait":
        print("waits", flush=True)
        sys.stdin.readline()
    elif what == "refresh":
        folder.refresh_info_sync(None)


def main():
    port, user, password, home, *todo = sys.argv[1:]
    session, store = open_store(int(port), user, password, home)
    inbox = store.get_inbox_folder_sync(None)
    inbox.refresh_info_sync(None)
    while todo:
        do(inbox, todo.pop(0), todo)
    messages = known(inbox)
    text = inbox.get_message_sync(max(messages, key=int), None).get_subject()
    print(json.dumps({"messages": messages, "last": text}), flush=True)
    inbox.synchronize_sync(False, None)
    store.disconnect_sync(True, None)
    session.set_online(False)


main()
