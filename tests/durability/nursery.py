"""Brings up `understudy serve` processes quickly: run as a script by `kill_process.Nursery`.

It imports what the command imports, and does nothing else with it: no thread, no loop, no store.
For each message that it reads it forks a child, and the child runs the command as if it had been
typed. That saves a second or more of imports a start; what is started has never run before.

Standard input is a Unix socket. A message is a JSON array of arguments, with two descriptors for
the child's standard output and error; the answer is the child's pid. It ends, and every child with
it, when the socket is closed.
"""

import ctypes
import json
import os
import signal
import socket
import sys

import understudy.app
import understudy.store.postgres
import understudy.store.sql_opening
from understudy.cli import run

PR_SET_PDEATHSIG = 1
#: Used here only to say what is imported for its own sake.
IMPORTED = (understudy.app, understudy.store.postgres, understudy.store.sql_opening)


def child(arguments, out, err):
    """The command, in a process of its own."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    code = 1
    try:
        code = run(arguments)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main():
    asked = socket.socket(fileno=os.dup(0))
    # The dead are nobody's to wait for: whoever asked for them watches them by a pidfd.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(asked, 65536, 2)
        except ConnectionError:
            return
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            asked.close()
            child(json.loads(message), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        asked.sendall(pid.to_bytes(4, "big"))


main()
