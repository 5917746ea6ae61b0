// The least that an archive must do: `is_loading`, and an & that takes numbers, and objects that
// know their numbers. Bytes as they lie in memory.
#pragma once

#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace support {

struct EndOfFile : std::runtime_error {
  EndOfFile() : std::runtime_error("end of file") {}
};

struct Writer {
  using is_loading = std::false_type;
  std::string bytes;

  template <class T>
  Writer& operator&(T& x) {
    if constexpr (std::is_same_v<T, long double>) {  // not what pads it
      double high = static_cast<double>(x);
      double low = x == 0 ? high : static_cast<double>(x - static_cast<long double>(high));
      (*this & high) & low;
    } else if constexpr (std::is_arithmetic_v<T>) {
      bytes.append(reinterpret_cast<const char*>(&x), sizeof x);
    } else {
      x.serialize(*this, 0U);
    }
    return *this;
  }
};

struct Reader {
  using is_loading = std::true_type;
  std::string bytes;
  std::size_t next = 0;

  explicit Reader(std::string all) : bytes(std::move(all)) {}

  template <class T>
  Reader& operator&(T& x) {
    if constexpr (std::is_same_v<T, long double>) {
      double high = 0, low = 0;
      (*this & high) & low;
      x = static_cast<long double>(high) + static_cast<long double>(low);
    } else if constexpr (std::is_arithmetic_v<T>) {
      if (bytes.size() - next < sizeof x) throw EndOfFile();
      std::memcpy(&x, bytes.data() + next, sizeof x);
      next += sizeof x;
    } else {
      x.serialize(*this, 0U);
    }
    return *this;
  }
};

template <class T>
std::string written(T& object) {
  Writer writer;
  (void)(writer & object);
  return std::move(writer.bytes);
}

template <class T>
void read_into(T& object, const std::string& bytes) {
  Reader reader(bytes);
  (void)(reader & object);
}

}  // namespace support
