"""Networks as energies in PyTorch: value and gradient of the exact score matching loss, with the
Laplacian by one derivative a coordinate, and of the denoising loss with fresh noise."""

import torch

import peer

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
SAMPLES = 1000


def samples_of(dim):
    j = torch.arange(SAMPLES, dtype=torch.float64)[:, None]
    i = torch.arange(dim, dtype=torch.float64)[None, :]
    return 1.3 * torch.sin(1.7 * j + 0.9 * i * i + 0.3)


def parameters_of(dim, hidden, deep):
    shapes = [(hidden, dim + 1)] + ([(hidden, hidden + 1)] if deep else []) + [(hidden,)]
    sizes = [torch.Size(shape).numel() for shape in shapes]
    flat = 0.3 * torch.cos(2.3 * torch.arange(sum(sizes), dtype=torch.float64) + 0.7)
    return [part.reshape(shape).clone().requires_grad_() for part, shape in zip(flat.split(sizes), shapes)]


def log_density(x, layers):
    units = x
    for layer in layers[:-1]:
        units = torch.tanh(torch.addmm(layer[:, -1], units, layer[:, :-1].T))
    return units @ layers[-1] - 0.5 * (x**2).sum(dim=1)


def exact(x, layers):
    (score,) = torch.autograd.grad(log_density(x, layers).sum(), x, create_graph=True)
    laplacian = sum(torch.autograd.grad(score[:, i].sum(), x, create_graph=True)[0][:, i]
                    for i in range(x.shape[1]))
    loss = (0.5 * (score**2).sum(dim=1) + laplacian).mean()
    return loss, torch.autograd.grad(loss, layers)


def denoising(x, layers, sigma=0.1):
    noise = torch.randn_like(x)
    y = (x.detach() + sigma * noise).requires_grad_()
    (score,) = torch.autograd.grad(log_density(y, layers).sum(), y, create_graph=True)
    loss = 0.5 * ((score + noise / sigma) ** 2).sum(dim=1).mean()
    return loss, torch.autograd.grad(loss, layers)


def least(work, repeats=7):
    work()
    return min(peer.cpu_seconds(work)[1] for _ in range(repeats))


for k, case in enumerate(peer.answer["energies"]):
    x = samples_of(case["dim"]).requires_grad_()
    layers = parameters_of(case["dim"], case["hidden"], case["deep"])
    size = f"{case['dim']}x{case['hidden']}" + (f"x{case['hidden']}" if case["deep"] else "")
    loss, gradient = exact(x, layers)
    norm = torch.sqrt(sum((part**2).sum() for part in gradient))
    peer.require(f"PyTorch, energy {size}", [loss.item(), norm.item()],
                 ["energies", k, ("loss", "gradient_norm")])
    peer.report(f"PyTorch, exact loss of energy {size}", ["energies", k, "exact_seconds"],
                least(lambda: exact(x, layers)))
    peer.report(f"PyTorch, denoising loss of energy {size}", ["energies", k, "denoising_seconds"],
                least(lambda: denoising(x, layers)))


def ring(first, count):
    """The samples of energies.hpp."""
    def fraction(value):
        return value - torch.floor(value)

    tau = 2 * torch.pi
    k = torch.arange(first, first + count, dtype=torch.float64) + 0.5
    across = 0.25 * torch.sqrt(-2 * torch.log(fraction(k * 0.8191725133961645)))
    across = across * torch.cos(tau * fraction(k * 0.6710436067037893))
    angle = tau * fraction(k * 0.5497004779019703)
    return torch.stack([(2 + across) * torch.cos(angle), (2 + across) * torch.sin(angle)], dim=1)


def batches(samples, size, steps, seed):
    """The library's: SplitMix64 shuffles all samples anew whenever they have all been seen."""
    mask = (1 << 64) - 1
    order, place, drawn = list(range(samples)), 0, []
    for _ in range(steps):
        batch = []
        for _ in range(size):
            if place == 0:
                for j in range(samples - 1, 0, -1):
                    seed = (seed + 0x9E3779B97F4A7C15) & mask
                    z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & mask
                    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
                    k = (z ^ (z >> 31)) % (j + 1)
                    order[j], order[k] = order[k], order[j]
            batch.append(order[place])
            place = (place + 1) % samples
        drawn.append(torch.tensor(batch))
    return drawn


# A whole fit: the ring by two layers of 32, Adam on the library's batches, and its held-out loss.
def fit_ring(samples, drawn, layers, rate):
    adam = torch.optim.Adam(layers, lr=rate)
    for batch in drawn:
        x = samples[batch].requires_grad_()
        _, gradient = exact(x, layers)
        for layer, slope in zip(layers, gradient):
            layer.grad = slope
        adam.step()


fit = peer.answer["fit"]
layers = parameters_of(2, 32, True)
drawn = batches(5000, fit["batch"], fit["steps"], 1)
seconds = peer.cpu_seconds(lambda: fit_ring(ring(0, 5000), drawn, layers, fit["rate"]))[1]
held_out = exact(ring(5000, 5000).requires_grad_(), layers)[0].item()
peer.require("PyTorch, fit of the ring", [held_out], ["fit", ("after",)], 1e-3)
peer.report("PyTorch, fit of a ring", ["fit", "seconds"], seconds)
