// The names of Tern's keys in LightGCN-PyTorch, RecBole, implicit, PyTorch and similar programs.

#include "host/config/synonyms.hpp"

#include <algorithm>
#include <array>

#include "host/config/keys.hpp"

namespace tern {
namespace {

constexpr std::array kSynonyms{
    Synonyms{"data.path", "data data_path data_dir dataset train_file input_file"},
    Synonyms{"data.split", "split_method split_strategy split_type"},
    Synonyms{"data.test_fraction", "test_size test_ratio test_split test_share"},
    Synonyms{"data.valid_fraction",
             "valid_size valid_ratio val_size val_ratio val_fraction val_split validation_fraction "
             "validation_split"},
    Synonyms{"data.k_core", "core min_interactions user_inter_num_interval"},
    Synonyms{"data.min_rating", "rating_threshold min_score"},
    Synonyms{"data.format", "file_format input_format data_format"},
    Synonyms{"data.separator", "sep delimiter delim field_separator"},
    Synonyms{"data.header", "has_header header_row"},
    Synonyms{"data.encoding", "charset"},
    Synonyms{"data.user_column", "user_col user_field user_id user_id_field uid_field"},
    Synonyms{"data.item_column", "item_col item_field item_id item_id_field iid_field"},
    Synonyms{"data.rating_column", "rating_col rating_field label_field"},
    Synonyms{"data.timestamp_column", "timestamp_col timestamp_field time_column time_field"},
    Synonyms{"model.kind", "model model_name model_type name type arch algorithm"},
    Synonyms{"model.width",
             "dim dims emb_dim emb_size embed_dim embed_size embedding embedding_dim "
             "embedding_size latent_dim latent_dim_rec recdim factors n_factors num_factors "
             "latent_factors no_components hidden_dim hidden_size hidden_channels "
             "out_channels"},
    Synonyms{"model.layers",
             "layer n_layer n_layers num_layers gcn_layers gnn_layers n_hops depth"},
    Synonyms{"model.init",
             "init_method init_mode init_type initialization initializer embedding_init"},
    Synonyms{"model.init_std", "init_scale init_stddev embedding_std initializer_range"},
    Synonyms{"model.hidden",
             "hidden_dim hidden_dims hidden_size hidden_sizes hidden_channels hidden_layers "
             "layer_size layer_sizes mlp_hidden_size"},
    Synonyms{"model.inputs", "input features use_features"},
    Synonyms{"model.dropout",
             "dropout_prob dropout_rate drop_rate mess_dropout hidden_dropout "
             "hidden_dropout_prob keepprob keep_prob"},
    Synonyms{"model.message_dropout", "node_dropout edge_dropout"},
    Synonyms{"loss.kind", "loss loss_fn loss_function loss_name loss_type criterion objective"},
    Synonyms{"loss.temperature", "tau temp softmax_temperature ssm_temp"},
    Synonyms{"loss.weight_temperature", "tau_w tau_beta"},
    Synonyms{"loss.refresh_every", "epoch_quantile"},
    Synonyms{"loss.negative_weight", "t2 tau2 positive_temperature temperature_2"},
    Synonyms{"loss.popularity_correction", "logq log_q logq_correction"},
    Synonyms{"loss.l2",
             "decay reg regs reg_weight reg_lambda reg_param regularization lambda "
             "l2_reg l2_weight l2_lambda"},
    Synonyms{"contrast.kind", "ssl contrastive cl"},
    Synonyms{"contrast.weight", "lambda cl_rate cl_weight ssl_reg ssl_weight"},
    Synonyms{"contrast.temperature", "tau temp ssl_temp cl_temp"},
    Synonyms{"contrast.magnitude", "eps noise noise_eps"},
    Synonyms{"contrast.view_layer", "l_star layer_cl"},
    Synonyms{"ease.l2",
             "lambda reg reg_lambda reg_weight regularization l2_reg l2_weight l2_lambda"},
    Synonyms{"graph_filter.rank", "n_components svd_rank factor_dim"},
    Synonyms{"graph_filter.alpha", "idl_beta"},
    Synonyms{"sampling.negatives",
             "negative_sampling neg_sampling neg_sampler negative_sampler sampler"},
    Synonyms{"sampling.popularity_exponent", "ns_exponent neg_alpha"},
    Synonyms{"sampling.negatives_per_positive",
             "n_negs neg_num num_neg num_negs num_ng neg_ratio n_negatives num_negatives "
             "negative_samples neg_sample_num train_neg_sample_num train_neg_sample_args"},
    Synonyms{"optimizer.kind", "optim optimizer optimizer_name learner name type"},
    Synonyms{"optimizer.learning_rate", "lr eta eta0 step_size base_lr init_lr"},
    Synonyms{"optimizer.weight_decay", "wd decay"},
    Synonyms{"optimizer.beta1", "b1 betas adam_beta1"},
    Synonyms{"optimizer.beta2", "b2 betas adam_beta2"},
    Synonyms{"optimizer.epsilon", "eps adam_eps adam_epsilon"},
    Synonyms{"train.epochs",
             "iterations iters n_iter max_iter num_iterations n_epochs num_epochs "
             "max_epoch max_epochs epoch_num"},
    Synonyms{"train.batch_size",
             "batch bs bpr_batch bpr_batch_size train_batch train_batch_size "
             "minibatch mini_batch_size"},
    Synonyms{"train.seed", "random_state random_seed rng_seed manual_seed"},
    Synonyms{"train.evaluate_every",
             "eval_step eval_steps eval_every eval_interval eval_freq evaluation_interval "
             "test_every val_every valid_interval check_val_every_n_epoch"},
    Synonyms{"train.patience",
             "stopping_step early_stop early_stopping early_stop_patience "
             "early_stopping_patience early_stopping_rounds"},
    Synonyms{"train.metric", "metrics valid_metric val_metric eval_metric main_metric"},
    Synonyms{"train.on_nan", "nan detect_anomaly terminate_on_nan"},
    Synonyms{"train.device", "gpu gpus gpu_id use_gpu cuda use_cuda no_cuda device_id accelerator"},
    Synonyms{"train.threads",
             "n_threads num_threads nthreads n_jobs jobs num_workers workers cores multicore"},
    Synonyms{"train.precision", "bf16 bfloat16 fp16 half amp mixed_precision dtype"},
    Synonyms{"train.reproducibility", "deterministic reproducible"},
    Synonyms{"evaluation.ks", "topk topks cutoff cutoffs at_k"},
    Synonyms{"evaluation.score", "similarity score_function scoring distance"},
    Synonyms{"checkpoint.every_epochs",
             "save_every save_freq save_interval checkpoint_every checkpoint_interval"},
    Synonyms{"checkpoint.keep", "keep_last max_to_keep save_total_limit"},
};

std::string_view section_of(std::string_view key) {
  return key.substr(0, key.rfind('.'));
}

std::string_view name_of(std::string_view key) {
  return key.substr(key.rfind('.') + 1);
}

/// The keys of this name; if there are none, those with this synonym.
std::vector<std::string_view> keys_called(const std::string& word) {
  std::vector<std::string_view> keys;
  for (const KeySpec& spec : key_table()) {
    if (plain_word(name_of(spec.key)) == word) keys.push_back(spec.key);
  }
  if (keys.empty()) {
    for (const Synonyms& row : kSynonyms) {
      if (is_among(word, row.words)) keys.push_back(row.key);
    }
  }
  return keys;
}

}  // namespace

std::span<const Synonyms> synonyms() {
  return kSynonyms;
}

std::string plain_word(std::string_view word) {
  std::string plain;
  for (const char c : word) {
    if (c == '-' || c == '_') continue;
    plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return plain;
}

bool is_among(std::string_view plain, std::string_view words) {
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(' '));
    if (plain_word(word) == plain) return true;
    words.remove_prefix(std::min(word.size() + 1, words.size()));
  }
  return false;
}

std::vector<std::string_view> keys_meant_by(std::string_view unknown) {
  // "max.epoch" as one word, else "epoch" of a section.
  std::string whole(unknown);
  std::erase(whole, '.');
  std::vector<std::string_view> keys = keys_called(plain_word(whole));
  if (keys.empty()) keys = keys_called(plain_word(name_of(unknown)));
  // "optimizer.decay" means the optimiser's key, although other sections know a decay too.
  const auto elsewhere = [&](std::string_view key) {
    return section_of(key) != section_of(unknown);
  };
  if (!std::all_of(keys.begin(), keys.end(), elsewhere)) std::erase_if(keys, elsewhere);
  return keys;
}

}  // namespace tern
