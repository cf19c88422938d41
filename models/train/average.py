"""Mean of two weight files of one run line: python average.py A.pt B.pt SHARE_OF_B OUT.pt

Weights that lie on one path of training can be averaged; the mean often ranks better than its end.
"""
import sys

import torch


def main(a, b, share, out):
    a, b = (torch.load(path, map_location="cpu", weights_only=True) for path in (a, b))
    torch.save({name: torch.lerp(v, b[name], float(share)) if v.is_floating_point() else v for name, v in a.items()}, out)


if __name__ == "__main__":
    main(*sys.argv[1:5])
