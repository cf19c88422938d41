"""A quick look during training: recall on fixed samples that were not trained on."""
import numpy as np
import torch
import torch.nn.functional as F

from network import STRIDE

COUNTS = {"road": 40, "swapped": 36, "free": 20, "drawn": 20, "none": 12}
SMALLEST = 14  # px wide: smaller plates are not counted


def samples(sampler):
    return [(kind, sampler.draw(kind)) for kind, n in COUNTS.items() for _ in range(n)]


def decode(heat, ltrb, threshold):
    """One picture's outputs (torch, no batch axis) -> [n, 5] boxes and scores, best first."""
    peak = F.max_pool2d(heat[None], 3, 1, 1)[0]
    y, x = ((heat == peak) & (heat >= threshold))[0].nonzero(as_tuple=True)
    score = heat[0, y, x]
    order = score.argsort(descending=True)[:60]
    y, x, score = y[order], x[order], score[order]
    left, top, right, bottom = ltrb[:, y, x]
    cx, cy = (x + 0.5) * STRIDE, (y + 0.5) * STRIDE
    return torch.stack([cx - left, cy - top, cx + right, cy + bottom, score], 1).cpu().numpy()


def overlap(box, others):
    both = np.clip(np.minimum(box[2:4], others[:, 2:4]) - np.maximum(box[:2], others[:, :2]), 0, None).prod(1)
    area = np.prod(box[2:4] - box[:2]) + (others[:, 2:4] - others[:, :2]).prod(1)
    return both / np.maximum(area - both, 1e-6)


def suppress(found, iou=0.4):
    keep = []
    for i, box in enumerate(found):
        if not keep or overlap(box, found[keep]).max() < iou:
            keep.append(i)
    return found[keep]


@torch.no_grad()
def figures(net, held, device, threshold=0.4):
    """Per kind: plates, recall at IoU .5, unmatched boxes per picture."""
    count = {kind: [0, 0, 0, 0] for kind in COUNTS}
    for kind, sample in held:
        image = torch.from_numpy(sample.image.transpose(2, 0, 1).copy())[None].float().to(device) / 255
        logits, ltrb, _ = net(image)
        found = suppress(decode(torch.sigmoid(logits)[0], ltrb[0], threshold))
        size, used = sample.image.shape[0], 0
        truth = list(sample.boxes) + [np.r_[q.min(0), q.max(0)] for q in sample.quads]
        for box in truth:
            hits = overlap(box, found) if len(found) else np.zeros(1)
            whole = box.min() >= 0 and box.max() <= size and box[2] - box[0] >= SMALLEST and box[3] - box[1] >= 4
            if whole:
                count[kind][0] += 1
                count[kind][1] += hits.max() >= 0.5
            used += hits.max() >= (0.5 if whole else 0.3)
        count[kind][2] += max(0, len(found) - used)
        count[kind][3] += 1
    return {kind: {"plates": n, "recall": round(float(hit / max(1, n)), 3), "extra": round(float(extra / pictures), 3)} for kind, (n, hit, extra, pictures) in count.items()}
