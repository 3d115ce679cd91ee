#pragma once

// The library in one include. A minimal program:
//
//   tern::DatasetBuilder builder;                       // or load_dataset("DIRECTORY")
//   builder.add("ann", "tea").add("ann", "milk").add("bob", "tea");      // and many more
//   const tern::Dataset data = builder.build();
//   tern::Config config;
//   config.epochs = 20;
//   const auto backend = tern::make_backend("auto");    // a GPU where there is one
//   tern::Trainer trainer(*backend, data, config);
//   trainer.run();
//   tern::Recommender model(trainer);
//   for (const auto& [item, score] : model.recommend("ann").items) ...
//   model.save("runs/first");                           // tern recommend runs/first --user bob
//
// Lifetimes. A backend outlives every Matrix, Graph, Triplets, Model and Loss that was made with it, and the
// trainers over it. The data outlives its trainers. A Recommender owns all that it needs. A string_view that a
// function gets is read during the call only.
//
// Threads. Objects are independent. One object is used by one thread at a time, and so is a backend with
// everything that was made with it: two threads that train need a backend each. Const members of Dataset,
// Interactions and Vocabulary can be called by several threads. Callbacks run on the thread of the call.
//
// The process. Tern prints nothing, ends nothing, and handles no signals. A backend sets the threads of OpenBLAS
// to 1, for the whole process: Tern has threads of its own, whose number is an argument. The CUDA backend is
// loaded by the first call that needs it and is never unloaded. Tern does not change the locale, the rounding
// of numbers, or environment variables. TERN_CUDA_LIBRARY names another file of the CUDA backend than
// the one beside the program.
//
// Errors are exceptions, all derived from tern::Error; see tern/error.hpp.

#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/dataset_builder.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/evaluation.hpp"
#include "tern/gradient_check.hpp"
#include "tern/loss.hpp"
#include "tern/model.hpp"
#include "tern/recommender.hpp"
#include "tern/run.hpp"
#include "tern/step_check.hpp"
#include "tern/trainer.hpp"
