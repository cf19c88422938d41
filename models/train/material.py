"""The pictures that may be trained on, each with a licence that allows it (SOURCES.md).

Nothing here reads the sets that the network is measured on.
"""
import json
import pathlib
from dataclasses import dataclass, field

import cv2
import numpy as np

OPEN_LICENCES = ("MIT", "Apache-2.0", "CC BY 4.0")
BACKGROUND_SETS = ("carpark-top", "trap")
# Those of scikit-image's pictures whose docstring there states CC0, public domain or no
# known restriction (SOURCES.md), less masks and drawings.
SKIMAGE = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png",
    "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "retina.jpg", "rocket.jpg", "text.png",
)  # fmt: skip
CARPARK_STEP = 8
SKYLINE = 160  # px: lower strips are not worth having
LONGEST = 1600  # px: backgrounds are kept no larger


@dataclass
class Frame:
    """A road frame with its labelled plates. Boxes are x0 y0 x1 y1."""

    name: str
    image: np.ndarray
    plates: list
    vehicles: list = field(default_factory=list)
    night: bool = False


def _read(path):
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    return None if bgr is None else bgr[..., ::-1].copy()


def _corner_box(box):
    x, y, width, height = box
    return np.array([x, y, x + width, y + height], np.float64)


def frames(root, vehicles):
    """Romania frames with at least one plate: (split train, split val)."""
    root = pathlib.Path(root)
    boxes = json.loads(pathlib.Path(vehicles).read_text())
    split = {"train": [], "val": []}
    for line in (root / "annotations.jsonl").read_text().splitlines():
        row = json.loads(line)
        image = _read(root / row["file"])
        name = pathlib.PurePath(row["file"]).name
        plates = [_corner_box(o["box"]) for o in row["objects"] if o["label"] == "plate"]
        seen = [np.array(b[:4]) for b in boxes.get(name, []) if b[4] >= 0.3 and 30 <= b[2] - b[0] < 1200]
        if plates:
            split[row["split"]].append(Frame(name, image, plates, seen, row["night"] or image.mean() < 70))
    return split["train"], split["val"]


def background_paths(scenes):
    """(name, path) of every plate-free picture that may be a background.

    `carpark-top` is one view: its frames with a vehicle show plates, and of the empty
    ones a few hold all there is to learn.
    """
    scenes = pathlib.Path(scenes)
    for line in (scenes / "annotations.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["set"] == "carpark-top" and (row["truth"] or row["objects"] or row["index"] % CARPARK_STEP):
            continue
        if row["set"] in BACKGROUND_SETS and row.get("licence_class") == "open" and row.get("licence") in OPEN_LICENCES:
            yield row["file"], scenes / row["file"]
    import skimage

    shipped = pathlib.Path(skimage.__file__).parent / "data"
    for name in SKIMAGE:
        if (shipped / name).exists():
            yield "skimage/" + name, shipped / name


def backgrounds(scenes):
    out = {}
    for name, path in background_paths(scenes):
        image = _read(path)
        if image is None or min(image.shape[:2]) < 120:
            continue
        k = LONGEST / max(image.shape[:2])
        out[name] = cv2.resize(image, None, fx=k, fy=k, interpolation=cv2.INTER_AREA) if k < 1 else image
    return out


def skylines(frames):
    """What stands above all vehicles and plates of a road frame: houses, trees, signs, shop fronts."""
    out = {}
    for frame in frames:
        top = int(min(box[1] for box in frame.plates + frame.vehicles)) - 8
        if top >= SKYLINE:
            out["above/" + frame.name] = frame.image[:top]
    return out
