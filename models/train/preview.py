"""A sheet of training samples, to look at before a run: python preview.py FRAMES VEHICLES SCENES OUT.png"""
import random
import sys

import cv2
import numpy as np

import material
from scenes import Bank, Sampler

if __name__ == "__main__":
    frames, vehicles, scenes, out = sys.argv[1:5]
    size = int(sys.argv[5]) if len(sys.argv) > 5 else 192
    random.seed(0), np.random.seed(0)
    train, _ = material.frames(frames, vehicles)
    sampler = Sampler(size, train, list(material.backgrounds(scenes).values()), Bank(200, 30))
    tiles = []
    for _ in range(60):
        s = sampler.draw()
        picture = s.image.copy()
        for b in s.boxes:
            cv2.rectangle(picture, tuple(b[:2].astype(int).tolist()), tuple(b[2:].astype(int).tolist()), (0, 255, 0), 1)
        for q in s.quads:
            cv2.polylines(picture, [q.round().astype(np.int32)], True, (255, 0, 0), 1)
        tiles.append(picture)
    cv2.imwrite(out, np.vstack([np.hstack(tiles[i : i + 10]) for i in range(0, 60, 10)])[..., ::-1])
