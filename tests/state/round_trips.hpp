// What the archives of cereal and of Boost.Serialization are asked: `Output(stream)` writes to a
// stream, `Input(stream)` reads from one.
#pragma once

#include "../support.hpp"

#include <doctest/doctest.h>

#include <exception>
#include <sstream>
#include <string>

namespace support {

template <class Output, class T>
std::string saved(T& object) {
  std::ostringstream stream;
  {
    Output archive(stream);  // some write their end when they end
    (void)(archive & object);
  }
  return stream.str();
}

template <class Input, class T>
void load(T& object, const std::string& bytes) {
  std::istringstream stream(bytes);
  Input archive(stream);
  (void)(archive & object);
}

// The object comes back to the bit; from half of its file nothing does, and nothing changes.
template <class Output, class Input, class T>
void check_round_trip(T object, T target) {
  const std::string bytes = saved<Output>(object);
  const T before = target;
  CHECK(!(target == object));
  bool thrown = false;
  try {
    load<Input>(target, bytes.substr(0, bytes.size() / 2));
  } catch (const std::exception&) {
    thrown = true;
  }
  CHECK(thrown);
  CHECK(target == before);
  load<Input>(target, bytes);
  CHECK(target == object);
}

template <class Output, class Input>
void check_archives() {
  Rng rng(1);
  const Eigen::Matrix2Xd x = random_samples<double, 2>(2, 20, rng);
  const Eigen::Vector2d one(1, 2);

  sm::Moments<double, 2> moments, other_moments;
  moments.add(1e-160 * x);  // squares below the smallest normal number
  other_moments.add(one);
  check_round_trip<Output, Input>(moments, other_moments);
  sm::Moments<float> floats(3), no_floats(3);
  floats.add(normals<float>(3, 9, rng));
  check_round_trip<Output, Input>(floats, no_floats);

  sm::SampleSet<double, 2> set, other_set;
  set.add(x, Eigen::VectorXd::LinSpaced(20, 0.1, 3).eval());
  other_set.add(one);
  check_round_trip<Output, Input>(set, other_set);

  sm::QuadraticForm<double, 2> form, no_form;
  form.add(x.leftCols(3), x.col(4));
  check_round_trip<Output, Input>(form, no_form);

  const sm::PairwiseGaussianFamily<double, 2> pairwise;
  auto quadratic = sm::ScoreMatchingLoss{}.summary(pairwise);
  const auto no_quadratic = quadratic;
  quadratic.add(x);
  check_round_trip<Output, Input>(quadratic, no_quadratic);

  sm::TruncatedSamples box(
      sm::BoxWeighting(sm::Box<double, 2>::positive_orthant(2), sm::MinWeight{}));
  const auto no_box = box;
  box.add(x.cwiseAbs());
  check_round_trip<Output, Input>(box, no_box);

  sm::Estimator estimator(sm::GaussianFamily<double, 2>{}, sm::ScoreMatchingLoss{},
                          sm::ClosedForm{});
  auto other_estimator = estimator;
  estimator.observe(x);
  other_estimator.observe(-x);
  check_round_trip<Output, Input>(estimator, other_estimator);
  check_round_trip<Output, Input>(estimator.fit(), other_estimator.fit());

  // A fit of a family whose distribution is made again by the family.
  const auto fit = sm::fit(pairwise, sm::ScoreMatchingLoss{}, sm::ClosedForm{}, x);
  std::stringstream stream;
  {
    Output archive(stream);
    sm::write_fit(archive, fit);
  }
  Input archive(stream);
  CHECK(sm::read_fit(archive, pairwise) == fit);
}

}  // namespace support
