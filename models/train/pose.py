"""From a flat texture to a picture of it: perspective, and pasting with soft edges.

Plates are met at up to some 60 degrees from the side, tilted on motorcycle tails,
and from above: a detector that has seen them straight on only misses the others.
"""
import math
import random

import cv2
import numpy as np

from chance import between, chance

TWO_LINE_ASPECT = 2.2


def corners(cx, cy, width, aspect):
    """The four corners (TL TR BR BL) of a plate `width` px wide from the front, turned at random."""
    two = aspect < TWO_LINE_ASPECT
    yaw = random.gauss(0, 20)
    if chance(0.3):
        yaw = between(-62, 62)
    elif chance(0.2):
        yaw = random.choice((-1, 1)) * between(38, 64)
    if two:
        pitch, roll = between(-15, 40), max(-32, min(32, random.gauss(0, 11)))
    else:
        # Seen from above, a turned plate slants: most close-ups of a three-quarter view are that.
        pitch = between(-5, 38) if chance(0.45) else random.gauss(6, 10)
        roll = between(-30, 30) if chance(0.12) else random.gauss(0, 5)
    return project(cx, cy, width, aspect, max(-64, min(64, yaw)), pitch, roll)


def project(cx, cy, width, aspect, yaw, pitch, roll):
    """Weak perspective; angles in degrees."""
    yaw, pitch, roll = (math.radians(a) for a in (yaw, pitch, roll))
    half = 0.5 / aspect
    flat = np.array([[-0.5, -half, 0], [0.5, -half, 0], [0.5, half, 0], [-0.5, half, 0]])
    cos, sin = math.cos, math.sin
    turn = np.array([[cos(yaw), 0, sin(yaw)], [0, 1, 0], [-sin(yaw), 0, cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, cos(pitch), -sin(pitch)], [0, sin(pitch), cos(pitch)]])
    tilt = np.array([[cos(roll), -sin(roll), 0], [sin(roll), cos(roll), 0], [0, 0, 1]])
    space = flat @ turn.T @ nod.T @ tilt.T
    depth = 1 + space[:, 2] * between(0.05, 0.35)
    return (space[:, :2] / depth[:, None] * width + [cx, cy]).astype(np.float32)


def rectangle(width, height):
    return np.float32([[0, 0], [width, 0], [width, height], [0, height]])


def paste(image, texture, source, target, glow=0.0, opaque=None):
    """Warp `texture` so that its `source` corners fall on `target`, into `image` (float32, in place).

    Small targets are drawn at twice the size and shrunk, so that edges stay soft as a
    lens makes them. `glow` is the radius in px of a retro-reflective halo. `opaque` (0..1,
    of the texture's size) says where the texture covers; all of it does without.
    """
    homography = cv2.getPerspectiveTransform(source, target)
    height, width = texture.shape[:2]
    edge = cv2.perspectiveTransform(rectangle(width, height)[None], homography)[0]
    x0, y0 = np.maximum(np.floor(edge.min(0)).astype(int) - 2, 0)
    x1, y1 = np.minimum(np.ceil(edge.max(0)).astype(int) + 3, image.shape[1::-1])
    if x1 - x0 < 3 or y1 - y0 < 3:
        return
    fine = 2 if x1 - x0 < 140 else 1
    local = np.array([[fine, 0, -x0 * fine], [0, fine, -y0 * fine], [0, 0, 1.0]]) @ homography
    opaque = np.ones((height, width), np.float32) if opaque is None else opaque
    scale = fine * np.linalg.norm(edge[1] - edge[0]) / width
    if scale < 0.6:
        k = max(0.1, scale * 1.4)
        small = (max(4, int(width * k)), max(3, int(height * k)))
        texture = cv2.resize(texture, small, interpolation=cv2.INTER_AREA)
        opaque = cv2.resize(opaque, small, interpolation=cv2.INTER_AREA)
        local = local @ np.diag([width / small[0], height / small[1], 1.0])
        width, height = small
    size = ((x1 - x0) * fine, (y1 - y0) * fine)
    cover = cv2.warpPerspective(opaque, local, size, flags=cv2.INTER_LINEAR)
    seen = cv2.warpPerspective(texture, local, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if fine > 1:
        whole = (int(x1 - x0), int(y1 - y0))
        cover = cv2.resize(cover, whole, interpolation=cv2.INTER_AREA)
        seen = cv2.resize(seen, whole, interpolation=cv2.INTER_AREA)
    region = image[y0:y1, x0:x1]
    region += (seen - region) * cover[..., None]
    if glow > 0:
        reach = int(glow * 2)
        gx0, gy0 = max(0, x0 - reach), max(0, y0 - reach)
        gx1, gy1 = min(image.shape[1], x1 + reach), min(image.shape[0], y1 + reach)
        halo = np.zeros((gy1 - gy0, gx1 - gx0, 3), np.float32)
        halo[y0 - gy0 : y1 - gy0, x0 - gx0 : x1 - gx0] = seen * cover[..., None]
        image[gy0:gy1, gx0:gx1] += cv2.GaussianBlur(halo, (0, 0), glow) * between(0.1, 0.4)
