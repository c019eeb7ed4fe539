// Throws across the C ABI in open, without the SDK's firewall.
#include <bento/abi.h>

#include <stdexcept>

namespace {

const bento_service* open_plugin(const bento_host*, bento_error*) {
  throw std::runtime_error("thrown across the line");
}
void close_plugin() {}

}  // namespace

extern "C" BENTO_EXPORT const bento_plugin_entry bento_entry = {
    sizeof(bento_plugin_entry), BENTO_ABI_MAJOR, BENTO_ABI_MINOR, "C++", open_plugin, close_plugin};
