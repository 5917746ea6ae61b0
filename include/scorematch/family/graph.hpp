// SPDX-License-Identifier: MIT
#pragma once

#include <scorematch/core/coupling.hpp>
#include <scorematch/core/require.hpp>

#include <Eigen/Core>

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace scorematch {

/// Which edges have a coupling of their own.
enum class Couplings {
  shared,      ///< one coupling for all edges
  per_edge,    ///< one for each, in the order of the edges
  with_phase,  ///< of angles: two for each, by the cosine and the sine of their difference
};

/// Every pair of sites, (j, i) with j < i, row by row: for a graph that is to be found.
inline std::vector<Edge> complete_graph(Eigen::Index size) {
  detail::require_option(size >= 1, "complete_graph", "size", size, "at least 1");
  std::vector<Edge> edges;
  for (Eigen::Index i = 0; i < size; ++i) {
    for (Eigen::Index j = 0; j < i; ++j) edges.push_back({j, i});
  }
  return edges;
}

/// The sites of a ring, each joined to the next: `size` edges (1 for two sites, none for one).
inline std::vector<Edge> ring(Eigen::Index size) {
  detail::require_option(size >= 1, "ring", "size", size, "at least 1");
  std::vector<Edge> edges;
  for (Eigen::Index i = 0; i + 1 < size; ++i) edges.push_back({i, i + 1});
  if (size > 2) edges.push_back({size - 1, 0});
  return edges;
}

/// The periodic square lattice: site (column c, row r) is number c + width r, joined to its right
/// and upper neighbor; 2 width height edges (fewer where a side has less than three sites).
inline std::vector<Edge> square_lattice(Eigen::Index width, Eigen::Index height) {
  detail::require_option(width >= 1, "square_lattice", "width", width, "at least 1");
  detail::require_option(height >= 1, "square_lattice", "height", height, "at least 1");
  std::vector<Edge> edges;
  for (Eigen::Index r = 0; r < height; ++r) {
    for (Eigen::Index c = 0; c < width; ++c) {
      const Eigen::Index site = c + width * r;
      if (c + 1 < width || width > 2) edges.push_back({site, (c + 1) % width + width * r});
      if (r + 1 < height || height > 2) edges.push_back({site, c + width * ((r + 1) % height)});
    }
  }
  return edges;
}

namespace detail {

// The edges of a graph, and for each site its edges.
class Adjacency {
 public:
  struct Link {
    Eigen::Index edge;
    Eigen::Index neighbor;

    bool operator==(const Link&) const = default;
  };

  Adjacency(const char* owner, Eigen::Index sites, std::vector<Edge> edges)
      : edges_(std::move(edges)) {
    require_option(sites >= 1, owner, "dimension", sites, "at least 1");
    const auto joins_two = [sites](const Edge& edge) {
      return edge.first >= 0 && edge.first < sites && edge.second >= 0 && edge.second < sites &&
             edge.first != edge.second;
    };
    first_.resize(std::size_t(sites) + 1);
    std::size_t good = 0;
    for (; good < edges_.size() && joins_two(edges_[good]); ++good) {
      ++first_[std::size_t(edges_[good].first) + 1];
      ++first_[std::size_t(edges_[good].second) + 1];
    }
    for (std::size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
    links_.resize(2 * good);
    std::vector<std::size_t> next(first_.begin(), first_.end() - 1);
    for (std::size_t e = 0; e < good; ++e) {
      const auto [i, j] = edges_[e];
      for (std::size_t k = first_[std::size_t(i)]; k < next[std::size_t(i)]; ++k) {
        if (links_[k].neighbor == j) {
          fail(owner, ": edges ", links_[k].edge, " and ", e, " both join ", i, " and ", j,
               "; expected each pair once");
        }
      }
      links_[next[std::size_t(i)]++] = {Eigen::Index(e), j};
      links_[next[std::size_t(j)]++] = {Eigen::Index(e), i};
    }
    if (good < edges_.size()) {
      fail(owner, ": edge ", good, " joins ", edges_[good].first, " and ", edges_[good].second,
           "; expected two different sites below ", sites);
    }
  }

  bool operator==(const Adjacency&) const = default;

  const std::vector<Edge>& edges() const { return edges_; }
  std::span<const Link> links(Eigen::Index site) const {
    const auto* const begin = first_.data() + site;
    return {links_.data() + begin[0], begin[1] - begin[0]};
  }
  Eigen::Index sites() const { return Eigen::Index(first_.size()) - 1; }

  // For each site the first one that a path of edges joins it to, itself perhaps.
  std::vector<Eigen::Index> components() const {
    std::vector<Eigen::Index> first(std::size_t(sites()), -1);
    std::vector<Eigen::Index> open;
    for (Eigen::Index start = 0; start < sites(); ++start) {
      if (first[std::size_t(start)] >= 0) continue;
      open.push_back(start);
      while (!open.empty()) {
        const Eigen::Index site = open.back();
        open.pop_back();
        if (first[std::size_t(site)] >= 0) continue;
        first[std::size_t(site)] = start;
        for (const Link& link : links(site)) open.push_back(link.neighbor);
      }
    }
    return first;
  }

  // Number of coupling parameters.
  Eigen::Index count(Couplings couplings) const {
    const Eigen::Index edges = Eigen::Index(edges_.size());
    if (couplings == Couplings::with_phase) return 2 * edges;
    return couplings == Couplings::per_edge || edges == 0 ? edges : 1;
  }

 private:
  // One array for the links of all sites, so that a copy of a family is three blocks of memory.
  std::vector<Edge> edges_;
  std::vector<Link> links_;
  std::vector<std::size_t> first_;  // of each site, and the end
};

// How many of the coupling parameters belong to one edge alone; 0 where all share the only one.
inline Eigen::Index couplings_per_edge(const std::vector<Edge>& edges, Eigen::Index couplings) {
  return couplings <= 1 ? 0 : couplings / Eigen::Index(edges.size());
}

// Of edges whose parameters begin at `first`.
inline std::vector<Coupling> couplings_of(const std::vector<Edge>& edges, Eigen::Index first,
                                          Eigen::Index parameters) {
  const Eigen::Index each = couplings_per_edge(edges, parameters);
  std::vector<Coupling> result;
  for (std::size_t e = 0; e < edges.size(); ++e) {
    result.push_back({edges[e], first + each * Eigen::Index(e), each > 1 ? each : 1});
  }
  return result;
}

// "J(3), of sites 0 and 4", or "J" where all edges share it; J' where that is the second of two.
inline std::string coupling_name(Eigen::Index k, const std::vector<Edge>& edges,
                                 Eigen::Index couplings) {
  if (couplings == 1 && edges.size() > 1) return "J";
  const Eigen::Index each = couplings_per_edge(edges, couplings);
  const Eigen::Index e = each > 1 ? k / each : k;
  const Edge& edge = edges[std::size_t(e)];
  return text_of(each > 1 && k % each == 1 ? "J'(" : "J(", e, "), of sites ", edge.first, " and ",
                 edge.second);
}

}  // namespace detail
}  // namespace scorematch
