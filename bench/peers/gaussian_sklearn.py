"""The same Gaussian from scikit-learn, beside the library's closed form."""

from sklearn.covariance import EmpiricalCovariance
from sklearn.mixture import GaussianMixture

import peer

REPEATS = 20


def repeated(work):
    for _ in range(REPEATS):
        result = work()
    return result


for name, model, covariance in (
    ("scikit-learn, EmpiricalCovariance", EmpiricalCovariance(), lambda m: m.covariance_),
    ("scikit-learn, GaussianMixture(1)", GaussianMixture(1, reg_covar=0), lambda m: m.covariances_[0]),
):
    model.fit(peer.samples)  # what is loaded at the first use is not counted
    fitted, seconds = peer.cpu_seconds(lambda: repeated(lambda: model.fit(peer.samples)))
    mean = fitted.location_ if hasattr(fitted, "location_") else fitted.means_[0]
    peer.require(name, mean, "exact_mean")
    peer.require(name, covariance(fitted).ravel(), "exact_covariance")
    peer.report(name, "exact_seconds", seconds / REPEATS)
