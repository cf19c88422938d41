"""libjpeg-turbo's 1/8 scaled decode, for the bench to compare with.

Started by `make bench`: says what it measures with, one JSON line; then, for each path that it reads on a line, the
nanoseconds of one decode by each way it has, one JSON line. Files are read once, before the clock starts. Ways:
Pillow's own libjpeg-turbo (`draft`), and the machine's libturbojpeg where there is one, which has no Python inside.
"""

import ctypes
import ctypes.util
import io
import json
import sys
import time

from PIL import Image, features


def pillow(data):
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
        image.draft(image.mode, (width // 8, height // 8))
        image.load()
        assert image.size == (-(-width // 8), -(-height // 8)), image.size


def turbojpeg():
    """A decoder by the TurboJPEG API, or None where the library is not installed."""
    name = ctypes.util.find_library("turbojpeg")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    library.tjInitDecompress.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(library.tjInitDecompress())
    header = library.tjDecompressHeader3
    header.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_ulong] + 4 * [ctypes.POINTER(ctypes.c_int)]
    decompress = library.tjDecompress2
    decompress.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_void_p] + 5 * [ctypes.c_int]
    out = ctypes.create_string_buffer(0)
    rgb, grey = 0, 6
    is_grey = 3

    def decode(data):
        nonlocal out
        width, height, sampling, colours = (ctypes.c_int() for _ in range(4))
        assert header(handle, data, len(data), width, height, sampling, colours) == 0
        columns, rows = -(-width.value // 8), -(-height.value // 8)
        if len(out) < 3 * columns * rows:
            out = ctypes.create_string_buffer(3 * columns * rows)
        pixels = grey if sampling.value == is_grey else rgb
        assert decompress(handle, data, len(data), out, columns, 0, rows, pixels, 0) == 0

    return name, decode


def main():
    ways = {f"libjpeg-turbo {features.version('libjpeg_turbo')} through Pillow {Image.__version__}": pillow}
    other = turbojpeg()
    if other is not None:
        ways[other[0]] = other[1]
    print(json.dumps(list(ways)), flush=True)
    files = {}
    for line in sys.stdin:
        path = line.rstrip("\n")
        if path not in files:
            with open(path, "rb") as file:
                files[path] = file.read()
        times = []
        for decode in ways.values():
            start = time.perf_counter_ns()
            decode(files[path])
            times.append(time.perf_counter_ns() - start)
        print(json.dumps(times), flush=True)


main()
