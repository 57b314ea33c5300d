#!/usr/bin/env python3
"""A whole client of treatyd in Python: one transaction with one branch.

usage: begin_commit.py HOST PORT        docs/protocol.md explains each byte
"""
import os
import socket
import struct
import sys

HELLO, BEGIN, REGISTER, COMMIT, BRANCH_DONE = 1, 3, 4, 6, 11
WELCOME, REPLY, COMMAND, TCC = 64, 66, 67, 1
LIST, XID, BRANCH, NAME, APPLICATION, INSTANCE = 1, 2, 3, 4, 5, 6
MODE, RESOURCE, CLIENT_KEY, WAIT_MS, STATUS, ERR = 9, 10, 12, 13, 14, 17
TEXT, COMMAND_TYPE = 21, 23


def send(kind, number, *fields):
    body = struct.pack(">BBQ", 1, kind, number)
    for tag, value in fields:
        if isinstance(value, int):
            value = struct.pack(">Q", value)
        body += struct.pack(">BI", tag, len(value)) + value
    frame = struct.pack(">QI", 4 + len(body), number & 0x7fffffff | 1 << 31)
    tc.sendall(frame + body)


def receive():
    size, _ = struct.unpack(">QI", tc_in.read(12))
    body = tc_in.read(size - 4)
    version, kind, number = struct.unpack(">BBQ", body[:10])
    fields, at = {}, 10
    while at < len(body):
        tag, size = struct.unpack(">BI", body[at:at + 5])
        fields[tag] = body[at + 5:at + 5 + size]
        at += 5 + size
    return kind, number, fields


def ask(kind, number, *fields):
    send(kind, number, *fields)
    while True:
        got, its_number, answer = receive()
        if got == COMMAND:  # phase two may come before the answer
            phase_two(its_number, answer)
        elif got in (WELCOME, REPLY) and its_number == number:
            if ERR in answer:
                sys.exit(answer.get(TEXT, b"refused").decode())
            return answer


def phase_two(number, command):
    rollback = COMMAND_TYPE in command  # 0, commit, is not sent
    print("phase two:", "rollback" if rollback else "commit")
    send(BRANCH_DONE, number, (XID, command[XID]),
         (BRANCH, command[BRANCH]), (STATUS, 8 if rollback else 5))


tc = socket.create_connection((sys.argv[1], int(sys.argv[2])))
tc_in = tc.makefile("rb")
tc.sendall(bytes.fromhex("0053500000300000"))
assert tc_in.read(8) == bytes.fromhex("0053500000310000")
ask(HELLO, 1, (APPLICATION, b"python"), (INSTANCE, os.urandom(8).hex().encode()),
    (LIST, b"python-demo"))
xid = ask(BEGIN, 2, (NAME, b"a transfer"))[XID]
print("began", xid.decode())
ask(REGISTER, 3, (XID, xid), (MODE, TCC), (RESOURCE, b"python-demo"),
    (CLIENT_KEY, 1))  # from here on the branch may do its work
status = ask(COMMIT, 4, (XID, xid), (WAIT_MS, 10000))[STATUS]
print("status", int.from_bytes(status, "big"))  # 9: committed
