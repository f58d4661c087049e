# How libraries, programs and tests of Parley are declared.
#
#   parley_library(parley_raft SOURCES core.cc DEPENDS parley_base)   a layer, as a static library
#   parley_program(parleyd SOURCES main.cc DEPENDS parley_rpc)        a program, at build/<preset>/parleyd
#   parley_test(raft_quorum_test SOURCES quorum_test.cc DEPENDS parley_raft [LABELS unit] [TIMEOUT 60])
#
# DEPENDS may name any target: parley_*, fmt::fmt, SQLiteCpp, PkgConfig::sodium, PkgConfig::readline ...
# Labels of a test: unit, sim or process (default unit), and by itself the name of its folder, such as raft.
# The target tests_<label> builds the tests that carry a label.

set(PARLEY_SANITIZER "" CACHE STRING "address, thread or nothing")

# Our own code only: libraries come in as SYSTEM.
add_library(parley_options INTERFACE)
target_include_directories(parley_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(parley_options INTERFACE _GLIBCXX_ASSERTIONS)
target_compile_options(parley_options INTERFACE
  -Werror -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual -Wimplicit-fallthrough -Wcast-align -Wcast-qual -Wunused -Wnull-dereference
  -Wdouble-promotion -Wformat=2 -Wextra-semi -Wrange-loop-analysis -Wunreachable-code -Wundef
  # Designated initializers leave the rest to default member initializers, which is what we want.
  -Wno-missing-field-initializers -Wno-missing-designated-field-initializers)
target_link_libraries(parley_options INTERFACE Threads::Threads)

# A sanitizer makes code slow, and limits are there to catch what hangs.
if(PARLEY_SANITIZER STREQUAL "")
  set(parley_timeout_factor 1)
else()
  set(parley_timeout_factor 5)
endif()

set(parley_test_environment
  "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:detect_leaks=1"
  "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/cmake/lsan.supp:print_suppressions=0"
  "UBSAN_OPTIONS=print_stacktrace=1"
  "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1"
  "PARLEY_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
  "PARLEY_BINARY_DIR=${PROJECT_BINARY_DIR}")

# There from the start, so that a stage can name them whatever exists yet.
foreach(label unit sim process raft wal node)
  add_custom_target(tests_${label})
endforeach()

# Under a sanitizer a test run waits for what computes; what waits on sockets is not worth the optimizer's time.
set(parley_computes base raft wal chat node sim)
function(parley_choose_optimization name)
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME folder)
  if(NOT PARLEY_SANITIZER STREQUAL "" AND NOT folder IN_LIST parley_computes)
    target_compile_options(${name} PRIVATE -O0)
  endif()
endfunction()

function(parley_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS")
  if(arg_SOURCES)
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC parley_options ${arg_DEPENDS})
    parley_choose_optimization(${name})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE parley_options ${arg_DEPENDS})
  endif()
endfunction()

function(parley_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE parley_options ${arg_DEPENDS})
  parley_choose_optimization(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
endfunction()

# Registers any command as a test, with the labels, limits and environment of all of ours.
function(parley_register_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ALONE" "TIMEOUT" "LABELS;COMMAND")
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  math(EXPR timeout_s "${arg_TIMEOUT} * ${parley_timeout_factor}")
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME folder)
  set(labels ${arg_LABELS} ${folder})
  list(REMOVE_DUPLICATES labels)
  add_test(NAME ${name} COMMAND ${arg_COMMAND})
  set_tests_properties(${name} PROPERTIES
    LABELS "${labels}" TIMEOUT ${timeout_s} ENVIRONMENT "${parley_test_environment}")
  # Two suites of processes run side by side, since they wait most of the time; what tells how long a cluster was away
  # has the machine for itself.
  if(arg_ALONE)
    set_tests_properties(${name} PROPERTIES PROCESSORS 2)
  endif()
  foreach(label IN LISTS labels)
    if(NOT TARGET tests_${label})
      add_custom_target(tests_${label})
    endif()
    if(TARGET ${name})
      add_dependencies(tests_${label} ${name})
    endif()
  endforeach()
endfunction()

function(parley_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ALONE" "TIMEOUT" "SOURCES;DEPENDS;LABELS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE parley_options ${arg_DEPENDS} GTest::gmock GTest::gtest GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})  # "tests/<folder>/<helper>.h"
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  # A process test drives the programs: whoever builds it builds them.
  if("process" IN_LIST arg_LABELS)
    add_dependencies(${name} parleyd parley)
  endif()
  set(alone "")
  if(arg_ALONE)
    set(alone ALONE)
  endif()
  parley_register_test(${name} ${alone} COMMAND ${name} LABELS ${arg_LABELS} TIMEOUT ${arg_TIMEOUT})
endfunction()
