#include "host/python/module.hpp"

#include "tern/version.hpp"

NB_MODULE(_tern, module) {
  using namespace tern::python;
  module.doc() = "The native part of the package tern.";
  module.attr("version") = nanobind::str(tern::version().data(), tern::version().size());
  translate_errors();
  bind_config(module);
  bind_dataset(module);
  bind_training(module);
  bind_ranking(module);
  bind_interactions(module);
  bind_run(module);
  bind_jobs(module);
}
