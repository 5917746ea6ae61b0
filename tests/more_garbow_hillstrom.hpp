// The first 19 of the unconstrained problems of More, Garbow and Hillstrom, Testing unconstrained
// optimization software, ACM Transactions on Mathematical Software 7(1):17-41, 1981: sums of
// squares with their standard starts and the minima that the paper gives.
//
// Each problem is `residual(i, x, r, row)`, i = 1, ..., m: the residual and its derivatives.
#pragma once

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

namespace more_garbow_hillstrom {

// f(x) = sum_i r_i(x)^2 and its gradient 2 sum_i r_i dr_i/dx, for vectors of any scalar.
template <class Residuals>
struct SumOfSquares {
  template <class Vector>
  typename Vector::Scalar operator()(const Vector& x, Vector& gradient) const {
    using Scalar = typename Vector::Scalar;
    Scalar sum(0);
    gradient.setZero();
    Scalar row[11];
    for (int i = 1; i <= Residuals::m; ++i) {
      for (Scalar& entry : row) entry = 0;
      const Scalar r = Residuals::residual(i, x.data(), row);
      sum += r * r;
      for (Eigen::Index k = 0; k < x.size(); ++k) gradient(k) += 2 * r * row[k];
    }
    return sum;
  }
};

struct Rosenbrock {
  static constexpr const char* name = "Rosenbrock";
  static constexpr int n = 2, m = 2;
  static constexpr std::array start{-1.2, 1.0};
  static constexpr std::array minima{0.0};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    if (i == 1) {
      row[0] = -20 * x[0];
      row[1] = 10;
      return 10 * (x[1] - x[0] * x[0]);
    }
    row[0] = -1;
    return 1 - x[0];
  }
};

struct FreudensteinRoth {
  static constexpr const char* name = "Freudenstein and Roth";
  static constexpr int n = 2, m = 2;
  static constexpr std::array start{0.5, -2.0};
  static constexpr std::array minima{0.0, 48.9842};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    row[0] = 1;
    if (i == 1) {
      row[1] = (10 - 3 * x[1]) * x[1] - 2;
      return -13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1];
    }
    row[1] = (3 * x[1] + 2) * x[1] - 14;
    return -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1];
  }
};

struct PowellBadlyScaled {
  static constexpr const char* name = "Powell badly scaled";
  static constexpr int n = 2, m = 2;
  static constexpr std::array start{0.0, 1.0};
  static constexpr std::array minima{0.0};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    using std::exp;
    if (i == 1) {
      row[0] = 10000 * x[1];
      row[1] = 10000 * x[0];
      return 10000 * x[0] * x[1] - 1;
    }
    row[0] = -exp(-x[0]);
    row[1] = -exp(-x[1]);
    return exp(-x[0]) + exp(-x[1]) - Scalar(1.0001L);
  }
};

struct BrownBadlyScaled {
  static constexpr const char* name = "Brown badly scaled";
  static constexpr int n = 2, m = 3;
  static constexpr std::array start{1.0, 1.0};
  static constexpr std::array minima{0.0};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    if (i == 1) {
      row[0] = 1;
      return x[0] - 1000000;
    }
    if (i == 2) {
      row[1] = 1;
      return x[1] - Scalar(2e-6L);
    }
    row[0] = x[1];
    row[1] = x[0];
    return x[0] * x[1] - 2;
  }
};

struct Beale {
  static constexpr const char* name = "Beale";
  static constexpr int n = 2, m = 3;
  static constexpr std::array start{1.0, 1.0};
  static constexpr std::array minima{0.0};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    const Scalar y = i == 1 ? Scalar(1.5L) : i == 2 ? Scalar(2.25L) : Scalar(2.625L);
    const Scalar below = i == 1 ? Scalar(1) : i == 2 ? x[1] : x[1] * x[1];
    row[0] = below * x[1] - 1;
    row[1] = Scalar(i) * below * x[0];
    return y - x[0] * (1 - below * x[1]);
  }
};

struct JennrichSampson {
  static constexpr const char* name = "Jennrich and Sampson";
  static constexpr int n = 2, m = 10;
  static constexpr std::array start{0.3, 0.4};
  static constexpr std::array minima{124.362};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    using std::exp;
    const Scalar t(i);
    row[0] = -t * exp(t * x[0]);
    row[1] = -t * exp(t * x[1]);
    return 2 + 2 * t - exp(t * x[0]) - exp(t * x[1]);
  }
};

struct HelicalValley {
  static constexpr const char* name = "helical valley";
  static constexpr int n = 3, m = 3;
  static constexpr std::array start{-1.0, 0.0, 0.0};
  static constexpr std::array minima{0.0};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    using std::atan;
    using std::sqrt;
    constexpr Scalar turn = 2 * std::numbers::pi_v<Scalar>;
    const Scalar square = x[0] * x[0] + x[1] * x[1];
    if (i == 1) {
      const Scalar angle = atan(x[1] / x[0]) / turn + (x[0] < 0 ? Scalar(0.5L) : Scalar(0));
      row[0] = 100 * x[1] / (turn * square);
      row[1] = -100 * x[0] / (turn * square);
      row[2] = 10;
      return 10 * (x[2] - 10 * angle);
    }
    if (i == 2) {
      row[0] = 10 * x[0] / sqrt(square);
      row[1] = 10 * x[1] / sqrt(square);
      return 10 * (sqrt(square) - 1);
    }
    row[2] = 1;
    return x[2];
  }
};

struct Bard {
  static constexpr const char* name = "Bard";
  static constexpr int n = 3, m = 15;
  static constexpr std::array start{1.0, 1.0, 1.0};
  static constexpr std::array minima{8.21487e-3, 17.4286};  // the second at infinity
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    constexpr std::array hundredths{14, 18, 22, 25, 29, 32, 35, 39, 37, 58, 73, 96, 134, 210, 439};
    const Scalar u(i);
    const Scalar v(16 - i);
    const Scalar w = (std::min)(u, v);
    const Scalar below = v * x[1] + w * x[2];
    row[0] = -1;
    row[1] = u * v / (below * below);
    row[2] = u * w / (below * below);
    return Scalar(hundredths[std::size_t(i - 1)]) / 100 - (x[0] + u / below);
  }
};

struct Gaussian {
  static constexpr const char* name = "Gaussian";
  static constexpr int n = 3, m = 15;
  static constexpr std::array start{0.4, 1.0, 0.0};
  static constexpr std::array minima{1.12793e-8};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    using std::exp;
    constexpr std::array y{9, 44, 175, 540, 1295, 2420, 3521, 3989};  // and back
    const Scalar t = Scalar(8 - i) / 2;
    const Scalar off = t - x[2];
    const Scalar bell = exp(-x[1] * off * off / 2);
    row[0] = bell;
    row[1] = -x[0] * bell * off * off / 2;
    row[2] = x[0] * bell * x[1] * off;
    return x[0] * bell - Scalar(y[std::size_t((std::min)(i, 16 - i) - 1)]) / 10000;
  }
};

struct Meyer {
  static constexpr const char* name = "Meyer";
  static constexpr int n = 3, m = 16;
  static constexpr std::array start{0.02, 4000.0, 250.0};
  static constexpr std::array minima{87.9458};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    using std::exp;
    constexpr std::array y{34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744,
                           8261,  7030,  6005,  5147,  4427,  3820,  3307,  2872};
    const Scalar t = Scalar(45 + 5 * i);
    const Scalar growth = exp(x[1] / (t + x[2]));
    row[0] = growth;
    row[1] = x[0] * growth / (t + x[2]);
    row[2] = -x[0] * growth * x[1] / ((t + x[2]) * (t + x[2]));
    return x[0] * growth - Scalar(y[std::size_t(i - 1)]);
  }
};

// The paper prints y_i m i x_2 for y_i - x_2; with that the stated minimizer (50, 25, 1.5) is none.
struct Gulf {
  static constexpr const char* name = "Gulf research and development";
  static constexpr int n = 3, m = 99;
  static constexpr std::array start{5.0, 2.5, 0.15};
  static constexpr std::array minima{0.0};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    using std::abs;
    using std::exp;
    using std::log;
    using std::pow;
    const Scalar t = Scalar(i) / 100;
    const Scalar y = 25 + pow(-50 * log(t), Scalar(2) / 3);
    const Scalar off = y - x[1];
    const Scalar power = pow(abs(off), x[2]);
    const Scalar value = exp(-power / x[0]);
    row[0] = value * power / (x[0] * x[0]);
    row[1] = off == 0 ? Scalar(0) : value * power * x[2] / (off * x[0]);
    row[2] = off == 0 ? Scalar(0) : -value * power * log(abs(off)) / x[0];
    return value - t;
  }
};

struct BoxThreeDimensional {
  static constexpr const char* name = "Box three-dimensional";
  static constexpr int n = 3, m = 10;
  static constexpr std::array start{0.0, 10.0, 20.0};
  static constexpr std::array minima{0.0};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    using std::exp;
    const Scalar t = Scalar(i) / 10;
    row[0] = -t * exp(-t * x[0]);
    row[1] = t * exp(-t * x[1]);
    row[2] = -(exp(-t) - exp(-10 * t));
    return exp(-t * x[0]) - exp(-t * x[1]) + x[2] * row[2];
  }
};

struct PowellSingular {
  static constexpr const char* name = "Powell singular";
  static constexpr int n = 4, m = 4;
  static constexpr std::array start{3.0, -1.0, 0.0, 1.0};
  static constexpr std::array minima{0.0};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    using std::sqrt;
    if (i == 1) {
      row[0] = 1;
      row[1] = 10;
      return x[0] + 10 * x[1];
    }
    if (i == 2) {
      row[2] = sqrt(Scalar(5));
      row[3] = -row[2];
      return row[2] * (x[2] - x[3]);
    }
    if (i == 3) {
      const Scalar off = x[1] - 2 * x[2];
      row[1] = 2 * off;
      row[2] = -4 * off;
      return off * off;
    }
    const Scalar off = x[0] - x[3];
    row[0] = 2 * sqrt(Scalar(10)) * off;
    row[3] = -row[0];
    return sqrt(Scalar(10)) * off * off;
  }
};

struct Wood {
  static constexpr const char* name = "Wood";
  static constexpr int n = 4, m = 6;
  static constexpr std::array start{-3.0, -1.0, -3.0, -1.0};
  static constexpr std::array minima{0.0};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    using std::sqrt;
    const Scalar r90 = sqrt(Scalar(90));
    const Scalar r10 = sqrt(Scalar(10));
    switch (i) {
      case 1:
        row[0] = -20 * x[0];
        row[1] = 10;
        return 10 * (x[1] - x[0] * x[0]);
      case 2: row[0] = -1; return 1 - x[0];
      case 3:
        row[2] = -2 * r90 * x[2];
        row[3] = r90;
        return r90 * (x[3] - x[2] * x[2]);
      case 4: row[2] = -1; return 1 - x[2];
      case 5: row[1] = row[3] = r10; return r10 * (x[1] + x[3] - 2);
      default:
        row[1] = 1 / r10;
        row[3] = -row[1];
        return (x[1] - x[3]) / r10;
    }
  }
};

struct KowalikOsborne {
  static constexpr const char* name = "Kowalik and Osborne";
  static constexpr int n = 4, m = 11;
  static constexpr std::array start{0.25, 0.39, 0.415, 0.39};
  static constexpr std::array minima{3.07505e-4, 1.02734e-3};  // the second at infinity
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    constexpr std::array y{1957, 1947, 1735, 1600, 844, 627, 456, 342, 323, 235, 246};
    constexpr std::array u{40000, 20000, 10000, 5000, 2500, 1670, 1250, 1000, 833, 714, 625};
    const Scalar at = Scalar(u[std::size_t(i - 1)]) / 10000;
    const Scalar above = at * (at + x[1]);
    const Scalar below = at * (at + x[2]) + x[3];
    row[0] = -above / below;
    row[1] = -x[0] * at / below;
    row[2] = x[0] * above * at / (below * below);
    row[3] = x[0] * above / (below * below);
    return Scalar(y[std::size_t(i - 1)]) / 10000 + x[0] * row[0];
  }
};

struct BrownDennis {
  static constexpr const char* name = "Brown and Dennis";
  static constexpr int n = 4, m = 20;
  static constexpr std::array start{25.0, 5.0, -5.0, -1.0};
  static constexpr std::array minima{85822.2};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    using std::cos;
    using std::exp;
    using std::sin;
    const Scalar t = Scalar(i) / 5;
    const Scalar first = x[0] + t * x[1] - exp(t);
    const Scalar second = x[2] + x[3] * sin(t) - cos(t);
    row[0] = 2 * first;
    row[1] = 2 * first * t;
    row[2] = 2 * second;
    row[3] = 2 * second * sin(t);
    return first * first + second * second;
  }
};

struct OsborneOne {
  static constexpr const char* name = "Osborne 1";
  static constexpr int n = 5, m = 33;
  static constexpr std::array start{0.5, 1.5, -1.0, 0.01, 0.02};
  static constexpr std::array minima{5.46489e-5};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    using std::exp;
    constexpr std::array y{844, 908, 932, 936, 925, 908, 881, 850, 818, 784, 751,
                           718, 685, 658, 628, 603, 580, 558, 538, 522, 506, 490,
                           478, 467, 457, 448, 438, 431, 424, 420, 414, 411, 406};
    const Scalar t = Scalar(10 * (i - 1));
    const Scalar slow = exp(-t * x[3]);
    const Scalar fast = exp(-t * x[4]);
    row[0] = -1;
    row[1] = -slow;
    row[2] = -fast;
    row[3] = x[1] * t * slow;
    row[4] = x[2] * t * fast;
    return Scalar(y[std::size_t(i - 1)]) / 1000 - (x[0] + x[1] * slow + x[2] * fast);
  }
};

struct BiggsExp6 {
  static constexpr const char* name = "Biggs EXP6";
  static constexpr int n = 6, m = 13;
  static constexpr std::array start{1.0, 2.0, 1.0, 1.0, 1.0, 1.0};
  static constexpr std::array minima{0.0, 5.65565e-3};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    using std::exp;
    const Scalar t = Scalar(i) / 10;
    const Scalar y = exp(-t) - 5 * exp(-10 * t) + 3 * exp(-4 * t);
    row[2] = exp(-t * x[0]);
    row[3] = -exp(-t * x[1]);
    row[5] = exp(-t * x[4]);
    row[0] = -t * x[2] * row[2];
    row[1] = -t * x[3] * row[3];
    row[4] = -t * x[5] * row[5];
    return x[2] * row[2] + x[3] * row[3] + x[5] * row[5] - y;
  }
};

struct OsborneTwo {
  static constexpr const char* name = "Osborne 2";
  static constexpr int n = 11, m = 65;
  static constexpr std::array start{1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5};
  static constexpr std::array minima{4.01377e-2};
  template <class Scalar>
  static Scalar residual(int i, const Scalar* x, Scalar* row) {
    using std::exp;
    constexpr std::array y{1366, 1191, 1112, 1013, 991, 885, 831, 847, 786, 725, 746, 679, 608,
                           655,  616,  606,  602,  626, 651, 724, 649, 649, 694, 644, 624, 661,
                           612,  558,  533,  495,  500, 423, 395, 375, 372, 391, 396, 405, 428,
                           429,  523,  562,  607,  653, 672, 708, 633, 668, 645, 632, 591, 559,
                           597,  625,  739,  710,  729, 720, 636, 581, 428, 292, 162, 98,  54};
    const Scalar t = Scalar(i - 1) / 10;
    row[0] = -exp(-t * x[4]);
    row[4] = -t * x[0] * row[0];
    Scalar r = Scalar(y[std::size_t(i - 1)]) / 1000 + x[0] * row[0];
    for (int k = 1; k <= 3; ++k) {
      const Scalar off = t - x[7 + k];
      const Scalar bell = exp(-off * off * x[4 + k]);
      row[k] = -bell;
      row[4 + k] = x[k] * bell * off * off;
      row[7 + k] = -2 * x[k] * bell * off * x[4 + k];
      r -= x[k] * bell;
    }
    return r;
  }
};

// A problem as data, the same type for all.
struct Problem {
  using Vector = Eigen::VectorXd;
  using LongVector = Eigen::Matrix<long double, Eigen::Dynamic, 1>;

  const char* name;
  Vector start;
  std::vector<double> minima;
  double (*value)(const Vector&, Vector&);
  long double (*long_value)(const LongVector&, LongVector&);

  double operator()(const Vector& x, Vector& gradient) const { return value(x, gradient); }
};

template <class Residuals>
Problem problem() {
  using Objective = SumOfSquares<Residuals>;
  return {
      Residuals::name, Eigen::Map<const Eigen::VectorXd>(Residuals::start.data(), Residuals::n),
      std::vector<double>(Residuals::minima.begin(), Residuals::minima.end()),
      [](const Problem::Vector& x, Problem::Vector& gradient) { return Objective{}(x, gradient); },
      [](const Problem::LongVector& x, Problem::LongVector& gradient) {
        return Objective{}(x, gradient);
      }};
}

inline std::vector<Problem> problems() {
  return {problem<Rosenbrock>(),
          problem<FreudensteinRoth>(),
          problem<PowellBadlyScaled>(),
          problem<BrownBadlyScaled>(),
          problem<Beale>(),
          problem<JennrichSampson>(),
          problem<HelicalValley>(),
          problem<Bard>(),
          problem<Gaussian>(),
          problem<Meyer>(),
          problem<Gulf>(),
          problem<BoxThreeDimensional>(),
          problem<PowellSingular>(),
          problem<Wood>(),
          problem<KowalikOsborne>(),
          problem<BrownDennis>(),
          problem<OsborneOne>(),
          problem<BiggsExp6>(),
          problem<OsborneTwo>()};
}

}  // namespace more_garbow_hillstrom
