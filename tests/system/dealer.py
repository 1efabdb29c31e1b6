"""A peer that holds a good key and says what it likes: a DEALER with CURVE over libzmq itself, and as
much of protobuf as writes a Hello and reads an Envelope's number of session, kind and code."""

import ctypes
import ctypes.util
import os
import re

from site_of import Skip

DEALER = 5
LINGER, RCVTIMEO, PUBLIC, SECRET, SERVER = 17, 27, 48, 49, 50
WELCOME, ERROR = 30, 39


def keys_of(path):
    """A file of `koeval key new`: its keys by name."""
    with open(path, encoding="ascii") as file:
        return dict(re.findall(r'(public|secret)-key\s*=\s*"([^"]{40})"', file.read()))


class Dealer:
    def __init__(self, endpoint, key, server):
        name = ctypes.util.find_library("zmq")
        if not name:
            raise Skip("no libzmq for ctypes")
        self.zmq = ctypes.CDLL(name)
        for call in ("zmq_ctx_new", "zmq_socket"):
            getattr(self.zmq, call).restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.zmq.zmq_ctx_new())
        self.socket = ctypes.c_void_p(self.zmq.zmq_socket(self.context, DEALER))
        pair = keys_of(f"{key}_secret")
        self.set(PUBLIC, pair["public"].encode())
        self.set(SECRET, pair["secret"].encode())
        self.set(SERVER, keys_of(server)["public"].encode())
        for option, value in ((LINGER, 0), (RCVTIMEO, 3000)):
            self.set(option, value.to_bytes(4, "little"))
        assert not self.zmq.zmq_connect(self.socket, endpoint.encode())

    def set(self, option, value):
        done = self.zmq.zmq_setsockopt(self.socket, option, value, ctypes.c_size_t(len(value)))
        assert not done, f"zmq_setsockopt {option}"

    def send(self, frame):
        sent = self.zmq.zmq_send(self.socket, frame, ctypes.c_size_t(len(frame)), 0)
        assert sent == len(frame), sent

    def heard(self):
        """(session, kind, first number inside) of the next message; None: nothing in time."""
        data = ctypes.create_string_buffer(1 << 20)
        size = self.zmq.zmq_recv(self.socket, data, ctypes.c_size_t(len(data)), 0)
        return None if size < 0 else envelope_read(data.raw[:size])

    def close(self):
        self.zmq.zmq_close(self.socket)
        self.zmq.zmq_ctx_term(self.context)


def varint(number):
    out = b""
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def number(field, value):
    return varint(field << 3) + varint(value)


def blob(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def envelope(session, seq, kind, body):
    return number(1, 1) + varint(2 << 3 | 1) + session.to_bytes(8, "little") + number(3, seq) + \
        blob(kind, body)


def hello(slot, digest, facts):
    return number(1, 1) + number(2, 1) + blob(3, b"test") + number(4, slot) + \
        blob(5, os.urandom(16)) + blob(6, b"test") + blob(7, digest) + blob(8, facts) + number(10, 1)


def fields(data):
    """(number, value) of a message's fields, in order."""
    at = 0

    def read():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = read()
        if key & 7 == 0:
            yield key >> 3, read()
        else:
            size = {1: 8, 5: 4}.get(key & 7) or read()
            yield key >> 3, data[at:at + size]
            at += size


def envelope_read(data):
    session, kind, first = 0, 0, None
    for field, value in fields(data):
        if field == 2:
            session = int.from_bytes(value, "little")
        elif field >= 10:
            kind, first = field, next((v for _, v in fields(value)), None)
    return session, kind, first
