"""From plates to what the network should answer on its stride-4 grid."""
from typing import NamedTuple

import numpy as np

from network import STRIDE

UNKNOWN = 0.1  # weight of "no plate here" on vehicles whose plate may stand unlabelled
SMALLEST = (8, 3)  # px, width and height: below, neither a plate nor a negative
COLUMNS = 16  # y, x, share, box (4), corners (8), corners known


class Target(NamedTuple):
    heat: np.ndarray  # [h, w]
    weight: np.ndarray  # [h, w], of the negatives
    cells: np.ndarray  # [n, COLUMNS]


def target(sample):
    size = sample.image.shape[0]
    n = size // STRIDE
    heat, weight, cells = np.zeros((n, n), np.float32), np.ones((n, n), np.float32), []
    grid = np.arange(n, dtype=np.float32)
    for box in sample.unsure:
        x0, y0, x1, y1 = (box / STRIDE).astype(int).clip(0, n)
        weight[y0:y1, x0:x1] = UNKNOWN
    plates = [(np.asarray(b, np.float32), None) for b in sample.boxes]
    plates += [(np.r_[q.min(0), q.max(0)].astype(np.float32), q) for q in sample.quads]
    for box, quad in plates:
        seen = box.clip(0, size)
        visible = np.prod(seen[2:] - seen[:2]) / max(1e-6, np.prod(box[2:] - box[:2]))
        if visible < 0.02:
            continue
        x0, y0, x1, y1 = (seen / STRIDE).astype(int).clip(0, n)
        region = np.s_[y0 : y1 + 1, x0 : x1 + 1]
        if visible < 0.5 or box[2] - box[0] < SMALLEST[0] or box[3] - box[1] < SMALLEST[1]:
            weight[region] = 0
            continue
        weight[region] = 1
        corners, known = np.zeros(8, np.float32), 0.0
        if quad is not None and visible > 0.98:
            corners, known = ((quad - box[:2]) / (box[2:] - box[:2])).astype(np.float32).ravel(), 1.0
        width, height = (seen[2:] - seen[:2]) / STRIDE
        cx, cy = (min(n - 1, int(v)) for v in (seen[:2] + seen[2:]) / 2 / STRIDE)
        sx, sy = max(width / 7, 0.55), max(height / 7, 0.55)
        bump = np.exp(-((grid - cx) ** 2)[None] / (2 * sx * sx) - ((grid - cy) ** 2)[:, None] / (2 * sy * sy))
        heat = np.maximum(heat, bump)
        ys, xs = np.nonzero(bump > 0.35)
        share = bump[ys, xs] / bump[ys, xs].sum()
        cells += [(y, x, s, *seen, *corners, known) for y, x, s in zip(ys, xs, share)]
    return Target(heat, weight, np.array(cells, np.float32).reshape(-1, COLUMNS))
