"""Training samples: a square picture, its plates, and where nobody knows.

Five kinds are mixed: road frames with their own plates; the same with drawn plates in
their place and on other vehicles; plate-free backgrounds with drawn plates and
clutter; drawn vehicle ends; clutter alone. Boxes are x0 y0 x1 y1.
"""
import random
from typing import NamedTuple

import cv2
import numpy as np

import clutter
import textures
from chance import between, chance, log_between
from degrade import degrade
from pose import corners, paste, rectangle

cv2.setNumThreads(1)
MIX = {"road": 0.32, "swapped": 0.28, "free": 0.15, "drawn": 0.19, "none": 0.06}
CROP = 320  # px: the long side to which inference brings a vehicle


class Sample(NamedTuple):
    image: np.ndarray  # uint8 RGB, size x size
    boxes: list  # labelled plates, no corners known
    quads: list  # drawn plates, [4, 2] each
    unsure: list  # boxes of vehicles whose plate may stand unlabelled


class Bank:
    """Things that cost much to draw, drawn beforehand and renewed little by little."""

    def __init__(self, plates=1500, ends=350):
        self.plates = [textures.plate() for _ in range(plates)]
        self.ends = [_end() for _ in range(ends)]

    def renew(self, plates=40, ends=3):
        for _ in range(plates):
            self.plates[random.randrange(len(self.plates))] = textures.plate()
        for _ in range(ends):
            self.ends[random.randrange(len(self.ends))] = _end()


def _end():
    import drawn

    return drawn.vehicle_end()


class Sampler:
    def __init__(self, size, frames, backgrounds, bank, cuts=()):
        self.size, self.frames, self.backgrounds, self.bank, self.cuts = size, frames, backgrounds, bank, list(cuts)

    def draw(self, kind=None):
        kind = kind or random.choices(list(MIX), MIX.values())[0]
        if kind in ("road", "swapped"):
            return self._road(kind == "swapped")
        return self._drawn() if kind == "drawn" else self._free(kind == "free")

    # -- parts

    def _window(self, image, cx, cy, scale, squeeze=1.0, flip=False, turn=0.0):
        """The size x size window around cx, cy at `scale`. Returns (float32 picture, 2x3 matrix)."""
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        linear = np.array([[c * scale * squeeze, -s * scale], [s * scale * squeeze, c * scale]]) @ np.diag([-1 if flip else 1, 1])
        matrix = np.c_[linear, np.full(2, self.size / 2) - linear @ [cx, cy]]
        source = matrix
        if scale < 0.6:  # halve first, or the warp would alias
            f = 2 if scale > 0.3 else 4
            image = cv2.resize(image, (image.shape[1] // f, image.shape[0] // f), interpolation=cv2.INTER_AREA)
            source = matrix @ np.diag([f, f, 1.0])
        border = cv2.BORDER_CONSTANT if chance(0.8) else cv2.BORDER_REFLECT
        fill = random.choice((114, 0))
        out = cv2.warpAffine(image, source, (self.size, self.size), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=(fill,) * 3)
        return out.astype(np.float32), matrix

    def _add_plate(self, image, cx, cy, width, night=False):
        """Draw a plate, lit as its surroundings are. Returns its corners."""
        texture = random.choice(self.bank.plates)
        height, wide = texture.shape[:2]
        target = corners(cx, cy, width, wide / height)
        x0, y0 = target.min(0).astype(int)
        x1, y1 = target.max(0).astype(int) + 1
        margin = int((x1 - x0) * 0.4) + 2
        around = image[max(0, y0 - margin) : max(0, y1 + margin), max(0, x0 - margin) : max(0, x1 + margin)]
        level = around.mean() if around.size else 90.0
        cast = image[::8, ::8].reshape(-1, 3).mean(0)
        tint = ((cast + 20) / (cast.mean() + 20)) ** between(0.3, 1.1)
        if chance(0.4 if night else 0.15):
            gain = between(1.0, 1.9)  # retro-reflective, over-exposed
        else:
            gain = min(1.15, max(0.12, (level + between(10, 70)) / 170 * between(0.7, 1.5)))
        texture = texture * gain * tint
        if gain > 1.05:
            texture = texture + (gain - 1) * between(0, 110)
        texture = (texture + between(0, 25)).clip(0, 262).astype(np.float32)
        source = rectangle(wide, height)
        if chance(0.4):
            texture, source = textures.holder(texture)
        paste(image, texture, source, target, glow=width * between(0.03, 0.12) if gain > 1.2 and chance(0.6) else 0)
        return target

    def _scatter(self, image, quads, n):
        for _ in range(n):
            width = between(0.5, 0.95) * self.size if chance(0.2) else log_between(10, 0.6 * self.size)
            cx, cy = between(0, self.size), between(0, self.size)
            reach = [width + np.ptp(q[:, 0]) for q in quads]
            if all(abs(cx - q[:, 0].mean()) > r * 0.6 or abs(cy - q[:, 1].mean()) > r * 0.4 for q, r in zip(quads, reach)):
                quads.append(self._add_plate(image, cx, cy, width))

    def _clutter(self, image, cx, cy, width):
        if self.cuts and chance(0.4):
            clutter.add_cut(image, random.choice(self.cuts), cx, cy, width)
        else:
            clutter.add(image, cx, cy, width)

    # -- kinds

    def _road_view(self, frame):
        """Where to look: as inference crops a vehicle, as it shrinks the whole picture, or any scale."""
        plate = random.choice(frame.plates)
        cx, cy, width = (plate[0] + plate[2]) / 2, (plate[1] + plate[3]) / 2, plate[2] - plate[0]
        own = [v for v in frame.vehicles if v[0] < cx < v[2] and v[1] < cy < v[3]]
        draw = random.random()
        if draw < 0.4 and frame.vehicles:
            v = random.choice(own) if own and chance(0.85) else random.choice(frame.vehicles)
            scale = CROP / (max(v[2] - v[0], v[3] - v[1]) * between(1.0, 1.5)) * (2 if chance(0.15) else 1)
            if not (scale * width > 0.62 * self.size or self.size < CROP or chance(0.3)):
                return (v[0] + v[2]) / 2, (v[1] + v[3]) / 2, scale, 0.12
        elif draw < 0.65:
            scale = 0.5 * between(0.7, 1.5)
        else:
            scale = log_between(12, 0.75 * self.size) / width
        return cx, cy, scale, 0.4

    def _road(self, swapped):
        frame = random.choice(self.frames)
        cx, cy, scale, slack = self._road_view(frame)
        scale = min(scale, 3.2)
        slack *= self.size / scale
        squeeze, turn = _squeeze(), random.gauss(0, 2.5) if chance(0.5) else 0.0
        if chance(0.25):  # as a plate seen from the side and from above
            squeeze, turn = between(0.45, 0.85), between(-18, 18)
        image, matrix = self._window(
            frame.image, cx + between(-slack, slack), cy + between(-slack, slack), scale, squeeze, not swapped and chance(0.5), turn
        )
        sample = Sample(image, [], [], [])
        for v in frame.vehicles:
            if any(v[0] < (p[0] + p[2]) / 2 < v[2] and v[1] < (p[1] + p[3]) / 2 < v[3] for p in frame.plates):
                continue
            seen = _through(matrix, [v[0], v[1] + 0.25 * (v[3] - v[1]), v[2], v[3]])
            sample.unsure.append(seen)
            width = (seen[2] - seen[0]) * between(0.18, 0.34)
            if swapped and chance(0.7) and width > 9:
                x = (seen[0] + seen[2]) / 2 + between(-0.2, 0.2) * (seen[2] - seen[0])
                y = seen[1] + (seen[3] - seen[1]) * between(0.3, 0.85)
                sample.quads.append(self._add_plate(image, x, y, min(width, 0.8 * self.size), frame.night))
        for p in frame.plates:
            box = _through(matrix, p)
            if swapped:
                self._replace(image, box, sample.quads, frame.night)
            else:
                sample.boxes.append(box)
        for _ in range(random.choice((0, 0, 1, 2))):
            width, x, y = log_between(10, 120), between(0, self.size), between(0, self.size)
            taken = sample.boxes + [np.r_[q.min(0), q.max(0)] for q in sample.quads]
            if all(abs(x - (b[0] + b[2]) / 2) > (width + b[2] - b[0]) * 0.6 or abs(y - (b[1] + b[3]) / 2) > width * 0.5 + b[3] - b[1] for b in taken):
                self._clutter(image, x, y, width)
        if chance(0.6):
            image = _neutral(image)
        return sample._replace(image=degrade(image))

    def _replace(self, image, box, quads, night):
        """Blend the labelled plate away and put a drawn one in its place."""
        width, height = box[2] - box[0], box[3] - box[1]
        grown = box + np.array([-0.06 * width, -0.15 * height, 0.06 * width, 0.15 * height])
        x0, y0, x1, y1 = grown.round().astype(int).clip(0, self.size)
        if x1 - x0 > 2 and y1 - y0 > 2:
            above, below = image[max(0, y0 - 1), x0:x1], image[min(self.size - 1, y1), x0:x1]
            fade = np.linspace(0, 1, y1 - y0, dtype=np.float32)[:, None, None]
            image[y0:y1, x0:x1] = cv2.blur(above[None] * (1 - fade) + below[None] * fade, (max(1, (x1 - x0) // 6), 1))
        if chance(0.92):
            x = (box[0] + box[2]) / 2 + random.gauss(0, 0.05) * width
            y = (box[1] + box[3]) / 2 + random.gauss(0, 0.1) * height
            quads.append(self._add_plate(image, x, y, min(0.85 * self.size, width * between(0.8, 1.15)), night))

    def _free(self, with_plates):
        image = random.choice(self.backgrounds)
        height, width = image.shape[:2]
        scale = log_between(max(0.25, self.size / max(height, width) * 0.9), 2.0)
        image, _ = self._window(image, between(0.1, 0.9) * width, between(0.1, 0.9) * height, scale, _squeeze(), chance(0.5), random.gauss(0, 4))
        quads = []
        for _ in range(random.randint(0, 4)):
            self._clutter(image, between(0, self.size), between(0, self.size), log_between(12, 0.7 * self.size))
        if with_plates:
            self._scatter(image, quads, random.choice((1, 1, 2, 3)))
        return Sample(degrade(image * between(0.6, 1.15)), [], quads, [])

    def _drawn(self):
        end, (cx, cy, width) = random.choice(self.bank.ends)
        scale = CROP / end.shape[0] * log_between(0.3, 2.2)
        slack = self.size / scale * 0.4
        image, matrix = self._window(end, cx + between(-slack, slack), cy + between(-slack, slack), scale, _squeeze(), chance(0.5), random.gauss(0, 3))
        quads = []
        if scale * end.shape[0] < 1.1 * self.size:  # room around the vehicle: a real background, not a flat pad
            back = cv2.resize(random.choice(self.backgrounds), (self.size, self.size), interpolation=cv2.INTER_AREA)
            cover = cv2.warpAffine(np.ones(end.shape[:2], np.float32), matrix, (self.size, self.size))[..., None]
            image = image * cover + back.astype(np.float32) * (1 - cover)
        if chance(0.9):
            x, y = matrix[:, :2] @ [cx, cy] + matrix[:, 2]
            quads.append(self._add_plate(image, x, y, min(0.85 * self.size, width * scale)))
        if chance(0.15):
            self._scatter(image, quads, 1)
        return Sample(degrade(image * between(0.6, 1.15)), [], quads, [])


def _squeeze():
    """Pictures come stretched, most of them upwards: wide ones forced into a square."""
    draw = random.random()
    return 1.0 if draw < 0.5 else float(np.exp(random.gauss(0, 0.15))) if draw < 0.75 else between(0.5, 0.8)


def _through(matrix, box):
    x0, y0, x1, y1 = box
    points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) @ matrix[:, :2].T + matrix[:, 2]
    return np.r_[points.min(0), points.max(0)]


def _neutral(image):
    """Take away the road frames' purple cast and dusk: grey world, then a random level."""
    mean = image.reshape(-1, 3).mean(0) + 2
    image = image * ((mean.mean() / mean) ** between(0.6, 1.1)).astype(np.float32)
    if chance(0.7):
        image = 255 * (image.clip(0, 255) / 255) ** between(0.45, 0.9)
    if chance(0.7):
        image = image * min(2.2, between(80, 150) / (image.mean() + 5))
    return image
