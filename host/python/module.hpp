#pragma once

#include <nanobind/nanobind.h>

namespace tern::python {

// The parts of the module tern._tern, each in a file of its own. The package tern is written over them
// (host/python/tern).

/// Translates Tern's exceptions to the classes in host/python/tern/_errors.py.
void translate_errors();
void bind_config(nanobind::module_& module);
void bind_dataset(nanobind::module_& module);
void bind_training(nanobind::module_& module);
void bind_ranking(nanobind::module_& module);
void bind_interactions(nanobind::module_& module);
void bind_run(nanobind::module_& module);
void bind_jobs(nanobind::module_& module);

}  // namespace tern::python
