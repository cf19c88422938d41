"""Focal score loss, box loss and corner loss. Each plate counts once, however large."""
import torch
import torch.nn.functional as F

from network import STRIDE


def score_loss(logits, heat, weight):
    """Penalty-reduced focal loss (CenterNet), per plate."""
    p = torch.sigmoid(logits[:, 0]).clamp(1e-5, 1 - 1e-5)
    peak = (heat > 0.999).float()
    found = peak * (1 - p) ** 2 * torch.log(p)
    silent = (1 - peak) * weight * (1 - heat) ** 4 * p**2 * torch.log(1 - p)
    return -(found + silent).sum() / peak.sum().clamp(min=4.0)


def distance_iou(p, t):
    """(IoU, 1 - IoU + squared centre distance over squared enclosing diagonal)."""
    both = (torch.minimum(p[:, 2:], t[:, 2:]) - torch.maximum(p[:, :2], t[:, :2])).clamp(min=0).prod(1)
    areas = (p[:, 2:] - p[:, :2]).clamp(min=0).prod(1) + (t[:, 2:] - t[:, :2]).prod(1)
    iou = both / (areas - both + 1e-6)
    hull = torch.maximum(p[:, 2:], t[:, 2:]) - torch.minimum(p[:, :2], t[:, :2])
    apart = ((p[:, :2] + p[:, 2:] - t[:, :2] - t[:, 2:]) ** 2 / 4).sum(1) / ((hull**2).sum(1) + 1e-6)
    return iou, 1 - iou + apart


def losses(output, heat, weight, cells):
    """(score, box, corner, mean IoU at the positives). `cells`: batch index, then targets.COLUMNS."""
    logits, ltrb, corners = output
    score = score_loss(logits, heat, weight)
    if len(cells) == 0:
        zero = score.detach() * 0
        return score, zero, zero, zero
    image, y, x = (cells[:, i].long() for i in range(3))
    share, box, quad, known = cells[:, 3], cells[:, 4:8], cells[:, 8:16], cells[:, 16]
    cx, cy = (cells[:, 2] + 0.5) * STRIDE, (cells[:, 1] + 0.5) * STRIDE
    d = ltrb[image, :, y, x]
    found = torch.stack([cx - d[:, 0], cy - d[:, 1], cx + d[:, 2], cy + d[:, 3]], 1)
    iou, far = distance_iou(found, box)
    sides = (box[:, 2:] - box[:, :2]).repeat(1, 2)
    off = ((found - box).abs() / sides).mean(1)
    total = share.sum()
    sure = share * known
    bent = F.smooth_l1_loss(corners[image, :, y, x], quad, beta=0.05, reduction="none").sum(1)
    return score, (share * (far + off)).sum() / total, (sure * bent).sum() / (sure.sum() + 1), (share * iou).sum() / total
