// Renames the AVX-512 and AVX-VNNI types and intrinsics to their emulation. Compilers define some of them as macros
// themselves.
#pragma once

#define __m512 avx512_emulation::Floats
#define __m512i avx512_emulation::Integers
#define __mmask16 avx512_emulation::Mask16
#define __mmask64 avx512_emulation::Mask64

#undef _mm512_abs_epi8
#define _mm512_abs_epi8 avx512_emulation::abs_epi8
#undef _mm512_abs_ps
#define _mm512_abs_ps avx512_emulation::abs_ps
#undef _mm512_add_epi16
#define _mm512_add_epi16 avx512_emulation::add_epi16
#undef _mm512_add_epi32
#define _mm512_add_epi32 avx512_emulation::add_epi32
#undef _mm512_add_epi8
#define _mm512_add_epi8 avx512_emulation::add_epi8
#undef _mm512_add_ps
#define _mm512_add_ps avx512_emulation::add_ps
#undef _mm512_and_si512
#define _mm512_and_si512 avx512_emulation::and_si512
#undef _mm512_broadcast_i32x4
#define _mm512_broadcast_i32x4 avx512_emulation::broadcast_i32x4
#undef _mm512_broadcast_i64x4
#define _mm512_broadcast_i64x4 avx512_emulation::broadcast_i64x4
#undef _mm512_castps512_ps256
#define _mm512_castps512_ps256 avx512_emulation::castps512_ps256
#undef _mm512_castps_si512
#define _mm512_castps_si512 avx512_emulation::castps_si512
#undef _mm512_castsi512_ps
#define _mm512_castsi512_ps avx512_emulation::castsi512_ps
#undef _mm512_castsi512_si256
#define _mm512_castsi512_si256 avx512_emulation::castsi512_si256
#undef _mm512_cvtepi16_epi32
#define _mm512_cvtepi16_epi32 avx512_emulation::cvtepi16_epi32
#undef _mm512_cvtepi16_epi8
#define _mm512_cvtepi16_epi8 avx512_emulation::cvtepi16_epi8
#undef _mm512_cvtepi32_epi16
#define _mm512_cvtepi32_epi16 avx512_emulation::cvtepi32_epi16
#undef _mm512_cvtepi32_epi8
#define _mm512_cvtepi32_epi8 avx512_emulation::cvtepi32_epi8
#undef _mm512_cvtepi32_ps
#define _mm512_cvtepi32_ps avx512_emulation::cvtepi32_ps
#undef _mm512_cvtepi8_epi32
#define _mm512_cvtepi8_epi32 avx512_emulation::cvtepi8_epi32
#undef _mm512_cvtepu16_epi32
#define _mm512_cvtepu16_epi32 avx512_emulation::cvtepu16_epi32
#undef _mm512_cvtps_epi32
#define _mm512_cvtps_epi32 avx512_emulation::cvtps_epi32
#undef _mm512_cvtsepi32_epi16
#define _mm512_cvtsepi32_epi16 avx512_emulation::cvtsepi32_epi16
#undef _mm512_cvtsepi32_epi8
#define _mm512_cvtsepi32_epi8 avx512_emulation::cvtsepi32_epi8
#undef _mm512_div_ps
#define _mm512_div_ps avx512_emulation::div_ps
#undef _mm512_dpbusd_epi32
#define _mm512_dpbusd_epi32 avx512_emulation::dpbusd_epi32
#undef _mm512_dpwssd_epi32
#define _mm512_dpwssd_epi32 avx512_emulation::dpwssd_epi32
#undef _mm512_extractf32x8_ps
#define _mm512_extractf32x8_ps avx512_emulation::extractf32x8_ps
#undef _mm512_extracti64x4_epi64
#define _mm512_extracti64x4_epi64 avx512_emulation::extracti64x4_epi64
#undef _mm512_fmadd_ps
#define _mm512_fmadd_ps avx512_emulation::fmadd_ps
#undef _mm512_load_si512
#define _mm512_load_si512 avx512_emulation::loadu_si512
#undef _mm512_loadu_ps
#define _mm512_loadu_ps avx512_emulation::loadu_ps
#undef _mm512_loadu_si512
#define _mm512_loadu_si512 avx512_emulation::loadu_si512
#undef _mm512_madd_epi16
#define _mm512_madd_epi16 avx512_emulation::madd_epi16
#undef _mm512_maddubs_epi16
#define _mm512_maddubs_epi16 avx512_emulation::maddubs_epi16
#undef _mm512_mask_mov_ps
#define _mm512_mask_mov_ps avx512_emulation::mask_mov_ps
#undef _mm512_mask_storeu_ps
#define _mm512_mask_storeu_ps avx512_emulation::mask_storeu_ps
#undef _mm512_mask_sub_epi8
#define _mm512_mask_sub_epi8 avx512_emulation::mask_sub_epi8
#undef _mm512_maskz_loadu_ps
#define _mm512_maskz_loadu_ps avx512_emulation::maskz_loadu_ps
#undef _mm512_maskz_mov_epi8
#define _mm512_maskz_mov_epi8 avx512_emulation::maskz_mov_epi8
#undef _mm512_maskz_mov_ps
#define _mm512_maskz_mov_ps avx512_emulation::maskz_mov_ps
#undef _mm512_max_ps
#define _mm512_max_ps avx512_emulation::max_ps
#undef _mm512_min_ps
#define _mm512_min_ps avx512_emulation::min_ps
#undef _mm512_movepi8_mask
#define _mm512_movepi8_mask avx512_emulation::movepi8_mask
#undef _mm512_mul_ps
#define _mm512_mul_ps avx512_emulation::mul_ps
#undef _mm512_mulhi_epu16
#define _mm512_mulhi_epu16 avx512_emulation::mulhi_epu16
#undef _mm512_mullo_epi16
#define _mm512_mullo_epi16 avx512_emulation::mullo_epi16
#undef _mm512_mullo_epi32
#define _mm512_mullo_epi32 avx512_emulation::mullo_epi32
#undef _mm512_or_si512
#define _mm512_or_si512 avx512_emulation::or_si512
#undef _mm512_packus_epi16
#define _mm512_packus_epi16 avx512_emulation::packus_epi16
#undef _mm512_packus_epi32
#define _mm512_packus_epi32 avx512_emulation::packus_epi32
#undef _mm512_permutex2var_epi16
#define _mm512_permutex2var_epi16 avx512_emulation::permutex2var_epi16
#undef _mm512_permutexvar_epi16
#define _mm512_permutexvar_epi16 avx512_emulation::permutexvar_epi16
#undef _mm512_permutexvar_epi8
#define _mm512_permutexvar_epi8 avx512_emulation::permutexvar_epi8
#undef _mm512_reduce_add_epi32
#define _mm512_reduce_add_epi32 avx512_emulation::reduce_add_epi32
#undef _mm512_set1_epi16
#define _mm512_set1_epi16 avx512_emulation::set1_epi16
#undef _mm512_set1_epi32
#define _mm512_set1_epi32 avx512_emulation::set1_epi32
#undef _mm512_set1_epi8
#define _mm512_set1_epi8 avx512_emulation::set1_epi8
#undef _mm512_set1_ps
#define _mm512_set1_ps avx512_emulation::set1_ps
#undef _mm512_setzero_si512
#define _mm512_setzero_si512 avx512_emulation::setzero_si512
#undef _mm512_shuffle_epi8
#define _mm512_shuffle_epi8 avx512_emulation::shuffle_epi8
#undef _mm512_slli_epi16
#define _mm512_slli_epi16 avx512_emulation::slli_epi16
#undef _mm512_slli_epi32
#define _mm512_slli_epi32 avx512_emulation::slli_epi32
#undef _mm512_sqrt_ps
#define _mm512_sqrt_ps avx512_emulation::sqrt_ps
#undef _mm512_srai_epi32
#define _mm512_srai_epi32 avx512_emulation::srai_epi32
#undef _mm512_srli_epi16
#define _mm512_srli_epi16 avx512_emulation::srli_epi16
#undef _mm512_srli_epi32
#define _mm512_srli_epi32 avx512_emulation::srli_epi32
#undef _mm512_storeu_ps
#define _mm512_storeu_ps avx512_emulation::storeu_ps
#undef _mm512_storeu_si512
#define _mm512_storeu_si512 avx512_emulation::storeu_si512
#undef _mm512_sub_epi16
#define _mm512_sub_epi16 avx512_emulation::sub_epi16
#undef _mm512_sub_epi32
#define _mm512_sub_epi32 avx512_emulation::sub_epi32
#undef _mm512_sub_ps
#define _mm512_sub_ps avx512_emulation::sub_ps
#undef _mm512_ternarylogic_epi32
#define _mm512_ternarylogic_epi32 avx512_emulation::ternarylogic_epi32
#undef _mm512_unpackhi_epi16
#define _mm512_unpackhi_epi16 avx512_emulation::unpackhi_epi16
#undef _mm512_unpackhi_epi32
#define _mm512_unpackhi_epi32 avx512_emulation::unpackhi_epi32
#undef _mm512_unpackhi_epi64
#define _mm512_unpackhi_epi64 avx512_emulation::unpackhi_epi64
#undef _mm512_unpacklo_epi16
#define _mm512_unpacklo_epi16 avx512_emulation::unpacklo_epi16
#undef _mm512_unpacklo_epi32
#define _mm512_unpacklo_epi32 avx512_emulation::unpacklo_epi32
#undef _mm512_unpacklo_epi64
#define _mm512_unpacklo_epi64 avx512_emulation::unpacklo_epi64
#undef _mm512_xor_si512
#define _mm512_xor_si512 avx512_emulation::xor_si512

#undef _mm256_dpbusd_avx_epi32
#define _mm256_dpbusd_avx_epi32 avx512_emulation::dpbusd_avx_epi32
#undef _mm256_dpwssd_avx_epi32
#define _mm256_dpwssd_avx_epi32 avx512_emulation::dpwssd_avx_epi32

// An immediate operand becomes a template argument.
#undef _mm512_cmp_ps_mask
#define _mm512_cmp_ps_mask(a, b, predicate) avx512_emulation::cmp_ps_mask<(predicate)>(a, b)
