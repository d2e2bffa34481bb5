"""A step of training in PyTorch, eager or compiled, channels last."""
import contextlib
import math
import os

import torch
import torch.nn.functional as F

import formula
from torch_ops import EPSILON, TorchNet, to_torch


class TrainedNet(TorchNet):
    """A net as a module that is trained, with weights by formula. `example`: an input, by which parameters are made."""

    def __init__(self, function, example, dropout=True):
        torch.nn.Module.__init__(self)
        self.function, self.dropout_too, self.channels_last, self.generator = function, dropout, True, None
        with torch.no_grad():
            self(example)
        self.to(memory_format=torch.channels_last)

    def forward(self, x):
        return self.function(self, x)

    def variable(self, name, draw, convert=lambda array: array):
        key = "of_" + name.replace(".", "_")  # apart from the module's own attributes
        if key not in self._parameters:
            value = torch.from_numpy(formula.weights(name, tuple(draw().shape)))
            self.register_parameter(key, torch.nn.Parameter(convert(value).contiguous()))
        return self._parameters[key]

    def normal(self, shape, deviation, mean=0.0):
        return torch.empty(shape)

    def batch_norm(self, name, x):
        channels = (x.shape[1],)
        gamma = self.variable(f"{name}/gamma", lambda: torch.empty(channels))
        beta = self.variable(f"{name}/beta", lambda: torch.empty(channels))
        mean, variance = (f"of_{name}/{part}".replace(".", "_") for part in ("mean", "variance"))
        if mean not in self._buffers:
            self.register_buffer(mean, torch.zeros(channels))
            self.register_buffer(variance, torch.ones(channels))
        return F.batch_norm(x, self._buffers[mean], self._buffers[variance], gamma, beta, True, 0.1, EPSILON)

    def dropout(self, x, rate):
        return F.dropout(x, rate, self.dropout_too)

    def conv_transpose(self, name, x, filters):
        """Kernels of 4 x 4 and strides of 2."""
        weights = self.variable(f"{name}/W", lambda: torch.empty((4, 4, filters, x.shape[1])),
                                lambda array: array.permute(3, 2, 0, 1))
        return F.conv_transpose2d(x, weights, self.bias(name, filters), 2, 1)

    def conv(self, name, x, filters, kernel, stride=1, groups=1, bias=False):
        shape = (kernel, kernel, x.shape[1] // groups, filters)
        weights = self.variable(f"{name}/W", lambda: torch.empty(shape), lambda array: array.permute(3, 2, 0, 1))
        # Of an even kernel, what TensorFlow's "SAME" adds.
        return F.conv2d(x, weights, self.bias(name, filters) if bias else None, stride, (kernel - 1) // 2,
                        groups=groups)

    def as_images(self, x, height, width, channels):
        return x.view(-1, height, width, channels).permute(0, 3, 1, 2)

    def embedding(self, name, ids, count, width):
        return F.embedding(ids.t(), self.variable(name, lambda: torch.empty((count, width))))

    def lstm(self, name, x, units):
        by_input = self.variable(f"{name}/Wx", lambda: torch.empty((x.shape[-1], 4 * units)), torch.t)
        by_state = self.variable(f"{name}/Wh", lambda: torch.empty((units, 4 * units)), torch.t)
        bias = self.variable(f"{name}/b", lambda: torch.empty((4 * units,)))
        zeros = x.new_zeros((1, x.shape[1], units))
        parameters = (by_input, by_state, bias, torch.zeros_like(bias))
        return torch.lstm(x, (zeros, zeros), parameters, True, 1, 0.0, True, False, False)[0]

    def flatten_steps(self, x):
        return x.flatten(0, 1)

    def mean_of_steps(self, x):
        return x.mean(1)

    tanh = staticmethod(torch.tanh)
    leaky_relu = staticmethod(lambda x: F.leaky_relu(x, 0.2))


def to_tensor(array):
    return to_torch(torch.from_numpy(array))


class TensorFlowAdam(torch.optim.Adam):
    """TensorFlow adds epsilon before it corrects the second moment, PyTorch afterwards. Small gradients show it."""

    steps = 0

    def step(self):
        self.steps += 1
        self.param_groups[0]["eps"] = self.defaults["eps"] / math.sqrt(1 - 0.999**self.steps)
        super().step()


def make_optimizer(optimizer, parameters):
    if optimizer.kind == "adam":
        return TensorFlowAdam(parameters, lr=optimizer.rate, betas=(optimizer.beta, 0.999), eps=optimizer.epsilon,
                              fused=True)
    return torch.optim.SGD(parameters, lr=optimizer.rate, momentum=optimizer.beta, fused=True)


class TorchTraining:
    """`step()` does what benchmarks/nets/training.h says and returns the losses, as tensors."""

    def __init__(self, case, batch, dtype, dropout, compiled):
        self.precision = (torch.autocast("cpu", torch.bfloat16) if dtype == "bfloat16" else contextlib.nullcontext())
        wrap = torch.compile if compiled else lambda function: function
        data = [to_tensor(array) for array in case.net.data(batch)]
        if hasattr(case.net, "generator"):
            self.costs = self.dcgan(case, data, wrap)  # pairs: a function that gives the loss, its optimizer
            return
        net = TrainedNet(case.net.function, data[0][:2], dropout)
        if int(os.environ.get("WORLD_SIZE", 1)) > 1:
            torch.distributed.init_process_group("gloo")
            net = torch.nn.parallel.DistributedDataParallel(net, gradient_as_bucket_view=True)
        run = wrap(net)
        self.costs = [(lambda: F.cross_entropy(run(data[0]).float(), data[1]),
                       make_optimizer(case.optimizer, net.parameters()))]

    def dcgan(self, case, data, wrap):
        noise, real = data
        nets = [TrainedNet(case.net.generator, noise), TrainedNet(case.net.discriminator, real)]
        optimizers = [make_optimizer(case.optimizer, net.parameters()) for net in nets]
        generate, discriminate = (wrap(net) for net in nets)

        def loss(logits, target):
            return F.binary_cross_entropy_with_logits(logits.float(), torch.full(logits.shape, target))

        def generator_loss():
            nets[1].requires_grad_(False)
            return loss(discriminate(generate(noise)), 1.0)

        def discriminator_loss():
            nets[1].requires_grad_(True)
            with torch.no_grad():
                fake = generate(noise)
            return (loss(discriminate(real), 1.0) + loss(discriminate(fake), 0.0)) * 0.5

        return list(zip((generator_loss, discriminator_loss), optimizers))

    def step(self):
        losses = []
        for cost, optimizer in self.costs:
            optimizer.zero_grad(set_to_none=True)
            with self.precision:
                loss = cost()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses
