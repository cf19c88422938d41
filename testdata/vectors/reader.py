"""A second reader of what vigie leaves behind, written from docs/formats.md alone.

    reader.py kit [FOLDER]              reads every file of the kit: a line of JSON for each
    reader.py item FILE KEY             opens an item with a secret key of the service; writes the plaintext
    reader.py journal FILE DEVICE.pub   checks an exported journal
    reader.py head|checkpoint FILE DEVICE.pub
    reader.py key FILE KIND             KIND: device.pub, device.key, service.pub, service.key

Says the class of the first fault, as docs/formats.md section 9 names them, and exits with 4 if there is one.
Needs Python 3.9 and `cryptography`. HPKE is RFC 9180 by hand, XChaCha20 is HChaCha20 by hand.
"""

import hashlib
import json
import pathlib
import re
import struct
import sys

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Fault(Exception):
    """What is wrong, as one of the document's classes."""


def must(condition, fault):
    if not condition:
        raise Fault(fault)


def sha256(data):
    return hashlib.sha256(data).digest()


def lower_hex(text, size):
    """`size` bytes from lower-case digits, or nothing."""
    return bytes.fromhex(text) if re.fullmatch(r"[0-9a-f]{%d}" % (2 * size), text) else None


# Section 1: key files.

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P


def is_usable_ed25519(key):
    """A canonical point (RFC 8032, section 5.1.3) whose order is not a divisor of 8."""
    sign, y = key[31] >> 7, int.from_bytes(key, "little") & (2**255 - 1)
    if y >= P:
        return False
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if v * x * x % P != u or x == 0 and sign:
        return False
    for _ in range(3):  # eight times the point
        k = D * x * x * y * y % P
        x, y = 2 * x * y * pow(1 + k, P - 2, P) % P, (y * y + x * x) * pow(1 - k, P - 2, P) % P
    return (x, y) != (0, 1)


def read_key(data, kind):
    """The 32 bytes of a key file, which must be of this kind: device.pub, service.key and so on."""
    must(len(data) < 4096, "malformed")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Fault("malformed") from None
    form = re.fullmatch(
        "vigie (public|secret) key 1\n"
        "kind: (?:(device)|(service|recovery)\nepoch: [2-9][0-9]{3}-Q[1-4])\n"
        "fingerprint: ([0-9a-f]{16})\n"
        "key: ([0-9a-f]{64})\n?",
        text.replace("\r\n", "\n"),
    )
    must(form, "malformed")
    half, device, _, fingerprint, digits = form.groups()
    holder, end = kind.split(".")
    wanted = ("secret" if end == "key" else "public", holder == "device")
    must((half, bool(device)) == wanted, "wrong-key")
    key = bytes.fromhex(digits)
    public = key
    if half == "secret":
        private = (Ed25519PrivateKey if device else X25519PrivateKey).from_private_bytes(key)
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    elif device:
        must(is_usable_ed25519(key), "malformed")
    must(sha256(public)[:8].hex() == fingerprint, "malformed")
    return key


def signed_by(key, message, signature):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        # Strict: the signature's point too must be canonical and of full order.
        return is_usable_ed25519(signature[:32])
    except InvalidSignature:
        return False


# Section 2: items.


def hmac(key, *parts):
    mac = HMAC(key, SHA256())
    for part in parts:
        mac.update(part)
    return mac.finalize()


KEM_SUITE = b"KEM" + struct.pack(">H", 0x0020)
HPKE_SUITE = b"HPKE" + struct.pack(">HHH", 0x0020, 0x0001, 0x0003)


def labeled_extract(suite, salt, label, ikm):
    return hmac(salt or bytes(32), b"HPKE-v1", suite, label, ikm)


def labeled_expand(suite, prk, label, info, length):
    info = struct.pack(">H", length) + b"HPKE-v1" + suite + label + info
    return hmac(prk, info, b"\x01")[:length]


def hpke_open(secret, enc, ciphertext, info, aad):
    """RFC 9180, SealBase's opposite, one message."""
    private = X25519PrivateKey.from_private_bytes(secret)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
    except ValueError:  # all zero
        raise Fault("stanza") from None
    prk = labeled_extract(KEM_SUITE, b"", b"eae_prk", shared)
    shared = labeled_expand(KEM_SUITE, prk, b"shared_secret", enc + public, 32)
    context = (
        b"\0"
        + labeled_extract(HPKE_SUITE, b"", b"psk_id_hash", b"")
        + labeled_extract(HPKE_SUITE, b"", b"info_hash", info)
    )
    prk = labeled_extract(HPKE_SUITE, shared, b"secret", b"")
    key = labeled_expand(HPKE_SUITE, prk, b"key", context, 32)
    nonce = labeled_expand(HPKE_SUITE, prk, b"base_nonce", context, 12)
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, aad)
    except InvalidTag:
        raise Fault("stanza") from None


def hchacha20(key, nonce):
    """draft-irtf-cfrg-xchacha-03, section 2.2."""
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            mixed = state[z] ^ state[x]
            state[z] = (mixed << turn | mixed >> 32 - turn) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for n in range(4):
            quarter(n, 4 + (n + 1) % 4, 8 + (n + 2) % 4, 12 + (n + 3) % 4)
    return struct.pack("<8I", *state[:4], *state[12:])


def xchacha20_poly1305_open(key, nonce, ciphertext, aad):
    inner = ChaCha20Poly1305(hchacha20(key, nonce[:16]))
    return inner.decrypt(bytes(4) + nonce[16:], ciphertext, aad)


CHUNK, TAG, FIXED, STANZA = 65536, 16, 64, 92


def open_item(data, secret):
    """The plaintext of an item."""
    must(data[:8] == b"vigieitm", "not-an-item")
    must(len(data) < 10 or data[8:10] == b"\0\1", "version")
    must(len(data) >= FIXED, "truncated")
    kind, count, _, device, event, length, prefix, reserved = struct.unpack(">BBI8s8sQ19s5s", data[10:FIXED])
    must(kind in (1, 2, 3) and 1 <= count <= 8, "header")
    must(length <= 268435456 and reserved == bytes(5), "header")
    stanzas = []
    for at in range(FIXED, FIXED + STANZA * count, STANZA):
        must(len(data) >= at + STANZA, "truncated")
        role, quarter, year, fingerprint, enc, ct = struct.unpack(">BBH8s32s48s", data[at : at + STANZA])
        must(role in (1, 2) and 1 <= quarter <= 4 and 2000 <= year <= 9999, "header")
        stanzas.append((fingerprint, enc, ct))
    header, body = data[: FIXED + STANZA * count], data[FIXED + STANZA * count :]

    public = X25519PrivateKey.from_private_bytes(secret).public_key()
    mine = sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw))[:8]
    stanza = next((stanza for stanza in stanzas if stanza[0] == mine), None)
    must(stanza, "other-key")
    content_key = hpke_open(secret, stanza[1], stanza[2], b"vigie content key 1", device + event)

    chunks = max(1, -(-length // CHUNK))
    plaintext = b""
    for i in range(chunks):
        last = i == chunks - 1
        size = (length - i * CHUNK if last else CHUNK) + TAG
        sealed, body = body[:size], body[size:]
        must(len(sealed) == size, "truncated")
        nonce = prefix + struct.pack(">IB", i, last)
        try:
            plaintext += xchacha20_poly1305_open(content_key, nonce, sealed, sha256(header))
        except InvalidTag:
            raise Fault("damaged") from None
    must(not body, "trailing")
    return plaintext


# Sections 5 and 6: signed documents, the journal's chain and its export.


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def one_text(text, form):
    """The object that `text` says, in the one way in which it may be said."""

    def fits(value, form):
        if isinstance(form, dict):
            return isinstance(value, dict) and list(value) == list(form) and all(
                fits(value[name], form[name]) for name in form
            )
        if isinstance(form, list):
            return isinstance(value, list) and all(fits(one, form[0]) for one in value)
        return form(value)

    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if compact(value) == text and fits(value, form) else None


def is_number(value):
    return type(value) is int and 0 <= value < 2**64


def is_text(value):
    return isinstance(value, str)


def is_hex(size):
    return lambda value: is_text(value) and lower_hex(value, size) is not None


def is_time(value):
    return is_text(value) and re.fullmatch(r"-?\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", value)


def is_device_key(value):
    return is_hex(32)(value) and is_usable_ed25519(bytes.fromhex(value))


def is_text_or_null(value):
    return value is None or is_text(value)


HEAD = {
    "closed": is_time,
    "database": {"block": is_number, "blocks": [is_hex(32)], "sha256": is_hex(32), "size": is_number},
    "device": is_hex(8),
    "device_key": is_device_key,
    "items": is_number,
    "journal_hash": is_hex(32),
    "journal_seq": is_number,
}
CHECKPOINT = {
    "device": is_hex(8),
    "device_key": is_device_key,
    "first": is_time,
    "hash": is_hex(32),
    "last": is_time,
    "pruned": is_time,
    "seq": is_number,
}


def read_signed(data, title, form):
    """Content, what is signed, and the signature."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Fault("damaged") from None
    lines = text.split("\n")
    must(len(lines) == 4 and lines[0] == title and lines[3] == "", "damaged")
    content = one_text(lines[1], form)
    signature = lower_hex(lines[2], 64)
    must(content is not None and signature, "damaged")
    return content, f"{lines[0]}\n{lines[1]}\n".encode(), signature


def device_id(key):
    return sha256(key)[:8].hex()


def read_head(data):
    """Signed by the key that it names itself."""
    content, message, signature = read_signed(data, "vigie vault head 1", HEAD)
    key = bytes.fromhex(content["device_key"])
    must(content["device"] == device_id(key) and signed_by(key, message, signature), "signature")
    return content


def read_checkpoint(data, device):
    content, message, signature = read_signed(data, "vigie journal checkpoint 1", CHECKPOINT)
    must(signed_by(device, message, signature), "signature")
    must(content["device_key"] == device.hex() and content["device"] == device_id(device), "damaged")
    return content


HEADER = {
    "export": is_text,
    "device": is_hex(8),
    "device_key": is_device_key,
    "after": {"seq": is_number, "hash": is_hex(32)},
    "checkpoint": is_text_or_null,
}
LINE = {
    "seq": is_number,
    "time": is_text,
    "kind": is_text,
    "body": is_text,
    "prev": is_hex(32),
    "hash": is_hex(32),
}
LAST = {"head": {"seq": is_number, "hash": is_hex(32), "signature": is_text}}


def line_hash(line):
    data = b"vigie journal line 1\0" + struct.pack(">Q", line["seq"])
    for name in ("time", "kind", "body"):
        text = line[name].encode()
        data += struct.pack(">Q", len(text)) + text
    return sha256(data + bytes.fromhex(line["prev"])).hex()


def check_journal(data, device):
    """An export: every line of it; its head, as it is noted down."""
    try:
        texts = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise Fault("damaged") from None
    header = one_text(texts[0], HEADER) if len(texts) > 1 else None
    must(header and header["export"] == "vigie journal 1", "damaged")
    must(header["device"] == device_id(bytes.fromhex(header["device_key"])), "damaged")
    must(header["device_key"] == device.hex(), "box")

    after = header["after"]
    start = {"seq": 0, "hash": sha256(b"vigie journal 1\0" + device).hex()}
    if header["checkpoint"] is not None:
        try:
            checkpoint = read_checkpoint(header["checkpoint"].encode(), device)
        except Fault:
            raise Fault("begin") from None
        start = {"seq": checkpoint["seq"], "hash": checkpoint["hash"]}
    must(after["seq"] > start["seq"] or after == start, "begin")

    seq, previous, last = after["seq"], after["hash"], None
    for nth, text in enumerate(texts[1:], 1):
        if nth == len(texts) - 1:
            must(text == "", "damaged")
            break
        if last:
            raise Fault("added")
        line, last = one_text(text, LINE), one_text(text, LAST)
        must(line or last, "damaged")
        if line:
            must(line["seq"] == seq + 1 and line["prev"] == previous, "order")
            must(line["hash"] == line_hash(line), "changed")
            seq, previous = line["seq"], line["hash"]
    must(last, "cut")
    head = last["head"]
    message = b"vigie journal head 1\0" + device + struct.pack(">Q", head["seq"]) + bytes.fromhex(head["hash"])
    signature = lower_hex(head["signature"], 64)
    must(signature and signed_by(device, message, signature), "signature")
    must(seq >= head["seq"], "cut")
    must(seq <= head["seq"], "added")
    must(previous == head["hash"], "order")
    return f"{seq}:{previous}"


# The command.


def read(form, path, key_of, kind):
    """Reads one file; what it holds, for whoever compares two readers."""
    data = path.read_bytes()
    if form == "key":
        read_key(data, kind)
        return re.search(b"fingerprint: ([0-9a-f]+)", data)[1].decode()
    if form == "item":
        return sha256(open_item(data, key_of("service.key"))).hex()
    if form == "head":
        return str(read_head(data)["journal_seq"])
    if form == "checkpoint":
        return str(read_checkpoint(data, key_of("device.pub"))["seq"])
    return check_journal(data, key_of("device.pub"))


def judge(*arguments):
    try:
        return "good", read(*arguments)
    except Fault as fault:
        return str(fault), None


def main(form, *rest):
    if form == "kit":
        folder = pathlib.Path(rest[0] if rest else pathlib.Path(__file__).parent / "kit")
        for entry in json.loads((folder / "kit.json").read_text("utf-8"))["files"]:
            beside = folder.parent / entry["with"]
            said, held = judge(
                entry["form"],
                folder / entry["file"],
                lambda kind: read_key(beside.read_bytes(), kind),
                entry["with"],
            )
            print(json.dumps({"file": entry["file"], "class": said, "holds": held}))
        return 0
    path, beside = pathlib.Path(rest[0]), rest[1]
    if form == "item":
        try:
            key = read_key(pathlib.Path(beside).read_bytes(), "service.key")
            sys.stdout.buffer.write(open_item(path.read_bytes(), key))
            return 0
        except Fault as fault:
            print(fault, file=sys.stderr)
            return 4
    said, held = judge(form, path, lambda kind: read_key(pathlib.Path(beside).read_bytes(), kind), beside)
    print(said, held or "")
    return 0 if said == "good" else 4


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
