"""PyTorch's time for a training step and for sampling, on the first GPU, for the networks of the presets.

usage: torch_steps.py [--mode eager|default|reduce-overhead|max-autotune] [--presets ddpm-cifar10,annotated]
                      [--precisions bf16,tf32] [--sample] [--search] [--wait FILE] [--small]

A training step is what ours is: random t, noise, q_sample, forward, loss, backward, gradient norm clipped where the preset
says so, Adam; and is timed as ours is, by the host's clock as one step follows the other, median of 6 times 10 after 5 (compiled
modes: after 15). It reads no loss, which ours does after each step. What PyTorch recommends is on: channels last, fused Adam,
fused attention, bf16 by autocast; --search adds its search for algorithms (cudnn.benchmark), which takes minutes for these
networks. Any mode but eager goes through torch.compile, which takes minutes as well. --wait: all is compiled and warmed up
first, and measured once FILE exists. --small: tiny sizes on whatever device there is, to see that it runs. Prints Markdown rows.
"""

import argparse
import math
import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="eager")
parser.add_argument("--presets", default="ddpm-cifar10,annotated")
parser.add_argument("--precisions", default="bf16,tf32")
parser.add_argument("--sample", action="store_true")
parser.add_argument("--wait", default="")
parser.add_argument("--search", action="store_true")
parser.add_argument("--small", action="store_true")
args = parser.parse_args()

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
ROUNDS, STEPS = (2, 2) if args.small else (6, 10)
torch.backends.cudnn.benchmark = args.search


def sinusoidal(t, dim):
    half = dim // 2
    f = torch.exp(torch.arange(half, device=t.device) * (-math.log(10000) / (half - 1)))
    e = t.float()[:, None] * f[None]
    return torch.cat((e.sin(), e.cos()), 1)


# ---- ddpm-cifar10: Ho et al. 2020 -----------------------------------------------------------------------------------


class Res(nn.Module):
    def __init__(self, cin, cout, temb):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(32, cin, 1e-6), nn.Conv2d(cin, cout, 3, padding=1)
        self.temb = nn.Linear(temb, cout)
        self.norm2, self.conv2 = nn.GroupNorm(32, cout, 1e-6), nn.Conv2d(cout, cout, 3, padding=1)
        self.shortcut = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()

    def forward(self, x, t):
        h = self.conv1(F.silu(self.norm1(x))) + self.temb(F.silu(t))[:, :, None, None]
        return self.shortcut(x) + self.conv2(F.dropout(F.silu(self.norm2(h)), 0.1, self.training))


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm = nn.GroupNorm(32, c, 1e-6)
        self.q, self.k, self.v, self.out = (nn.Conv2d(c, c, 1) for _ in range(4))

    def forward(self, x):
        b, c, h, w = x.shape
        n = self.norm(x)
        q, k, v = (p(n).flatten(2).transpose(1, 2)[:, None] for p in (self.q, self.k, self.v))
        o = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(o[:, 0].transpose(1, 2).reshape(b, c, h, w))


class Unit(nn.Module):
    """A residual block, with attention or not."""

    def __init__(self, cin, cout, temb, attention):
        super().__init__()
        self.res, self.attention = Res(cin, cout, temb), Attention(cout) if attention else nn.Identity()

    def forward(self, x, t):
        return self.attention(self.res(x, t))


class Cifar(nn.Module):
    def __init__(self, ch=128):
        super().__init__()
        mults, blocks, temb = (1, 2, 2, 2), 2, 4 * ch
        self.ch = ch
        self.time = nn.Sequential(nn.Linear(ch, temb), nn.SiLU(), nn.Linear(temb, temb))
        self.first = nn.Conv2d(3, ch, 3, padding=1)
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        chans, c = [ch], ch
        for level, m in enumerate(mults):
            for _ in range(blocks):
                self.downs.append(Unit(c, ch * m, temb, level == 1))
                c = ch * m
                chans.append(c)
            if level < len(mults) - 1:
                self.downs.append(nn.Conv2d(c, c, 3, 2, 1))
                chans.append(c)
        self.mid1, self.mid2 = Unit(c, c, temb, True), Unit(c, c, temb, False)
        for level, m in reversed(list(enumerate(mults))):
            for _ in range(blocks + 1):
                self.ups.append(Unit(c + chans.pop(), ch * m, temb, level == 1))
                c = ch * m
            if level > 0:
                self.ups.append(nn.Conv2d(c, c, 3, padding=1))
        self.norm, self.last = nn.GroupNorm(32, c, 1e-6), nn.Conv2d(c, 3, 3, padding=1)

    def forward(self, x, t):
        t = self.time(sinusoidal(t, self.ch))
        x = self.first(x)
        skips = [x]
        for u in self.downs:
            x = u(x, t) if isinstance(u, Unit) else u(x)
            skips.append(x)
        x = self.mid2(self.mid1(x, t), t)
        for u in self.ups:
            x = u(torch.cat((x, skips.pop()), 1), t) if isinstance(u, Unit) else u(F.interpolate(x, scale_factor=2.0))
        return self.last(F.silu(self.norm(x)))


# ---- annotated: the notebook ----------------------------------------------------------------------------------------


class ConvNext(nn.Module):
    def __init__(self, cin, cout, temb):
        super().__init__()
        self.mlp = nn.Sequential(nn.GELU(), nn.Linear(temb, cin)) if temb else None
        self.ds = nn.Conv2d(cin, cin, 7, padding=3, groups=cin)
        self.net = nn.Sequential(
            nn.GroupNorm(1, cin),
            nn.Conv2d(cin, 2 * cout, 3, padding=1),
            nn.GELU(),
            nn.GroupNorm(1, 2 * cout),
            nn.Conv2d(2 * cout, cout, 3, padding=1),
        )
        self.res = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()

    def forward(self, x, t=None):
        h = self.ds(x)
        if self.mlp is not None:
            h = h + self.mlp(t)[:, :, None, None]
        return self.net(h) + self.res(x)


class NotebookAttention(nn.Module):
    """x + attention(GroupNorm(1)(x)), 4 heads of 32."""

    def __init__(self, dim, linear):
        super().__init__()
        self.linear, self.norm = linear, nn.GroupNorm(1, dim)
        self.qkv = nn.Conv2d(dim, 384, 1, bias=False)
        self.out = nn.Sequential(nn.Conv2d(128, dim, 1), nn.GroupNorm(1, dim) if linear else nn.Identity())

    def forward(self, x):
        b, _, h, w = x.shape
        q, k, v = (p.reshape(b, 4, 32, h * w) for p in self.qkv(self.norm(x)).chunk(3, 1))
        if self.linear:
            q, k = q.softmax(-2) * 32**-0.5, k.softmax(-1)
            o = torch.einsum("bhde,bhdn->bhen", torch.einsum("bhdn,bhen->bhde", k, v), q)
        else:
            o = F.scaled_dot_product_attention(*(p.transpose(-1, -2) for p in (q, k, v))).transpose(-1, -2)
        return x + self.out(o.reshape(b, 128, h, w))


class Notebook(nn.Module):
    def __init__(self, dim=28, channels=1, mults=(1, 2, 4)):
        super().__init__()
        self.dim, temb, levels = dim, 4 * dim, len(mults)
        stem = dim // 3 * 2
        dims = [stem] + [dim * m for m in mults]
        self.stem = nn.Conv2d(channels, stem, 7, padding=3)
        self.time = nn.Sequential(nn.Linear(dim, temb), nn.GELU(), nn.Linear(temb, temb))
        self.downs = nn.ModuleList(
            nn.ModuleList([
                ConvNext(i, o, temb),
                ConvNext(o, o, temb),
                NotebookAttention(o, True),
                nn.Conv2d(o, o, 4, 2, 1) if k < levels - 1 else nn.Identity(),
            ])
            for k, (i, o) in enumerate(zip(dims, dims[1:]))
        )
        m = dims[-1]
        self.mid1, self.mid, self.mid2 = ConvNext(m, m, temb), NotebookAttention(m, False), ConvNext(m, m, temb)
        self.ups = nn.ModuleList(
            nn.ModuleList([
                ConvNext(2 * i, o, temb),
                ConvNext(o, o, temb),
                NotebookAttention(o, True),
                nn.ConvTranspose2d(o, o, 4, 2, 1),
            ])
            for o, i in reversed(list(zip(dims[1:], dims[2:])))
        )
        self.last = nn.Sequential(ConvNext(dim, dim, 0), nn.Conv2d(dim, channels, 1))

    def forward(self, x, t):
        t = self.time(sinusoidal(t, self.dim))
        x, skips = self.stem(x), []
        for block1, block2, attention, down in self.downs:
            x = attention(block2(block1(x, t), t))
            skips.append(x)
            x = down(x)
        x = self.mid2(self.mid(self.mid1(x, t)), t)
        for block1, block2, attention, up in self.ups:
            x = torch.cat((x, skips.pop()), 1)
            x = up(attention(block2(block1(x, t), t)))
        return self.last(x)


# ---- what is timed --------------------------------------------------------------------------------------------------


def synchronize():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def median(step):
    times = []
    for _ in range(ROUNDS):
        synchronize()
        start = time.perf_counter()
        for _ in range(STEPS):
            step()
        synchronize()
        times.append(1e3 * (time.perf_counter() - start) / STEPS)
    return sorted(times)[ROUNDS // 2]


class Run:
    def __init__(self, preset, precision):
        self.preset, self.precision = preset, precision
        tf32 = precision != "fp32"
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
        cifar = preset == "ddpm-cifar10"
        self.batch = 2 if args.small else 128
        self.T = 1000 if cifar else 200
        self.shape = (3, 32, 32) if cifar else (1, 28, 28)
        self.net = (Cifar() if cifar else Notebook()).to(DEVICE).to(memory_format=torch.channels_last)
        self.parameters = sum(p.numel() for p in self.net.parameters())
        self.adam = torch.optim.Adam(self.net.parameters(), 2e-4 if cifar else 1e-3, fused=DEVICE == "cuda")
        self.clip = cifar
        self.loss = F.mse_loss if cifar else F.smooth_l1_loss
        beta = torch.linspace(1e-4, 0.02, self.T, dtype=torch.float64)
        bar = torch.cumprod(1 - beta, 0)
        before = torch.cat((torch.ones(1, dtype=torch.float64), bar[:-1]))
        self.root, self.rest = bar.sqrt().float().to(DEVICE), (1 - bar).sqrt().float().to(DEVICE)
        self.beta, self.alpha = beta.float().to(DEVICE), (1 - beta).sqrt().float().to(DEVICE)
        self.sigma = (beta * (1 - before) / (1 - bar)).sqrt().float().to(DEVICE)
        self.x = self.images(self.batch)
        compiled = args.mode != "eager"
        self.objective = torch.compile(self._objective, mode=args.mode) if compiled else self._objective
        self.denoise = torch.compile(self._denoise, mode=args.mode) if compiled else self._denoise

    def images(self, n):
        return torch.randn((n, *self.shape), device=DEVICE).to(memory_format=torch.channels_last)

    def autocast(self):
        return torch.autocast(DEVICE, torch.bfloat16, enabled=self.precision == "bf16")

    def _objective(self, x, t, noise):
        xt = self.root[t][:, None, None, None] * x + self.rest[t][:, None, None, None] * noise
        with self.autocast():
            predicted = self.net(xt, t)
        return self.loss(predicted.float(), noise)

    def step(self):
        t = torch.randint(self.T, (self.batch,), device=DEVICE)
        noise = torch.randn_like(self.x)
        loss = self.objective(self.x, t, noise)
        loss.backward()
        if self.clip:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)

    def _denoise(self, x, t, noise):
        """One step of ancestral sampling, x̂₀ clipped."""
        with self.autocast():
            eps = self.net(x, t).float()
        bar, bar1 = self.root[t][:, None, None, None], self.rest[t][:, None, None, None]
        alpha, beta = self.alpha[t][:, None, None, None], self.beta[t][:, None, None, None]
        x0 = ((x - bar1 * eps) / bar).clamp(-1, 1)
        bar1sq = bar1 * bar1
        before = bar * bar / (alpha * alpha)
        mean = x0 * before.sqrt() * beta / bar1sq + x * alpha * (1 - before) / bar1sq
        return mean + self.sigma[t][:, None, None, None] * noise

    def sampling_step(self, n):
        x, t = self.images(n), torch.full((n,), self.T // 2, device=DEVICE)

        def step():
            with torch.no_grad():
                self.denoise(x, t, torch.randn_like(x))

        return step


def sizes(count):
    return f"{2 if args.small else 256} images" if count else f"batch {2 if args.small else 128}"


def warm(preset, precision):
    """A run that has compiled and searched whatever it will need, and its sampling step if wanted."""
    run = Run(preset, precision)
    for _ in range(1 if args.small else 5 if args.mode == "eager" else 15):
        run.step()
    sampler = None
    if args.sample:
        run.net.eval()
        sampler = run.sampling_step(2 if args.small else 256)
        for _ in range(1 if args.small else 5):
            sampler()
        run.net.train()
    synchronize()
    print(f"warm: {args.mode} {preset} {precision}, {run.parameters} parameters", file=sys.stderr, flush=True)
    return run, sampler


def measure(run, sampler):
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = run.precision != "fp32"
    row = f"| PyTorch {torch.__version__} {args.mode} | {run.preset} | {run.precision} |"
    print(f"{row} training step, {sizes(0)} | {median(run.step):.2f} |", flush=True)
    if sampler is None:
        return
    run.net.eval()
    print(f"{row} sampling step, {sizes(1)} | {median(sampler):.2f} |", flush=True)
    run.net.train()


def main():
    if not args.small and DEVICE == "cpu":
        sys.exit("no GPU")
    wanted = [(preset, precision) for precision in args.precisions.split(",") for preset in args.presets.split(",")]
    if not args.wait:
        for preset, precision in wanted:
            measure(*warm(preset, precision))
        return
    runs = [warm(preset, precision) for preset, precision in wanted]
    while not os.path.exists(args.wait):
        time.sleep(0.05)
    for run in runs:
        measure(*run)


main()
