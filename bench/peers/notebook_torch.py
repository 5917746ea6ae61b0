"""The notebook's 4000 gradient steps in PyTorch: with a loop over the samples as the notebook wrote
it, and vectorized."""

import torch

import peer

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
x = torch.from_numpy(peer.samples)


def lower_of(theta):
    zero = torch.zeros(())
    return torch.stack([torch.stack([torch.exp(theta[2]), zero]),
                        torch.stack([theta[4], torch.exp(theta[3])])])


def log_density(theta, lower, points):
    """Up to a constant; points n x 2."""
    white = torch.linalg.solve_triangular(lower, (points - theta[:2]).T, upper=False)
    return -0.5 * (white**2).sum(dim=0) - theta[2] - theta[3]


def score_matching(theta, points):
    """Sum over the points of 1/2 |score|^2 + Laplacian, both by automatic differentiation in x."""
    points = points.clone().requires_grad_()
    density = log_density(theta, lower_of(theta), points).sum()
    (score,) = torch.autograd.grad(density, points, create_graph=True)
    laplacian = sum(torch.autograd.grad(score[:, i].sum(), points, create_graph=True)[0][:, i].sum()
                    for i in range(2))
    return 0.5 * (score**2).sum() + laplacian


def loss_loop(theta):
    return sum(score_matching(theta, x[k : k + 1]) for k in range(len(x))) / len(x)


def loss_vectorized(theta):
    return score_matching(theta, x) / len(x)


def loss_score_by_hand(theta):
    """Automatic differentiation in the parameters alone: the score is -P (x - mu)."""
    precision = torch.cholesky_inverse(lower_of(theta))
    score = (x - theta[:2]) @ precision
    return 0.5 * (score**2).sum() / len(x) - torch.trace(precision)


def run(loss, steps):
    theta = torch.zeros(5, requires_grad=True)
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(loss(theta), theta)
        with torch.no_grad():
            theta -= 1e-3 * gradient
    return theta.detach()


steps, few = peer.answer["steps"], peer.answer["few_steps"]
run(loss_loop, 1)  # what is loaded at the first use is not counted
for name, loss in (("PyTorch, vectorized", loss_vectorized),
                   ("PyTorch, vectorized, score by hand", loss_score_by_hand)):
    theta, seconds = peer.cpu_seconds(lambda: run(loss, steps))
    peer.require(name, theta, "parameters")
    peer.require(name, loss(theta).item(), "loss")
    peer.report(name, "notebook_seconds", seconds)

# Run for fewer steps, and scaled.
NAME = "PyTorch, loop over the samples"
theta, seconds = peer.cpu_seconds(lambda: run(loss_loop, few))
peer.require(NAME, theta, "few_parameters")
peer.report(NAME, "notebook_seconds", seconds * steps / few)
