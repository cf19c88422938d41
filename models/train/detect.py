"""Reference of plate detection on a photograph: what the Rust side reproduces.

The recipe, with its reasons, is written down in ../plates.md under "Inference".
"""
import cv2
import numpy as np
import onnxruntime as ort

STRIDE = 4
GREY = 114
WHOLE = (640, 320)
CROP = 320
GROW = 0.15
CROPS = 12
GAIN = 0.8  # a vehicle is cropped only where the crop shows it at this scale or more against the whole picture at 640
FLOOR, THRESHOLD = 0.1, 0.35
SAME_IOU, SAME_INSIDE = 0.4, 0.65
EDGE = 2.0  # px of the network's input: a box that near to a crop's inner edge is cut and dropped


def area(boxes):
    return np.clip(boxes[..., 2] - boxes[..., 0], 0, None) * np.clip(boxes[..., 3] - boxes[..., 1], 0, None)


def common(box, boxes):
    return np.clip(np.minimum(box[2:4], boxes[:, 2:4]) - np.maximum(box[:2], boxes[:, :2]), 0, None).prod(1)


def fuse(looks, threshold):
    """One answer from several looks at the same picture: [(region, found [n, 13])] -> [m, 13], best first.

    A plate is seen by most looks that could see it, a chance likeness by one of them: so half
    of the score is the mean over the looks whose region holds the box whole. The box itself is
    the mean of theirs, the surest counting most.
    """
    every = np.concatenate([np.c_[found, np.full(len(found), i)] for i, (_, found) in enumerate(looks)])
    every = every[np.argsort(-every[:, 4], kind="stable")]
    out, used = [], np.zeros(len(every), bool)
    for best in range(len(every)):
        if used[best]:
            continue
        box = every[best]
        both = common(box, every)
        same = (both / (area(box) + area(every) - both) > SAME_IOU) & ~used
        used |= same | (both / np.minimum(area(box), area(every)) > SAME_INSIDE)
        answers = [every[same & (every[:, 13] == i), 4].max(initial=0.0) for i, (region, _) in enumerate(looks) if _holds(region, box)]
        score = 0.5 * box[4] + 0.5 * (np.mean(answers) if answers else 0.0)
        if score >= threshold:
            weight = every[same, 4] ** 2
            out.append(_moved(box, (every[same, :4] * weight[:, None]).sum(0) / weight.sum(), score))
    out = np.array(out).reshape(-1, 13)
    return out[np.argsort(-out[:, 4], kind="stable")]


def _holds(region, box):
    return region[0] <= box[0] and region[1] <= box[1] and box[2] <= region[2] and box[3] <= region[3]


def _moved(found, box, score):
    """`found` with another box: its corners keep their place in fractions of it."""
    fractions = (found[5:13].reshape(4, 2) - found[:2]) / (found[2:4] - found[:2])
    return np.r_[box, score, (fractions * (box[2:] - box[:2]) + box[:2]).ravel()]


def crop_boxes(vehicles, width, height):
    """Vehicle boxes [n, 5] -> regions (x0, y0, x1, y1) to look at closer."""
    vehicles = np.array([v for v in vehicles if v[4] >= 0.2 and min(v[2] - v[0], v[3] - v[1]) >= 16]).reshape(-1, 5)
    kept = []
    for box in vehicles[np.argsort(-vehicles[:, 4], kind="stable")]:
        if kept:
            others = np.array(kept)
            both = common(box, others)
            inside = (both / area(box) > 0.8) & (area(others) < 2.5 * area(box))
            if inside.any() or (both / (area(box) + area(others) - both) > 0.6).any():
                continue
        kept.append(box)
    regions = []
    for x0, y0, x1, y1, _ in kept:
        dx, dy = GROW / 2 * (x1 - x0), GROW / 2 * (y1 - y0)
        x0, y0, x1, y1 = int(max(0, x0 - dx)), int(max(0, y0 - dy)), int(min(width, x1 + dx)), int(min(height, y1 + dy))
        gain = (CROP / max(x1 - x0, y1 - y0)) / (WHOLE[0] / max(width, height))
        if gain >= GAIN and min(x1 - x0, y1 - y0) >= 12:
            regions.append((x0, y0, x1, y1))
    return regions[:CROPS]


class Plates:
    def __init__(self, model, threads=2):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(str(model), options)

    def look(self, rgb, side, floor):
        """One region, its long side brought to `side` px -> [n, 13] (box, score, corners) in region pixels."""
        height, width = rgb.shape[:2]
        k = side / max(height, width)
        wide, tall = max(8, round(width * k)), max(8, round(height * k))
        small = cv2.resize(rgb, (wide, tall), interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_LINEAR)
        image = np.full((-(-tall // 32) * 32, -(-wide // 32) * 32, 3), GREY, np.uint8)
        image[:tall, :wide] = small
        heat, ltrb, corners = self.session.run(None, {"image": image.transpose(2, 0, 1)[None].astype(np.float32) / 255})
        return decode(heat[0, 0], ltrb[0], corners[0], floor) * np.r_[np.tile([width / wide, height / tall], 2), 1, np.tile([width / wide, height / tall], 4)]

    def find(self, rgb, vehicles, threshold):
        """Plates of a picture, [n, 13] (box, score, corners), best first."""
        return fuse(self.looks(rgb, vehicles), threshold)

    def looks(self, rgb, vehicles):
        """The whole picture at two sizes, and each vehicle that is shown larger by a crop."""
        height, width = rgb.shape[:2]
        whole = (-np.inf, -np.inf, np.inf, np.inf)
        looks = [(whole, self.look(rgb, side, FLOOR)) for side in WHOLE]
        for x0, y0, x1, y1 in crop_boxes(vehicles, width, height):
            found = self.look(rgb[y0:y1, x0:x1], CROP, FLOOR)
            edge = EDGE * max(x1 - x0, y1 - y0) / CROP
            cut = (found[:, 0] < edge) & (x0 > 0) | (found[:, 1] < edge) & (y0 > 0)
            cut |= (found[:, 2] > x1 - x0 - edge) & (x1 < width) | (found[:, 3] > y1 - y0 - edge) & (y1 < height)
            looks.append(((x0, y0, x1, y1), found[~cut] + np.r_[x0, y0, x0, y0, 0, [x0, y0] * 4]))
        return looks


def decode(heat, ltrb, corners, floor):
    """Peaks of their 3x3 neighbourhood at `floor` or more -> [n, 13] in input pixels."""
    around = np.pad(heat, 1, constant_values=-1)
    peak = np.max([around[i : i + heat.shape[0], j : j + heat.shape[1]] for i in range(3) for j in range(3)], 0)
    y, x = np.nonzero((heat >= peak) & (heat >= floor))
    left, top, right, bottom = ltrb[:, y, x]
    cx, cy = (x + 0.5) * STRIDE, (y + 0.5) * STRIDE
    box = np.stack([cx - left, cy - top, cx + right, cy + bottom], 1)
    quad = corners[:, y, x].T.reshape(-1, 4, 2) * (box[:, 2:] - box[:, :2])[:, None] + box[:, None, :2]
    return np.c_[box, heat[y, x], quad.reshape(-1, 8)]
