# Writes the rival of "How to add a rival" in bench/variants/README.md into a folder of its own: the code
# blocks as they stand, and the op's file with the third one in place.
#
#   cmake -DSOURCES=DIR -DOUT=DIR -DVERSION=right|wrong|stops -P readme_rival.cmake
#
# VERSION: with the faults that the README names, += for -=, or nothing from the second run on.

file(READ ${SOURCES}/bench/variants/README.md rest)
foreach(part header source lines)
  string(FIND "${rest}" "```cpp\n" begin)
  if(begin EQUAL -1)
    message(FATAL_ERROR "bench/variants/README.md has no code block for the ${part} of a rival")
  endif()
  math(EXPR begin "${begin} + 7")
  string(SUBSTRING "${rest}" ${begin} -1 rest)
  string(FIND "${rest}" "```\n" end)
  string(SUBSTRING "${rest}" 0 ${end} ${part})
  math(EXPR end "${end} + 4")
  string(SUBSTRING "${rest}" ${end} -1 rest)
endforeach()

# Replaces what must be there.
function(replace variable from to)
  string(REPLACE "${from}" "${to}" changed "${${variable}}")
  if(changed STREQUAL "${${variable}}")
    message(FATAL_ERROR "the ${variable} of the README's rival has no \"${from}\"")
  endif()
  set(${variable} "${changed}" PARENT_SCOPE)
endfunction()

if(VERSION STREQUAL "wrong")
  replace(source "-= rate" "+= rate")
elseif(VERSION STREQUAL "stops")
  replace(source "learning_rate)] {\n" "learning_rate)] {\n    static int runs = 0;\n    if (++runs > 1) return;\n")
endif()

file(READ ${SOURCES}/bench/ops/sgd_bench.cpp op)
set(included "#include \"bench/variants/cpu/sgd_plain_loop.hpp\"\n")
replace(op "${included}" "#include \"bench/variants/cpu/sgd_my_loop.hpp\"\n${included}")
set(end "}\n\n}  // namespace tern::bench\n")
replace(op "${end}" "${lines}${end}")

file(WRITE ${OUT}/bench/variants/cpu/sgd_my_loop.hpp "${header}")
file(WRITE ${OUT}/bench/variants/cpu/sgd_my_loop.cpp "${source}")
file(WRITE ${OUT}/bench/ops/sgd_bench.cpp "${op}")
