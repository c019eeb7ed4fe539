#include "plugin/io_description.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "wire/value.h"

namespace bentohost::plugin {
namespace {

// The flags that this host knows.
constexpr std::uint32_t kIoFlags =
    BENTO_IO_ENFORCE_SHAPE | BENTO_IO_ENFORCE_DTYPE | BENTO_IO_SELF_CHECKED | BENTO_IO_OPTIONAL;
constexpr std::size_t kMaxIos = 64;
constexpr std::size_t kMaxName = 128;

std::string text(bento_str s) { return std::string(to_view(s)); }

std::uint32_t kind_of_descriptor(std::string_view descriptor) {
  if (descriptor == "ndarray") return BENTO_TENSOR;
  if (descriptor == "json") return BENTO_JSON;
  if (descriptor == "text" || descriptor == "file") return BENTO_BYTES;
  return 0;
}

Result<IoSpec> describe_io(const bento_io* io, std::string_view what) {
  if (Status status = check_size(io, "bento_io"); !status.ok()) return status;
  if (Status status = check_flags(io->flags, kIoFlags, what); !status.ok()) return status;
  IoSpec spec;
  spec.kind = io->kind;
  spec.is_optional = (io->flags & BENTO_IO_OPTIONAL) != 0;
  spec.descriptor = text(io->descriptor);
  spec.mime = text(io->mime);
  spec.sample = text(io->sample);
  if (spec.descriptor.empty()) {
    spec.descriptor = io->kind == BENTO_TENSOR ? "ndarray"
                      : io->kind == BENTO_JSON ? "json"
                                               : "file";
  }
  if (kind_of_descriptor(spec.descriptor) == 0) {
    return refuse(std::string(what) + " has descriptor \"" + spec.descriptor +
                  "\"; this bentohost knows ndarray, json, text and file");
  }
  if (kind_of_descriptor(spec.descriptor) != io->kind) {
    return refuse(std::string(what) + " has descriptor \"" + spec.descriptor +
                  "\" but is of kind " + std::to_string(io->kind));
  }
  if (io->kind == BENTO_TENSOR) {
    if (io->dtype != 0 && wire::dtype_size(io->dtype) == 0) {
      return refuse(std::string(what) + " has an unknown dtype " + std::to_string(io->dtype));
    }
    if (io->ndim > wire::kMaxDims) {
      return refuse(std::string(what) + " has more than " + std::to_string(wire::kMaxDims) +
                    " dimensions");
    }
    spec.dtype = io->flags & BENTO_IO_ENFORCE_DTYPE ? io->dtype : 0;
    spec.any_shape = (io->flags & BENTO_IO_ENFORCE_SHAPE) == 0 || io->ndim == 0;
    if (!spec.any_shape && io->shape == nullptr) {
      return refuse(std::string(what) + " enforces a shape, but has none");
    }
    if (io->shape != nullptr) spec.shape.assign(io->shape, io->shape + io->ndim);
  }
  if (io->schema.len != 0) {
    auto schema = JsonSchema::compile(to_view(io->schema));
    if (!schema.ok()) {
      return Status(BENTO_FAILED_PRECONDITION,
                    std::string(what) + " has a bad schema: " + schema.status().message());
    }
    spec.schema = *std::move(schema);
    spec.is_self_checked = (io->flags & BENTO_IO_SELF_CHECKED) != 0;
  }
  return spec;
}

// Any text can be the name of a member, and models come with names such as "input:0".
bool can_be_named(std::string_view name) {
  const auto is_control = [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; };
  return !name.empty() && name.size() <= kMaxName && is_utf8(name) &&
         std::none_of(name.begin(), name.end(), is_control);
}

Result<std::vector<IoSpec>> describe_several(const GivenIos& given, const std::string& what,
                                             std::string_view side) {
  const std::string many = what + "'s " + std::string(side) + "s";
  if (given.several == nullptr || given.n == 0) {
    return refuse(many + " by name are " + std::to_string(given.n) + ", but the list of them is " +
                  (given.several == nullptr ? "null" : "not"));
  }
  if (given.n > kMaxIos) {
    return refuse(many + " are " + std::to_string(given.n) + "; the most is " +
                  std::to_string(kMaxIos));
  }
  std::vector<IoSpec> specs;
  for (std::size_t i = 0; i < given.n; ++i) {
    const std::string which = what + "'s " + std::string(side) + " number " + std::to_string(i);
    auto spec = describe_io(given.several[i], which);
    if (!spec.ok()) return std::move(spec).take_status();
    spec->name = text(newer_field<&bento_io::name>(*given.several[i]));
    if (!can_be_named(spec->name)) {
      return refuse(
          which + " has the name \"" + spec->name +
          "\": it must have one, of at most 128 bytes of UTF-8 without control characters");
    }
    for (const IoSpec& other : specs) {
      if (other.name == spec->name) return refuse(many + ": two are named " + spec->name);
    }
    if (spec->is_optional && side == "output") {
      return refuse(what + side_of(side, *spec) + " is optional: only inputs can be");
    }
    specs.push_back(*std::move(spec));
  }
  return specs;
}

// A direct API passes its input to its method, so it may accept what the method accepts, or less.
// What the API leaves open is taken from the method.
Status narrow_to_method(IoSpec& in, const IoSpec& method, const std::string& what,
                        const std::string& takes) {
  if (in.kind != BENTO_TENSOR) return {};
  if (in.dtype == 0) in.dtype = method.dtype;
  if (method.dtype != 0 && in.dtype != method.dtype) {
    return refuse(what + " is " + std::string(wire::dtype_name(in.dtype)) + ", but " + takes + " " +
                  std::string(wire::dtype_name(method.dtype)));
  }
  if (method.any_shape) return {};
  if (in.any_shape) {
    in.any_shape = false;
    in.shape = method.shape;
  }
  bool fits = in.shape.size() == method.shape.size();
  for (std::size_t i = 0; fits && i < in.shape.size(); ++i) {
    fits = method.shape[i] < 0 || in.shape[i] == method.shape[i];
  }
  if (fits) return {};
  return refuse(what + " has shape " + wire::shape_text(in.shape) + ", but " + takes + " " +
                wire::shape_text(method.shape));
}

}  // namespace

std::string side_of(std::string_view side, const IoSpec& io) {
  return "'s " + std::string(side) + (io.name.empty() ? "" : " " + io.name);
}

Result<std::vector<IoSpec>> describe_ios(const GivenIos& given, const std::string& what,
                                         std::string_view side) {
  const std::string one = "'s " + std::string(side);
  if (given.several != nullptr || given.n != 0) {
    if (given.one == nullptr) return describe_several(given, what, side);
    return refuse(what + " has both one " + std::string(side) +
                  " and several by name: " + (side == "input" ? "in and ins" : "out and outs"));
  }
  auto spec = describe_io(given.one, what + one);
  if (!spec.ok()) return std::move(spec).take_status();
  if (spec->is_optional) {
    return refuse(what + one + " is optional: only one of several inputs, by name, can be");
  }
  std::vector<IoSpec> specs;
  specs.push_back(*std::move(spec));
  return specs;
}

Status match_to_method(std::vector<IoSpec>& ios, const std::vector<IoSpec>& of_method,
                       const std::string& what, std::string_view side, const std::string& method) {
  bool is_same = ios.size() == of_method.size();
  for (std::size_t i = 0; is_same && i < ios.size(); ++i)
    is_same = ios[i].name == of_method[i].name;
  if (!is_same) {
    return refuse(what + "'s " + std::string(side) + "s are not those that " + method +
                  " has, by the same names and in the same order");
  }
  for (std::size_t i = 0; i < ios.size(); ++i) {
    const std::string which = what + side_of(side, ios[i]);
    if (ios[i].kind != of_method[i].kind) {
      return refuse(which + " is not of the kind that " + method + " has");
    }
    if (side != "input") continue;
    if (ios[i].is_optional && !of_method[i].is_optional) {
      return refuse(which + " is optional, but " + method + " needs it");
    }
    Status status = narrow_to_method(ios[i], of_method[i], which, method + " takes");
    if (!status.ok()) return status;
  }
  return {};
}

}  // namespace bentohost::plugin
