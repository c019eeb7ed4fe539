# bento_add_plugin(<name> SOURCES <source>... [LINK <library>...] [FILES <data file or folder>...]
#                  [FOLDERS <data folder>...] [ABI_MINOR <minor>] [NO_INSTALL])
#
# Builds lib<name>.so, a plugin for bentohost, from C or C++ sources. FILES (a model, the modules of a
# Python app, templates/) and FOLDERS (pages, say) are put into the same folder, where the plugin
# finds them through the host's `plugin_dir`, and a mounted program in its working folder. A folder is
# put there with its name and all in it, but for Python's __pycache__. All are copied again when they
# change. All are installed into <prefix>/${BENTO_PLUGIN_SUBDIR}, where bentohost looks for plugins,
# unless NO_INSTALL. In the build tree they land in BENTO_PLUGIN_OUTPUT_DIR, by default
# ${CMAKE_BINARY_DIR}/plugins. Plugins share that folder, so names must be their own among all of
# them: two plugins may put the same file there, but not two files of one name.
#
# ABI_MINOR is that of the oldest bentohost that the plugin is for, 0 for one of ABI 1.0; by default
# BENTO_ABI_TARGET_MINOR if it is set, else the newest. The headers then have nothing that such a host
# does not know.
#
# The flags are what makes a library fit for hot reload: only bento_entry is visible, no statics
# that a second copy of the library would inherit from the first (STB_GNU_UNIQUE), and a missing symbol
# is a link error here instead of a failure in a running host.

function(bento_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "NO_INSTALL" "ABI_MINOR" "SOURCES;LINK;FILES;FOLDERS")
  if(NOT ARG_SOURCES OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "bento_add_plugin(<name> SOURCES <source>... [LINK <library>...] "
                        "[FILES <data file or folder>...] [FOLDERS <data folder>...] [ABI_MINOR <minor>] "
                        "[NO_INSTALL]), got: ${ARGV}")
  endif()

  add_library(${name} MODULE ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  if(DEFINED ARG_ABI_MINOR)
    target_compile_definitions(${name} PRIVATE BENTO_ABI_TARGET_MINOR=${ARG_ABI_MINOR})
  elseif(DEFINED BENTO_ABI_TARGET_MINOR)
    target_compile_definitions(${name} PRIVATE BENTO_ABI_TARGET_MINOR=${BENTO_ABI_TARGET_MINOR})
  endif()
  _bento_link_plugin(${name})

  set(cxx_sources ${ARG_SOURCES})
  list(FILTER cxx_sources EXCLUDE REGEX "\\.[ch]$")
  target_link_libraries(${name} PRIVATE $<IF:$<BOOL:${cxx_sources}>,bento::sdk,bento::abi> ${ARG_LINK})

  if(NOT BENTO_PLUGIN_OUTPUT_DIR)
    set(BENTO_PLUGIN_OUTPUT_DIR ${CMAKE_BINARY_DIR}/plugins)
  endif()
  set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${BENTO_PLUGIN_OUTPUT_DIR})
  _bento_part_folders("${ARG_FILES}" "${ARG_FOLDERS}")
  _bento_put_beside(${name} ${BENTO_PLUGIN_OUTPUT_DIR} "${files}" "${folders}")

  if(NOT ARG_NO_INSTALL)
    install(TARGETS ${name} LIBRARY DESTINATION ${BENTO_PLUGIN_SUBDIR})
    install(FILES ${files} DESTINATION ${BENTO_PLUGIN_SUBDIR})
    install(DIRECTORY ${folders} DESTINATION ${BENTO_PLUGIN_SUBDIR} PATTERN __pycache__ EXCLUDE)
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

# Sets `files` and `folders` in the caller, as absolute paths without a slash at their end. What is a
# folder must be there; a file may be made by the build.
function(_bento_part_folders given_files given_folders)
  set(files)
  set(folders)
  foreach(path IN LISTS given_files given_folders)
    string(REGEX REPLACE "/+$" "" from ${path})
    cmake_path(ABSOLUTE_PATH from BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    if(IS_DIRECTORY ${from})
      list(APPEND folders ${from})
    elseif(path IN_LIST given_folders OR path MATCHES "/$")
      message(FATAL_ERROR "bento_add_plugin: ${from} is not a folder")
    else()
      list(APPEND files ${from})
    endif()
  endforeach()
  set(files ${files} PARENT_SCOPE)
  set(folders ${folders} PARENT_SCOPE)
endfunction()

# Copies files, and folders with all in them, to `to`: again whenever one changes, before `name` counts
# as built.
function(_bento_put_beside name to files folders)
  set(copies)
  set(shared)
  foreach(file IN LISTS files)
    cmake_path(GET file FILENAME base_name)
    _bento_copy(${name} ${file} ${to}/${base_name})
  endforeach()
  foreach(folder IN LISTS folders)
    cmake_path(GET folder FILENAME base_name)
    file(GLOB_RECURSE members CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*)
    list(FILTER members EXCLUDE REGEX "(^|/)__pycache__/")
    foreach(member IN LISTS members)
      _bento_copy(${name} ${folder}/${member} ${to}/${base_name}/${member})
    endforeach()
  endforeach()
  if(copies)
    add_custom_target(${name}_files DEPENDS ${copies})
    add_dependencies(${name} ${name}_files)
  endif()
  if(shared)
    add_dependencies(${name} ${shared})
  endif()
endfunction()

# A macro: it appends to its caller's `copies`, or to `shared` if another plugin makes that copy.
macro(_bento_copy name from to)
  get_property(owner GLOBAL PROPERTY "bento_copy ${to}")
  if(owner)
    list(GET owner 0 of)
    list(GET owner 1 original)
    if(NOT original STREQUAL "${from}")
      message(FATAL_ERROR "bento_add_plugin(${name}): ${from} and ${original}, of ${of}, would both be "
                          "copied to ${to}: rename one, or put it into a folder")
    elseif(NOT of STREQUAL "${name}")
      list(APPEND shared ${of}_files)
    endif()
  else()
    set_property(GLOBAL PROPERTY "bento_copy ${to}" ${name} ${from})
    add_custom_command(OUTPUT ${to} COMMAND ${CMAKE_COMMAND} -E copy ${from} ${to}
                       DEPENDS ${from} VERBATIM)
    list(APPEND copies ${to})
  endif()
endmacro()
