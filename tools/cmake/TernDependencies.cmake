# Imported targets for third-party libraries: from a folder that tools/stage_dependencies.sh has made, if
# there is one, else from Debian's packages (tools/setup.sh).

set(found OFF)
if(EXISTS ${PROJECT_SOURCE_DIR}/.dependencies/licences)
  set(found ${PROJECT_SOURCE_DIR}/.dependencies)
endif()
set(TERN_DEPENDENCIES ${found} CACHE PATH "Folder made by tools/stage_dependencies.sh; OFF: the system's libraries")
if(TERN_DEPENDENCIES)
  if(NOT EXISTS ${TERN_DEPENDENCIES}/licences)
    message(FATAL_ERROR "TERN_DEPENDENCIES=${TERN_DEPENDENCIES} was not made by tools/stage_dependencies.sh")
  endif()
  list(PREPEND CMAKE_PREFIX_PATH ${TERN_DEPENDENCIES})
  message(STATUS "Tern: dependencies from ${TERN_DEPENDENCIES}")
endif()

find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(zstd REQUIRED)
find_package(hwy REQUIRED)
find_package(FastFloat REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)

# Debian's OpenBLAS has no usable CMake target: find header and library by name.
find_path(OPENBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas x86_64-linux-gnu/openblas-pthread REQUIRED)
find_library(OPENBLAS_LIBRARY openblas REQUIRED)
add_library(tern_openblas INTERFACE IMPORTED)
target_include_directories(tern_openblas INTERFACE ${OPENBLAS_INCLUDE_DIR})
target_link_libraries(tern_openblas INTERFACE ${OPENBLAS_LIBRARY})

if(TERN_TESTS)
  find_package(GTest REQUIRED)
endif()
if(TERN_BENCH)
  find_package(benchmark REQUIRED)
endif()
if(TERN_WITH_CUDA)
  # CMake 3.25 expects this library in every toolkit, but CUDA 13 no longer has it.
  add_library(CUDA::nvToolsExt INTERFACE IMPORTED)
endif()
