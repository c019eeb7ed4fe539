// A hash of a plugin's whole description, by which processes that loaded the same file tell whether
// they got the same description. Pure, except that it reads the plugin's structs; any thread.
#pragma once

#include <bento/abi.h>

#include <string>

namespace bentohost::plugin {

// 16 hexadecimal digits, of all values and of which functions are there; not of addresses. For a
// description that describe() has accepted.
std::string description_hash(const bento_service& service);

}  // namespace bentohost::plugin
