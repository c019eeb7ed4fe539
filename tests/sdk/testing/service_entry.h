// An entry for each service, so that one program of tests has many: BENTO_SERVICE makes one alone.
#pragma once

#include <bento/bento.hpp>

namespace bento::fakes {

template <void (*Describe)(Service&)>
inline constexpr bento_plugin_entry kEntry = {sizeof(bento_plugin_entry),
                                              BENTO_ABI_MAJOR,
                                              BENTO_ABI_TARGET_MINOR,
                                              BENTO_BUILT_WITH,
                                              &bento::detail::Plugin<Describe>::open,
                                              &bento::detail::Plugin<Describe>::close,
                                              &bento::detail::Plugin<Describe>::configure};

}  // namespace bento::fakes
