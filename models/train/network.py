"""The plate network: small, fully convolutional, one output grid at stride 4.

Work is done at stride 8 and below; the heads give each stride-8 cell its four
stride-4 cells (depth to space). Small plates get stride-4 positions without paying
for stride-4 layers, which would be half of the cost.

Input: RGB 0..1, [n, 3, h, w], h and w multiples of 32.
Output: heat logits [n, 1, h/4, w/4]; ltrb [n, 4, ...], distances in input pixels from
the cell's centre to the box's sides; corners [n, 8, ...], TL TR BR BL as x, y in
fractions of that box.
"""
import torch
import torch.nn.functional as F
from torch import nn

STRIDE = 4


def conv(c_in, c_out, kernel=3, stride=1, act=True):
    layers = [nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(c_out, momentum=0.05)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if act else []))


class Block(nn.Module):
    """Residual: depthwise 5x5, pointwise, ReLU, pointwise."""

    def __init__(self, channels, kernel=5):
        super().__init__()
        self.space = nn.Conv2d(channels, channels, kernel, 1, kernel // 2, groups=channels, bias=False)
        self.mix = conv(channels, channels, 1)
        self.out = conv(channels, channels, 1, act=False)

    def forward(self, x):
        return F.relu(x + self.out(self.mix(self.space(x))))


def blocks(channels, n):
    return [Block(channels) for _ in range(n)]


class PlateNet(nn.Module):
    def __init__(self, c2=16, c4=32, c8=64, c16=128, c32=160, neck=64):
        super().__init__()
        self.stride4 = nn.Sequential(conv(3, c2, 3, 2), conv(c2, c4, 3, 2))
        self.stride8 = nn.Sequential(conv(c4, c8, 3, 2), *blocks(c8, 2))
        self.stride16 = nn.Sequential(conv(c8, c16, 3, 2), *blocks(c16, 3))
        self.stride32 = nn.Sequential(conv(c16, c32, 3, 2), *blocks(c32, 2))
        self.from32 = conv(c32, c16, 1, act=False)
        self.merge16 = Block(c16)
        self.from16 = conv(c16, neck, 1, act=False)
        self.from8 = conv(c8, neck, 1, act=False)
        self.from4 = conv(c4, neck, 2, 2, act=False)
        self.from4[0].padding = (0, 0)
        self.merge8 = nn.Sequential(nn.ReLU(), Block(neck))
        self.score = nn.Sequential(Block(neck, 3), nn.Conv2d(neck, 4, 1))
        self.shape = nn.Sequential(Block(neck), nn.Conv2d(neck, 12 * 4, 1))
        self._initialise()

    def _initialise(self):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out" if m.groups == 1 else "fan_in", nonlinearity="relu")
            if isinstance(m, Block):
                nn.init.constant_(m.out[1].weight, 0.3)
        for head, bias in ((self.score[1], [-4.0]), (self.shape[1], [1.2, 0.0, 1.2, 0.0, 0, 0, 1, 0, 1, 1, 0, 1])):
            nn.init.normal_(head.weight, std=0.01)
            head.bias.data = torch.tensor(bias).repeat_interleave(4)

    def forward(self, image):
        s4 = self.stride4((image - 0.45) * 4.0)
        s8 = self.stride8(s4)
        s16 = self.stride16(s8)
        s32 = self.stride32(s16)
        s16 = self.merge16(F.relu(s16 + _double(self.from32(s32))))
        s8 = self.merge8(self.from8(s8) + self.from4(s4) + _double(self.from16(s16)))
        score = F.pixel_shuffle(self.score(s8), 2)
        shape = F.pixel_shuffle(self.shape(s8), 2)
        ltrb, corners = shape[:, :4], shape[:, 4:]
        return score, torch.exp(ltrb.clamp(-3, 4.8)) * STRIDE, corners


def _double(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


def multiply_adds(net, size=320):
    """Multiply-adds of the convolutions for one picture of size x size."""
    total = 0

    def count(module, _, out):
        nonlocal total
        total += out.shape[2] * out.shape[3] * module.weight.numel()

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        net.eval()(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return total
