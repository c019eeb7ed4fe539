# bento_room(<name> [USES <lower room>...] [LINK <library>...])
# One static library per room, of all sources in its folder; the library of `http/parse` is
# room_http_parse. A room includes only the rooms that it names: packaging/check_layering.py reads
# these lines. tests/rooms links each room as a whole with the rooms that it names alone, so that a
# call into any other room is a link error.
set(BENTO_COMPILE_OPTIONS -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor)
# gcc 12 warns of what it has inlined itself: the inactive member of a std::variant (Result<T>) is
# uninitialized, a std::string is moved beyond its bounds or copied onto itself (gcc bugs 105329,
# 105651). Which of these it sees changes with precompiled headers. Clang and the sanitizers look, too.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND BENTO_COMPILE_OPTIONS -Wno-maybe-uninitialized -Wno-array-bounds -Wno-restrict
       -Wno-stringop-overflow)
endif()
# Which mutex guards what stands in annotations (host/base/mutex.h), and clang holds the code to them.
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  list(APPEND BENTO_COMPILE_OPTIONS -Wthread-safety -Werror=thread-safety)
endif()
if(BENTO_WERROR)
  list(APPEND BENTO_COMPILE_OPTIONS -Werror)
endif()
if(BENTO_SANITIZE)
  add_compile_options(-fsanitize=${BENTO_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BENTO_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    add_compile_options(-fsanitize-ignorelist=${PROJECT_SOURCE_DIR}/tests/sanitizers/ignorelist.txt)
  endif()
endif()

# Headers that nearly every file of the host includes: precompiled once, in the lowest room, for all
# rooms. Files still include what they use: CI's build with clang has no precompiled headers.
set(BENTO_ROOM_HEADERS
  <algorithm> <array> <atomic> <chrono> <condition_variable> <deque> <functional> <map> <memory>
  <mutex> <optional> <span> <string> <string_view> <system_error> <thread> <utility> <vector>
  <bento/abi.h> <rapidjson/document.h>)

function(bento_room path)
  cmake_parse_arguments(ARG "" "" "USES;LINK" ${ARGN})
  string(REPLACE "/" "_" name ${path})
  set_property(GLOBAL APPEND PROPERTY BENTO_ROOMS ${name})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  add_library(room_${name} STATIC ${sources})
  target_include_directories(room_${name} PUBLIC ${PROJECT_SOURCE_DIR}/host)
  target_compile_options(room_${name} PRIVATE ${BENTO_COMPILE_OPTIONS})
  target_link_libraries(room_${name} PUBLIC bento::abi ${ARG_LINK})
  if(BENTO_PCH AND name STREQUAL base)
    target_precompile_headers(room_base PRIVATE ${BENTO_ROOM_HEADERS})
  elseif(BENTO_PCH)
    target_precompile_headers(room_${name} REUSE_FROM room_base)
  endif()
  foreach(room IN LISTS ARG_USES)
    string(REPLACE "/" "_" room ${room})
    target_link_libraries(room_${name} PUBLIC room_${room})
  endforeach()
endfunction()
