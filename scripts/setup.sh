# Sourced by examples/run.sh and tests/run.sh. `need PROBE PACKAGE ...` makes sure of each probe (a
# command, or a file below an include directory) and installs the Debian packages of those missing.

present() {
  case "$1" in
    c++20)
      printf '#include <concepts>\ntemplate <std::floating_point T> struct S {};\nint main() { S<float> s; (void)s; }\n' |
        ${CXX:-c++} -std=c++20 -x c++ -fsyntax-only - 2>/dev/null ;;
    */*)
      for directory in /usr/include /usr/local/include /opt/homebrew/include $(printf %s "${CPATH:-}" | tr : ' '); do
        [ -e "$directory/$1" ] && return 0
      done
      return 1 ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
  esac
}

need() {
  missing=
  while [ $# -gt 0 ]; do
    present "$1" || missing="$missing $2"
    shift 2
  done
  [ -n "$missing" ] || return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "Missing:$missing (names of Debian packages). Install their equivalents: a C++20 compiler" >&2
    echo "(g++ 12 or clang 14, or later), CMake 3.23, make, Eigen 3.4; for the tests also doctest 2.4," >&2
    echo "pkg-config, Random123 and cereal. Then run this again." >&2
    exit 1
  fi
  if [ "$(id -u)" -eq 0 ]; then
    as_root=
  elif command -v sudo >/dev/null 2>&1; then
    as_root=sudo
  else
    echo "Missing:$missing. Run as root: apt-get install$missing" >&2
    exit 1
  fi
  echo "Installing:$missing"
  $as_root apt-get update -qq
  # shellcheck disable=SC2086  # a list of packages
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

need_cmake() {
  version=$(cmake --version | sed -n '1s/.* \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
  # shellcheck disable=SC2086  # two numbers
  set -- $version
  if [ "$1" -lt 3 ] || { [ "$1" -eq 3 ] && [ "$2" -lt 23 ]; }; then
    echo "CMake $1.$2 is too old; expected 3.23 or later (Debian 12, Ubuntu 24.04 and later have it)." >&2
    exit 1
  fi
}

jobs() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }
