// SPDX-License-Identifier: MIT
//
// Which weight a penalty gives to each pair.
#pragma once

#include <scorematch/core/coupling.hpp>
#include <scorematch/core/require.hpp>
#include <scorematch/loss/pairs/l1.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace scorematch::detail {

// z that minimizes (z - t)^2 / 2 + step weight |z|. An infinite weight holds z at 0.
template <class Scalar>
Scalar soft_threshold(Scalar t, Scalar weight, Scalar step) {
  const Scalar threshold = weight * step;
  if (t > threshold) return t - threshold;
  if (t < -threshold) return t + threshold;
  return weight > 0 ? Scalar(0) : t;
}

// A penalty on the pairs of a family: which weight each of them has.
template <class Scalar_>
class PairWeights {
 public:
  using Scalar = Scalar_;

  PairWeights(const L1& penalty, Eigen::Index sites)
      : weight_(static_cast<Scalar>(penalty.weight)) {
    require_number("L1", "weight", penalty.weight);
    require_number("L1", "ridge", penalty.ridge);
    require_weights_of(penalty.weights, sites);
    Rules rules{penalty.weights.template cast<Scalar>(), penalty.penalize_diagonal, true,
                table_of("L1: present", penalty.present, sites),
                table_of("L1: absent", penalty.absent, sites)};
    for (const Edge& edge : penalty.present) {
      if (holds(rules.absent, edge.first, edge.second)) {
        fail("L1: the edge of sites ", edge.first, " and ", edge.second,
             " is both present and absent; expected one of them");
      }
    }
    rules_ = std::make_shared<const Rules>(std::move(rules));
  }

  PairWeights(const GivenGraph& graph, Eigen::Index sites) : weight_(0) {
    require_number("GivenGraph", "ridge", graph.ridge);
    rules_ = std::make_shared<const Rules>(
        Rules{{}, false, false, table_of("GivenGraph: edges", graph.edges, sites), {}});
  }

  // The same at another weight, infinity included.
  PairWeights with_weight(Scalar weight) const {
    PairWeights result = *this;
    result.weight_ = weight;
    return result;
  }

  // Of |K_ij|, i != j, which counts twice.
  Scalar of_pair(Eigen::Index i, Eigen::Index j) const {
    if (!rules_->absent.empty() && holds(rules_->absent, i, j)) return infinity;
    if (!rules_->present.empty() && holds(rules_->present, i, j)) return 0;
    return rules_->complete ? scaled(2 * relative(i, j)) : infinity;
  }
  Scalar of_diagonal(Eigen::Index i) const {
    return rules_->diagonal ? scaled(relative(i, i)) : Scalar(0);
  }

 private:
  static constexpr Scalar infinity = std::numeric_limits<Scalar>::infinity();
  // For each site the smaller ones that it is joined to, in order; empty where no site is.
  using Table = std::vector<std::vector<Eigen::Index>>;

  struct Rules {
    Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic> weights;
    bool diagonal;
    bool complete;  // pairs that are not named may be coupled
    Table present;
    Table absent;
  };

  Scalar relative(Eigen::Index i, Eigen::Index j) const {
    return rules_->weights.size() == 0 ? Scalar(1) : rules_->weights(i, j);
  }
  // What is free stays free, of an infinite weight too.
  Scalar scaled(Scalar relative) const { return relative == 0 ? Scalar(0) : weight_ * relative; }

  static bool holds(const Table& table, Eigen::Index i, Eigen::Index j) {
    if (table.empty()) return false;
    const auto& row = table[std::size_t((std::max)(i, j))];
    return std::binary_search(row.begin(), row.end(), (std::min)(i, j));
  }

  static void require_number(const char* owner, const char* option, double value) {
    require_option(value >= 0 && std::isfinite(value), owner, option, value,
                   "a finite number, at least 0");
  }

  static Table table_of(const char* name, const std::vector<Edge>& edges, Eigen::Index sites) {
    Table table;
    if (edges.empty()) return table;
    table.resize(std::size_t(sites));
    for (std::size_t e = 0; e < edges.size(); ++e) {
      const auto [first, second] = edges[e];
      if (first < 0 || second < 0 || first >= sites || second >= sites || first == second) {
        fail(name, "[", e, "] joins ", first, " and ", second,
             "; expected two different sites below ", sites);
      }
      table[std::size_t((std::max)(first, second))].push_back((std::min)(first, second));
    }
    for (auto& row : table) std::sort(row.begin(), row.end());
    return table;
  }

  static void require_weights_of(const Eigen::MatrixXd& weights, Eigen::Index sites) {
    if (weights.size() == 0) return;
    if (weights.rows() != sites || weights.cols() != sites) {
      fail("L1: weights are ", weights.rows(), " x ", weights.cols(), "; expected ", sites, " x ",
           sites, ", a row and a column for each site");
    }
    for (Eigen::Index j = 0; j < sites; ++j) {
      for (Eigen::Index i = 0; i < sites; ++i) {
        if (!(weights(i, j) >= 0) || !std::isfinite(weights(i, j))) {
          fail("L1: ", entry("weights", i, j, weights(i, j)),
               "; expected a finite number, at least 0 (`absent` keeps an edge out)");
        }
        if (weights(i, j) != weights(j, i)) {
          fail("L1: ", entry("weights", i, j, weights(i, j)), ", ",
               entry("weights", j, i, weights(j, i)), "; expected them equal");
        }
      }
    }
  }

  Scalar weight_;
  std::shared_ptr<const Rules> rules_;
};

}  // namespace scorematch::detail
