"""Paints the sample card's scene: a street, a box van that never existed, walkers nobody can recognise, rubbish.

Lengths are metres; the ground is y = 0, z runs away from the camera. The street picture sets the camera (see
`Camera`), so that whatever is placed by metres stands on its cobbles at the right size.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

DETAIL = 300  # texture pixels per metre
PLATE = "VI-010-IE"  # the letter I is never issued: no such plate exists


@dataclass(frozen=True)
class Camera:
    """Takes a crop of the street photograph: its columns from LEFT to RIGHT, its rows from `top` on.

    29 mm lens on 36 mm, 1.6 m above the ground; the horizon was read off the street's far end. The columns leave
    out a dormer and a doorway in which the networks see a faint person.
    """

    width: int
    height: int
    top: float

    LEFT, RIGHT = 40.0, 751.0
    CENTRE, FOCAL, HORIZON, EYE = 375.5, 605.0, 352.0, 1.6

    @property
    def scale(self):
        return self.width / (self.RIGHT - self.LEFT)

    @property
    def size(self):
        return self.width, self.height

    def crop(self):
        return self.LEFT, self.top, self.RIGHT, self.top + self.height / self.scale

    def project(self, x, y, z):
        u = self.CENTRE + self.FOCAL * x / z
        v = self.HORIZON + self.FOCAL * (self.EYE - y) / z
        return (u - self.LEFT) * self.scale, (v - self.top) * self.scale

    def pixels_per_metre(self, z):
        return self.FOCAL / z * self.scale


@dataclass(frozen=True)
class Walker:
    x: float
    z: float
    stamp: int  # which of the two cut-outs
    to_right: bool = False
    carries: bool = False


@dataclass(frozen=True)
class Scene:
    """What stands in the street; how many of the BAGS and BOXES already lie there."""

    van: tuple[float, float] | None = None  # rear left corner: x, z
    walkers: tuple[Walker, ...] = ()
    bags: int = 0
    boxes: int = 0


@dataclass
class Studio:
    street: Image.Image
    stamps: list[Image.Image]
    _tinted: dict = field(default_factory=dict)

    def paint(self, scene, camera, night=False):
        """The scene as a clean picture: no sensor noise yet, and no flash."""
        street = unlit_sky(self.street) if night else self.street
        picture = street.resize(camera.size, Image.Resampling.BICUBIC, box=camera.crop())
        bags = enumerate(BAGS[: scene.bags])
        things = [(z, lambda x=x, z=z, i=i: bag(picture, camera, x, z, i)) for i, (x, z) in bags]
        things += [(z, lambda x=x, z=z, s=s: carton(picture, camera, x, z, s)) for x, z, s in BOXES[: scene.boxes]]
        things += [(w.z, lambda w=w: self._walker(picture, camera, w)) for w in scene.walkers]
        if scene.van:
            things.append((scene.van[1] + 2.0, lambda: van(picture, camera, *scene.van)))
        for _, paint in sorted(things, key=lambda thing: -thing[0]):
            paint()
        return picture.filter(ImageFilter.GaussianBlur(0.28 * camera.scale))  # nothing sharper than the street

    def _walker(self, picture, camera, walker):
        height = 1.78 * camera.pixels_per_metre(walker.z)
        cutout = self._clothed(walker.stamp)
        cutout = cutout.resize((round(cutout.width * height / cutout.height), round(height)), Image.Resampling.LANCZOS)
        x, y = camera.project(walker.x, 0, walker.z)
        ground_shadow(picture, camera, walker.x, walker.z, 0.45, 0.25)
        if walker.to_right:
            cutout = ImageOps.mirror(cutout)
        picture.paste(cutout, (round(x - cutout.width / 2), round(y - height * 0.985)), cutout)
        if walker.carries:
            side = 0.28 if walker.to_right else -0.28
            bag(picture, camera, walker.x + side, walker.z - 0.05, walker.stamp + 5, lift=0.35, size=0.45)

    def _clothed(self, stamp):
        """The cut-outs wear silver fire suits: dyed, they are people in work clothes, hooded, without a face."""
        if stamp not in self._tinted:
            cutout = self.stamps[stamp]
            grey = ImageOps.autocontrast(cutout.convert("L"), cutoff=2)
            shadow, cloth = [((10, 12, 16), (84, 94, 112)), ((20, 18, 14), (136, 124, 100))][stamp]
            dyed = ImageOps.colorize(grey, shadow, cloth)
            dyed.putalpha(cutout.getchannel("A"))
            self._tinted[stamp] = dyed
        return self._tinted[stamp]


# Where rubbish lies: at the foot of the low wall on the right.
BAGS = [(2.15, 9.6), (1.75, 9.9), (2.3, 9.1), (1.35, 10.0), (1.9, 9.2)]
BOXES = [(0.75, 10.4, 0.55), (1.9, 10.5, 0.5)]


def ground_shadow(picture, camera, x, z, half_width, half_depth, strength=0.55):
    """Under an overcast sky: dark where the thing touches the ground, soft, without direction."""
    mask = Image.new("L", picture.size)
    corners = [(x - half_width, z + half_depth), (x + half_width, z + half_depth)]
    corners += [(x + half_width, z - half_depth), (x - half_width, z - half_depth)]
    ImageDraw.Draw(mask).polygon([camera.project(a, 0, b) for a, b in corners], fill=round(255 * strength))
    mask = mask.filter(ImageFilter.GaussianBlur(0.08 * camera.pixels_per_metre(z)))
    picture.paste(Image.new("RGB", picture.size, (14, 14, 16)), (0, 0), mask)


# ---- rubbish


def bag(picture, camera, x, z, seed, lift=0.0, size=0.62):
    """A tied bin bag: a lumpy outline, dark plastic, a few creases that catch the sky."""
    rng = np.random.default_rng(900 + seed)
    side = 240
    angles = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    waves = sum(rng.normal(0, 0.035) * np.cos(n * angles + rng.uniform(0, 6)) for n in range(2, 7))
    radius = 0.40 + waves
    outline = [(side * (0.5 + r * math.cos(a)), side * (0.56 + 0.92 * r * math.sin(a))) for r, a in zip(radius, angles)]
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    draw.polygon(outline, fill=255)
    draw.polygon([(105, 60), (135, 60), (150, 4), (118, 22), (92, 8)], fill=255)  # the knot
    light = np.linspace(58, 16, side)[:, None] * np.ones(side)
    plastic = Image.fromarray(light.astype(np.uint8))
    crease = ImageDraw.Draw(plastic)
    for _ in range(26):
        a, r = rng.uniform(0, 2 * math.pi), rng.uniform(0.05, 0.36)
        px, py = side * (0.5 + r * math.cos(a)), side * (0.5 + r * math.sin(a))
        dx, dy = rng.normal(0, 16), rng.normal(6, 20)
        crease.line([(px, py), (px + dx, py + dy)], fill=int(rng.uniform(40, 120)), width=3)
    plastic = plastic.filter(ImageFilter.GaussianBlur(2.5))
    colour = [(30, 31, 34), (33, 35, 33), (27, 29, 35)][seed % 3]
    cutout = ImageOps.colorize(plastic, (6, 7, 9), tuple(min(255, 4 * c) for c in colour))
    cutout.putalpha(mask.filter(ImageFilter.GaussianBlur(1.2)))
    pixels = round(size * camera.pixels_per_metre(z))
    cutout = cutout.resize((pixels, pixels), Image.Resampling.LANCZOS)
    px, py = camera.project(x, lift, z)
    if not lift:
        ground_shadow(picture, camera, x, z, 0.30, 0.14)
    picture.paste(cutout, (round(px - pixels / 2), round(py - 0.94 * pixels)), cutout)


def carton(picture, camera, x, z, size):
    """A cardboard box, turned a little: two faces and the top flap."""
    ground_shadow(picture, camera, x + size / 2, z + size / 2, size * 0.8, size * 0.6)
    near, left, right = (x + 0.25 * size, z), (x - 0.35 * size, z + 0.8 * size), (x + 1.05 * size, z + 0.5 * size)
    for (ax, az), (bx, bz), colour in ((left, near, (112, 86, 58)), (near, right, (150, 118, 82))):
        face = Image.new("RGB", (200, 180), colour)
        draw = ImageDraw.Draw(face)
        draw.rectangle((88, 0, 112, 180), fill=tuple(c + 22 for c in colour))  # tape
        draw.line((0, 3, 200, 3), fill=tuple(c + 30 for c in colour), width=5)
        face.putalpha(255)
        warp(picture, camera, face, (ax, az), (bx, bz), 0.9 * size)


# ---- the van


def warp(picture, camera, texture, start, end, height, base=0.0):
    """Hangs a texture on the upright plane from `start` to `end` (x, z on the ground)."""
    corners = [
        camera.project(start[0], base + height, start[1]),
        camera.project(end[0], base + height, end[1]),
        camera.project(end[0], base, end[1]),
        camera.project(start[0], base, start[1]),
    ]
    w, h = texture.size
    coefficients = perspective(corners, [(0, 0), (w, 0), (w, h), (0, h)])
    layer = texture.transform(picture.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
    picture.paste(layer, (0, 0), layer.getchannel("A"))


def perspective(target, source):
    """Pillow's eight coefficients of the projective map from `target` to `source` points."""
    rows, values = [], []
    for (x, y), (u, v) in zip(target, source):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
        values += [u, v]
    return np.linalg.solve(np.array(rows), np.array(values)).tolist()


VAN_WIDTH, VAN_LENGTH, VAN_HEIGHT = 2.05, 5.6, 2.75
WHEELS = (1.05, 4.55)  # of the side, from the rear
VAN_YAW = math.radians(17)  # the van's nose points away from the camera and to the right


def van(picture, camera, x, z):
    """Rear left corner at (x, z): its rear and its right side are seen."""
    across = (VAN_WIDTH * math.cos(VAN_YAW), -VAN_WIDTH * math.sin(VAN_YAW))
    along = (VAN_LENGTH * math.sin(VAN_YAW), VAN_LENGTH * math.cos(VAN_YAW))
    left, right = (x, z), (x + across[0], z + across[1])
    front = (right[0] + along[0], right[1] + along[1])
    footprint = [left, right, front, (left[0] + along[0], left[1] + along[1])]
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).polygon([camera.project(a, 0, b) for a, b in footprint], fill=215)
    mask = mask.filter(ImageFilter.GaussianBlur(0.10 * camera.pixels_per_metre(z)))
    picture.paste(Image.new("RGB", picture.size, (10, 10, 12)), (0, 0), mask)
    warp(picture, camera, van_side(), right, front, VAN_HEIGHT)
    warp(picture, camera, van_rear(), left, right, VAN_HEIGHT)


def _texture(width, height, seed):
    """White paint under an overcast sky: lighter at the top, dirt rising from below; transparent below the body."""
    w, h = round(width * DETAIL), round(height * DETAIL)
    rng = np.random.default_rng(seed)
    shade = np.linspace(196, 138, h)[:, None] + np.zeros((1, w))
    coarse = Image.fromarray(rng.integers(0, 255, (12, 18), np.uint8)).resize((w, h), Image.Resampling.BICUBIC)
    dirt = np.asarray(coarse, np.float32) / 255 * np.linspace(0, 34, h)[:, None]
    body = np.clip(shade - dirt, 0, 255)[..., None] * np.array([1.0, 0.99, 0.965])
    picture = Image.fromarray(body.astype(np.uint8))
    picture.putalpha(255)
    return picture, ImageDraw.Draw(picture)


def _metres(height):
    """Turns metres (from the left, above the ground) into texture pixels."""
    return lambda *points: [(p[0] * DETAIL, (height - p[1]) * DETAIL) for p in points]


def _cut_out(picture, body, wheels=()):
    alpha = Image.new("L", picture.size, 0)
    draw = ImageDraw.Draw(alpha)
    draw.polygon(body, fill=255)
    for wheel in wheels:
        draw.ellipse(wheel, fill=255)
    picture.putalpha(alpha)
    return picture


def van_rear():
    picture, draw = _texture(VAN_WIDTH, VAN_HEIGHT, 1)
    at = _metres(VAN_HEIGHT)
    dark, seam = (38, 40, 44, 255), (120, 122, 122, 255)
    w = VAN_WIDTH
    draw.rectangle(at((0.0, 0.62), (w, 0.0)), fill=dark)  # below the body: chassis in shade
    draw.line(at((w / 2, 2.62), (w / 2, 0.78)), fill=seam, width=5)  # two doors
    for x0, x1 in ((0.09, w / 2 - 0.04), (w / 2 + 0.04, w - 0.09)):
        draw.rectangle(at((x0, 2.62), (x1, 0.80)), outline=seam, width=3)
        draw.rounded_rectangle(at((x0 + 0.10, 2.40), (x1 - 0.10, 1.72)), 22, fill=(46, 54, 62, 255))
        reflection = at((x0 + 0.16, 2.36), (x0 + 0.42, 2.36), (x0 + 0.22, 1.76), (x0 + 0.14, 1.76))
        draw.polygon(reflection, fill=(74, 84, 94, 255))
    for x in (0.10, w - 0.22):  # lights: stop and tail, indicator, reversing
        draw.rounded_rectangle(at((x, 1.52), (x + 0.12, 0.92)), 10, fill=(148, 20, 22, 255))
        draw.rectangle(at((x + 0.01, 1.30), (x + 0.11, 1.16)), fill=(214, 120, 36, 255))
        draw.rectangle(at((x + 0.01, 1.08), (x + 0.11, 1.00)), fill=(206, 208, 206, 255))
    draw.rectangle(at((w / 2 + 0.06, 1.42), (w / 2 + 0.20, 1.36)), fill=(60, 60, 62, 255))  # handle
    draw.rounded_rectangle(at((0.02, 0.66), (w - 0.02, 0.42)), 14, fill=(58, 60, 63, 255))  # bumper
    draw.line(at((0.05, 0.63), (w - 0.05, 0.63)), fill=(96, 98, 100, 255), width=4)
    for x in (0.14, w - 0.42):  # wheels from behind
        draw.rounded_rectangle(at((x, 0.46), (x + 0.28, 0.0)), 18, fill=(20, 20, 22, 255))
    plate = plate_texture()
    corner = at((w / 2 - 0.26, 1.02))[0]
    picture.paste(plate, (round(corner[0]), round(corner[1])))
    body = at((0.0, 2.75), (w, 2.75), (w, 0.40), (w - 0.12, 0.40), (w - 0.12, 0.0), (w - 0.44, 0.0), (w - 0.44, 0.30))
    body += at((0.44, 0.30), (0.44, 0.0), (0.12, 0.0), (0.12, 0.40), (0.0, 0.40))
    return _cut_out(picture, body)


def van_side():
    picture, draw = _texture(VAN_LENGTH, VAN_HEIGHT, 2)
    picture = ImageEnhance.Brightness(picture.convert("RGB")).enhance(0.80).convert("RGBA")  # turned from the sky
    draw = ImageDraw.Draw(picture)
    at = _metres(VAN_HEIGHT)
    seam, glass, rubber = (104, 106, 107, 255), (40, 47, 54, 255), (22, 22, 24, 255)
    length = VAN_LENGTH
    draw.rectangle(at((0.0, 0.36), (length, 0.0)), fill=rubber)
    draw.line(at((0.0, 1.10), (length, 1.06)), fill=(88, 90, 92, 255), width=24)  # rubbing strip
    draw.line(at((0.0, 0.60), (length, 0.60)), fill=seam, width=4)
    draw.rectangle(at((1.75, 2.60), (2.95, 0.55)), outline=seam, width=4)  # sliding door
    draw.rectangle(at((2.75, 1.50), (2.90, 1.44)), fill=(60, 60, 62, 255))
    draw.line(at((3.40, 2.60), (3.40, 0.55)), fill=seam, width=4)  # cab door
    draw.line(at((4.45, 2.10), (4.45, 0.55)), fill=seam, width=4)
    draw.polygon(at((3.50, 2.30), (4.28, 2.30), (4.80, 1.55), (4.78, 1.45), (3.50, 1.45)), fill=glass)
    draw.polygon(at((3.60, 2.26), (3.86, 2.26), (3.74, 1.49), (3.54, 1.49)), fill=(72, 82, 92, 255))
    draw.rounded_rectangle(at((5.44, 1.05), (5.60, 0.78)), 10, fill=(196, 198, 194, 255))  # headlight
    for x in WHEELS:
        draw.ellipse(at((x - 0.44, 0.82), (x + 0.44, -0.06)), fill=(26, 26, 28, 255))  # arch
        draw.ellipse(at((x - 0.35, 0.70), (x + 0.35, 0.0)), fill=rubber)
        draw.ellipse(at((x - 0.20, 0.55), (x + 0.20, 0.15)), fill=(128, 130, 132, 255))
        draw.ellipse(at((x - 0.07, 0.42), (x + 0.07, 0.28)), fill=(70, 72, 74, 255))
    body = at((0.0, 2.75), (3.55, 2.75), (4.10, 2.60), (4.42, 2.32), (4.95, 1.52), (5.50, 1.30), (5.60, 1.10))
    body += at((5.60, 0.34), (0.0, 0.34))
    return _cut_out(picture, body, [at((x - 0.35, 0.70), (x + 0.35, 0.0)) for x in WHEELS])


def plate_texture():
    """520 x 110 mm, black on white between two blue bands, as in France, at twice the detail, then reduced."""
    w, h = round(0.52 * DETAIL), round(0.11 * DETAIL)
    k = 4
    plate = Image.new("RGB", (w * k, h * k), (236, 237, 232))
    draw = ImageDraw.Draw(plate)
    band = round(0.045 * DETAIL * k)
    for x in (0, w * k - band):
        draw.rectangle((x, 0, x + band, h * k), fill=(22, 58, 140))
    font = ImageFont.load_default(round(0.098 * DETAIL * k))
    draw.text((w * k / 2, h * k / 2), PLATE, fill=(14, 14, 16), font=font, anchor="mm", stroke_width=k)
    draw.rectangle((0, 0, w * k - 1, h * k - 1), outline=(150, 150, 148), width=k)
    return plate.resize((w, h), Image.Resampling.LANCZOS)


# ---- the sensor


def expose(picture, seed, noise=2.0):
    """Sensor noise, the same for the same seed: no two frames are equal, and a second run gives the same card."""
    rng = np.random.default_rng(seed)
    pixels = np.asarray(picture, np.float32)
    grain = rng.normal(0, noise, pixels.shape[:2])[..., None] + rng.normal(0, noise / 3, pixels.shape)
    return Image.fromarray(np.clip(pixels + grain + rng.normal(0, 0.8), 0, 255).astype(np.uint8))


def unlit_sky(street):
    """The street with a black sky: nothing sends the flash's light back. Sky is what is light and rather blue."""
    red, _, blue = (np.asarray(channel, np.float32) for channel in street.split())
    above = np.arange(street.height)[:, None] < 0.62 * street.height
    sky = Image.fromarray(np.where((blue > red + 1) & (red > 90) & above, 255, 0).astype(np.uint8))
    sky = sky.filter(ImageFilter.MaxFilter(3)).filter(ImageFilter.GaussianBlur(0.5))
    return Image.composite(Image.new("RGB", street.size, (8, 8, 8)), street, sky)


def infrared(picture):
    """As a camera with an infrared flash sees it: grey, bright near the middle, black beyond."""
    w, h = picture.size
    y, x = np.mgrid[0:h, 0:w]
    reach = np.exp(-(((x / w - 0.47) / 0.42) ** 2 + ((y / h - 0.62) / 0.36) ** 2))
    grey = np.asarray(picture.convert("L"), np.float32)
    return Image.fromarray(np.clip(grey * (0.06 + 1.05 * reach), 6, 255).astype(np.uint8)).convert("RGB")
