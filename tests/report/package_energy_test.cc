#include "report/package_energy.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/temporary_directory.h"

namespace tern {
namespace {

// A tree as /sys/class/powercap is.
class PackageEnergyTest : public testing::Test {
 protected:
  void add(const std::string& domain, const std::string& name, const std::string& energy, const std::string& range) {
    std::filesystem::create_directories(root_ / domain);
    write_file(root_ / domain / "name", name + "\n");
    write_file(root_ / domain / "max_energy_range_uj", range + "\n");
    set(domain, energy);
  }
  void set(const std::string& domain, const std::string& energy) {
    write_file(root_ / domain / "energy_uj", energy + "\n");
  }

  test::TemporaryDirectory root_;
};

TEST_F(PackageEnergyTest, SumsPackagesAlone) {
  add("intel-rapl:0", "package-0", "1000000", "262143328850");
  add("intel-rapl:0:0", "core", "5", "262143328850");
  add("intel-rapl:1", "package-1", "0", "262143328850");
  add("intel-rapl:2", "psys", "7", "262143328850");
  add("dtpm", "package-9", "7", "1");
  const PackageEnergy energy(root_.path());
  ASSERT_TRUE(energy.is_readable()) << energy.problem();
  const PackageEnergy::Reading before = energy.read();
  ASSERT_EQ(before.size(), 2u);
  set("intel-rapl:0", "3500000");
  set("intel-rapl:1", "250000");
  set("intel-rapl:2", "99999999");
  EXPECT_DOUBLE_EQ(energy.joules_between(before, energy.read()), 2.75);
}

TEST_F(PackageEnergyTest, CountersBeginAgain) {
  add("intel-rapl:0", "package-0", "9000000", "10000000");
  const PackageEnergy energy(root_.path());
  const PackageEnergy::Reading before = energy.read();
  set("intel-rapl:0", "500000");
  EXPECT_DOUBLE_EQ(energy.joules_between(before, energy.read()), 1.5);
  EXPECT_DOUBLE_EQ(energy.joules_between(before, before), 0);
  EXPECT_DOUBLE_EQ(energy.joules_between({}, before), 0);
}

TEST_F(PackageEnergyTest, SaysWhyNothingCanBeRead) {
  EXPECT_NE(PackageEnergy(root_ / "none").problem().find("none"), std::string::npos);
  EXPECT_NE(PackageEnergy(root_.path()).problem().find("no package's energy counter"), std::string::npos);
  EXPECT_TRUE(PackageEnergy(root_.path()).read().empty());
  add("intel-rapl:0", "package-0", "many", "10");
  EXPECT_NE(PackageEnergy(root_.path()).problem().find("'many'"), std::string::npos);
  add("intel-rapl:0", "package-0", "-1", "10");
  EXPECT_FALSE(PackageEnergy(root_.path()).is_readable());
  set("intel-rapl:0", "1");
  std::filesystem::remove(root_ / "intel-rapl:0/max_energy_range_uj");
  EXPECT_NE(PackageEnergy(root_.path()).problem().find("max_energy_range_uj"), std::string::npos);
}

TEST_F(PackageEnergyTest, ACounterThatGoesAwayGivesNoReading) {
  add("intel-rapl:0", "package-0", "1", "10");
  const PackageEnergy energy(root_.path());
  ASSERT_TRUE(energy.is_readable());
  std::filesystem::remove_all(root_ / "intel-rapl:0");
  EXPECT_TRUE(energy.read().empty());
}

}  // namespace
}  // namespace tern
