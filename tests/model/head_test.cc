// The heads of a model: the same hidden states, other logits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/error.h"
#include "model/forward.h"
#include "model/load.h"
#include "model/save.h"
#include "support/errors.h"
#include "support/models.h"
#include "support/temporary_directory.h"

namespace tern::test {
namespace {

ModelConfig config(size_t vocab, bool tied_head) {
  ModelConfig c = small_configs().front().config;
  c.vocab = vocab;
  c.tied_head = tied_head;
  return c;
}

Matrix logits_of(const Model& model, Threads& threads) {
  const std::vector<int32_t> tokens = random_tokens(30, model.config.vocab, 5);
  KvCache cache(model.config, 1, tokens.size());
  Activations activations(model.config, tokens.size(), Kept::kOneLayer);
  Batch batch;
  batch.add(0, 0, tokens);
  batch.want_all_logits();
  Matrix logits = stale_matrix(tokens.size(), model.config.vocab);
  forward(model, batch, threads, cache, activations, logits.view());
  return logits;
}

size_t best(VecView<const float> logits) {
  return static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

TEST(ModelHead, DefaultGoesByTheVocabulary) {
  EXPECT_EQ(default_head(config(31999, true)), HeadKind::kExact);
  EXPECT_EQ(default_head(config(32000, true)), HeadKind::kScreened);
}

TEST(ModelHead, ScreenedHasTheLogitOfTheBestTokenBitForBitAndExactComesBack) {
  for (const bool tied : {true, false}) {
    Threads threads(2);
    Model model = test_model(config(700, tied), 6, threads);
    const Matrix exact = logits_of(model, threads);
    set_head({HeadKind::kScreened, 0}, threads, model);
    const Matrix screened = logits_of(model, threads);
    EXPECT_FALSE(same_bits(exact, screened));
    for (size_t n = 0; n < exact.rows; ++n) {
      const size_t expected = best(exact.view().row_view(n));
      ASSERT_EQ(best(screened.view().row_view(n)), expected);
      EXPECT_EQ(screened.at(n, expected), exact.at(n, expected));
    }
    set_head({HeadKind::kInt8, 0}, threads, model);
    EXPECT_FALSE(same_bits(exact, logits_of(model, threads)));
    set_head({}, threads, model);
    EXPECT_TRUE(same_bits(exact, logits_of(model, threads)));
  }
}

ModelForm screened_form(const ModelConfig&) { return {{HeadKind::kScreened, 0}, TernaryLayout::kTriples}; }

// The name goes before the model is used, as when a file is replaced.
TEST(ModelHead, RowsOfAScreenedHeadStayInTheMappedFile) {
  const TemporaryDirectory folder;
  for (const bool tied : {true, false}) {
    for (const char* name : {"model.gguf", "hf"}) {
      SCOPED_TRACE(fmt::format("{}, tied head: {}", name, tied));
      Threads threads(2);
      Model model = test_model(config(700, tied), 6, threads);
      // Beside gains that bf16 does not hold, a Hugging Face directory's embedding is f32.
      for (const TensorSpec& spec : model_tensors(model.config)) {
        if (spec.is_norm()) std::fill_n(model.weights.norm(spec).data(), spec.cols, 1.0f);
      }
      const std::filesystem::path path = folder / name;
      if (path.has_extension()) {
        save_gguf(model, path, {.type = DType::kBF16, .name = "small"});
      } else {
        save_hf(model, path, {.type = DType::kBF16});
      }
      LoadedModel loaded = load_model(path, threads, screened_form);
      std::filesystem::remove_all(path);
      EXPECT_EQ(loaded.model.weights.token_embedding.borrowed.size(), 700 * model.config.dim);
      EXPECT_EQ(loaded.model.files.size(), 1u);
      set_head({HeadKind::kScreened, 0}, threads, model);
      const Model moved = std::move(loaded.model);
      EXPECT_TRUE(same_bits(logits_of(model, threads), logits_of(moved, threads)));
    }
  }
}

TEST(ModelHead, ANumberThatIsNotFiniteIsNamedWhereRowsStayInTheFile) {
  const TemporaryDirectory folder;
  Threads threads(2);
  Model model = test_model(config(700, true), 6, threads);
  model.weights.token_embedding.bf16[0] = 0x7FC0;
  save_gguf(model, folder / "model.gguf", {.type = DType::kBF16, .name = "small"});
  expect_error([&] { load_model(folder / "model.gguf", threads, screened_form); },
               "tensor 'token_embd.weight': expected finite numbers, row 0 column 0 is nan");
}

// Rounding to 1/127 of the largest number leaves a deviation of that / sqrt(12): in each of D products once of w, once
// of x. The weights have the deviation 1 / sqrt(D), the normalized x about 1. Eight deviations of the sum.
TEST(ModelHead, Int8IsCloseToExact) {
  Threads threads(2);
  Model model = test_model(config(700, true), 7, threads);
  const Matrix exact = logits_of(model, threads);
  set_head({HeadKind::kInt8, 0}, threads, model);
  const double D = 24.0, w = 1.0 / std::sqrt(D), largest_w = 3.0 * w, largest_x = 4.0;
  const double deviation = std::sqrt(D) * std::hypot(w * largest_x, largest_w) / 127.0 / std::sqrt(12.0);
  EXPECT_TRUE(within(exact.row(), logits_of(model, threads).row(), 8.0 * deviation));
}

TEST(ModelHead, OneThatAModelCannotHaveIsAnErrorAndChangesNothing) {
  Threads threads(2);
  Model model = test_model(small_configs().front().config, 8, threads);
  const Matrix exact = logits_of(model, threads);
  expect_error([&] { set_head({HeadKind::kScreened, 0}, threads, model); }, "the model's has 37");
  EXPECT_EQ(model.logit_head.kind, HeadKind::kExact);
  EXPECT_TRUE(same_bits(exact, logits_of(model, threads)));
}

TEST(ModelHead, EveryKindGivesTheSameBitsEverywhere) {
  for (const HeadKind kind : {HeadKind::kInt8, HeadKind::kScreened}) {
    expect_same_everywhere([&](Threads& threads) {
      Model model = test_model(config(700, true), 9, threads);
      set_head({kind, 0}, threads, model);
      return logits_of(model, threads).values;
    });
  }
}

}  // namespace
}  // namespace tern::test
