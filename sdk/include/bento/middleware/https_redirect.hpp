// HTTPSRedirect: redirects requests that came over http to the same URL over https. Behind a proxy
// that the host trusts, the scheme is the one that the proxy was asked with. As Starlette's
// HTTPSRedirectMiddleware, but permanently: 308, where that answers 307.
//
// Its hooks are const, and any number of threads may call them at once.
#pragma once

#include <bento/detail/request_url.hpp>
#include <bento/middleware.hpp>
#include <string>

namespace bento::middleware {

class HTTPSRedirect {
 public:
  static constexpr const char* kName = "https_redirect";

  void on_request(Incoming& request) const {
    if (request.scheme() != "http") return;
    std::string authority = bento::detail::authority_of(request);
    if (authority.empty()) {
      request.answer(400, "text/plain; charset=utf-8", "Invalid host header");
      return;
    }
    // The default ports go: 80 is http's, and 443 is what https means anyway. Any other stays.
    const bento::detail::Authority parts = bento::detail::split_authority(authority);
    if (parts.port == "80" || parts.port == "443") authority.resize(parts.host.size());
    request.answer(308, "", "", {{"Location", bento::detail::url_of(request, "https", authority)}});
  }
};

}  // namespace bento::middleware
