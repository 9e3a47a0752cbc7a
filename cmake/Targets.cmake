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

# small_program(NAME SOURCES ... LIBS ...): a helper that runs once per container, so it is static and
# small. The sanitizers' run-times cannot be linked statically, so with them it is a plain program.
function(small_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS})
  sanitizer_defaults(${name})
  if(NOT MESOS_AGENT_SANITIZE)
    target_link_options(${name} PRIVATE -static)
  endif()
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

# bare_program(NAME SOURCES ...): a program without any library, not even C's; it has a _start of its
# own. For what is started so often that the start of the C library counts.
function(bare_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE
    -ffreestanding -fno-exceptions -fno-rtti -fno-stack-protector -fno-threadsafe-statics
    -fno-asynchronous-unwind-tables -fno-pie -U_FORTIFY_SOURCE -fno-sanitize=all -Os)
  # One segment for code and constants, so that few pages are touched.
  target_link_options(${name} PRIVATE
    -nostdlib -static -fno-sanitize=all -Wl,-z,norelro -Wl,--no-rosegment
    -Wl,--build-id=none -Wl,--gc-sections)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin POSITION_INDEPENDENT_CODE OFF)
endfunction()

# unit_test(NAME SOURCES ... LIBS ...): a GoogleTest binary that needs no root and leaves nothing.
function(unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} gtest gmock gtest_main)
  target_compile_definitions(${name} PRIVATE
    TESTS_DATA_DIR="${PROJECT_SOURCE_DIR}/tests/data")
  # RES_OPTIONS: none waits for long for a host's name server that does not answer (resolv.conf(5)).
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS unit TIMEOUT 180 ENVIRONMENT "RES_OPTIONS=timeout:1 attempts:1")
endfunction()

# fuzz_target(NAME SOURCES ... LIBS ...): built by the presets `asan` and `fuzz`.
function(fuzz_target name)
  if(NOT MESOS_AGENT_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()
