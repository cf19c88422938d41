"""Reads models/manifest.toml and checks files against it. Standard library only: runs before any package is there."""

import hashlib
import os
import sys
from pathlib import Path

if sys.version_info < (3, 11):
    found = sys.version.split()[0]
    sys.exit(f"error: Python 3.11 or later is needed, this is {found}; name one: make PYTHON=python3.11")
import tomllib

MODELS = Path(__file__).resolve().parent.parent
RUNTIME = MODELS.parent / "runtime"
CONVERTED = "onnx/"


class SetupError(Exception):
    """What went wrong, where, and what the reader can do about it."""


def run(main):
    """Calls `main` and turns a SetupError into one message and exit code 1."""
    try:
        main()
    except SetupError as error:
        sys.exit(f"error: {error}")


def load():
    with open(MODELS / "manifest.toml", "rb") as file:
        return tomllib.load(file)


def converted_networks():
    """{file name stem: network table} of what `make models` makes; our own network is committed, not made."""
    networks = load()["network"].values()
    return {Path(n["file"]).stem: n for n in networks if n["file"].startswith(CONVERTED)}


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def has(path, expected):
    """True if the file is there and is the expected one."""
    return path.is_file() and sha256(path) == expected


def require(path, expected, remedy):
    """Stops at a file that is not the expected one: nothing unverified is opened or converted."""
    found = sha256(path)
    if found != expected:
        raise SetupError(f"{path} has SHA-256\n  {found}, expected\n  {expected}. {remedy}")


def write(path, content):
    """All or nothing: a run that is cut off leaves no half file under its final name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
