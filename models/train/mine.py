"""Mined hard negatives: what a half-trained network took for plates and is none.

`hard_negatives.json` lists them as boxes in the training pictures, chosen by eye from
the sheet that this script makes: an unlabelled plate must never become a negative.

    python mine.py MODEL.onnx --frames DIR --vehicles JSON --scenes DIR --sheet OUT.png --boxes OUT.json
"""
import argparse
import json
import pathlib

import cv2
import numpy as np

import material

LIST = pathlib.Path(__file__).with_name("hard_negatives.json")
FLOOR = 0.2
TILE = (160, 96)


def cuts(frames, backgrounds):
    """The chosen regions, with a little around them, as uint8 RGB."""
    if not LIST.exists():
        return []
    images = {f.name: f.image for f in frames} | backgrounds
    out = []
    for name, x0, y0, x1, y1 in json.loads(LIST.read_text()):
        dx, dy = 0.15 * (x1 - x0), 0.25 * (y1 - y0)
        cut = images[name][int(max(0, y0 - dy)) : int(y1 + dy), int(max(0, x0 - dx)) : int(x1 + dx)]
        if min(cut.shape[:2]) >= 4:
            out.append(cut)
    return out


def candidates(model, frames, vehicles, scenes):
    """(name, image, box, score) of boxes that meet no labelled plate, best score first."""
    from detect import Plates
    from validate import overlap

    plates = Plates(model)
    seen = json.loads(pathlib.Path(vehicles).read_text())
    train, _ = material.frames(frames, vehicles)
    pictures = [(f.name, f.image, np.array(f.plates), seen.get(f.name, [])) for f in train]
    pictures += [(name, image, np.zeros((0, 4)), []) for name, image in material.backgrounds(scenes).items()]
    out = []
    for name, image, truth, near in pictures:
        for found in plates.find(image, near, FLOOR):
            if len(truth) == 0 or overlap(found[:4], truth).max() < 0.2:
                out.append((name, image, found[:4], found[4]))
    return sorted(out, key=lambda c: -c[3])


def sheet(found, columns=10):
    tiles = []
    for number, (_, image, box, score) in enumerate(found):
        width, height = box[2] - box[0], box[3] - box[1]
        x0, y0 = int(max(0, box[0] - 0.6 * width)), int(max(0, box[1] - 1.2 * height))
        x1, y1 = int(box[2] + 0.6 * width), int(box[3] + 1.2 * height)
        tile = cv2.resize(image[y0:y1, x0:x1], TILE)
        cv2.putText(tile, f"{number} {score:.2f}", (2, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (255, 255, 0), 1)
        tiles.append(tile)
    while len(tiles) % columns:
        tiles.append(np.zeros((TILE[1], TILE[0], 3), np.uint8))
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    for name in ("--frames", "--vehicles", "--scenes", "--sheet", "--boxes"):
        parser.add_argument(name, required=True)
    parser.add_argument("--top", type=int, default=200)
    args = parser.parse_args()
    found = candidates(args.model, args.frames, args.vehicles, args.scenes)[: args.top]
    cv2.imwrite(args.sheet, sheet(found)[..., ::-1])
    rows = [[name, *(round(float(v), 1) for v in box)] for name, _, box, _ in found]
    pathlib.Path(args.boxes).write_text("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")
