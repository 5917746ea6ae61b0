#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/binary_oarchive.hpp>
#include <boost/archive/text_iarchive.hpp>
#include <boost/archive/text_oarchive.hpp>
// Boost first: the library must not need to come before it.
#include "round_trips.hpp"

TEST_CASE("Boost.Serialization takes every summary, estimator and fit: text") {
  support::check_archives<boost::archive::text_oarchive, boost::archive::text_iarchive>();
}

TEST_CASE("Boost.Serialization takes every summary, estimator and fit: binary") {
  support::check_archives<boost::archive::binary_oarchive, boost::archive::binary_iarchive>();
}
