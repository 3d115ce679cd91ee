# Build options.

set(TERN_CUDA AUTO CACHE STRING "Build the CUDA backend: AUTO (if nvcc is found), ON, OFF")
set_property(CACHE TERN_CUDA PROPERTY STRINGS AUTO ON OFF)
set(TERN_SANITIZE "" CACHE STRING "Sanitizers for all host code, e.g. address,undefined")
option(TERN_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(TERN_BENCH "Build the benchmarks" ${PROJECT_IS_TOP_LEVEL})
option(TERN_PYTHON_PACKAGE "Build the native part of the Python package, as pip does (pyproject.toml)" OFF)
option(TERN_UNITY "Compile each folder as one source: half the work for a whole build" OFF)
option(TERN_WERROR "Turn warnings into errors" OFF)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)  # the CUDA backend, a shared library, links the same code
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)

find_program(TERN_CCACHE ccache)
if(TERN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${TERN_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${TERN_CCACHE})
endif()

# Options for all our targets, but not for users of the library.
add_library(tern_flags INTERFACE)
target_compile_options(tern_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wconversion -Wno-sign-conversion>
  $<$<AND:$<BOOL:${TERN_WERROR}>,$<COMPILE_LANGUAGE:CXX>>:-Werror>)
if(TERN_SANITIZE)
  target_compile_options(tern_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${TERN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer>)
  target_link_options(tern_flags INTERFACE -fsanitize=${TERN_SANITIZE})
endif()

# tern_unity(TARGET): with TERN_UNITY, compiles the target's sources of each folder together, so that
# their headers are parsed once and shared templates are compiled once. The files of a folder must then
# not define the same name in their anonymous namespaces. A file that Highway compiles once per
# instruction set is compiled alone, because it includes itself.
function(tern_unity target)
  if(NOT TERN_UNITY)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    cmake_path(ABSOLUTE_PATH source OUTPUT_VARIABLE file)
    file(STRINGS ${file} compiles_itself REGEX "define HWY_TARGET_INCLUDE")
    if(NOT compiles_itself)
      cmake_path(GET file PARENT_PATH folder)
      cmake_path(GET folder FILENAME folder)
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${folder})
    endif()
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()

set(TERN_WITH_CUDA OFF)
if(NOT TERN_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(TERN_NVCC nvcc HINTS /usr/local/cuda/bin)
    if(TERN_NVCC)
      set(CMAKE_CUDA_COMPILER ${TERN_NVCC} CACHE FILEPATH "The CUDA compiler")
    endif()
  endif()
  if(CMAKE_CUDA_COMPILER OR DEFINED ENV{CUDACXX})
    set(TERN_WITH_CUDA ON)
    if(NOT CMAKE_CUDA_ARCHITECTURES)
      include(TernArchitectures)
      if(CMAKE_CUDA_COMPILER)
        tern_choose_architectures(${CMAKE_CUDA_COMPILER} architectures)
      else()
        tern_choose_architectures($ENV{CUDACXX} architectures)
      endif()
      set(CMAKE_CUDA_ARCHITECTURES "${architectures}" CACHE STRING
          "GPU architectures to generate code for (the preset `distribution` names all)")
    endif()
  elseif(TERN_CUDA STREQUAL "ON")
    message(FATAL_ERROR "TERN_CUDA=ON, but no CUDA compiler was found (looked for nvcc on PATH and in "
                        "/usr/local/cuda/bin)")
  endif()
endif()
message(STATUS "Tern ${PROJECT_VERSION}: ${CMAKE_BUILD_TYPE}, CUDA backend: ${TERN_WITH_CUDA}")
if(TERN_WITH_CUDA)
  message(STATUS "Tern: GPU architectures ${CMAKE_CUDA_ARCHITECTURES}")
endif()
