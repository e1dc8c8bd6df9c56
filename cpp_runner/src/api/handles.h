// What the handles of the C API point to.
#pragma once

#include <memory>

#include "api/runner.h"
#include "edge_ptf.h"

struct edge_ptf_runner {
  std::shared_ptr<const edge_ptf::core::Runner> content;
};

struct edge_ptf_result {
  std::shared_ptr<const edge_ptf::core::Runner> runner;
  edge_ptf::core::Result content;
};
