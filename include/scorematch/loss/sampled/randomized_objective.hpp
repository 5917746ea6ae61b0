// SPDX-License-Identifier: MIT
//
// Losses that draw random vectors beside each sample: noise (denoising), directions (sliced).
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/random.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/data/sample_set.hpp>
#include <scorematch/derivative/column.hpp>
#include <scorematch/loss/sampled/stored_samples.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace scorematch {

namespace detail {

// The options that losses with random vectors share.
inline void require_random_options(const char* owner, const char* draws_name, Eigen::Index draws,
                                   Eigen::Index batch_size) {
  require_option(draws >= 1, owner, draws_name, draws, "at least 1");
  require_option(batch_size >= 0, owner, "batch_size", batch_size,
                 "at least 0 (0: all samples, with vectors that are drawn once)");
}

// The same for given samples, whose vectors must be countable.
template <class Samples>
void require_random_options(const char* owner, const char* draws_name, Eigen::Index draws,
                            Eigen::Index batch_size, const Samples& samples) {
  require_random_options(owner, draws_name, draws, batch_size);
  const Eigen::Index all = samples.size();
  const Eigen::Index size = batch_size > 0 && batch_size < all ? batch_size : all;
  constexpr Eigen::Index numbers =
      (std::numeric_limits<Eigen::Index>::max)() / Eigen::Index(sizeof(typename Samples::Scalar));
  const Eigen::Index most = numbers / samples.dimension() / (std::max<Eigen::Index>)(size, 1);
  if (draws > most) {
    fail(owner, ": ", draws_name, " = ", draws, " for each of ", size, " samples of dimension ",
         samples.dimension(), "; expected at most ", most);
  }
}

}  // namespace detail

/// The mean over stored samples of a loss of one sample and a random vector beside it.
///
/// **Math** J(theta) = sum_j w_j mean_k l(x_j, v_jk, theta) / sum_j w_j, with `draws` vectors v_jk
/// for each sample. With batch_size = 0 they are drawn once: J is a plain function, the same at
/// every call, for line searches and tests of convergence. With batch_size = b, each call takes the
/// next b samples of a random order (a new one whenever all have had their turn) and fresh vectors;
/// weights are scaled such that the mean over the calls is the loss over all samples. From b = n on
/// each call sees every sample.
///
/// `Point` is called as `point(family, x, v, theta)` as that of `SampleObjective` is; x is the
/// point's own copy, to change as it likes. `point.draw(random, block)` fills the Dim x draws
/// vectors of a sample.
///
/// **Errors** as `SampleObjective`, and for draws below 1, a batch_size below 0 and more vectors
/// than memory could hold. The size of theta is not checked.
///
/// **Cost** of one evaluation with its gradient: as of `SampleObjective`, for draws * size()
/// samples (draws * batch_size).
///
/// **Allocation** a copy of the samples, unless they are given away (`std::move`), and draws *
/// size() vectors (draws * batch_size); none in an evaluation, but for the first of a recorded
/// energy.
template <class F, class Point>
class RandomizedObjective : public detail::StoredSamples<RandomizedObjective<F, Point>, F, Point> {
  using Base = detail::StoredSamples<RandomizedObjective, F, Point>;

 public:
  using Base::Dim;
  using typename Base::Parameters;
  using typename Base::Scalar;

  RandomizedObjective(const F& family, SampleSet<Scalar, Dim> samples, Point point,
                      Eigen::Index draws, Eigen::Index batch_size, std::uint64_t seed)
      : Base(family, std::move(samples)),
        point_(std::move(point)),
        draws_(draws),
        batch_(batch_size),
        random_(seed) {
    detail::require_random_options("RandomizedObjective", "draws", draws, batch_size, samples_);
    const Eigen::Index n = samples_.size();
    size_ = stochastic() ? (std::min)(batch_, n) : n;
    columns_.resize(static_cast<std::size_t>(terms()));
    vectors_.resize(family_.dimension(), terms());
    if (stochastic()) {
      order_.resize(static_cast<std::size_t>(n));
      for (Eigen::Index j = 0; j < n; ++j) order_[static_cast<std::size_t>(j)] = j;
    }
    if (!stochastic()) {
      see_from(0);
      draw_vectors();
    }
  }

  /// `stochastic` with mini-batches: every call, with or without gradient, then draws anew.
  ObjectiveInfo<Scalar> info() const {
    return {.stochastic = stochastic(), .parameter_count = this->parameter_count()};
  }

  /// Throws where the loss of a sample is not finite at `start`: sees every sample once, with
  /// vectors of the kind that a fit will meet; without batches, with those.
  void check_start(const Parameters& start) {
    const detail::RandomNumbers before = random_;
    const detail::Column<Parameters, detail::ColumnOf::theta> theta(frame_.centered(start));
    for (Eigen::Index first = 0; first < samples_.size(); first += size()) {
      if (stochastic()) {
        see_from(first);
        draw_vectors();
      }
      const auto refuse_infinite = [this](Eigen::Index k, Scalar loss) {
        detail::require_finite_loss(loss, samples_.samples(), this->column_of(k));
      };
      if constexpr (detail::recorded<F, Point>) {
        mean_.each(family_, point_, theta, terms(), load(), refuse_infinite);
      } else {
        const auto loss = term();
        for (Eigen::Index k = 0; k < terms(); ++k) {
          refuse_infinite(k, static_cast<Scalar>(loss(k, theta)));
        }
      }
    }
    random_ = before;
  }

 private:
  friend Base;
  using Base::family_;
  using Base::frame_;
  using Base::mean_;
  using Base::samples_;
  using Base::x_;

  bool stochastic() const { return batch_ > 0; }

  using Sum = typename SampleSet<Scalar, Dim>::Weight;
  using Vectors = Eigen::Matrix<Scalar, Dim, Eigen::Dynamic>;

  // With the gradient where it is asked for.
  template <class... Gradient>
  Scalar at_centered(const Parameters& theta, Gradient&... gradient) {
    next_batch();
    if constexpr (detail::recorded<F, Point>) {
      return mean_(family_, point_, theta, gradient..., terms(), total(), weight(), load());
    } else {
      return mean_(theta, gradient..., terms(), total(), weight(), term());
    }
  }

  // The samples of an evaluation, size() of them from `first` on; the last one again at the end.
  void see_from(Eigen::Index first) {
    for (Eigen::Index k = 0; k < terms(); ++k) {
      columns_[static_cast<std::size_t>(k)] = (std::min)(first + k / draws_, samples_.size() - 1);
    }
  }

  Eigen::Index size() const { return size_; }
  Eigen::Index terms() const { return size() * draws_; }

  // Of the weights where every sample is seen, and of what stands for it in a batch.
  Sum total() const {
    const Sum part = static_cast<Sum>(size()) / static_cast<Sum>(samples_.size());
    return samples_.count() * static_cast<Sum>(draws_) * part;
  }

  Eigen::Index column_of(Eigen::Index term) const {
    return columns_[static_cast<std::size_t>(term)];
  }

  auto weight() const {
    return [this](Eigen::Index k) { return samples_.weights()(this->column_of(k)); };
  }

  auto load() {
    return [this](Eigen::Index k, const auto& place) {
      x_ = samples_.samples().col(this->column_of(k));
      frame_.center(x_);
      place(x_, vectors_.col(k));
    };
  }
  auto term() {
    return [this](Eigen::Index k, const auto& theta) {
      x_ = samples_.samples().col(this->column_of(k));
      frame_.center(x_);
      return point_(std::as_const(family_), x_, vectors_.col(k), theta);
    };
  }

  void draw_vectors() {
    for (Eigen::Index k = 0; k < size(); ++k) {
      auto block = vectors_.middleCols(k * draws_, draws_);
      point_.draw(random_, block);
    }
  }

  void next_batch() {
    if (!stochastic()) return;
    for (Eigen::Index k = 0; k < terms(); k += draws_) {
      if (next_ == 0) shuffle();
      std::fill_n(&columns_[static_cast<std::size_t>(k)], draws_,
                  order_[static_cast<std::size_t>(next_)]);
      if (++next_ == samples_.size()) next_ = 0;
    }
    draw_vectors();
  }

  void shuffle() {
    for (Eigen::Index j = samples_.size() - 1; j > 0; --j) {
      std::swap(order_[static_cast<std::size_t>(j)],
                order_[static_cast<std::size_t>(random_.below(j + 1))]);
    }
  }

  Point point_;
  Eigen::Index draws_;
  Eigen::Index batch_;
  detail::RandomNumbers random_;
  Eigen::Index size_ = 0;              // samples of an evaluation
  Vectors vectors_;                    // of the terms
  std::vector<Eigen::Index> columns_;  // and their samples: a term is found without a division
  std::vector<Eigen::Index> order_;    // of the batches
  Eigen::Index next_ = 0;              // in order_
};

/// Any loss from the samples themselves, also where it would be content with their moments (of a
/// `GaussianFamily`): `SampledLoss(DenoisingScoreMatchingLoss{.sigma = 0.3})`.
template <class L>
class SampledLoss {
 public:
  explicit SampledLoss(L loss) : loss_(std::move(loss)) {}

  template <class F>
    requires requires(const L& loss, const F& family,
                      const SampleSet<typename F::Scalar, F::Dim>& samples) {
      loss.objective(family, samples);
    }
  SampleSet<typename F::Scalar, F::Dim> summary(const F& family) const {
    return SampleSet<typename F::Scalar, F::Dim>(family.dimension());
  }

  template <class F>
    requires requires(const L& loss, const F& family,
                      const SampleSet<typename F::Scalar, F::Dim>& samples) {
      loss.objective(family, samples);
    }
  auto objective(const F& family, SampleSet<typename F::Scalar, F::Dim> samples) const {
    return loss_.objective(family, std::move(samples));
  }

 private:
  L loss_;
};

}  // namespace scorematch
