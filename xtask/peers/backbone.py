"""Images per second of PyTorch: backbone.py NETWORK f32|bf16 train|extract BATCHES [DEVICE]

The same work as `examples/throughput.rs`: images of noise, padded crop, flip and normalisation of every batch, channels
last, autocast for bf16, SGD with momentum and weight decay. Augmentation is vectorised over the batch, which is faster than
a loader with transforms per image.
"""

import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

WARM_UP = 3


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, pads):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.pad = (outputs - inputs) // 2 if pads else 0
        self.down = None
        if not pads and (stride > 1 or inputs != outputs):
            self.down = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        if self.down is not None:
            x = self.down(x)
        elif self.pad:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(y.add_(x), inplace=True)


class Network(nn.Module):
    def __init__(self, stages, pads):
        super().__init__()
        width = stages[0][1]
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        blocks, inputs = [], width
        for stage, (n, width) in enumerate(stages):
            for i in range(n):
                blocks.append(Block(inputs, width, 2 if i == 0 and stage else 1, pads))
                inputs = width
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(inputs, 100)

    def features(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return self.blocks(x).mean((2, 3), dtype=torch.float32)


def batch(images, rows, augment):
    x = images[rows].float().div_(255)
    if augment:
        n = len(rows)
        padded = F.pad(x, (4, 4, 4, 4))
        dy, dx = torch.randint(0, 9, (2, n))
        flip = torch.rand(n) < 0.5
        ys = dy[:, None] + torch.arange(32)
        xs = dx[:, None] + torch.where(flip[:, None], torch.arange(31, -1, -1), torch.arange(32))
        x = padded[torch.arange(n)[:, None, None], :, ys[:, :, None], xs[:, None, :]]
        x = x.permute(0, 3, 1, 2)
    mean = torch.tensor([0.4914, 0.4822, 0.4465])[:, None, None]
    deviation = torch.tensor([0.2023, 0.1994, 0.2010])[:, None, None]
    return ((x - mean) / deviation).contiguous(memory_format=torch.channels_last)


def main():
    name, precision, mode, batches = sys.argv[1:5]
    device = sys.argv[5] if len(sys.argv) > 5 else "cpu"
    small = name == "resnet32"
    stages = [(5, 16), (5, 32), (5, 64)] if small else [(3, 64), (4, 128), (6, 256), (3, 512)]
    network = Network(stages, small).to(device, memory_format=torch.channels_last)
    images = torch.randint(0, 256, (10847, 3, 32, 32), dtype=torch.uint8)
    labels = torch.randint(0, 100, (10847,))
    half = torch.autocast(device.split(":")[0], torch.bfloat16, enabled=precision == "bf16")
    size = 250 if mode == "extract" else 128 if small else 64
    order = torch.randperm(10847)
    n = 8 if mode == "extract" else WARM_UP + int(batches)
    sgd = torch.optim.SGD(network.parameters(), 1e-3, momentum=0.9, weight_decay=5e-4)
    network.train(mode == "train")
    times = []
    for i in range(n):
        rows = order[i * size : (i + 1) * size]
        x = batch(images, rows, mode == "train").to(device)
        if mode == "train":
            with half:
                features = network.features(x)
            loss = F.cross_entropy(network.fc(features), labels[rows].to(device))
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            loss.item()
        else:
            with torch.no_grad(), half:
                network.features(x).half().cpu()
        times.append(time.perf_counter())
    timed = times[WARM_UP - 1 :]
    print(f"{size * (len(timed) - 1) / (timed[-1] - timed[0]):.2f}")


main()
