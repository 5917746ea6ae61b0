"""The notebook's 4000 gradient steps in NumPy, with the gradient written by hand."""

import numpy

import peer


def loss_and_gradient(theta, x):
    """1/2 mean |P (x - mu)|^2 - tr P and its gradient; theta is mu, log L_00, log L_11, L_10."""
    lower = numpy.array([[numpy.exp(theta[2]), 0.0], [theta[4], numpy.exp(theta[3])]])
    inverse = numpy.linalg.inv(lower)
    precision = inverse.T @ inverse
    delta = x - theta[:2]
    second_moment = delta.T @ delta / len(x)
    product = precision @ second_moment
    loss = 0.5 * numpy.trace(product @ precision) - numpy.trace(precision)
    g = 0.5 * (product + product.T) - numpy.eye(2)
    d_lower = -2 * precision @ g @ inverse.T
    gradient = numpy.empty(5)
    gradient[:2] = -precision @ precision @ delta.mean(axis=0)
    gradient[2] = d_lower[0, 0] * lower[0, 0]
    gradient[3] = d_lower[1, 1] * lower[1, 1]
    gradient[4] = d_lower[1, 0]
    return loss, gradient


def run():
    theta = numpy.zeros(5)
    for _ in range(peer.answer["steps"]):
        _, gradient = loss_and_gradient(theta, peer.samples)
        theta -= 1e-3 * gradient
    return theta


NAME = "NumPy, gradient by hand"
theta, seconds = peer.cpu_seconds(run)
peer.require(NAME, theta, "parameters")
peer.require(NAME, loss_and_gradient(theta, peer.samples)[0], "loss")
peer.report(NAME, "notebook_seconds", seconds)
