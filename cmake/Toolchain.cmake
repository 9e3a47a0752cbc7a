# Which compilers may build this, and the warnings that all of our code obeys.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} must not build this: g++ before 14 destroys aggregate "
    "temporaries twice in `co_await f(Struct{...})` (a double free) and rejects braced initializer "
    "lists there. Use clang++-19: cmake --preset release")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)

set(MESOS_AGENT_SANITIZE "" CACHE STRING "Sanitizers to build with, e.g. address,undefined")
option(MESOS_AGENT_FUZZ "Build the libFuzzer targets" OFF)

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough
                    -Werror -Wno-gnu-statement-expression -Wno-missing-field-initializers
                    -fno-omit-frame-pointer)
if(MESOS_AGENT_SANITIZE)
  add_compile_options(-fsanitize=${MESOS_AGENT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MESOS_AGENT_SANITIZE})
else()
  add_link_options(-Wl,--gc-sections)
  add_compile_options(-ffunction-sections -fdata-sections)
endif()
if(MESOS_AGENT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
add_link_options(-fuse-ld=lld)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
