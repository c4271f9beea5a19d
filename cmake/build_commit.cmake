# Writes OUT from the template IN with the commit of SOURCE in it, `unknown` outside of git; OUT keeps its time when
# nothing changed. Run by every build: what is not committed yet is known only then.
#
#   cmake -DGIT=git -DSOURCE=folder -DIN=build_info.cc.in -DOUT=build_info.cc -P build_commit.cmake
set(TERN_BUILD_COMMIT "unknown")
if(GIT)
  execute_process(COMMAND ${GIT} describe --always --dirty WORKING_DIRECTORY ${SOURCE}
                  OUTPUT_VARIABLE described RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT failed)
    set(TERN_BUILD_COMMIT ${described})
  endif()
endif()
configure_file(${IN} ${OUT} @ONLY)
