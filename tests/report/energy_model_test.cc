#include "report/energy_model.h"

#include <gtest/gtest.h>

namespace tern {
namespace {

// (2, 3) times (3, 5): 2 * 2 * 5 additions, 2 * 3 * 5 multiplications; ternary 2 * 5 + 2 * 3 multiplications.
TEST(EnergyModel, CountsOperationsOfAProduct) {
  const ProductSize size = {2, 3, 5};
  EXPECT_DOUBLE_EQ(float_product_pj(size, {1, 0}), 20);
  EXPECT_DOUBLE_EQ(float_product_pj(size, {0, 1}), 30);
  ProcessNode node;
  node.int8 = {1, 1000};  // ternary products multiply no int8
  EXPECT_DOUBLE_EQ(ternary_product_pj(size, node), 20);
  node.int8 = {};
  node.fp16 = {1000, 1};  // ... and add no floats
  EXPECT_DOUBLE_EQ(ternary_product_pj(size, node), 16);
}

TEST(EnergyModel, ProductsTakeThePapersShareAtSevenNanometres) {
  EXPECT_NEAR(product_ratio(k7nm), 71.4, 0.05);
  EXPECT_NEAR(product_ratio(k45nm), 50, 1e-9);  // (0.4 + 1.1) / 0.03
  // Scales keep a finite product below that.
  const ProductSize size = {512, 8192, 8192};
  const double ratio = float_product_pj(size, k7nm.fp16) / ternary_product_pj(size, k7nm);
  EXPECT_LT(ratio, product_ratio(k7nm));
  EXPECT_GT(ratio, 0.98 * product_ratio(k7nm));
}

TEST(EnergyModel, ReproducesTheRatiosOfFigure3) {
  ASSERT_EQ(figure3().size(), 5u);
  for (const PublishedEnergyRatio& row : figure3()) {
    const double ratio = pass_ratio(row.shape, kEnergyTokens, k7nm);
    EXPECT_NEAR(ratio, row.ratio, 0.003 * row.ratio) << row.shape.name;
  }
}

// Without attention, which both do in FP16, a pass comes closer to what a product of matrices has, and never reaches
// it.
TEST(EnergyModel, LinearLayersAloneAreBetweenAPassAndAProduct) {
  for (const ProcessNode* node : {&k45nm, &k7nm}) {
    for (const PublishedEnergyRatio& row : figure3()) {
      const double linear = linear_ratio(row.shape, kEnergyTokens, *node);
      EXPECT_GT(linear, pass_ratio(row.shape, kEnergyTokens, *node)) << node->name << " " << row.shape.name;
      EXPECT_LT(linear, product_ratio(*node)) << node->name << " " << row.shape.name;
    }
  }
  // Seven products of (1, 2) and (2, 2), by hand: 2 additions and 4 multiplications, of ternary 4 for the scales.
  const EnergyShape shape = {"", 2, 1, 1, 1, 2, 2, 3};
  const double full = 7 * (1 * 1 * 2 * 0.4 + 1 * 2 * 2 * 1.1);
  const double ternary = 7 * (1 * 1 * 2 * 0.03 + (1 * 2 + 1 * 2) * 1.1);
  EXPECT_NEAR(linear_ratio(shape, 1, k45nm), full / ternary, 1e-12);
}

// The 3B that the paper's other tables have (3200 wide, 26 layers) is not the one of figure 3.
TEST(EnergyModel, TheShapeOfTable1IsNotThatOfFigure3) {
  const EnergyShape table1 = {"3B", 3200, 26, 32, 32, 100, 8640, 3};
  EXPECT_GT(pass_ratio(table1, kEnergyTokens, k7nm), 25);
}

TEST(EnergyModel, ReproducesTheJoulesOf2B4T) {
  for (const PublishedJoules& row : b2b4t_energy()) {
    EXPECT_NEAR(pass_joules(row.shape, kEnergyTokens, k7nm, row.is_ternary), row.joules, 0.0005) << row.shape.name;
  }
}

TEST(EnergyModel, PartsAddUp) {
  const EnergyShape shape = {"", 8, 2, 2, 1, 4, 16, 3};
  for (const bool is_ternary : {false, true}) {
    EXPECT_DOUBLE_EQ(pass_joules(shape, 7, k45nm, is_ternary),
                     linear_joules(shape, 7, k45nm, is_ternary) + attention_joules(shape, 7, k45nm));
  }
  // Scores: 7 x 4 times 4 x 7, sums: 7 x 7 times 7 x 4, two heads, two layers.
  ProcessNode adds;
  adds.fp16 = {1, 0};
  EXPECT_NEAR(attention_joules(shape, 7, adds) * 1e12, 2 * 2 * (7 * 3 * 7 + 7 * 6 * 4), 1e-6);
  adds.fp16 = {0, 1};
  // q 8x8, k and v 8x4, o 8x8, gate and up 8x16, down 16x8.
  EXPECT_NEAR(linear_joules(shape, 1, adds, false) * 1e12, 2 * (64 + 2 * 32 + 64 + 2 * 128 + 128), 1e-6);
}

}  // namespace
}  // namespace tern
