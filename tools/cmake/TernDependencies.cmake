# Imported targets for everything that is not ours; all from Debian's packages (tools/setup.sh).

find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(zstd REQUIRED)
find_package(hwy REQUIRED)
find_package(FastFloat REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)

# Debian's OpenBLAS exports no usable CMake target: header and library by name.
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
