#pragma once

#include "tests/fuzz/target.hpp"

namespace tern::fuzz {

// Each is in the file of its name, with its promises at the top.
void read_adjacency(Input input);
void read_interaction_table(Input input);
void recognise_text(Input input);
void read_feature_table(Input input);
void read_vocabulary(Input input);
void read_npy_file(Input input);
void read_npz_file(Input input);
void read_safetensors_file(Input input);
void read_configuration(Input input);
void read_compressed(Input input);
void load_data_set(Input input);

}  // namespace tern::fuzz
