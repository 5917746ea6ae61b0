// The weight of Hyvarinen (2007). Not in the library: any class with these two members is a weight
// function.
#pragma once

struct SquareWeight {
  template <class T>
  T value(T x) const {
    return x * x;
  }
  template <class T>
  T derivative(T x) const {
    return 2 * x;
  }
};
