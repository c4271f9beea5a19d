// x86-64: CPUID and XGETBV.
#include "base/cpu.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace tern {
namespace {

struct CpuidWords {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

CpuidWords cpuid(uint32_t leaf, uint32_t subleaf) {
  CpuidWords words;
  if (__get_cpuid_count(leaf, subleaf, &words.eax, &words.ebx, &words.ecx, &words.edx) == 0) return {};
  return words;
}

bool bit(uint32_t word, int index) { return ((word >> index) & 1u) != 0; }

// Register state the operating system saves (XCR0), 0 when it uses no XSAVE.
uint64_t saved_state() {
  if (!bit(cpuid(1, 0).ecx, 27)) return 0;
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

std::string brand() {
  std::array<char, 49> text{};
  for (uint32_t i = 0; i < 3; ++i) {
    const CpuidWords words = cpuid(0x80000002u + i, 0);
    std::memcpy(text.data() + 16 * i, &words, 16);
  }
  std::string name(text.data());
  name.erase(0, name.find_first_not_of(' ') == std::string::npos ? name.size() : name.find_first_not_of(' '));
  while (!name.empty() && name.back() == ' ') name.pop_back();
  return name.empty() ? "unknown processor" : name;
}

// Linux saves the 8 KB of tile registers only for processes that asked (Documentation/arch/x86/xstate.rst); elsewhere
// an instruction of theirs is a fault. The answer holds for all threads, and children of fork.
bool tiles_granted() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // the state component
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

CpuFeatures detect() {
  CpuFeatures features;
  features.model_name = brand();
  const uint64_t state = saved_state();
  const bool ymm = (state & 0x6) == 0x6;
  const bool zmm = (state & 0xE6) == 0xE6;
  const CpuidWords one = cpuid(1, 0);
  const CpuidWords seven = cpuid(7, 0);
  const CpuidWords seven_one = cpuid(7, 1);
  features.avx2 = ymm && bit(seven.ebx, 5) && bit(one.ecx, 12) && bit(one.ecx, 29);
  features.avx512 =
      features.avx2 && zmm && bit(seven.ebx, 16) && bit(seven.ebx, 17) && bit(seven.ebx, 30) && bit(seven.ebx, 31);
  features.avx512_vnni = features.avx512 && bit(seven.ecx, 11);
  features.avx512_vbmi = features.avx512 && bit(seven.ecx, 1);
  features.avx512_bf16 = features.avx512 && bit(seven_one.eax, 5);
  const bool tiles = (state & 0x60000) == 0x60000 && bit(seven.edx, 24) && bit(seven.edx, 25);
  features.amx_int8 = features.avx512_vnni && tiles && tiles_granted();
  features.avx_vnni = features.avx2 && bit(seven_one.eax, 4);
  const CpuidWords vendor = cpuid(0, 0);
  features.amd = vendor.ebx == 0x68747541 && vendor.edx == 0x69746e65 && vendor.ecx == 0x444d4163;  // AuthenticAMD
  return features;
}

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

void pause_cpu() { __builtin_ia32_pause(); }

}  // namespace tern
