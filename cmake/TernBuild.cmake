# Helpers every folder uses: compiler flags once, libraries and tests in one line each.
include_guard(GLOBAL)

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)

# A platform is a file that is chosen here: NAME_${TERN_ARCH}.cc.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
  set(TERN_ARCH x86)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(TERN_ARCH arm64)
else()
  message(FATAL_ERROR "tern: no kernels for the architecture ${CMAKE_SYSTEM_PROCESSOR}, only for x86_64 and aarch64")
endif()

add_library(tern_flags INTERFACE)
target_compile_features(tern_flags INTERFACE cxx_std_20)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
target_include_directories(tern_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
# No contraction: a*b+c means two roundings unless the source says fma, so that every ISA gives the same bits.
target_compile_options(tern_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -ffp-contract=off)
# Tests are let off: GoogleTest's macros are not written for these two.
target_compile_options(tern_flags INTERFACE
                       "$<$<NOT:$<BOOL:$<TARGET_PROPERTY:TERN_IS_TEST>>>:-Wconversion;-Wsign-conversion>")
# In a unity build (CMakePresets.json) a class of a source looks as if it were a header's.
target_compile_options(tern_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
if(TERN_WERROR)
  target_compile_options(tern_flags INTERFACE -Werror)
endif()
if(TERN_SANITIZE)
  target_compile_options(tern_flags INTERFACE -fsanitize=${TERN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  # Types of functions called through pointers: a quarter of the compile time for what tern's lambdas cannot get wrong.
  target_compile_options(tern_flags INTERFACE $<$<CXX_COMPILER_ID:Clang>:-fno-sanitize=function>)
  target_link_options(tern_flags INTERFACE -fsanitize=${TERN_SANITIZE})
  target_compile_definitions(tern_flags INTERFACE TERN_SANITIZED)
endif()

# tern_library(NAME SOURCES a.cc ... DEPS tern_base ...)
function(tern_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  if(ARG_SOURCES)
    add_library(${name} STATIC ${ARG_SOURCES})
    target_link_libraries(${name} PUBLIC tern_flags ${ARG_DEPS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE tern_flags ${ARG_DEPS})
  endif()
endfunction()

# For code that is big to compile and quick to run: -O3 takes a third longer or more, and sanitizers double the time of an
# optimized compile.
function(tern_compile_fast name)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  if(TERN_SANITIZE)
    target_compile_options(${name} PRIVATE -O0)
  endif()
endfunction()

# How tests are compiled, and the headers they share.
function(tern_test_options name)
  set_target_properties(${name} PROPERTIES TERN_IS_TEST ON)
  # GCC 12 takes "literal" + std::string for an overlapping copy (GCC bug 105651), at -O1 also for one out of bounds.
  target_compile_options(${name} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict;-Wno-array-bounds;-Wno-stringop-overflow>)
  tern_compile_fast(${name})  # what tests compute themselves is little
endfunction()

# tern_test(NAME SOURCES a_test.cc ... DEPS tern_model ... [SLOW]): one binary, one ctest entry for each GoogleTest
# case; under sanitizers, where a process takes longer to start than most cases to run, one for the binary. SLOW gives
# them the label "slow": the continuous integration leaves them out under the sanitizers. NUMERIC is for tests that compute
# much themselves: they are optimized under sanitizers too.
function(tern_test name)
  cmake_parse_arguments(ARG "SLOW;NUMERIC" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE tern_flags tern_test_paths ${ARG_DEPS} GTest::gtest GTest::gtest_main)
  tern_test_options(${name})
  if(ARG_NUMERIC AND TERN_SANITIZE)
    target_compile_options(${name} PRIVATE -O1)
  endif()
  set(properties TIMEOUT 600)
  if(ARG_SLOW)
    list(APPEND properties LABELS slow)
  endif()
  if(TERN_SANITIZE)
    add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
    set_tests_properties(${name} PROPERTIES ${properties} TIMEOUT 1800)
  else()
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES ${properties})
  endif()
endfunction()
include(GoogleTest)
