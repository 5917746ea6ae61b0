// The founding notebook's data: what its seed, 1, gives in float32 (nine digits round-trip one),
// as doubles of the same value.
// tests/notebook_test.cpp makes the same numbers from the seed.
#pragma once

#include <Eigen/Core>

namespace notebook {

inline Eigen::Vector2d true_mean() { return {double(0.40364635F), double(0.548895F)}; }

inline Eigen::Matrix2d true_covariance() {
  Eigen::Matrix2d covariance;
  covariance(0, 0) = double(0.7159164F);
  covariance(0, 1) = covariance(1, 0) = double(0.21423683F);
  covariance(1, 1) = double(0.12737265F);
  return covariance;
}

// 2 x 50: one sample per column.
inline Eigen::Matrix2Xd samples() {
  // clang-format off
  static constexpr float values[50 * 2] = {
      0.496331096F, 0.41362977F,
      -1.07144392F, 0.0473670959F,
      0.37173605F, 0.106681466F,
      -0.782344341F, 0.00744438171F,
      1.33830571F, 0.397501111F,
      -0.423721313F, 0.492047876F,
      0.281560063F, 0.718787432F,
      -1.03562748F, -0.118467152F,
      -0.0719455779F, 1.0047071F,
      1.68878436F, 1.29951286F,
      1.28067625F, 1.30020022F,
      -0.283269823F, 0.338230878F,
      0.100086063F, 0.749505043F,
      -1.2914412F, 0.395730466F,
      0.26022476F, 0.534506023F,
      2.00411367F, 1.06235194F,
      -0.0718357265F, -0.170997977F,
      -0.105613112F, 0.441209942F,
      0.63414079F, 0.356196195F,
      1.01700974F, 0.893846512F,
      2.33906937F, 1.23773515F,
      -0.0208073258F, 0.114797056F,
      1.38592649F, 0.647272527F,
      0.765745521F, 0.247093499F,
      1.24800253F, 0.692735076F,
      -0.50838244F, 0.349272013F,
      0.145090818F, 0.894319654F,
      -0.0202973187F, 0.497688621F,
      0.216934428F, 1.01170099F,
      0.467789203F, 0.843760967F,
      -0.154680312F, 0.0686323345F,
      1.54615223F, 1.14773095F,
      0.718453288F, 0.587884247F,
      -0.611777306F, -0.160594344F,
      1.58281481F, 1.03435886F,
      0.615310431F, 0.225728095F,
      -0.354758084F, 0.0594960153F,
      0.603865921F, 0.78862679F,
      0.92006743F, 0.737436831F,
      -0.883322597F, 0.191169024F,
      -0.173333168F, 0.509315729F,
      -0.224594235F, 0.257341087F,
      0.223604485F, 0.397055864F,
      -0.70243299F, 0.514601231F,
      1.78172219F, 1.40439522F,
      0.516260982F, 0.225087702F,
      1.74332654F, 1.42421889F,
      1.35995984F, 0.916879058F,
      2.04434586F, 0.932361305F,
      1.20690882F, 0.914363801F,
  };
  // clang-format on
  Eigen::Matrix2Xd result(2, 50);
  for (int k = 0; k < 50 * 2; ++k) result(k % 2, k / 2) = double(values[k]);
  return result;
}

}  // namespace notebook
