#include <cereal/archives/binary.hpp>
#include <cereal/archives/json.hpp>
#include <cereal/archives/portable_binary.hpp>
#include <cereal/archives/xml.hpp>
// cereal first: the library must not need to come before it.
#include "round_trips.hpp"

TEST_CASE("cereal takes every summary, estimator and fit: binary") {
  support::check_archives<cereal::BinaryOutputArchive, cereal::BinaryInputArchive>();
}

TEST_CASE("cereal takes every summary, estimator and fit: portable binary") {
  support::check_archives<cereal::PortableBinaryOutputArchive,
                          cereal::PortableBinaryInputArchive>();
}

TEST_CASE("cereal takes every summary, estimator and fit: JSON") {
  support::check_archives<cereal::JSONOutputArchive, cereal::JSONInputArchive>();
}

TEST_CASE("cereal takes every summary, estimator and fit: XML") {
  support::check_archives<cereal::XMLOutputArchive, cereal::XMLInputArchive>();
}
