# The GPUs that device code is built for.
#
# Unless CMAKE_CUDA_ARCHITECTURES is given: machine code for the GPUs of this machine, as nvidia-smi lists
# them, or for compute capability 9.0 if it lists none; and PTX of 7.5, the oldest that CUDA 13 makes.
# The driver of any other GPU since then compiles the PTX when the code is first loaded.

set(TERN_PTX 75)
set(TERN_DEFAULT_GPU 90)

# Sets `result` to the compute capabilities of this machine's GPUs, such as 80;90; empty if there is none.
function(tern_find_gpus result)
  set(${result} "" PARENT_SCOPE)
  find_program(smi nvidia-smi NO_CACHE)
  if(NOT smi)
    return()
  endif()
  execute_process(COMMAND ${smi} --query-gpu=compute_cap --format=csv,noheader
                  OUTPUT_VARIABLE output RESULT_VARIABLE status ERROR_QUIET TIMEOUT 30)
  if(NOT status EQUAL 0)  # no GPU, no driver, or one that does not know the question
    return()
  endif()
  string(REGEX MATCHALL "[0-9]+\\.[0-9]+" gpus "${output}")
  string(REPLACE "." "" gpus "${gpus}")
  list(REMOVE_DUPLICATES gpus)
  list(SORT gpus COMPARE NATURAL)
  set(${result} "${gpus}" PARENT_SCOPE)
endfunction()

# Sets `result` to a list for CMAKE_CUDA_ARCHITECTURES: machine code for each GPU that `compiler` (an nvcc)
# knows, and PTX.
function(tern_choose_architectures compiler result)
  tern_find_gpus(gpus)
  execute_process(COMMAND ${compiler} --list-gpu-code OUTPUT_VARIABLE known ERROR_QUIET)
  set(chosen "")
  foreach(gpu IN LISTS gpus)
    if(known MATCHES "sm_${gpu}\n" OR known STREQUAL "")
      list(APPEND chosen ${gpu}-real)
    else()
      message(STATUS "Tern: ${compiler} makes no code for sm_${gpu}, which a GPU here needs")
    endif()
  endforeach()
  if(NOT chosen AND NOT gpus)
    set(chosen ${TERN_DEFAULT_GPU}-real)
  endif()
  list(APPEND chosen ${TERN_PTX}-virtual)
  set(${result} "${chosen}" PARENT_SCOPE)
endfunction()

# Sets `result` to words for a list of architectures, for messages of the program.
function(tern_describe_architectures architectures result)
  set(code "")
  set(ptx "")
  foreach(architecture IN LISTS architectures)
    if(NOT architecture MATCHES "^([0-9]+)([0-9][af]?)(-real|-virtual)?$")
      set(${result} "code for ${architectures}" PARENT_SCOPE)  # all, all-major, native
      return()
    endif()
    set(version ${CMAKE_MATCH_1}.${CMAKE_MATCH_2})
    if(NOT CMAKE_MATCH_3 STREQUAL "-virtual")
      list(APPEND code ${version})
    endif()
    if(NOT CMAKE_MATCH_3 STREQUAL "-real")
      list(APPEND ptx "${version} and later")
    endif()
  endforeach()
  set(words "")
  if(code)
    string(REPLACE ";" ", " code "${code}")
    list(APPEND words "machine code for ${code}")
  endif()
  if(ptx)
    string(REPLACE ";" ", " ptx "${ptx}")
    list(APPEND words "PTX for ${ptx}")
  endif()
  string(REPLACE ";" " and " words "${words}")
  set(${result} "${words}" PARENT_SCOPE)
endfunction()
