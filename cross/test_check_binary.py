"""What `make arm` promises to notice, with made-up findings: python3 cross/test_check_binary.py"""

import tomllib
import unittest
from pathlib import Path

from check_binary import faults

EXPECTED = tomllib.loads((Path(__file__).parent / "expected.toml").read_text())["aarch64"]
WITHIN = {
    "size": EXPECTED["size_at_most"],
    "glibc": EXPECTED["glibc_at_most"],
    "needed": EXPECTED["needed"],
    "machine": "AArch64",
    "stripped": True,
}


def told(**changed):
    return [what for what, _, _ in faults(WITHIN | changed, EXPECTED, "aarch64")]


class CheckBinary(unittest.TestCase):
    def test_what_is_just_within_passes(self):
        self.assertEqual(told(), [])
        self.assertEqual(told(needed=["libc.so.6"], glibc="2.4"), [], "2.4 is older than 2.31")

    def test_one_byte_too_many_is_told(self):
        self.assertEqual(told(size=WITHIN["size"] + 1), [f"{WITHIN['size'] + 1:,} bytes, more than {WITHIN['size']:,}"])

    def test_a_newer_c_library_is_told(self):
        for glibc in ("2.32", "2.100", "3.0"):
            self.assertEqual(told(glibc=glibc), [f"asks for glibc {glibc}, newer than 2.31"])

    def test_another_library_is_told_by_its_name(self):
        self.assertEqual(told(needed=[*EXPECTED["needed"], "libssl.so.3"]), ["needs libssl.so.3"])

    def test_another_machine_and_symbols_are_told(self):
        self.assertEqual(told(machine="Advanced Micro Devices X86-64"), ["is for Advanced Micro Devices X86-64"])
        self.assertEqual(told(stripped=False), ["holds its symbols"])


if __name__ == "__main__":
    unittest.main()
