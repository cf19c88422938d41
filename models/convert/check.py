"""Ends with 0 if every converted network is there and is the one that the manifest names, else with 1.

    python3 models/convert/check.py
"""

import sys

from manifest import MODELS, converted_networks, has

if __name__ == "__main__":
    sys.exit(not all(has(MODELS / n["file"], n["sha256"]) for n in converted_networks().values()))
