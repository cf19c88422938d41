"""Checks what a program asks of the board it will run on.

    python3 cross/check_binary.py PROGRAM cross/expected.toml SECTION
    python3 cross/check_binary.py --glibc FILE...        prints the newest glibc that one of them asks for

Its size, the newest glibc it asks for, and the libraries it needs must be within what SECTION says. Read with readelf.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path


def readelf(program, *options):
    return subprocess.run(["readelf", "--wide", *options, program], check=True, capture_output=True, text=True).stdout


def version(text):
    return tuple(int(part) for part in text.split("."))


def asked(program):
    """What `program` asks for: size in bytes, glibc version, libraries, machine, and whether symbols are left."""
    dynamic = readelf(program, "--dynamic")
    versions = re.findall(r"\bGLIBC_(\d+(?:\.\d+)+)", readelf(program, "--version-info"))
    return {
        "size": Path(program).stat().st_size,
        "glibc": max(versions, key=version, default="0"),
        "needed": sorted(re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic)),
        "machine": re.search(r"Machine:\s+(.+)", readelf(program, "--file-header")).group(1).strip(),
        "stripped": ".symtab" not in readelf(program, "--sections"),
    }


MACHINES = {"aarch64": "AArch64", "x86_64": "Advanced Micro Devices X86-64"}


def faults(found, expected, section):
    """Each as (what, why, what to do)."""
    at_most = expected["size_at_most"]
    if found["size"] > at_most:
        yield (
            f"{found['size']:,} bytes, more than {at_most:,}",
            "a dependency or a feature was added",
            "see what grew (cargo bloat), or raise size_at_most and say why",
        )
    if version(found["glibc"]) > version(expected["glibc_at_most"]):
        yield (
            f"asks for glibc {found['glibc']}, newer than {expected['glibc_at_most']}",
            "it was linked against a newer C library",
            "build with cross/toolchain.sh, or decide which boards to give up",
        )
    for library in sorted(set(found["needed"]) - set(expected["needed"])):
        yield (
            f"needs {library}",
            "a dependency links a library that boards may not have",
            "link it statically, or add it to `needed` and to docs/boards.md",
        )
    if found["machine"] != MACHINES[section]:
        yield (f"is for {found['machine']}", f"{section} was asked for", "build for the right target")
    if not found["stripped"]:
        yield ("holds its symbols", "it was built without strip", "build it with `make arm`")


def main():
    if sys.argv[1] == "--glibc":
        return print(max((asked(file)["glibc"] for file in sys.argv[2:]), key=version))
    program, expectation, section = sys.argv[1:]
    with open(expectation, "rb") as file:
        expected = tomllib.load(file)[section]
    found = asked(program)
    print(f"{program}: {found['size']:,} bytes, glibc {found['glibc']}, needs {', '.join(found['needed'])}")
    refused = list(faults(found, expected, section))
    for what, why, remedy in refused:
        print(f"{what}\n  where: {program}, [{section}] of {expectation}\n  why: {why}\n  what to do: {remedy}", file=sys.stderr)
    if refused:
        sys.exit(1)


if __name__ == "__main__":
    main()
