#!/usr/bin/env python3
"""The coefficient hash of docs/formats.md section 8.3, computed once more, from a redacted frame and its manifest.

Needs nothing but Python. Written from the text alone, slowly and plainly: coefficient_hash.py FRAME MANIFEST
"""
import hashlib
import json
import struct
import sys


def code_of(counts, symbols):
    """Each word, as (length, bits), to its symbol (ITU-T T.81 C.2)."""
    words, code, symbols_left = {}, 0, iter(symbols)
    for length, count in enumerate(counts, 1):
        for _ in range(count):
            words[length, code] = next(symbols_left)
            code += 1
        code <<= 1
    return words


def segments(jpeg):
    """Marker, payload and end of each segment up to the scan."""
    at = 2
    while True:
        end = at + 2 + int.from_bytes(jpeg[at + 2:at + 4], "big")
        yield jpeg[at + 1], jpeg[at + 4:end], end
        at = end


class Scan:
    """Everything the hash is computed from."""

    def __init__(self, jpeg):
        quantisers, tables = {}, {}
        self.interval = 0
        for marker, payload, end in segments(jpeg):
            if marker == 0xDB:
                wide = payload[0] >> 4
                steps = struct.unpack(">64H" if wide else ">64B", payload[1:])
                quantisers[payload[0] & 15] = steps
            elif marker in (0xC0, 0xC1):
                self.height, self.width = struct.unpack(">HH", payload[1:5])
                frame = [payload[i:i + 3] for i in range(6, 6 + 3 * payload[5], 3)]
            elif marker == 0xC4:
                tables[payload[0]] = payload[1:]
            elif marker == 0xDD:
                self.interval = int.from_bytes(payload, "big")
            elif marker == 0xDA:
                names = {payload[1 + 2 * i]: payload[2 + 2 * i] for i in range(payload[0])}
                self.parts = []
                for identity, factors, quantiser in frame:
                    blocks = (1, 1) if len(frame) == 1 else (factors >> 4, factors & 15)
                    dc, ac = (tables[name] for name in (names[identity] >> 4, 0x10 | names[identity] & 15))
                    self.parts.append((blocks, quantisers[quantiser], dc, ac))
                data = jpeg[end:-2]
                break
        self.words = [[code_of(t[:16], t[16:]) for t in (dc, ac)] for _, _, dc, ac in self.parts]
        self.columns = -(-self.width // (8 * max(b[0] for b, *_ in self.parts)))
        self.rows = -(-self.height // (8 * max(b[1] for b, *_ in self.parts)))
        self.walk(data)

    def walk(self, data):
        """The bits of each MCU as text, and its coefficients."""
        intervals, current, i = [], bytearray(), 0
        while i < len(data):
            if data[i] == 0xFF and data[i + 1] != 0:
                intervals.append(current)
                current, i = bytearray(), i + 2
                continue
            current.append(data[i])
            i += 2 if data[i] == 0xFF else 1
        intervals.append(current)
        mcus = self.columns * self.rows
        self.bits, self.coefficients = [], []
        for interval in intervals:
            text, at, dcs = "".join(f"{b:08b}" for b in interval), 0, [0] * len(self.parts)
            for _ in range(min(self.interval or mcus, mcus - len(self.bits))):
                start, blocks = at, []
                for part, (factors, *_) in enumerate(self.parts):
                    for _ in range(factors[0] * factors[1]):
                        block, at = self.block(text, at, part, dcs)
                        blocks += block
                self.bits.append(text[start:at])
                self.coefficients.append(blocks)

    def block(self, text, at, part, dcs):
        def symbol(words):
            nonlocal at
            for length in range(1, 17):
                found = words.get((length, int(text[at:at + length], 2)))
                if found is not None:
                    at += length
                    return found
            raise ValueError("no such word")

        def value(size):
            nonlocal at
            bits = int(text[at:at + size] or "0", 2)
            at += size
            return bits if size == 0 or bits >> (size - 1) else bits - (1 << size) + 1

        dc, ac = self.words[part]
        dcs[part] += value(symbol(dc))
        block, k = [dcs[part]] + [0] * 63, 1
        while k < 64:
            run, size = divmod(symbol(ac), 16)
            if size == 0 and run < 15:
                break
            block[k + run] = value(size)
            k += run + 1
        return block, at


def coefficient_hash(scan, masked):
    hashed = hashlib.sha256(b"vigie coefficients 1\0")
    hashed.update(struct.pack(">IIIB", scan.width, scan.height, scan.interval, len(scan.parts)))
    for blocks, steps, dc, ac in scan.parts:
        hashed.update(bytes(blocks) + struct.pack(">64H", *steps) + dc + ac)
    interval, mcu, mcus = scan.interval or len(scan.bits), 0, len(scan.bits)
    while mcu < mcus:
        if mcu in masked:
            mcu += 1
            continue
        first = mcu
        mcu += 1
        while mcu < mcus and mcu not in masked and mcu % interval:
            mcu += 1
        hashed.update(struct.pack(">II", first, mcu - first))
        if first % interval:
            blocks = scan.coefficients[first]
            hashed.update(struct.pack(f">{len(blocks)}h", *blocks))
            first += 1
        bits = "".join(scan.bits[first:mcu])
        bits += "0" * (-len(bits) % 8)
        hashed.update(int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:])
    return hashed.hexdigest()


def main():
    with open(sys.argv[1], "rb") as frame, open(sys.argv[2], "rb") as manifest:
        scan, manifest = Scan(frame.read()), json.load(manifest)
    runs = manifest["mask"]["runs"]
    masked = {row * scan.columns + first + i for row, first, count in runs for i in range(count)}
    found = coefficient_hash(scan, masked)
    print(found)
    return 0 if found == manifest["coefficients"] else 4


if __name__ == "__main__":
    sys.exit(main())
