"""PyTorch's time for the 3x3 convolutions of the DDPM CIFAR-10 network at batch 128: forward, and both gradients.

Channels last, bf16 and tf32, median of 30 after 10, on the first GPU. Prints a Markdown table.
"""
import torch

SHAPES = [(128, 128, 32), (256, 128, 32), (384, 128, 32), (128, 256, 16), (256, 256, 16), (512, 256, 16), (256, 256, 8), (512, 256, 8), (256, 256, 4)]

torch.backends.cudnn.benchmark = True
torch.backends.cudnn.allow_tf32 = True
print(torch.__version__, torch.cuda.get_device_name(0), "cuDNN", torch.backends.cudnn.version())
print()
print("| in | out | side | type | forward, ms | gradients, ms |")
print("| --- | --- | --- | --- | --- | --- |")


def median(f):
    times = []
    for i in range(40):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        f()
        end.record()
        torch.cuda.synchronize()
        if i >= 10:
            times.append(start.elapsed_time(end))
    return sorted(times)[len(times) // 2]


for dtype in (torch.bfloat16, torch.float32):
    for c, k, side in SHAPES:
        x = torch.randn(128, c, side, side, device="cuda", dtype=dtype).to(memory_format=torch.channels_last).requires_grad_()
        w = torch.randn(k, c, 3, 3, device="cuda", dtype=dtype).to(memory_format=torch.channels_last).requires_grad_()
        y = torch.nn.functional.conv2d(x, w, padding=1)
        dy = torch.randn_like(y)
        forward = median(lambda: torch.nn.functional.conv2d(x, w, padding=1))
        backward = median(lambda: torch.autograd.grad(y, (x, w), dy, retain_graph=True))
        print(f"| {c} | {k} | {side} | {str(dtype)[6:]} | {forward:.3f} | {backward:.3f} |")
