#include "host/config/key_builders.hpp"
#include "host/config/key_sections.hpp"

namespace tern {

using enum OnResume;

std::vector<KeySpec> model_keys() {
  return {
      choice<ModelKind>(
          "model.kind", kFixed,
          "lightgcn, matrix factorisation (mf), the GC-MC encoder (gcmc), or without training: "
          "ease, or graph_filter (GF-CF)",
          at(&Config::model, &ModelOptions::kind),
          {{"lightgcn", ModelKind::kLightGcn},
           {"mf", ModelKind::kMatrixFactorization},
           {"gcmc", ModelKind::kGcMc},
           {"ease", ModelKind::kEase},
           {"graph_filter", ModelKind::kGraphFilter}}),
      integer("model.width", kFixed, "numbers per embedding (D)",
              at(&Config::model, &ModelOptions::width), 1, 65536),
      integer("model.layers", kFixed, "propagations (L) of lightgcn",
              at(&Config::model, &ModelOptions::layers), 0, 100),
      choice<EmbeddingInit>(
          "model.init", kChangesResult,
          "law of the initial embeddings; xavier: uniform to +-sqrt(6 / (rows + model.width))",
          at(&Config::model, &ModelOptions::init),
          {{"normal", EmbeddingInit::kNormal}, {"xavier", EmbeddingInit::kXavier}}),
      number("model.init_std", kChangesResult,
             "normal: standard deviation of the initial embeddings",
             at(&Config::model, &ModelOptions::init_std), kPositive),
      integers("model.hidden", kFixed, "gcmc: widths of all layers but the last; empty: one layer",
               at(&Config::model, &ModelOptions::hidden), {1, 65536, IntegerList::Kind::kSequence}),
      choice<InputKind>("model.inputs", kFixed,
                        "gcmc: inputs of the nodes; auto: features, or ids if a side has none",
                        at(&Config::model, &ModelOptions::inputs),
                        {{"auto", InputKind::kAuto},
                         {"features", InputKind::kFeatures},
                         {"ids", InputKind::kIds},
                         {"both", InputKind::kBoth}}),
      number("model.dropout", kChangesResult,
             "gcmc: share of the elements of messages dropped in training",
             at(&Config::model, &ModelOptions::dropout), kBelowOne),
      number("model.message_dropout", kChangesResult,
             "gcmc: share of nodes without any message in a training step, like new nodes",
             at(&Config::model, &ModelOptions::message_dropout), kBelowOne),
  };
}

std::vector<KeySpec> propagation_keys() {
  constexpr auto kPropagation = [](auto member) {
    return at(&Config::model, &ModelOptions::propagation, member);
  };
  constexpr Range kExponent{-10.0, 10.0};
  return {
      choice<PropagationKind>(
          "propagation.kind", kFixed,
          "how lightgcn computes its layers; lightgcn++: from rows of length 1, with exponents of "
          "the degrees",
          kPropagation(&PropagationOptions::kind),
          {{"lightgcn", PropagationKind::kLightGcn},
           {"lightgcn++", PropagationKind::kLightGcnPlusPlus}}),
      number("propagation.alpha", kFixed,
             "lightgcn++: a node's sum over its neighbours is divided by degree^alpha",
             kPropagation(&PropagationOptions::alpha), kExponent),
      number("propagation.beta", kFixed,
             "lightgcn++: each neighbour is divided by its own degree^beta, below 0 multiplied",
             kPropagation(&PropagationOptions::beta), kExponent),
      number("propagation.gamma", kFixed,
             "lightgcn++: weight of layer 0 in the final embeddings, beside the mean of the others",
             kPropagation(&PropagationOptions::gamma), kBelowOne),
  };
}

std::vector<KeySpec> contrast_keys() {
  constexpr auto kContrast = [](auto member) {
    return at(&Config::model, &ModelOptions::contrast, member);
  };
  return {
      choice<ContrastKind>(
          "contrast.kind", kFixed,
          "a second loss beside the first; xsimgcl: lightgcn adds noise to its layers, and its "
          "final embeddings are contrasted with those of one layer",
          kContrast(&ContrastOptions::kind),
          {{"none", ContrastKind::kNone}, {"xsimgcl", ContrastKind::kXSimGcl}}),
      number("contrast.weight", kChangesResult, "xsimgcl: weight of the second loss",
             kContrast(&ContrastOptions::weight), kNotNegative),
      number("contrast.temperature", kChangesResult, "xsimgcl: cosines are divided by this",
             kContrast(&ContrastOptions::temperature), kPositive),
      number("contrast.magnitude", kChangesResult, "xsimgcl: length of the noise of a row",
             kContrast(&ContrastOptions::magnitude), kNotNegative),
      integer("contrast.view_layer", kChangesResult,
              "xsimgcl: the layer that is contrasted with the final embeddings",
              kContrast(&ContrastOptions::layer), 1, 100),
  };
}

std::vector<KeySpec> ease_keys() {
  return {
      number("ease.l2", kFixed, "ease: penalty of the item weights; more for denser data",
             at(&Config::model, &ModelOptions::ease, &EaseOptions::l2), kPositive),
  };
}

std::vector<KeySpec> graph_filter_keys() {
  constexpr auto kFilter = [](auto member) {
    return at(&Config::model, &ModelOptions::graph_filter, member);
  };
  return {
      integer("graph_filter.rank", kFixed,
              "graph_filter: singular vectors of the low-pass filter, which train.seed starts",
              kFilter(&GfCfOptions::rank), 1, 65536),
      number("graph_filter.alpha", kFixed, "graph_filter: weight of the low-pass filter",
             kFilter(&GfCfOptions::alpha), kNotNegative),
  };
}

}  // namespace tern
