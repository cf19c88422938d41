"""What camera, weather and codec do to a whole picture."""
import random

import cv2
import numpy as np

from chance import between, chance


def _colour(image):
    if chance(0.25):
        image = image * np.array([between(0.6, 1.25) for _ in range(3)], np.float32)
    if chance(0.12):
        image = image[..., np.random.permutation(3)]
    if chance(0.3):
        grey = image.mean(2, keepdims=True)
        image = grey + (image - grey) * (between(0, 1.3) if chance(0.6) else 0.0)
    elif chance(0.06):  # infrared flash
        image = np.repeat(image.mean(2, keepdims=True), 3, 2) * np.array([1, between(0.85, 1), between(0.85, 1.1)], np.float32)
    image = image.clip(0, 255)
    if chance(0.5):
        image = 255 * (image / 255) ** between(0.55, 1.8)
    if chance(0.4):
        image = (image - 110) * between(0.55, 1.3) + 110 + between(-30, 30)
    return image


def _motion(image):
    size = random.choice((3, 3, 5, 5, 7))
    kernel = np.zeros((size, size), np.float32)
    kernel[size // 2] = 1 / size
    angle = between(-25, 25) if chance(0.7) else between(0, 180)
    kernel = cv2.warpAffine(kernel, cv2.getRotationMatrix2D((size // 2, size // 2), angle, 1), (size, size))
    return cv2.filter2D(image, -1, kernel / max(kernel.sum(), 0.1))


def _soften(image):
    """A picture scaled up: what a far vehicle's crop looks like."""
    k = between(0.4, 0.9)
    small = cv2.resize(image, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, image.shape[1::-1], interpolation=random.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC)))


def _optics(image):
    draw = random.random()
    if draw < 0.15:
        return _motion(image)
    if draw < 0.30:
        return cv2.GaussianBlur(image, (0, 0), between(0.4, 1.4))
    if draw < 0.45:
        return _soften(image)
    if draw < 0.58:
        return image + (image - cv2.GaussianBlur(image, (0, 0), 1.2)) * between(0.3, 1.5)
    return image


def _shade(image):
    """The edge of a shadow across the picture."""
    height, width = image.shape[:2]
    a, b = between(-0.2, 1.2) * height, between(-0.2, 1.2) * height
    mask = np.ones((height, width), np.float32)
    cv2.fillPoly(mask, [np.array([[0, int(a)], [width, int(b)], [width, height], [0, height]], np.int32)], between(0.35, 0.7))
    return image * cv2.blur(mask, (9, 9))[..., None]


def degrade(image):
    """float32 RGB -> uint8 RGB."""
    if chance(0.12):
        image = _shade(image)
    image = _optics(_colour(image))
    if chance(0.3):
        image = image + np.random.randn(*image.shape[:2], 1 if chance(0.6) else 3).astype(np.float32) * between(1, 14)
    image = image.clip(0, 255).astype(np.uint8)
    if chance(0.45):
        code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, random.randint(25, 92)])[1]
        image = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return image
