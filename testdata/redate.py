#!/usr/bin/env python3
"""Moves the days in the sample card's EXIF, so that its last photograph was taken yesterday.

    redate.py CARD

For the demo alone: the desk destroys what nobody decided on thirty days after the facts, so old photographs would be
gone before anybody looked at them. Hours stay; dates are as long as before, so nothing else in the files moves.
"""
import datetime
import pathlib
import re
import sys

TIME = re.compile(rb"(\d{4}):(\d{2}):(\d{2})( \d{2}:\d{2}:\d{2}\0)")


def day(found):
    return datetime.date(*(int(part) for part in found.groups()[:3]))


files = {path: path.read_bytes() for path in pathlib.Path(sys.argv[1]).rglob("*") if path.suffix.upper() == ".JPG"}
last = max(day(found) for data in files.values() for found in TIME.finditer(data))
shift = datetime.date.today() - datetime.timedelta(days=1) - last
for path, data in files.items():
    moved = TIME.sub(lambda found: (day(found) + shift).strftime("%Y:%m:%d").encode() + found.group(4), data)
    path.write_bytes(moved)
