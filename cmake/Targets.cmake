# How this project declares its libraries, programs and tests.

# floor_library(NAME SOURCES ... LIBS ...): one directory's library; headers are included by their
# path from the top ("base/fd.h").
function(floor_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_LIBS})
endfunction()

# sanitizer_defaults(TARGET): what a program of a sanitizer build sets for its run-time.
function(sanitizer_defaults target)
  if(MESOS_AGENT_SANITIZE)
    target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/sanitizer_options.cpp)
  endif()
endfunction()

# small_program(NAME [UNSANITIZED] SOURCES ... LIBS ...): a helper that runs once per container, so it
# is static and small. The sanitizers' run-times cannot be linked statically, so with them it is a
# plain program; UNSANITIZED keeps them out of it.
function(small_program name)
  cmake_parse_arguments(ARG "UNSANITIZED" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS})
  if(MESOS_AGENT_SANITIZE AND ARG_UNSANITIZED)
    target_compile_options(${name} PRIVATE -fno-sanitize=all)
    target_link_options(${name} PRIVATE -fno-sanitize=all -static)
  else()
    sanitizer_defaults(${name})
    if(NOT MESOS_AGENT_SANITIZE)
      target_link_options(${name} PRIVATE -static)
    endif()
  endif()
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

# unit_test(NAME SOURCES ... LIBS ...): a GoogleTest binary that needs no root and leaves nothing.
function(unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} gtest gmock gtest_main)
  target_compile_definitions(${name} PRIVATE
    TESTS_DATA_DIR="${PROJECT_SOURCE_DIR}/tests/data")
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS unit TIMEOUT 60)
endfunction()

# fuzz_target(NAME SOURCES ... LIBS ...): built by the preset `fuzz` only.
function(fuzz_target name)
  if(NOT MESOS_AGENT_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()
