// Apart from the tests: the header is read once in a file, here as a plugin for 1.0 reads it.
#define BENTO_ABI_TARGET_MINOR 0
#include <bento/abi.h>

#include <cstddef>
#include <map>
#include <string>

namespace bentohost::plugin {

std::map<std::string, std::size_t> sizes_in_first_minor() {
#define SIZE(type) \
  { #type, sizeof(type) }
  return {SIZE(bento_error),       SIZE(bento_value),  SIZE(bento_io),         SIZE(bento_sink),
          SIZE(bento_scope),       SIZE(bento_event),  SIZE(bento_channel),    SIZE(bento_call),
          SIZE(bento_exchange),    SIZE(bento_mount),  SIZE(bento_middleware), SIZE(bento_api),
          SIZE(bento_method),      SIZE(bento_runner), SIZE(bento_service),    SIZE(bento_host),
          SIZE(bento_plugin_entry)};
#undef SIZE
}

}  // namespace bentohost::plugin
