#pragma once

#include <string>

#include "tern/backend.hpp"
#include "tern/config.hpp"

namespace tern {

/// The line of the log that names a job's model, loss and device: "lightgcn, L 3, D 64, bpr on cpu: NAME (DETAILS)", for a fit
/// "ease, l2 200 on cpu: NAME (DETAILS)". A report reads the device from it.
std::string describe_job(const Config& config, const Backend& backend);

}  // namespace tern
