# bento_add_plugin(<name> SOURCES <source>... [LINK <library>...] [FILES <data file>...]
#                  [FOLDERS <data folder>...] [NO_INSTALL])
#
# Builds lib<name>.so, a plugin for bentohost, from C or C++ sources. FILES (a model, say) and FOLDERS
# (pages, say; their names are their own among all plugins) are put into the same folder, where the
# plugin finds them through the host's `plugin_dir`. All are installed into
# <prefix>/${BENTO_PLUGIN_SUBDIR}, where bentohost looks for plugins, unless NO_INSTALL.
# In the build tree they land in BENTO_PLUGIN_OUTPUT_DIR, by default ${CMAKE_BINARY_DIR}/plugins.
#
# The flags are what makes a library fit for hot reload: only bento_entry is visible, no statics
# that a second copy of the library would inherit from the first (STB_GNU_UNIQUE), and a missing symbol
# is a link error here instead of a failure in a running host.

function(bento_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "NO_INSTALL" "" "SOURCES;LINK;FILES;FOLDERS")
  if(NOT ARG_SOURCES OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "bento_add_plugin(<name> SOURCES <source>... [LINK <library>...] "
                        "[FILES <data file>...] [FOLDERS <data folder>...] [NO_INSTALL]), got: ${ARGV}")
  endif()

  add_library(${name} MODULE ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  _bento_link_plugin(${name})

  set(cxx_sources ${ARG_SOURCES})
  list(FILTER cxx_sources EXCLUDE REGEX "\\.[ch]$")
  target_link_libraries(${name} PRIVATE $<IF:$<BOOL:${cxx_sources}>,bento::sdk,bento::abi> ${ARG_LINK})

  if(NOT BENTO_PLUGIN_OUTPUT_DIR)
    set(BENTO_PLUGIN_OUTPUT_DIR ${CMAKE_BINARY_DIR}/plugins)
  endif()
  set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${BENTO_PLUGIN_OUTPUT_DIR})
  _bento_put_beside(${name} ${BENTO_PLUGIN_OUTPUT_DIR} "${ARG_FILES}" "${ARG_FOLDERS}")

  if(NOT ARG_NO_INSTALL)
    install(TARGETS ${name} LIBRARY DESTINATION ${BENTO_PLUGIN_SUBDIR})
    install(FILES ${ARG_FILES} DESTINATION ${BENTO_PLUGIN_SUBDIR})
    install(DIRECTORY ${ARG_FOLDERS} DESTINATION ${BENTO_PLUGIN_SUBDIR})
  endif()
endfunction()

function(_bento_link_plugin name)
  set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/bento_entry.map)
  target_link_options(${name} PRIVATE LINKER:--version-script=${map} LINKER:-z,now LINKER:--build-id)
  set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS ${map})
  # A sanitizer's own symbols are found only in the program that loads the plugin.
  if(NOT BENTO_SANITIZE)
    target_link_options(${name} PRIVATE LINKER:-z,defs)
  endif()
endfunction()

# Copies files, and folders with all in them, to `to`: again whenever one changes, before `name` counts
# as built.
function(_bento_put_beside name to files folders)
  set(copies)
  foreach(file IN LISTS files)
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} OUTPUT_VARIABLE from)
    cmake_path(GET file FILENAME base_name)
    _bento_copy(${from} ${to}/${base_name})
  endforeach()
  foreach(folder IN LISTS folders)
    cmake_path(ABSOLUTE_PATH folder BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} OUTPUT_VARIABLE from)
    cmake_path(GET from FILENAME base_name)
    file(GLOB_RECURSE members CONFIGURE_DEPENDS RELATIVE ${from} ${from}/*)
    foreach(member IN LISTS members)
      _bento_copy(${from}/${member} ${to}/${base_name}/${member})
    endforeach()
  endforeach()
  if(copies)
    add_custom_target(${name}_files DEPENDS ${copies})
    add_dependencies(${name} ${name}_files)
  endif()
endfunction()

# A macro: it appends to its caller's `copies`.
macro(_bento_copy from to)
  add_custom_command(OUTPUT ${to} COMMAND ${CMAKE_COMMAND} -E copy ${from} ${to}
                     DEPENDS ${from} VERBATIM)
  list(APPEND copies ${to})
endmacro()
