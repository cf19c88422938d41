"""Writes what cameras write around a picture: an Exif segment with an optional thumbnail, a tiny MJPEG film."""

import struct

ASCII, SHORT, LONG, RATIONAL = 2, 3, 4, 5  # Exif 2.32, 4.6.2
SIZES = {ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8}


def exif(make, model, taken, thumbnail=b""):
    """The content of an APP1 segment: IFD0, Exif IFD, and IFD1 if there is a thumbnail (a whole JPEG)."""
    stamp = taken.strftime("%Y:%m:%d %H:%M:%S")
    exif_tags = [
        (0x829A, RATIONAL, struct.pack("<II", 1, 125)),  # ExposureTime
        (0x9000, 7, b"0232"),  # ExifVersion
        (0x9003, ASCII, text(stamp)),  # DateTimeOriginal
        (0x9004, ASCII, text(stamp)),  # DateTimeDigitized
    ]
    tags = [
        (0x010F, ASCII, text(make)),
        (0x0110, ASCII, text(model)),
        (0x0112, SHORT, struct.pack("<H", 1)),  # Orientation
        (0x0132, ASCII, text(stamp)),  # DateTime
        (0x8769, LONG, b"\0\0\0\0"),  # where the Exif IFD starts: filled in below
    ]
    first = 8
    exif_at = first + ifd_size(tags)
    tags[-1] = (0x8769, LONG, struct.pack("<I", exif_at))
    second = exif_at + ifd_size(exif_tags)
    tiff = b"II*\0" + struct.pack("<I", first)
    tiff += ifd(tags, first, second if thumbnail else 0) + ifd(exif_tags, exif_at, 0)
    if thumbnail:
        small = [
            (0x0103, SHORT, struct.pack("<H", 6)),  # Compression: JPEG
            (0x0201, LONG, b"\0\0\0\0"),  # JPEGInterchangeFormat: where it starts
            (0x0202, LONG, struct.pack("<I", len(thumbnail))),
        ]
        small[1] = (0x0201, LONG, struct.pack("<I", second + ifd_size(small)))
        tiff += ifd(small, second, 0) + thumbnail
    return b"Exif\0\0" + tiff


def text(value):
    return value.encode("ascii") + b"\0"


def ifd_size(tags):
    return 6 + 12 * len(tags) + sum(len(value) + len(value) % 2 for _, _, value in tags if len(value) > 4)


def ifd(tags, offset, following):
    """One image file directory at `offset`, its long values right behind it."""
    entries, values = b"", b""
    values_at = offset + 6 + 12 * len(tags)
    for tag, kind, value in tags:
        entries += struct.pack("<HHI", tag, kind, len(value) // SIZES.get(kind, 1))
        if len(value) <= 4:
            entries += value.ljust(4, b"\0")
        else:
            entries += struct.pack("<I", values_at + len(values))
            values += value + b"\0" * (len(value) % 2)
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following) + values


def film(frames, size, per_second=2):
    """An AVI of JPEG frames (RIFF, one video stream, no index: players and `file` accept it)."""
    width, height = size
    largest = max(map(len, frames))
    pace = (1_000_000 // per_second, largest * per_second)
    main = struct.pack("<14I", *pace, 0, 0, len(frames), 0, 1, largest, width, height, 0, 0, 0, 0)
    stream = struct.pack("<10I4H", 0, 0, 0, 1, per_second, 0, len(frames), largest, 0, 0, 0, 0, width, height)
    stream = b"vidsMJPG" + stream
    bitmap = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0)
    header = chunk(b"avih", main) + chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", bitmap))
    movie = b"movi" + b"".join(chunk(b"00dc", frame) for frame in frames)
    return chunk(b"RIFF", b"AVI " + chunk(b"LIST", b"hdrl" + header) + chunk(b"LIST", movie))


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
