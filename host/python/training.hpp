#pragma once

#include <memory>

#include "host/python/listener.hpp"
#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"

namespace tern::python {

/// The backend of a job, as the program chooses it.
std::unique_ptr<Backend> backend_for(const Config& config, Listener& listener);

/// Adapts the default lengths of lists to a small catalogue. Longer lists that somebody asked for are an
/// error, which is the trainer's to report.
void fit_ks(Config& config, const Dataset& data, Listener& listener);

}  // namespace tern::python
