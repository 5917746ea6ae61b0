// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/pack.hpp>
#include <scorematch/derivative/column.hpp>
#include <scorematch/derivative/differentiate.hpp>
#include <scorematch/derivative/recorded/recorded.hpp>
#include <scorematch/derivative/recorded/replay.hpp>
#include <scorematch/family/score_model.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace scorematch::detail {

// The weighted mean of the losses of samples under a family whose log density can be recorded, and
// its gradient: the program of the density runs over packs of samples. `Point` says
//
//   order                      the second-order part that its loss needs (`SecondOrder`)
//   beside                     columns of numbers beside each sample
//   place(x, v, put)           may move the sample x; put(which, i, number) beside it
//   loss(jet)                  the loss from the jet of log p, whose adjoint it fills
//   Part, has_part()           where there are some: a point that a part of the loss comes from
//
// A comparison in the density that comes out otherwise than for the first sample of a program
// leaves a sample for the next one; after so many programs the rest go one by one.
template <class F, class Point>
class RecordedMean {
 public:
  using T = typename F::Scalar;
  using Parameters = typename F::Parameters;

  explicit RecordedMean(const F& family) : part_(family), gradient_(family.parameter_count()) {
    replay_.reserve(family.dimension(), Point::beside);
  }

  // load(k, place) calls place(x, v) with the sample of term k and what was drawn for it.
  template <class Weight, class Load>
  T operator()(const F& family, const Point& point, const Parameters& theta, Eigen::Index count,
               double total, const Weight& weight, const Load& load) {
    weigh(count, weight);
    run(family, point, theta, nullptr, load);
    return finite_or_infinity(sum() / total);
  }

  template <class Weight, class Load>
  T operator()(const F& family, const Point& point, const Parameters& theta, Parameters& gradient,
               Eigen::Index count, double total, const Weight& weight, const Load& load) {
    weigh(count, weight);
    gradient_.setZero(theta.size());
    run(family, point, theta, &gradient_, load);
    const T loss = finite_or_infinity(sum() / total);
    if (loss < infinity()) {
      gradient = (gradient_ / total).template cast<T>();
    } else {
      gradient.setConstant(theta.size(), infinity());
    }
    return loss;
  }

  // visit(k, loss) for each term.
  template <class Load, class Visit>
  void each(const F& family, const Point& point, const Parameters& theta, Eigen::Index count,
            const Load& load, const Visit& visit) {
    weigh(count, [](Eigen::Index) { return 1; });
    run(family, point, theta, nullptr, load);
    for (Eigen::Index k = 0; k < count; ++k) visit(k, loss_[std::size_t(k)]);
  }

 private:
  template <class, class>
  friend class RecordedMean;

  static constexpr SecondOrder order = Point::order;
  static constexpr int width = order == SecondOrder::along ? 1 : pass_width<F::Dim>;
  using Machine = Replay<T, width, order>;
  using P = typename Machine::P;
  using Live = typename Machine::Live;
  static constexpr int lanes = Machine::lanes;

  // Packs whose sums stay in the precision of T.
  static constexpr int packs_at_once = 64;
  // After so many the rest go one by one.
  static constexpr int most_programs = 32;

  static constexpr T infinity() { return std::numeric_limits<T>::infinity(); }
  static T finite_or_infinity(double value) {
    const T result = static_cast<T>(value);
    return std::isfinite(result) ? result : infinity();
  }

  // What a loss sees of a pack.
  struct Jet {
    const Machine& machine;
    const P* value;
    std::uint32_t mask;
    P* adjoint;
    Eigen::Index first;
    Eigen::Index size;

    P zero() const { return T(0); }
    P second() const { return value[1]; }
    void by_second(T slope) { adjoint[1] = P(slope); }
    P beside(int which, Eigen::Index i) const { return machine.beside(which, first + i); }
    // visit(i, d_i log p, derivative of the loss by it)
    template <class Visit>
    void each(const Visit& visit) {
      for (Eigen::Index i = 0; i < size; ++i) {
        const std::size_t at = std::size_t(Machine::gradient) + std::size_t(i);
        visit(i, mask >> i & 1 ? value[at] : P(T(0)), adjoint[at]);
      }
    }
  };

  template <class Weight>
  void weigh(Eigen::Index count, const Weight& weight) {
    weight_.resize(std::size_t(count));
    for (Eigen::Index k = 0; k < count; ++k) {
      weight_[std::size_t(k)] = static_cast<double>(weight(k));
    }
  }

  // In parts, whose rounding errors do not add up.
  double sum() const {
    double all = 0;
    for (std::size_t k = 0; k < loss_.size();) {
      double part = 0;
      for (const std::size_t end = (std::min)(loss_.size(), k + 64); k < end; ++k) {
        part += weight_[k] * static_cast<double>(loss_[k]);
      }
      all += part;
    }
    return all;
  }

  // The losses of all terms, and the sum of their gradients where it is asked for.
  template <class Load>
  void run(const F& family, const Point& point, const Parameters& theta, Eigen::VectorXd* gradient,
           const Load& load) {
    loss_.assign(weight_.size(), T(0));
    todo_.resize(weight_.size());
    for (std::size_t k = 0; k < todo_.size(); ++k) todo_[k] = Eigen::Index(k);
    for (int programs = 0; !todo_.empty(); ++programs) {
      later_.clear();
      if (programs < most_programs) {
        sweep(0, todo_.size(), family, point, theta, gradient, load);
      } else {
        for (std::size_t k = 0; k < todo_.size(); ++k) {
          sweep(k, k + 1, family, point, theta, gradient, load);
        }
      }
      std::swap(todo_, later_);
    }
    if constexpr (has_part) {
      if (!point.has_part()) return;
      part_.weight_ = weight_;
      part_.run(family, typename Point::Part(), theta, gradient, load);
      for (std::size_t k = 0; k < loss_.size(); ++k) loss_[k] += part_.loss_[k];
    }
  }

  // One program over the terms of todo_ that agree with the first of them; the others wait in
  // later_.
  template <class Load>
  void sweep(std::size_t first, std::size_t last, const F& family, const Point& point,
             const Parameters& theta, Eigen::VectorXd* gradient, const Load& load) {
    int packs = 0;
    for (std::size_t begin = first; begin < last; begin += std::size_t(lanes)) {
      const std::size_t some = (std::min)(std::size_t(lanes), last - begin);
      for (std::size_t k = 0; k < std::size_t(lanes); ++k) {
        term_[k] = todo_[begin + (std::min)(k, some - 1)];  // the last one again at the end
      }
      for (int k = 0; k < lanes; ++k) fill(point, load, k);
      if (begin == first) record(family, theta);
      Live live = lowest(int(some));
      Live agree = replay_.forward(0, live);
      if (begin == first) agree |= 1;  // the leader, whose numbers packs may round otherwise
      if (agree != live) {
        for (std::size_t k = 0; k < some; ++k) {
          if ((agree >> k & 1) == 0) later_.push_back(term_[k]);
        }
        if (agree == 0) continue;
        live = agree;
        stand_in(point, load, live);
      }
      evaluate(point, live, gradient != nullptr);
      if (gradient && ++packs % packs_at_once == 0) replay_.flush();
    }
    if (gradient) {
      replay_.flush();
      replay_.add_gradient(*gradient);
    }
  }

  // Runs again with a sample that agrees in the place of those that do not, whose numbers may be of
  // any kind.
  template <class Load>
  void stand_in(const Point& point, const Load& load, Live live) {
    const Eigen::Index term = term_[std::size_t(std::countr_zero(live))];
    for (int k = 0; k < lanes; ++k) {
      if (live >> k & 1) continue;
      term_[std::size_t(k)] = term;
      fill(point, load, k);
    }
    replay_.forward(0, lowest(lanes));
  }

  static Live lowest(int count) { return static_cast<Live>((std::uint64_t(1) << count) - 1); }

  template <class Load>
  void fill(const Point& point, const Load& load, int lane) {
    load(term_[std::size_t(lane)], [&](auto& x, const auto& v) {
      point.place(x, v, [&](int which, Eigen::Index i, T number) {
        replay_.beside(which, i).set(lane, number);
      });
      for (Eigen::Index i = 0; i < x.size(); ++i) replay_.x(i).set(lane, x(i));
    });
  }

  void record(const F& family, const Parameters& theta) {
    const Eigen::Index dimension = family.dimension();
    leader_.resize(dimension);
    for (Eigen::Index i = 0; i < dimension; ++i) leader_(i) = replay_.x(i)[0];
    program_.start(Machine::shape(dimension), leader_, theta);
    x_.resize(dimension);
    for (Eigen::Index i = 0; i < dimension; ++i) x_(i) = Number::coordinate(program_, i);
    theta_.resize(theta.size());
    for (Eigen::Index k = 0; k < theta.size(); ++k) theta_(k) = Number::parameter(program_, k);
    const Number result(family.log_density(x_, theta_));
    result.finish(program_);
    replay_.begin(program_);
  }

  void evaluate(const Point& point, Live live, bool with_gradient) {
    P weights(T(0));
    for (int k = 0; k < lanes; ++k) {
      if (live >> k & 1) {
        weights.set(k, static_cast<T>(weight_[std::size_t(term_[std::size_t(k)])]));
      }
    }
    P loss(T(0));
    const JetShape& shape = program_.shape();
    for (int block = 0; block < shape.blocks; ++block) {
      if (block > 0) replay_.forward(block, lowest(lanes));
      P* const adjoint = with_gradient ? replay_.result_adjoint(block) : unused_;
      const Eigen::Index first = Eigen::Index(block) * width;
      const Eigen::Index all = order == SecondOrder::along ? 1 : shape.dimension;
      Jet jet{replay_,
              replay_.result(),
              replay_.result_mask(),
              adjoint,
              first,
              (std::min)(all - first, Eigen::Index(width))};
      // Derivatives alone would not tell where log p is not finite: those of log(x) at x < 0 are.
      loss += point.loss(jet) + (jet.value[0] - jet.value[0]);
      if (with_gradient) {
        for (int i = 1; i < shape.size(); ++i) adjoint[i] *= weights;
        replay_.backward(block);
      }
    }
    for (int k = 0; k < lanes; ++k) {
      if (live >> k & 1) loss_[std::size_t(term_[std::size_t(k)])] = loss[k];
    }
  }

  using Number = Recorded<T>;
  // As many parameters as Eigen takes for a fixed size, else as if their number were not known.
  static constexpr int parameter_count = Parameters::SizeAtCompileTime != Eigen::Dynamic &&
                                                 std::size_t(Parameters::SizeAtCompileTime) *
                                                         sizeof(Number) >
                                                     stack_bytes
                                             ? Eigen::Dynamic
                                             : int(Parameters::SizeAtCompileTime);

  // What stands for a part where there is none.
  struct NoPart {
    explicit NoPart(const F&) {}
  };
  static constexpr bool has_part = requires { typename Point::Part; };
  static auto part_type() {
    if constexpr (has_part) {
      return static_cast<RecordedMean<F, typename Point::Part>*>(nullptr);
    } else {
      return static_cast<NoPart*>(nullptr);
    }
  }

  std::remove_pointer_t<decltype(part_type())> part_;
  Program<T> program_;
  Machine replay_;
  Eigen::Matrix<T, F::Dim, 1> leader_;
  Column<Eigen::Matrix<Number, F::Dim, 1>> x_{F::Dim == Eigen::Dynamic ? 0 : F::Dim};
  Column<Eigen::Matrix<Number, parameter_count, 1>, ColumnOf::theta> theta_{
      parameter_count == Eigen::Dynamic ? 0 : parameter_count};
  Eigen::VectorXd gradient_;
  std::vector<double> weight_;  // of the terms
  std::vector<T> loss_;         // and their losses
  std::vector<Eigen::Index> todo_;
  std::vector<Eigen::Index> later_;
  Eigen::Index term_[std::size_t(lanes)];
  P unused_[std::size_t(width) + 2];  // for adjoints that nobody asks for
};

}  // namespace scorematch::detail
