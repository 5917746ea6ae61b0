// SPDX-License-Identifier: MIT
//
// Which samples a replicate of the bootstrap is made of.
#pragma once

#include <scorematch/core/random.hpp>
#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <vector>

namespace scorematch {

namespace detail {

template <class Length>
void require_run(const char* owner, const char* option, Length length, Eigen::Index n) {
  require_option(length >= 1 && length <= static_cast<Length>(n), owner, option, length,
                 "1 to the number of samples");
}

// Runs that begin at one of the first `starts` samples, around the end.
template <class Random>
void draw_runs(Eigen::Index n, Eigen::Index length, Eigen::Index starts, Random& random,
               std::vector<Eigen::Index>& which) {
  while (Eigen::Index(which.size()) < n) {
    const Eigen::Index first = random.below(starts);
    for (Eigen::Index k = 0; k < length && Eigen::Index(which.size()) < n; ++k) {
      which.push_back((first + k) % n);
    }
  }
}

}  // namespace detail

/// Draws n of n samples: `draw(n, random, which)` appends n indices from 0 to n - 1, with
/// `random.below(m)` uniform in {0, ..., m - 1} and `random.uniform()` in (0, 1].
/// `require_options(n)` throws std::invalid_argument where its options do not fit n samples.
///
/// Law: the indices depend on n, the options and the numbers of `random` alone.
template <class R>
concept ResamplingPolicy =
    requires(const R& resampling, Eigen::Index n, detail::RandomNumbers& random,
             std::vector<Eigen::Index>& which) {
      resampling.require_options(n);
      resampling.draw(n, random, which);
    };

/// Each sample drawn alone, with replacement (Efron 1979): for independent samples.
struct DrawSamples {
  void require_options(Eigen::Index) const {}
  template <class Random>
  void draw(Eigen::Index n, Random& random, std::vector<Eigen::Index>& which) const {
    for (Eigen::Index k = 0; k < n; ++k) which.push_back(random.below(n));
  }
};

/// Runs of consecutive samples, for chains (Kunsch 1989): as many as make up n, the last one cut.
/// Each of the n - length + 1 runs is as probable; the ends of the chain are drawn less often.
struct MovingBlocks {
  Eigen::Index length;  ///< much longer than the autocorrelation time, much shorter than the chain

  void require_options(Eigen::Index n) const {
    detail::require_run("MovingBlocks", "length", length, n);
  }
  template <class Random>
  void draw(Eigen::Index n, Random& random, std::vector<Eigen::Index>& which) const {
    detail::draw_runs(n, length, n - length + 1, random, which);
  }
};

/// The same of a chain whose end is followed by its beginning (Politis and Romano 1992): every
/// sample is as probable.
struct CircularBlocks {
  Eigen::Index length;

  void require_options(Eigen::Index n) const {
    detail::require_run("CircularBlocks", "length", length, n);
  }
  template <class Random>
  void draw(Eigen::Index n, Random& random, std::vector<Eigen::Index>& which) const {
    detail::draw_runs(n, length, n, random, which);
  }
};

/// Circular runs of random, geometrically distributed length (Politis and Romano 1994): what is
/// drawn is stationary.
struct StationaryBlocks {
  double mean_length;

  void require_options(Eigen::Index n) const {
    detail::require_run("StationaryBlocks", "mean_length", mean_length, n);
  }
  template <class Random>
  void draw(Eigen::Index n, Random& random, std::vector<Eigen::Index>& which) const {
    Eigen::Index at = random.below(n);
    for (Eigen::Index k = 0; k < n; ++k) {
      which.push_back(at);
      at = random.uniform() * mean_length <= 1 ? random.below(n) : (at + 1) % n;
    }
  }
};

/// Samples of the fitted density itself: the parametric bootstrap, for distributions with a
/// `sample(n, rng)`. Right only if the family holds the true density.
struct DrawFromFit {
  void require_options(Eigen::Index) const {}
};

}  // namespace scorematch
