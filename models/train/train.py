"""Train the plate network in a given wall time, on a GPU or on few CPU cores.

    python train.py --frames DIR --vehicles JSON --scenes DIR --minutes 44 --out plates.pt [--from CHECKPOINT]

A run has two phases. From random weights, the first sees 160 px windows: what a plate looks
like is learned from the plate and little around it, at a quarter of the cost. The second
sees 320 px windows, as inference does, and the mined hard negatives. With --from, a run
goes on from a checkpoint: half the learning rate, 224 px and then 320 px windows, mined
negatives throughout, a fresh optimiser and average. The learning rate falls by cosine
over the wall time, so a run always ends on time.

Beside OUT, its average of the weights, a run leaves the last ones themselves (.raw.pt)
and its curve (.curve.json).

One worker process draws samples. It never keeps the trainer waiting: a batch is part
fresh, part from the last thousands, mirrored at random.
"""
import argparse
import copy
import json
import math
import multiprocessing
import pathlib
import queue
import random
import time
from typing import NamedTuple

import numpy as np
import torch

import material
import mine
import scenes
import validate
from loss import losses
from network import PlateNet, multiply_adds
from targets import Target, target

SEED = 7
WARM_UP = 150
EMA = 0.998
BOX_WEIGHT, CORNER_WEIGHT = 1.5, 2.0


class Phase(NamedTuple):
    size: int
    batch: int
    share: float  # of the wall time
    pool: int  # samples kept for reuse
    cuts: bool  # paste mined hard negatives


class Plan(NamedTuple):
    peak: float  # learning rate
    phases: tuple


ANEW = Plan(3e-3, (Phase(160, 16, 0.58, 3000, False), Phase(320, 8, 0.42, 1200, True)))
ONWARD = Plan(1.4e-3, (Phase(224, 10, 0.62, 2400, True), Phase(320, 6, 0.38, 1200, True)))


class Item(NamedTuple):
    image: np.ndarray  # uint8 [3, size, size]
    target: Target


def item(sampler):
    sample = sampler.draw()
    return Item(np.ascontiguousarray(sample.image.transpose(2, 0, 1)), target(sample))


def mirror(it):
    """Left becomes right; the letters' sense is lost, the plate's place is not."""
    size, cells = it.image.shape[-1], it.target.cells.copy()
    cells[:, 1] = it.target.heat.shape[1] - 1 - cells[:, 1]
    cells[:, [3, 5]] = size - cells[:, [5, 3]]
    quad = cells[:, 7:15].reshape(-1, 4, 2)[:, [1, 0, 3, 2]].copy()
    quad[..., 0] = 1 - quad[..., 0]
    cells[:, 7:15] = quad.reshape(-1, 8)
    return Item(it.image[..., ::-1], Target(it.target.heat[:, ::-1], it.target.weight[:, ::-1], cells))


def collate(items):
    cells = [np.c_[np.full(len(it.target.cells), i, np.float32), it.target.cells] for i, it in enumerate(items)]
    stack = [np.stack(a) for a in ([it.image for it in items], [it.target.heat for it in items], [it.target.weight for it in items])]
    return (*stack, np.concatenate(cells))


def work(out, sampler, phase, seed):
    """Fill `out` with batches for ever."""
    random.seed(seed), np.random.seed(seed)
    pool, n = [], 0
    while True:
        fresh = phase.batch if len(pool) < 10 * phase.batch else phase.batch // 4 if out.qsize() < 3 else phase.batch * 5 // 8
        new = [item(sampler) for _ in range(fresh)]
        old = [mirror(it) if random.random() < 0.5 else it for it in random.sample(pool, phase.batch - fresh)] if pool else []
        out.put(collate(new + old))
        pool = (pool + new)[-phase.pool :]
        n += 1
        if n % 25 == 0:
            sampler.bank.renew()


def start_worker(sampler, phase, seed):
    context = multiprocessing.get_context("fork")
    batches = context.Queue(8)
    process = context.Process(target=work, args=(batches, sampler, phase, seed), daemon=True)
    process.start()
    return process, batches


def optimiser(net):
    weights = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    return torch.optim.AdamW([{"params": weights, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}], betas=(0.9, 0.99))


class Trainer:
    def __init__(self, device, minutes, peak, weights=None):
        self.device, self.seconds, self.peak = device, minutes * 60, peak
        net = PlateNet()
        if weights:
            net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self.net = net.to(device, memory_format=torch.channels_last)
        self.mean = copy.deepcopy(self.net).eval()
        self.optimiser = optimiser(self.net)
        self.step, self.started = 0, time.monotonic()

    def elapsed(self):
        return (time.monotonic() - self.started) / self.seconds

    def rate(self):
        return self.peak * min(1, (self.step + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * min(1, self.elapsed()))) + 1e-5

    def learn(self, batch):
        image, heat, weight, cells = (torch.from_numpy(a).to(self.device) for a in batch)
        image = (image.float() / 255).contiguous(memory_format=torch.channels_last)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        parts = losses(self.net.train()(image), heat, weight, cells)
        total = parts[0] + BOX_WEIGHT * parts[1] + CORNER_WEIGHT * parts[2]
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        if torch.isfinite(norm):
            self.optimiser.step()
        self.step += 1
        self._average()
        return [float(p.detach()) for p in parts]

    @torch.no_grad()
    def _average(self):
        keep = min(EMA, self.step / (self.step + 20))
        torch._foreach_lerp_(list(self.mean.parameters()), list(self.net.parameters()), 1 - keep)
        for mean, now in zip(self.mean.buffers(), self.net.buffers()):
            mean.copy_(now) if mean.dtype != torch.float32 else mean.lerp_(now, 1 - keep)


def run(args):
    random.seed(SEED), np.random.seed(SEED), torch.manual_seed(SEED)
    torch.set_flush_denormal(True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train, val = material.frames(args.frames, args.vehicles)
    backgrounds = material.backgrounds(args.scenes) | material.skylines(train)
    train += [f for f in train if f.night]  # dark frames are few
    bank = scenes.Bank()
    held = validate.samples(scenes.Sampler(320, val, list(backgrounds.values()), bank))
    plan = ONWARD if args.start else ANEW
    trainer = Trainer(device, args.minutes, plan.peak, args.start)
    print(f"{len(train)} frames, {len(backgrounds)} backgrounds, {multiply_adds(copy.deepcopy(trainer.net).cpu()) / 1e6:.0f} M multiply-adds", flush=True)
    trainer.started = time.monotonic()
    curve, until = [], 0.0

    def checkpoint(phase):
        figures = validate.figures(trainer.mean, held, device)
        curve.append({"minute": round(trainer.elapsed() * args.minutes, 1), "step": trainer.step, "size": phase.size, "rate": trainer.rate(), **figures})
        print(json.dumps(curve[-1]), flush=True)
        torch.save(trainer.mean.state_dict(), args.out)
        torch.save(trainer.net.state_dict(), args.out.with_suffix(".raw.pt"))
        args.out.with_suffix(".curve.json").write_text(json.dumps(curve, indent=1) + "\n")

    for number, phase in enumerate(plan.phases):
        cuts = mine.cuts(train, backgrounds) if phase.cuts else []
        print(f"phase {phase}, {len(cuts)} mined negatives", flush=True)
        sampler = scenes.Sampler(phase.size, train, list(backgrounds.values()), bank, cuts)
        worker, batches = start_worker(sampler, phase, SEED + (40 if args.start else 4) + number)
        until += phase.share
        next_check, sums, begun = trainer.elapsed() + 0.15, np.zeros(4), time.monotonic()
        while trainer.elapsed() < until:
            try:
                batch = batches.get(timeout=60)
            except queue.Empty:
                raise SystemExit("the sample worker died") from None
            sums += trainer.learn(batch)
            if trainer.step % 100 == 0:
                pace = (time.monotonic() - begun) / 100
                text = " ".join(f"{name} {v:.3f}" for name, v in zip(("score", "box", "corner", "iou"), sums / 100))
                print(f"{trainer.elapsed() * args.minutes:5.1f} min step {trainer.step} {text} {pace:.3f} s/step queue {batches.qsize()}", flush=True)
                sums[:], begun = 0, time.monotonic()
            if trainer.elapsed() > next_check:
                checkpoint(phase)
                next_check, begun = trainer.elapsed() + 0.15, time.monotonic()
        worker.terminate()
    checkpoint(plan.phases[-1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=pathlib.Path, required=True, help="folder of the licence-clean road frames (annotations.jsonl, images/)")
    parser.add_argument("--vehicles", type=pathlib.Path, required=True, help="their vehicle boxes, from vehicle_boxes.py")
    parser.add_argument("--scenes", type=pathlib.Path, required=True, help="folder of the scenes that backgrounds are taken from")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--from", dest="start", type=pathlib.Path, metavar="CHECKPOINT", help="start from these weights instead of random ones")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    run(parser.parse_args())
