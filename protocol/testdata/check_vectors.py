#!/usr/bin/env python3
"""Builds every object of the wire format from wire.md alone and compares it with vectors.json, byte by byte.

A second implementation: nothing here is derived from the Rust code. CBOR by cbor2, cryptography by `cryptography`.
"""

import hashlib
import hmac
import json
import pathlib
import sys

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

FUND, INCARNATION, TIME_EPOCH, EUR = 69008, 1, 0, 978
NOW = 1_796_000_000
TERMINAL, EPOCH = 7, 2
PURSE, CARD, REQUEST, BOOT = b"\xa1" * 8, b"\xc1" * 8, b"\x5e" * 8, b"\xb0" * 8
HASH = b"\x11" * 32
PROGRAM = "cabas-agent 0.1.0"


def encode(value):
    return cbor2.dumps(value, canonical=True)


class Key:
    def __init__(self, seed_byte):
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed_byte]) * 32)
        self.public = self.private.public_key().public_bytes_raw()
        self.kid = hashlib.sha256(self.public).digest()[:8]

    def sign(self, payload):
        payload = encode(payload)
        protected = encode({1: -8, 4: self.kid})
        signature = self.private.sign(encode(["Signature1", protected, b"", payload]))
        return encode(cbor2.CBORTag(18, [protected, {}, payload, signature]))


ROOT, HUB, TERM = Key(1), Key(2), Key(3)


def head(object_type):
    return [object_type, 1, FUND, EUR, INCARNATION, TIME_EPOCH]


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def be32(number):
    return number.to_bytes(4, "big")


def balance(scope):
    return HUB.sign({0: head(1), 1: PURSE, 2: scope, 3: 12, 4: 26500, 5: 3, 6: NOW, 7: 3024000})


LINE = [0, 1250, 875, 375]
ORIGIN = [8, 1, 77]
SALE = {0: 42, 1: CARD, 2: 3, 3: PURSE, 4: 4875, 5: 12, 6: [LINE], 7: 9, 8: 4, 9: 3, 10: REQUEST}
DEBIT = {0: 43, 1: CARD, 2: PURSE, 3: 875, 4: 4000, 5: 5}
PURSE_SALE = {
    0: 42, 1: CARD, 2: 1, 3: PURSE, 4: 4875, 5: 12, 6: [LINE, [300, 1250, 875, 375]], 7: 9, 8: 4, 9: 3,
    11: 2000, 12: 6, 13: 6, 14: b"\xcc" * 8,
}
BODIES = [
    ("Start", 1, {0: PROGRAM}),
    ("Sale", 2, SALE),
    ("Sale", 2, PURSE_SALE),
    ("RefundRequest", 3, {0: 44, 1: ORIGIN, 2: PURSE, 3: [LINE], 4: REQUEST}),
    ("Reversal", 4, {0: 45, 1: 2, 2: PURSE, 3: 875, 4: 875}),
    ("Return", 5, {0: PURSE, 1: 1000, 2: 5875, 3: 12, 4: REQUEST}),
    ("ListApplied", 6, {0: 9}),
    ("Intent", 7, DEBIT),
    ("InDoubt", 8, DEBIT),
    ("DoubtResolved", 9, {0: ORIGIN, 1: True}),
    ("Courier", 10, {0: ORIGIN, 1: CARD, 2: PURSE, 3: b"\xdd" * 48}),
    ("Close", 11, {0: 1, 1: 1, 2: 1, 3: 2, 4: 1750, 5: 750, 6: 875, 7: 0, 8: 1234567890}),
    ("CashierChange", 12, {0: 3}),
    ("Training", 13, {0: True}),
    ("ClockSet", 14, {0: 0, 1: NOW}),
    ("Configured", 15, {0: 2, 1: 4, 2: 3}),
    ("CardWritten", 16, {0: CARD, 1: PURSE, 2: 12, 3: 78, 4: b"\xcc" * 8}),
    ("Unknown", 999, [1, 2]),
]


def row(seq, prev, kind, body):
    time = [BOOT, 86_400_000, NOW, 2]
    return TERM.sign({0: head(8), 1: TERMINAL, 2: EPOCH, 3: seq, 4: prev, 5: time, 6: kind, 7: body})


class CodeKeys:
    def __init__(self, locator, secret):
        salt = b"cabas enrolment 1 " + locator.encode()
        self.stretched = PBKDF2HMAC(hashes.SHA256(), 32, salt, 100_000).derive(secret.encode())

    def key(self, purpose):
        return HKDFExpand(hashes.SHA256(), 32, purpose).derive(self.stretched)

    def mac(self, purpose, message):
        return hmac.digest(self.key(purpose), message, "sha256")


def objects():
    """Every object by name, as wire.md describes it."""
    made = {}
    made["balance_card"] = balance([0])
    made["balance_terminal"] = balance([1, TERMINAL, EPOCH])
    made["binding"] = HUB.sign({0: head(2), 1: CARD, 2: 3, 3: PURSE, 4: 1})
    made["hot_list"] = HUB.sign({0: head(3), 1: 9, 2: 8, 3: NOW, 4: [CARD], 5: [], 6: [b"\xc2" * 8], 7: [PURSE]})
    made["policy"] = HUB.sign({0: head(4), 1: 3, 2: 30000, 3: 15000, 4: 20000, 5: 1209600, 6: True})
    categories = [[0, 100, "Légumes", "Vegetables"], [1, 70, "Épicerie", "Groceries"]]
    made["grid"] = HUB.sign({0: head(5), 1: TERMINAL, 2: 4, 3: 20785, 4: categories})
    made["terminal_config"] = HUB.sign({
        0: head(6), 1: TERMINAL, 2: EPOCH, 3: 2, 4: "Épicerie des Œillets",
        5: "Caisse de l’alimentation, Lyon 8e", 6: "04 00 00 00 00", 7: False,
    })
    made["key_cert"] = ROOT.sign({0: head(7), 1: HUB.public, 2: NOW, 3: False})

    code = CodeKeys("ABCD", "EFGHJKMN")
    proof = code.mac(b"terminal", TERM.public + REQUEST)
    enrol = TERM.sign({0: [9, 1, 0, EUR, 0, 0], 1: "ABCD", 2: TERM.public, 3: REQUEST, 4: proof, 5: PROGRAM})
    made["enrol_request"] = enrol
    request = sha256(enrol)
    secrets = encode({0: b"\x0c" * 32, 1: b"\x0d" * 16})
    made["enrol_answer"] = HUB.sign({
        0: head(10), 1: request, 2: TERMINAL, 3: EPOCH, 4: ROOT.public, 5: [made["key_cert"]],
        6: code.mac(b"hub", request + be32(FUND) + ROOT.public),
        7: ChaCha20Poly1305(code.key(b"seal")).encrypt(request[:12], secrets, b""), 8: NOW,
    })

    genesis = sha256(b"cabas journal 1", be32(FUND), be32(TERMINAL), be32(EPOCH), TERM.public)
    first = row(1, genesis, 1, {0: PROGRAM})
    second = row(2, sha256(first), 2, SALE)
    status = {0: PROGRAM, 1: NOW, 2: 1, 3: 9, 4: 2, 5: 1}
    made["sync_request"] = TERM.sign({
        0: head(11), 1: TERMINAL, 2: EPOCH, 3: REQUEST, 4: [0, genesis], 5: [first, second], 6: 1234, 7: 25000,
        8: status, 9: [], 10: False,
    })
    made["sync_answer"] = HUB.sign({
        0: head(12), 1: HASH, 2: NOW, 3: 0, 4: [2, HASH], 5: 1, 6: 1240, 7: False, 8: [made["balance_terminal"]],
        9: False,
    })
    made["sync_request_list"] = TERM.sign({
        0: head(11), 1: TERMINAL, 2: EPOCH, 3: REQUEST, 4: [0, genesis], 5: [], 6: 1234, 7: 25000,
        8: status, 9: [], 10: True, 11: {0: 9, 1: [CARD]},
    })
    made["sync_answer_list"] = HUB.sign({
        0: head(12), 1: HASH, 2: NOW, 3: 0, 4: [2, HASH], 5: 1, 6: 1240, 7: False, 8: [], 9: True, 10: True,
    })
    made["extend_request"] = TERM.sign({0: head(13), 1: TERMINAL, 2: EPOCH, 3: REQUEST, 4: PURSE, 5: 5000})
    made["extend_answer"] = HUB.sign({0: head(14), 1: HASH, 2: NOW, 3: made["balance_terminal"]})
    made["card_session_request"] = TERM.sign(
        {0: head(15), 1: TERMINAL, 2: EPOCH, 3: REQUEST, 4: 1, 5: [b"\x91\x00"]})
    select = bytes.fromhex("905a00000301020300")
    made["card_session_answer"] = HUB.sign({0: head(16), 1: HASH, 2: REQUEST, 3: 1, 4: [select], 5: True,
                                             6: "card 12 is issued"})
    made["recall"] = HUB.sign({0: head(17), 1: TERMINAL, 2: EPOCH, 3: PURSE, 4: 0, 5: REQUEST})
    made["refund_decision"] = HUB.sign({0: head(19), 1: TERMINAL, 2: EPOCH, 3: 7, 4: True})
    made["slot_key"] = HUB.sign({0: head(20), 1: TERMINAL, 2: EPOCH, 3: CARD, 4: 5, 5: 2, 6: b"\x55" * 16, 7: 1})
    lines = [[1, 2, 800, 75, 1], [2, 3, 100, 0, 0], [3, 9, 50, 0, 0], [4, 4, 0, 300, 7], [5, 41, 200, 0, 0]]
    made["settlement_statement"] = HUB.sign({
        0: head(21), 1: 3, 2: NOW, 3: "epicerie-oeillets", 4: [[TERMINAL, EPOCH, 1, 40, HASH]],
        5: [[kind, [TERMINAL, EPOCH, seq], settled, unpaid, why] for kind, seq, settled, unpaid, why in lines],
        6: 50, 7: 0, 8: 1000, 9: 200,
    })
    made["refusal"] = HUB.sign({0: head(18), 1: HASH, 2: 7, 3: "4 tries left"})
    release = ROOT.sign({0: [23, 1, 0, EUR, 0, 0], 1: "0.2.0", 2: "aarch64-linux-gnu", 3: 6_770_000, 4: HASH, 5: 8, 6: [1, 300], 7: NOW})
    made["release"] = release
    about = {0: head(24), 1: TERMINAL, 2: EPOCH, 3: REQUEST, 4: "0.1.0", 5: "aarch64-linux-gnu", 6: [1]}
    made["about_request"] = TERM.sign({**about, 7: 5, 8: HASH, 9: "0.2.0: it failed"})
    made["about_request_troubles"] = TERM.sign({**about, 7: 5, 8: HASH, 9: "0.2.0: it failed", 10: [1, 300]})
    made["about_request_none"] = TERM.sign({**about, 7: 0, 9: "0.2.0: it failed"})
    made["about_answer"] = HUB.sign({0: head(25), 1: HASH, 2: NOW, 3: "0.1.0", 4: [1], 5: release})
    made["about_answer_none"] = HUB.sign({0: head(25), 1: HASH, 2: NOW, 3: "0.1.0", 4: [1]})
    made["piece_request"] = TERM.sign({0: head(26), 1: TERMINAL, 2: EPOCH, 3: REQUEST, 4: HASH, 5: 65_536, 6: 65_536})
    made["piece_answer"] = HUB.sign({0: head(27), 1: HASH, 2: b"\x7f\x45"})
    made["e_receipt_sale"] = TERM.sign({
        0: head(22), 1: TERMINAL, 2: EPOCH, 3: 2, 4: 42, 5: 1, 6: NOW, 7: [[0, 875, 375]],
    })
    made["e_receipt_refund"] = TERM.sign({
        0: head(22), 1: TERMINAL, 2: EPOCH, 3: 70_000, 4: 999_999, 5: 3, 6: NOW,
        7: [[0, 1250, 0], [1, 700, 300], [300, 0, 99]],
    })
    for index, (name, kind, body) in enumerate(BODIES):
        made[f"row_{index:02}_{name}"] = row(index + 1, HASH, kind, body)
    return made


def main():
    stored = json.loads((pathlib.Path(__file__).parent / "vectors.json").read_text())
    made = {name: value.hex() for name, value in objects().items()}
    failed = 0
    for name in sorted(stored.keys() | made.keys()):
        if stored.get(name) != made.get(name):
            failed += 1
            print(f"{name}: differs\n  stored {stored.get(name)}\n  made   {made.get(name)}", file=sys.stderr)
    print(f"{len(stored) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
