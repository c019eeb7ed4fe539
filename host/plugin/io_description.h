// The descriptions of inputs and outputs, of runner methods and of APIs: read once, and held
// against each other. Pure, except that it reads the plugin's structs; any thread.
#pragma once

#include <bento/abi.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "plugin/check_struct.h"
#include "plugin/description.h"

namespace bentohost::plugin {

// What a plugin has given as inputs, or as outputs: one, or several by name.
struct GivenIos {
  const bento_io* one = nullptr;
  const bento_io* const* several = nullptr;
  std::size_t n = 0;

  bool are_given() const { return one != nullptr || several != nullptr || n != 0; }
};
// `of` is a bento_method or a bento_api.
template <typename T>
GivenIos inputs_of(const T& of) {
  return {of.in, newer_field<&T::ins>(of), newer_field<&T::n_ins>(of)};
}
template <typename T>
GivenIos outputs_of(const T& of) {
  return {of.out, newer_field<&T::outs>(of), newer_field<&T::n_outs>(of)};
}

// FAILED_PRECONDITION, naming `what` ("method clf.predict") and `side` ("input" or "output"): a
// description that is faulty; one and several at once; names that are empty or there twice; an
// output that is optional.
Result<std::vector<IoSpec>> describe_ios(const GivenIos& given, const std::string& what,
                                         std::string_view side);
// "'s input", or "'s input x" of one of several.
std::string side_of(std::string_view side, const IoSpec& io);

// Holds an API's own inputs or outputs against those of the method that it passes them to, and
// takes what it leaves open from there. `method` names it.
Status match_to_method(std::vector<IoSpec>& ios, const std::vector<IoSpec>& of_method,
                       const std::string& what, std::string_view side, const std::string& method);

}  // namespace bentohost::plugin
