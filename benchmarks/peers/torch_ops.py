"""The nets of nets.py in PyTorch."""
import math

import torch
import torch.nn.functional as F

EPSILON = 1e-5


class TorchNet(torch.nn.Module):
    """A net as a module. Images come as [N, C, H, W]; `channels_last`: how they and the weights lie in memory.

    `weights`: arrays by Belfry's names, in Belfry's layouts. Those that are missing are drawn at random and added.
    """

    def __init__(self, net, weights, channels_last=True):
        super().__init__()
        self.net, self.weights, self.channels_last = net, weights, channels_last
        self.generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            self(to_torch(torch.rand((4, *net.shape), generator=self.generator)))  # makes the parameters
        del self.weights, self.generator
        self.eval().requires_grad_(False)
        if channels_last:
            self.to(memory_format=torch.channels_last)

    def forward(self, x):
        return self.net.function(self, x)

    def variable(self, name, draw, convert=lambda array: array):
        key = name.replace(".", "_")
        if key not in self._parameters:
            if name not in self.weights:
                self.weights[name] = draw().numpy()
            value = convert(torch.from_numpy(self.weights[name])).contiguous()
            self.register_parameter(key, torch.nn.Parameter(value, requires_grad=False))
        return self._parameters[key]

    def normal(self, shape, deviation, mean=0.0):
        return torch.normal(mean, deviation, shape, generator=self.generator)

    def bias(self, name, units):
        return self.variable(f"{name}/b", lambda: self.normal((units,), 0.1))

    def conv(self, name, x, filters, kernel, stride=1, groups=1, bias=False):
        shape = (kernel, kernel, x.shape[1] // groups, filters)
        weights = self.variable(f"{name}/W", lambda: self.normal(shape, math.sqrt(2 / math.prod(shape[:3]))),
                                lambda array: array.permute(3, 2, 0, 1))
        return F.conv2d(x, weights, self.bias(name, filters) if bias else None, stride, kernel // 2, groups=groups)

    def batch_norm(self, name, x):
        # Statistics near those of the data keep every net in a sane range; none is trivial to fold.
        channels = (x.shape[1],)
        gamma = self.variable(f"{name}/gamma", lambda: self.normal(channels, 0.2, 1.0))
        beta = self.variable(f"{name}/beta", lambda: self.normal(channels, 0.2))
        mean = self.variable(f"{name}/mean/EMA", lambda: x.mean((0, 2, 3)) + self.normal(channels, 0.1))
        variance = self.variable(f"{name}/variance/EMA",
                                 lambda: (x.var((0, 2, 3)) + 0.1) * self.normal(channels, 0.3).exp())
        return F.batch_norm(x, mean, variance, gamma, beta, False, eps=EPSILON)

    def fully_connected(self, name, x, units):
        convert = torch.t
        if x.dim() == 4:
            channels, height, width = x.shape[1:]
            if self.channels_last:  # flattening moves no element, in either case
                x = x.permute(0, 2, 3, 1)
            else:
                def convert(array):
                    return array.view(height, width, channels, units).permute(3, 2, 0, 1).flatten(1)
            x = x.flatten(1)
        shape = (x.shape[-1], units)
        weights = self.variable(f"{name}/W", lambda: self.normal(shape, math.sqrt(1 / shape[0])), convert)
        return F.linear(x, weights, self.bias(name, units))

    def layer_norm(self, name, x):
        size = (x.shape[-1],)
        gamma = self.variable(f"{name}/gamma", lambda: self.normal(size, 0.2, 1.0))
        beta = self.variable(f"{name}/beta", lambda: self.normal(size, 0.2))
        return F.layer_norm(x, size, gamma, beta, EPSILON)

    def attention(self, qkv, heads):
        batch, time, width = qkv.shape
        query, key, value = (part.view(batch, time, heads, width // 3 // heads).transpose(1, 2)
                             for part in qkv.chunk(3, dim=-1))
        return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(batch, time, width // 3)

    def dropout(self, x, rate):
        return F.dropout(x, rate, self.training)

    def max_pool(self, x, pool):
        return F.max_pool2d(x, pool, 2, ceil_mode=pool > 2)  # of an even size: as "SAME"

    def avg_pool(self, x, pool):
        return F.avg_pool2d(x, pool)

    def pad_channels(self, x, count):
        return F.pad(x, (0, 0, 0, 0, count, count))

    def global_avg_pool(self, x):
        return F.adaptive_avg_pool2d(x, 1).flatten(1)

    relu, relu6, gelu = (staticmethod(op) for op in (F.relu, F.relu6, F.gelu))


def to_torch(x):
    """A batch of nets.py as TorchNet takes it: images [N, H, W, C] seen as [N, C, H, W]."""
    return x.permute(0, 3, 1, 2) if x.dim() == 4 else x
