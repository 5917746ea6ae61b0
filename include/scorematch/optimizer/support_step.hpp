// SPDX-License-Identifier: MIT
//
// The steps of coordinate descent: one parameter, a group of them, and all that are not zero.
#pragma once

#include <scorematch/core/concepts.hpp>
#include <scorematch/core/scalar.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace scorematch::detail {

// Parameters that may be penalized together.
inline constexpr std::size_t most_in_group = 8;

template <class Point>
bool is_nonzero(const Point& point, const typename Point::Coordinate& c) {
  for (Eigen::Index m = 0; m < c.count; ++m) {
    if (point.value(c, m) != 0) return true;
  }
  return false;
}

// Where parameters go: the proximal point of a step down the slopes. Of one parameter that is its
// minimum; a group steps by the sum of its curvatures, which no curvature within it exceeds. Calls
// `move(m, from, to)`; the result is the length of the move times sqrt(curvature). Infinite where a
// slope leads down for ever.
template <class Point, class Penalty, class Slope, class Move>
typename Point::Scalar propose(const Point& point, const Penalty& penalty,
                               const typename Point::Coordinate& c, Slope&& slope, Move&& move) {
  using std::abs;
  using std::sqrt;
  using Scalar = typename Point::Scalar;
  Scalar curvature(0);
  for (Eigen::Index m = 0; m < c.count; ++m) curvature += point.curvature(c, m);
  if (!(curvature > 0)) {
    // J does not depend on it, but by a slope that is the same everywhere.
    Scalar steepest(0);
    for (Eigen::Index m = 0; m < c.count; ++m) steepest = (std::max)(steepest, abs(slope(m)));
    const bool held = steepest == 0 || penalty.proximal(c, steepest, Scalar(1)) == 0;
    return held ? Scalar(0) : std::numeric_limits<Scalar>::infinity();
  }
  if (c.count == 1) {
    const Scalar from = point.value(c, 0);
    const Scalar to = penalty.proximal(c, from - slope(0) / curvature, 1 / curvature);
    if (to != from) move(Eigen::Index(0), from, to);
    return abs(to - from) * sqrt(curvature);
  }
  const auto target = [&](Eigen::Index m) { return point.value(c, m) - slope(m) / curvature; };
  Scalar square(0);
  for (Eigen::Index m = 0; m < c.count; ++m) square += target(m) * target(m);
  const Scalar norm = sqrt(square);
  const Scalar factor = norm > 0 ? penalty.proximal(c, norm, 1 / curvature) / norm : Scalar(0);
  Scalar length(0);
  for (Eigen::Index m = 0; m < c.count; ++m) {
    const Scalar from = point.value(c, m);
    const Scalar to = factor * target(m);
    length += (to - from) * (to - from);
    if (to != from) move(m, from, to);
  }
  return sqrt(length * curvature);
}

template <class Point, class Penalty>
typename Point::Scalar move_of(const Point& point, const Penalty& penalty,
                               const typename Point::Coordinate& c,
                               const typename Point::Scalar* slopes) {
  using Scalar = typename Point::Scalar;
  return propose(
      point, penalty, c, [slopes](Eigen::Index m) { return slopes[m]; },
      [](Eigen::Index, Scalar, Scalar) {});
}

template <class Point, class Penalty>
typename Point::Scalar step(Point& point, const Penalty& penalty,
                            const typename Point::Coordinate& c) {
  using Scalar = typename Point::Scalar;
  // All slopes before the first move.
  std::array<Scalar, most_in_group> slopes;
  for (Eigen::Index m = 0; m < c.count; ++m) slopes[std::size_t(m)] = point.slope(c, m);
  return propose(
      point, penalty, c, [&slopes](Eigen::Index m) { return slopes[std::size_t(m)]; },
      [&](Eigen::Index m, Scalar, Scalar to) { point.set(c, m, to); });
}

// The largest |theta| sqrt(curvature), at least the unit.
template <class Point>
typename Point::Scalar largest_term(const Point& point,
                                    const std::vector<typename Point::Coordinate>& list) {
  using std::abs;
  using std::sqrt;
  typename Point::Scalar largest = point.unit();
  for (const auto& c : list) {
    for (Eigen::Index m = 0; m < c.count; ++m) {
      largest = (std::max)(largest, abs(point.value(c, m)) * sqrt(point.curvature(c, m)));
    }
  }
  return largest;
}

// The parameters that are not zero, with their signs held: there the objective is quadratic,
// 1/2 theta^T H theta + (g + w sign)^T theta.
template <class Point>
class Support {
 public:
  using Scalar = typename Point::Scalar;
  using Coordinate = typename Point::Coordinate;
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;

  // False where the penalty on one of them is no sum of absolute values.
  template <class Penalty>
  bool take(const Point& point, const Penalty& penalty, const std::vector<Coordinate>& list) {
    for (const Coordinate& c : list) {
      const Scalar weight = penalty.weight(c);
      if (c.count > 1 && weight > 0) return false;
      for (Eigen::Index m = 0; m < c.count; ++m) {
        const Scalar from = point.value(c, m);
        if (weight > 0 && from == 0) continue;  // it has no sign to hold
        if (point.curvature(c, m) > 0) entries_.push_back({c, m, weight, from});
      }
    }
    return !entries_.empty();
  }

  Eigen::Index size() const { return Eigen::Index(entries_.size()); }

  // Moves the point to where conjugate gradients lead, until no parameter would move by more than
  // `limit` / sqrt(curvature). False where they find a direction that leads down for ever.
  bool solve(Point& point, Scalar limit) const {
    using std::abs;
    Vector curvature(size());
    Vector residual(size());
    for_each([&](Eigen::Index k, const Entry& at) {
      curvature(k) = point.curvature(at.c, at.m);
      residual(k) = -point.slope(at.c, at.m) - (at.from > 0 ? at.weight : -at.weight);
      if (at.weight == 0) residual(k) = -point.slope(at.c, at.m);
    });
    Vector way = Vector::Zero(size());
    Vector preconditioned = residual.cwiseQuotient(curvature);
    Vector search = preconditioned;
    Vector product(size());
    Scalar rho = residual.dot(preconditioned);
    const Scalar flat = Scalar(size()) * std::numeric_limits<Scalar>::epsilon();
    Point along = point.direction();
    for (Eigen::Index iteration = 0; iteration < most_iterations; ++iteration) {
      if (!(residual.cwiseAbs2().cwiseQuotient(curvature).maxCoeff() > limit * limit / 4)) break;
      for_each([&](Eigen::Index k, const Entry& at) { along.set(at.c, at.m, search(k)); });
      for_each([&](Eigen::Index k, const Entry& at) { product(k) = along.slope(at.c, at.m); });
      const Scalar bend = search.dot(product);
      if (!(bend > flat * search.cwiseAbs2().dot(curvature))) {
        move(point, way);
        return descend_flat(point, search);
      }
      const Scalar length = rho / bend;
      way += length * search;
      residual -= length * product;
      preconditioned = residual.cwiseQuotient(curvature);
      const Scalar next = residual.dot(preconditioned);
      search = preconditioned + next / rho * search;
      rho = next;
    }
    move(point, way);
    return true;
  }

 private:
  static constexpr Eigen::Index most_iterations = 100;

  struct Entry {
    Coordinate c;
    Eigen::Index m;
    Scalar weight;
    Scalar from;
  };

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (Eigen::Index k = 0; k < size(); ++k) visit(k, entries_[std::size_t(k)]);
  }

  Scalar objective(const Point& point) const {
    using std::abs;
    Scalar sum = point.loss();
    for_each(
        [&](Eigen::Index, const Entry& at) { sum += at.weight * abs(point.value(at.c, at.m)); });
    return sum;
  }

  // Steps by all of `way`, and what would change its sign becomes zero. Where that raises the
  // objective, by as much of it as changes no sign.
  void move(Point& point, const Vector& way) const {
    const Scalar before = objective(point);
    Scalar share = 1;
    for_each([&](Eigen::Index k, const Entry& at) {
      const Scalar now = point.value(at.c, at.m);
      const Scalar to = now + way(k);
      const bool crosses = at.weight > 0 && to * at.from < 0;
      if (crosses) share = (std::min)(share, -now / way(k));
      point.set(at.c, at.m, crosses ? Scalar(0) : to);
    });
    if (share == 1 || objective(point) <= before) return;
    for_each(
        [&](Eigen::Index k, const Entry& at) { point.set(at.c, at.m, at.from + share * way(k)); });
  }

  // Along a direction without curvature the objective falls until a sign changes, if one does.
  bool descend_flat(Point& point, const Vector& search) const {
    Scalar length = std::numeric_limits<Scalar>::infinity();
    for_each([&](Eigen::Index k, const Entry& at) {
      const Scalar now = point.value(at.c, at.m);
      const bool back = at.weight > 0 && at.from * search(k) < 0;
      if (back) length = (std::min)(length, -now / search(k));
    });
    if (!is_finite(length)) return false;
    for_each([&](Eigen::Index k, const Entry& at) {
      const Scalar now = point.value(at.c, at.m);
      const Scalar to = now + length * search(k);
      point.set(at.c, at.m, at.weight > 0 && to * at.from <= 0 ? Scalar(0) : to);
    });
    return true;
  }

  std::vector<Entry> entries_;
};

// A step on from where a walk was some sweeps ago: the lowest point of the line through both. What
// falls for ever is seen from here: its walk is a straight line in the end.
template <class Point>
class Stride {
 public:
  using Scalar = typename Point::Scalar;
  using Coordinate = typename Point::Coordinate;

  // From what the point is now.
  void begin(const Point& point) {
    from_.clear();
    point.for_each_nonzero([&](const Coordinate& c) { take(point, c); });
  }

  // False where the line leads down for ever.
  template <class Penalty>
  bool lengthen(Point& point, const Penalty& penalty) {
    std::vector<Step> steps = steps_to(point, penalty);
    begin(point);
    if (steps.empty()) return true;
    Point along = point.direction();
    Scalar slope(0);
    Scalar size(0);
    for (const Step& step : steps) {
      along.set(step.at.c, step.at.m, step.way);
      slope += point.slope(step.at.c, step.at.m) * step.way;
      slope += (step.now != 0 ? step.now * step.way > 0 : true) ? step.weight * std::abs(step.way)
                                                                : -step.weight * std::abs(step.way);
      size += step.way * step.way * point.curvature(step.at.c, step.at.m);
    }
    const Scalar bend = 2 * along.loss();
    const Scalar flat = Scalar(steps.size()) * std::numeric_limits<Scalar>::epsilon() * size;
    std::erase_if(steps, [](const Step& s) { return !(s.weight > 0 && s.now * s.way < 0); });
    std::sort(steps.begin(), steps.end(),
              [](const Step& a, const Step& b) { return a.crossing() < b.crossing(); });
    // From one change of sign to the next; each adds to the slope.
    Scalar length(0);
    for (const Step& step : steps) {
      if (slope + length * bend >= 0 || slope + step.crossing() * bend >= 0) break;
      length = step.crossing();
      slope += 2 * step.weight * std::abs(step.way);
    }
    if (slope + length * bend < 0) {
      if (!(bend > flat)) return false;
      length = -slope / bend;
    }
    if (!(length > 0)) return true;
    along.for_each_nonzero([&](const Coordinate& c) {
      for (Eigen::Index m = 0; m < c.count; ++m) {
        point.set(c, m, point.value(c, m) + length * along.value(c, m));
      }
    });
    return true;
  }

 private:
  struct At {
    Coordinate c;
    Eigen::Index m;
    Scalar value;
  };
  struct Step {
    At at;
    Scalar now;
    Scalar way;
    Scalar weight;
    Scalar crossing() const { return -now / way; }
  };

  void take(const Point& point, const Coordinate& c) {
    for (Eigen::Index m = 0; m < c.count; ++m) from_.push_back({c, m, point.value(c, m)});
  }

  // Where a group is penalized there is no such line.
  template <class Penalty>
  std::vector<Step> steps_to(const Point& point, const Penalty& penalty) {
    std::vector<Step> steps;
    std::vector<bool> known(std::size_t(point.parameter_count()), false);
    for (const At& at : from_) known[std::size_t(at.c.k)] = true;
    point.for_each_nonzero([&](const Coordinate& c) {
      for (Eigen::Index m = 0; m < c.count && !known[std::size_t(c.k)]; ++m) {
        from_.push_back({c, m, Scalar(0)});
      }
    });
    for (const At& at : from_) {
      const Scalar now = point.value(at.c, at.m);
      const Scalar weight = penalty.weight(at.c);
      if (at.c.count > 1 && weight > 0) return {};
      if (now != at.value && is_finite(weight)) steps.push_back({at, now, now - at.value, weight});
    }
    return steps;
  }

  std::vector<At> from_;
};

// False where the objective falls for ever.
template <class Point, class Penalty>
bool solve_support(Point& point, const Penalty& penalty,
                   const std::vector<typename Point::Coordinate>& list,
                   typename Point::Scalar limit) {
  Support<Point> support;
  return !support.take(point, penalty, list) || support.solve(point, limit);
}

}  // namespace scorematch::detail
