#pragma once

#include "bench/support/case.hpp"

namespace tern::bench {

/// sgd without momentum as a loop over the item table, for the compiler to vectorise.
PreparedCase prepare_sgd_plain_loop(Workload& w);

}  // namespace tern::bench
