// CORS: which pages of other origins may use this service from a browser (the CORS protocol of the
// Fetch standard). Option names are BentoML's, semantics Starlette's CORSMiddleware, but in what
// the standard is stricter about:
// - With credentials the origin itself is told: a browser then takes "*" for no permission.
// - Where answers differ by origin, each says so in Vary, also those to requests without an Origin:
//   else a cache hands them to pages of other origins.
//
// Preflights are answered here. Use it before authentication, which they do not have.
//
// Its hooks are const, and any number of threads may call them at once. The constructor throws
// Error for options that it cannot use.
#pragma once

#include <algorithm>
#include <bento/detail/header_fields.hpp>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/middleware.hpp>
#include <cstdint>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace bento::middleware {

struct CORSOptions {
  // "https://example.com": scheme, host and port as a browser writes them; "*" is any.
  std::vector<std::string> access_control_allow_origins = {};
  // Or what matches this as a whole (ECMAScript's syntax); "": nothing.
  std::string access_control_allow_origin_regex = {};
  bool access_control_allow_credentials = false;
  std::vector<std::string> access_control_allow_methods = {"GET"};  // "*" is all
  // Beside Accept, Accept-Language, Content-Language and Content-Type; "*" is any.
  std::vector<std::string> access_control_allow_headers = {};
  std::vector<std::string> access_control_expose_headers = {};
  std::uint64_t access_control_max_age = 600;  // seconds that a browser may remember a preflight
};

class CORS {
 public:
  static constexpr const char* kName = "cors";

  explicit CORS(const CORSOptions& options = {})
      : origins_(options.access_control_allow_origins),
        methods_(options.access_control_allow_methods),
        allows_credentials_(options.access_control_allow_credentials),
        any_origin_(has(origins_, "*")),
        any_header_(has(options.access_control_allow_headers, "*")),
        exposed_(bento::detail::joined(options.access_control_expose_headers)),
        max_age_(std::to_string(options.access_control_max_age)) {
    if (has(methods_, "*")) {
      methods_ = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"};
    }
    check(options);
    std::set<std::string> headers = {"Accept", "Accept-Language", "Content-Language",
                                     "Content-Type"};
    headers.insert(options.access_control_allow_headers.begin(),
                   options.access_control_allow_headers.end());
    told_headers_ = bento::detail::joined(headers);
    for (const std::string& header : headers) headers_.insert(bento::detail::lower(header));
    compile(options.access_control_allow_origin_regex);
  }

  void on_request(Incoming& request) const {
    const auto origin = request.find_request_header("origin");
    const auto method = request.find_request_header("access-control-request-method");
    if (request.method() == "OPTIONS" && origin && method) preflight(request, *origin, *method);
  }

  void on_response(Outgoing& response) const {
    if (differs_by_origin()) response.add_vary("Origin");
    const auto origin = response.find_request_header("origin");
    if (!origin) return;
    if (allows_credentials_) response.set_header("Access-Control-Allow-Credentials", "true");
    if (!exposed_.empty()) response.set_header("Access-Control-Expose-Headers", exposed_);
    // A request with cookies is told its own origin, also where any is allowed.
    const bool has_cookie = response.find_request_header("cookie").has_value();
    if (differs_by_origin() ? allows(*origin) : has_cookie) {
      response.set_header("Access-Control-Allow-Origin", *origin);
      response.add_vary("Origin");
    } else if (!differs_by_origin()) {
      response.set_header("Access-Control-Allow-Origin", "*");
    }
  }

 private:
  static constexpr std::size_t kMaxOrigin = 512;  // for the regex; a host has 253 bytes at most

  static bool has(const std::vector<std::string>& all, std::string_view one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  }
  static void check(const CORSOptions& options) {
    for (const std::string& header : options.access_control_allow_headers) {
      bento::detail::check_header_name(header, "access_control_allow_headers");
    }
    for (const std::string& header : options.access_control_expose_headers) {
      bento::detail::check_header_name(header, "access_control_expose_headers");
    }
    for (const std::string& method : options.access_control_allow_methods) {
      if (bento::detail::is_token(method)) continue;
      throw Error(BENTO_INVALID_ARGUMENT,
                  "access_control_allow_methods: \"" + method + "\" is no method");
    }
  }
  void compile(const std::string& regex) {
    if (regex.empty()) return;
    try {
      regex_.emplace(regex, std::regex::ECMAScript | std::regex::optimize);
    } catch (const std::regex_error& error) {
      throw Error(BENTO_INVALID_ARGUMENT,
                  std::string("access_control_allow_origin_regex: ") + error.what());
    }
  }
  bool differs_by_origin() const { return !any_origin_ || allows_credentials_; }
  bool allows(std::string_view origin) const {
    if (any_origin_ || has(origins_, origin)) return true;
    return regex_ && origin.size() <= kMaxOrigin &&
           std::regex_match(origin.begin(), origin.end(), *regex_);
  }
  bool allows_headers(std::string_view list) const {
    do {
      const std::string_view name = bento::detail::cut(list, ',');
      if (!headers_.contains(bento::detail::lower(bento::detail::trimmed(name)))) return false;
    } while (!list.empty());
    return true;
  }

  void preflight(Incoming& request, std::string_view origin, std::string_view method) const {
    const auto wanted = request.find_request_header("access-control-request-headers");
    Headers headers = {{"Access-Control-Allow-Methods", bento::detail::joined(methods_)},
                       {"Access-Control-Max-Age", max_age_}};
    std::vector<std::string> failures;
    if (differs_by_origin()) headers.add("Vary", "Origin");
    if (!allows(origin)) {
      failures.emplace_back("origin");
    } else {
      headers.add("Access-Control-Allow-Origin", differs_by_origin() ? origin : "*");
    }
    if (allows_credentials_) headers.add("Access-Control-Allow-Credentials", "true");
    if (!has(methods_, method)) failures.emplace_back("method");
    if (!any_header_) {
      headers.add("Access-Control-Allow-Headers", told_headers_);
      if (wanted && !allows_headers(*wanted)) failures.emplace_back("headers");
    } else if (wanted) {
      headers.add("Access-Control-Allow-Headers", *wanted);
    }
    // It is the browser that enforces; the status and the text are for people.
    if (failures.empty()) {
      request.answer(200, "text/plain; charset=utf-8", "OK", headers);
    } else {
      request.answer(400, "text/plain; charset=utf-8",
                     "Disallowed CORS " + bento::detail::joined(failures), headers);
    }
  }

  std::vector<std::string> origins_, methods_;
  bool allows_credentials_, any_origin_, any_header_;
  std::string exposed_, max_age_, told_headers_;
  std::set<std::string> headers_;  // in lower case
  std::optional<std::regex> regex_;
};

}  // namespace bento::middleware
