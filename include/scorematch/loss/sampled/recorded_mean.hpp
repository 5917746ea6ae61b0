// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/machine.hpp>
#include <scorematch/core/scalar.hpp>
#include <scorematch/derivative/column.hpp>
#include <scorematch/derivative/recorded/recording.hpp>
#include <scorematch/family/score_model.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
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
template <class F, class Point>
class RecordedMean {
 public:
  using T = typename F::Scalar;
  using Parameters = typename F::Parameters;

  explicit RecordedMean(const F& family)
      : part_(family),
        recording_(family.dimension(), Point::beside),
        theta_(family.parameter_count()),
        gradient_(family.parameter_count()),
        unused_(Machine::adjoint_size(family.dimension()), P(T(0))) {}

  // load(k, place) calls place(x, v) with the sample of term k and what was drawn for it.
  template <class Weight, class Load>
  T operator()(const F& family, const Point& point, const Parameters& theta, Eigen::Index count,
               double total, const Weight& weight, const Load& load) {
    weigh(count, weight);
    run(family, point, theta, nullptr, load);
    return finite_or_infinity(static_cast<T>(sum() / total));
  }

  template <class Weight, class Load>
  T operator()(const F& family, const Point& point, const Parameters& theta, Parameters& gradient,
               Eigen::Index count, double total, const Weight& weight, const Load& load) {
    weigh(count, weight);
    gradient_.setZero(theta.size());
    run(family, point, theta, &gradient_, load);
    T loss = finite_or_infinity(static_cast<T>(sum() / total));
    if (loss < infinity()) {
      gradient = (gradient_ / total).template cast<T>();
      if (!gradient.allFinite()) loss = infinity();  // an edge as well
    }
    if (!(loss < infinity())) gradient.setConstant(theta.size(), infinity());
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

  using Recorder = Recording<T, F::Dim, Point::order>;
  using Machine = typename Recorder::Machine;
  using P = typename Recorder::P;
  using Live = typename Recorder::Live;
  using Number = typename Recorder::Number;
  static constexpr int lanes = Recorder::lanes;
  static constexpr int width = Recorder::width;

  // Packs whose sums stay in the precision of T.
  static constexpr int packs_at_once = 64;

  static constexpr T infinity() { return std::numeric_limits<T>::infinity(); }

  // What a loss sees of a pack.
  struct Jet {
    const Machine& machine;
    P* adjoint;
    Eigen::Index first;
    Eigen::Index size;

    P zero() const { return T(0); }
    P second() const { return machine.second_part(); }
    void by_second(T slope) { adjoint[1] = P(slope); }
    P beside(int which, Eigen::Index i) const { return machine.beside(which, first + i); }
    // visit(i, d_i log p, derivative of the loss by it)
    template <class Visit>
    void each(const Visit& visit) {
      for (Eigen::Index i = 0; i < size; ++i) {
        visit(i, machine.derivative(i), adjoint[std::size_t(Machine::gradient) + std::size_t(i)]);
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
    int packs = 0;
    recording_.run(
        theta, Eigen::Index(weight_.size()),
        [&](Eigen::Index k, int lane) { this->fill(point, load, k, lane); },
        [&](const auto& x) {
          for (Eigen::Index k = 0; k < theta.size(); ++k) {
            theta_(k) = Number::parameter(recording_.program(), k);
          }
          return family.log_density(x, theta_);
        },
        [&](Live live) {
          this->evaluate(point, live, gradient != nullptr);
          if (gradient && ++packs % packs_at_once == 0) recording_.machine().flush();
        },
        [&] {
          if (!gradient) return;
          recording_.machine().flush();
          recording_.machine().add_gradient(*gradient);
        });
    if constexpr (has_part) {
      if (!point.has_part()) return;
      part_.weight_ = weight_;
      part_.run(family, typename Point::Part(), theta, gradient, load);
      for (std::size_t k = 0; k < loss_.size(); ++k) loss_[k] += part_.loss_[k];
    }
  }

  template <class Load>
  void fill(const Point& point, const Load& load, Eigen::Index term, int lane) {
    Machine& machine = recording_.machine();
    load(term, [&](auto& x, const auto& v) {
      point.place(x, v, [&](int which, Eigen::Index i, T number) {
        machine.beside(which, i).set(lane, number);
      });
      for (Eigen::Index i = 0; i < x.size(); ++i) machine.x(i).set(lane, x(i));
    });
  }

  void evaluate(const Point& point, Live live, bool with_gradient) {
    Machine& machine = recording_.machine();
    P weights(T(0));
    for (int k = 0; k < lanes; ++k) {
      if (live >> k & 1) {
        weights.set(k, static_cast<T>(weight_[std::size_t(recording_.term(k))]));
      }
    }
    P loss(T(0));
    const JetShape& shape = recording_.program().shape();
    for (int block = 0; block < shape.blocks; ++block) {
      if (block > 0) machine.forward(block, Recorder::lowest(lanes), Recorder::lowest(lanes));
      machine.differentiate();
      P* const adjoint = with_gradient ? machine.result_adjoint(block) : unused_.data();
      Jet jet{machine, adjoint, Eigen::Index(block) * width, machine.derivatives(block)};
      // Derivatives alone would not tell where log p is not finite: those of log(x) at x < 0 are.
      const P value = machine.value();
      loss += point.loss(jet) + (value - value);
      if (with_gradient) {
        for (std::size_t i = 1; i < unused_.size(); ++i) adjoint[i] *= weights;
        machine.backward(block);
      }
    }
    for (int k = 0; k < lanes; ++k) {
      if (live >> k & 1) loss_[std::size_t(recording_.term(k))] = loss[k];
    }
  }

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
  Recorder recording_;
  Column<Eigen::Matrix<Number, parameter_count, 1>, ColumnOf::theta> theta_;
  Eigen::VectorXd gradient_;
  std::vector<double> weight_;  // of the terms
  std::vector<T> loss_;         // and their losses
  std::vector<P> unused_;       // for adjoints that nobody asks for
};

}  // namespace scorematch::detail
