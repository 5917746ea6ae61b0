# The graphs of graphs.cpp by glasso and huge, each at its own default tolerance, on correlations.
# Usage: Rscript graphs.R FOLDER P N LONGEST   LONGEST: seconds that a path of 30 may take
# Prints a line of JSON a solver. Times are CPU time.
library(glasso)
library(huge)

given <- commandArgs(TRUE)
folder <- given[1]
p <- as.integer(given[2])
n <- as.integer(given[3])
longest <- as.numeric(given[4])
x <- matrix(readBin(file.path(folder, "samples.bin"), "double", p * n), n, p, byrow = TRUE)
edges <- matrix(readBin(file.path(folder, "edges.bin"), "integer", 4 * p * n), ncol = 2, byrow = TRUE) + 1
truth <- matrix(FALSE, p, p)
truth[edges] <- TRUE
positives <- nrow(edges)
pairs <- p * (p - 1) / 2
s <- cor(x)
diag(s) <- 1

seconds <- function(work) {
  start <- proc.time()
  result <- work()
  list(result = result, seconds = sum((proc.time() - start)[1:2]))
}
score <- function(m) {
  found <- upper.tri(m) & as.matrix(m) != 0
  c(sum(found), sum(found & truth))
}
area <- function(scores) {  # one row a penalty: edges and hits
  x <- c(0, (scores[, 1] - scores[, 2]) / (pairs - positives), 1)
  y <- c(0, scores[, 2] / positives, 1)
  sum(diff(x) * (head(y, -1) + tail(y, -1)) / 2)
}
report <- function(who, weight, scores, time, path_time, auc) {
  cat(sprintf(paste0('{"who": "%s", "p": %d, "n": %d, "true_edges": %d, "weight": %.6g, ',
                     '"edges": %d, "precision": %.6f, "recall": %.6f, "seconds": %.6g, ',
                     '"path_seconds": %s, "auc": %s}\n'),
              who, p, n, positives, weight, scores[1], scores[2] / max(scores[1], 1),
              scores[2] / positives, time, path_time, auc))
}

largest <- max(abs(s[upper.tri(s)]))
weights <- largest * 0.1^((0:29) / 29)
by_huge <- function(weights) {
  huge(s, lambda = weights, method = "glasso", verbose = FALSE)$path
}
walked <- seconds(function() by_huge(weights))
scores <- t(sapply(walked$result, score))

# Between the two neighbours on the path.
k <- max(2, which(scores[, 1] >= positives)[1])
high <- weights[k - 1]
low <- weights[k]
best <- if (abs(scores[k, 1] - positives) < abs(scores[k - 1, 1] - positives)) k else k - 1
nearest <- scores[best, ]
weight <- weights[best]
for (halving in 1:4) {
  if (nearest[1] == positives) break
  middle <- sqrt(low * high)
  here <- score(by_huge(middle)[[1]])
  if (abs(here[1] - positives) < abs(nearest[1] - positives)) {
    nearest <- here
    weight <- middle
  }
  if (here[1] < positives) high <- middle else low <- middle
}
one <- seconds(function() by_huge(weight))
report("huge", weight, score(one$result[[1]]), one$seconds, walked$seconds,
       sprintf("%.6f", area(scores)))

one <- seconds(function() glasso(s, weight))  # thr = 1e-4
path_time <- "null"
auc <- "null"
if (30 * one$seconds < longest) {
  walked <- seconds(function() glassopath(s, weights, trace = 0))
  path_time <- sprintf("%.6g", walked$seconds)
  # Its path goes from the smallest penalty to the largest.
  order <- order(walked$result$rholist, decreasing = TRUE)
  scores <- t(sapply(order, function(k) score(walked$result$wi[, , k])))
  auc <- sprintf("%.6f", area(scores))
}
report("glasso", weight, score(one$result$wi), one$seconds, path_time, auc)
