# Writes the commit of the sources into a source file, as a script: cmake -DSOURCES=DIR -DOUT=FILE -P this.
# A commit with changes that are not committed ends with "-changed"; without git, or outside of a clone, as
# in an archive, it is "unknown". The file is only rewritten if its content differs, so that a build after a
# commit compiles this one file, and a build after no commit none.

function(run_git result out)
  execute_process(COMMAND git -C ${SOURCES} ${ARGN} RESULT_VARIABLE failed OUTPUT_VARIABLE text
                  ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  set(${result} "${failed}" PARENT_SCOPE)
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

set(commit unknown)
# An archive that lies within a clone of something else has no commit of its own.
run_git(failed root rev-parse --show-toplevel)
file(REAL_PATH ${SOURCES} sources)
if(failed STREQUAL "0" AND root STREQUAL sources)
  run_git(failed head rev-parse --short=12 HEAD)
  if(failed STREQUAL "0")
    set(commit ${head})
    run_git(failed changes status --porcelain --untracked-files=no)
    if(NOT failed STREQUAL "0" OR NOT changes STREQUAL "")
      string(APPEND commit -changed)
    endif()
  endif()
endif()

file(CONFIGURE OUTPUT ${OUT} CONTENT [[
#include "bench/support/machine.hpp"

namespace tern::bench {

std::string_view commit() {
  return "@commit@";
}

}  // namespace tern::bench
]] @ONLY)
