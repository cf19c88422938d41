"""Fetches ONNX Runtime for this machine, or for the architecture given, into `runtime/` or the folder given.

    python3 models/convert/runtime.py [x86_64|aarch64 [FOLDER]]

Version 1.27.0 and no later: from 1.29 on the published builds carry telemetry and network code. The library is
taken out of the PyPI wheel, with its licence and notices; a library already there with the right hash is left alone.
"""

import platform
import sys
import zipfile
from pathlib import Path

from manifest import RUNTIME, SetupError, has, load, require, run, write
from packages import REMEDY, wheel

WHEELS = {
    "x86_64": "e4f7b0e90d2d212e2c2deaa6c8291616183ab815d3ec558ea12d3ac8b26d36f4",
    "aarch64": "2eb083321af8a236a84c7c140a7f4cecbfa2a987a18c07c78db471c20cd390ef",
}


def main():
    architecture = sys.argv[1] if len(sys.argv) > 1 else platform.machine()
    if architecture not in WHEELS:
        raise SetupError(f"no ONNX Runtime is pinned for {architecture}; pinned: {', '.join(WHEELS)}.")
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else RUNTIME
    pinned = load()["runtime"]
    library, sha256 = pinned["file"], pinned["sha256"][architecture]
    notices = ["LICENSE", "ThirdPartyNotices.txt"]
    if has(folder / library, sha256) and all((folder / n).is_file() for n in notices):
        return
    with zipfile.ZipFile(fetch(pinned["version"], architecture)) as archive:
        for name in notices:
            write(folder / name, archive.read(f"onnxruntime/{name}"))
        write(folder / library, archive.read(f"onnxruntime/capi/{library}"))
    require(folder / library, sha256, REMEDY)
    print(f"{folder / library} ready ({architecture})")


def fetch(version, architecture):
    tags = [f"manylinux_2_27_{architecture}", f"manylinux_2_28_{architecture}"]
    archive = f"onnxruntime-{version}-cp311-cp311-{'.'.join(tags)}.whl"
    return wheel("requirements-runtime.txt", archive, WHEELS[architecture], platform=tags)


if __name__ == "__main__":
    run(main)
