"""Names the crates that the program is linked with, each with its licence and its notices, on standard output.

    python3 cross/crates.py TARGET

What MIT, BSD, Apache and the like ask of whoever passes a binary on. Nothing is fetched: the build has fetched it.
"""

import json
import subprocess
import sys
from pathlib import Path

OPTIONS = ["--format-version=1", "--locked", "--offline", "--no-default-features", "--features=trap"]


def linked(metadata):
    """The packages that end in the program: what it depends on, without what only builds or tests it."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    seen, waiting = set(), [root]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            kinds = lambda dep: {kind["kind"] for kind in dep["dep_kinds"]}
            waiting += [dep["pkg"] for dep in nodes[name]["deps"] if None in kinds(dep)]
    packages = [package for package in metadata["packages"] if package["id"] in seen - {root}]
    return sorted(packages, key=lambda package: (package["name"], package["version"]))


def notices(package):
    folder = Path(package["manifest_path"]).parent
    names = ("LICEN", "COPYING", "NOTICE", "UNLICENSE", "COPYRIGHT")
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name.upper().startswith(names))


def main():
    command = ["cargo", "metadata", *OPTIONS, f"--filter-platform={sys.argv[1]}"]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    texts = {}
    for package in linked(metadata):
        # A proc macro runs in the compiler and is not in the program.
        if any("proc-macro" in target["kind"] for target in package["targets"]):
            continue
        print(f"{package['name']} {package['version']}: {package['license']}")
        print(f"    {', '.join(package['authors']) or package['repository']}")
        for path in notices(package):
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            texts.setdefault(text, []).append(f"{package['name']} {package['version']}")
    for text, crates in texts.items():
        print(f"\n{'-' * 78}\n{', '.join(crates)}:\n\n{text}")


if __name__ == "__main__":
    main()
