// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/machine.hpp>
#include <scorematch/derivative/column.hpp>
#include <scorematch/derivative/differentiate.hpp>
#include <scorematch/derivative/recorded/functions.hpp>
#include <scorematch/derivative/recorded/recorded.hpp>
#include <scorematch/derivative/recorded/replay.hpp>
#include <scorematch/derivative/recorded/writer.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace scorematch::detail {

// Records a function of x, and runs the program over samples in packs.
//
// A comparison in the function that comes out otherwise than for the first sample of a program
// leaves a sample for the next program; after so many programs the rest go one by one, each with
// one of its own.
template <VectorLane T, int Dim, SecondOrder order>
class Recording {
 public:
  static constexpr int width = pass_width<Dim>;
  using Machine = Replay<T, width, order>;
  using P = typename Machine::P;
  using Live = typename Machine::Live;
  using Number = Recorded<T>;
  static constexpr int lanes = Machine::lanes;

  // `beside` columns of numbers stand beside each sample.
  Recording(Eigen::Index dimension, int beside) : leader_(dimension), x_(dimension) {
    machine_.reserve(dimension, beside);
  }

  Machine& machine() { return machine_; }
  ProgramWriter<T>& program() { return program_; }
  // The sample in each lane of the pack.
  Eigen::Index term(int lane) const { return term_[std::size_t(lane)]; }
  static Live lowest(int count) { return static_cast<Live>((std::uint64_t(1) << count) - 1); }

  // For samples 0 to count - 1: fill(k, lane) puts one into the machine; function(x) is recorded,
  // once a program, theta being its uniforms; use(live) follows a run over a pack, the lanes
  // outside `live` being repetitions; done() follows the last pack of a program.
  template <class Theta, class Fill, class Function, class Use, class Done>
  void run(const Theta& theta, Eigen::Index count, const Fill& fill, const Function& function,
           const Use& use, const Done& done) {
    todo_.resize(std::size_t(count));
    later_.reserve(std::size_t(count));  // the two change places
    for (std::size_t k = 0; k < todo_.size(); ++k) todo_[k] = Eigen::Index(k);
    for (int programs = 0; !todo_.empty(); ++programs) {
      later_.clear();
      const bool together = programs < most_programs;
      const std::size_t size = together ? todo_.size() : 1;
      for (std::size_t k = 0; k < todo_.size(); k += size) {
        sweep(k, k + size, theta, fill, function, use, done);
      }
      std::swap(todo_, later_);
    }
  }

 private:
  static constexpr int most_programs = 32;

  // One program, over the samples of todo_ that agree with the first of them; the others wait in
  // later_.
  template <class Theta, class Fill, class Function, class Use, class Done>
  void sweep(std::size_t first, std::size_t last, const Theta& theta, const Fill& fill,
             const Function& function, const Use& use, const Done& done) {
    for (std::size_t begin = first; begin < last; begin += std::size_t(lanes)) {
      const std::size_t some = (std::min)(std::size_t(lanes), last - begin);
      for (std::size_t k = 0; k < std::size_t(lanes); ++k) {
        term_[k] = todo_[begin + (std::min)(k, some - 1)];  // the last one again at the end
        fill(term_[k], int(k));
      }
      if (begin == first) record(theta, function);
      Live live = lowest(int(some));
      // The leader stays, whose numbers packs may round otherwise.
      const Live agree = machine_.forward(0, live, begin == first ? 1 : 0);
      if (agree != live) {
        for (std::size_t k = 0; k < some; ++k) {
          if ((agree >> k & 1) == 0) later_.push_back(term_[k]);
        }
        if (agree == 0) continue;
        live = agree;
        stand_in(live, fill);
      }
      use(live);
    }
    done();
  }

  // Runs again with a sample that agrees in the place of those that do not, whose numbers may be of
  // any kind.
  template <class Fill>
  void stand_in(Live live, const Fill& fill) {
    const Eigen::Index term = term_[std::size_t(std::countr_zero(live))];
    for (int k = 0; k < lanes; ++k) {
      if (live >> k & 1) continue;
      term_[std::size_t(k)] = term;
      fill(term, k);
    }
    machine_.forward(0, lowest(lanes), lowest(lanes));
  }

  template <class Theta, class Function>
  void record(const Theta& theta, const Function& function) {
    for (Eigen::Index i = 0; i < leader_.size(); ++i) leader_(i) = machine_.x(i)[0];
    program_.start(Machine::shape(leader_.size()), leader_, theta);
    for (Eigen::Index i = 0; i < leader_.size(); ++i) x_(i) = Number::coordinate(program_, i);
    const Number result(function(x_));
    result.finish(program_);
    machine_.begin(program_);
  }

  ProgramWriter<T> program_;
  Machine machine_;
  Eigen::Matrix<T, Dim, 1> leader_;
  Column<Eigen::Matrix<Number, Dim, 1>> x_;
  std::vector<Eigen::Index> todo_;
  std::vector<Eigen::Index> later_;
  Eigen::Index term_[std::size_t(lanes)] = {};
};

}  // namespace scorematch::detail
