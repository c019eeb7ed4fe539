// JWT: tokens that an issuer signs (RFC 7519, in the compact form of a JWS, RFC 7515), by HS256 or
// RS256 (RFC 7518). Follows RFC 8725: one algorithm, which is ours and not the token's to choose.
//
//   svc.use(bento::middleware::JWT({.algorithm = "RS256",
//                                   .key_file = "/etc/keys/issuer.pem",
//                                   .issuer = "https://id.example.com",
//                                   .audience = {"models"}}));
//
// Inside, the header x-auth-subject is the token's subject ("sub"), whatever the client sent under
// that name. Needs OpenSSL 3.
//
// Its hooks are const, and any number of threads may call them at once. The constructor throws
// Error for options that it cannot use.
#pragma once

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <array>
#include <bento/detail/base64.hpp>
#include <bento/detail/header_fields.hpp>
#include <bento/detail/refusal.hpp>
#include <bento/detail/secret_file.hpp>
#include <bento/error.hpp>
#include <bento/middleware.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento::detail {

// A key that says whether a signature is its own. Immutable; any thread.
class JwtKey {
 public:
  JwtKey(const std::string& algorithm, std::string_view text) {
    if (algorithm == "HS256") {
      if (text.ends_with('\n')) text.remove_suffix(1);
      // RFC 7518 3.2: no shorter than the hash.
      if (text.size() < 32) throw Error(BENTO_INVALID_ARGUMENT, "has fewer than 32 bytes");
      secret_ = text;
      return;
    }
    text = without_mark(text);
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
        BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
    public_key_.reset(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
    ERR_clear_error();
    if (!public_key_ || EVP_PKEY_is_a(public_key_.get(), "RSA") != 1) {
      throw Error(BENTO_INVALID_ARGUMENT, "is no RSA public key as PEM");
    }
    // RFC 7518 3.3.
    if (EVP_PKEY_get_bits(public_key_.get()) < 2048) {
      throw Error(BENTO_INVALID_ARGUMENT, "is an RSA key of fewer than 2048 bits");
    }
  }

  // The same of a file: an HS256 secret is its one line, as those of the other secrets' files are.
  // What else it might be is refused, for it would fit no token, and nobody would be told why.
  static JwtKey of_file(const std::string& algorithm, std::string_view text) {
    if (algorithm != "HS256") return JwtKey(algorithm, text);
    const std::vector<std::string> lines = secret_lines(text);
    if (lines.size() != 1) {
      throw Error(BENTO_INVALID_ARGUMENT, "has " + std::to_string(lines.size()) +
                                              " lines that are no comments: it is to have one, "
                                              "the secret");
    }
    const std::string& secret = lines.front();
    const auto is_odd = [](unsigned char c) { return c < ' ' || c == 0x7f; };
    if (std::any_of(secret.begin(), secret.end(), is_odd) || secret.front() == ' ' ||
        secret.back() == ' ') {
      throw Error(BENTO_INVALID_ARGUMENT,
                  "has control bytes in its secret, or blanks around it: it is to be a text");
    }
    return JwtKey(algorithm, secret);
  }

  bool has_signed(std::string_view message, std::string_view signature) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
    const auto* given = reinterpret_cast<const unsigned char*>(signature.data());
    if (!public_key_) {
      std::array<unsigned char, EVP_MAX_MD_SIZE> made{};
      unsigned int size = 0;
      return HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()), bytes,
                  message.size(), made.data(), &size) != nullptr &&
             signature.size() == size && CRYPTO_memcmp(made.data(), given, size) == 0;
    }
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          &EVP_MD_CTX_free);
    // RSASSA-PKCS1-v1_5, which is OpenSSL's default for RSA.
    const bool is_right =
        context &&
        EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, public_key_.get()) ==
            1 &&
        EVP_DigestVerify(context.get(), given, signature.size(), bytes, message.size()) == 1;
    ERR_clear_error();  // the thread's: the host's TLS reads it, too
    return is_right;
  }

 private:
  std::string secret_;
  std::shared_ptr<EVP_PKEY> public_key_;
};

// A JSON object whose member names are unique (RFC 7515 4, RFC 7519 4), or nothing.
inline std::optional<rapidjson::Document> parse_unique_object(std::string_view text) {
  rapidjson::Document object;
  object.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(text.data(),
                                                                                       text.size());
  if (object.HasParseError() || !object.IsObject()) return std::nullopt;
  std::vector<std::string_view> names;
  for (const auto& member : std::as_const(object).GetObject()) {
    names.emplace_back(member.name.GetString(), member.name.GetStringLength());
  }
  std::sort(names.begin(), names.end());
  if (std::adjacent_find(names.begin(), names.end()) != names.end()) return std::nullopt;
  return object;
}

inline std::optional<std::string_view> text_of(const rapidjson::Value& value) {
  if (!value.IsString()) return std::nullopt;
  return std::string_view(value.GetString(), value.GetStringLength());
}

}  // namespace bento::detail

namespace bento::middleware {

struct JWTOptions {
  std::string algorithm = {};  // "HS256" or "RS256"
  // HS256: the secret, 32 bytes at least. RS256: the issuer's public key as PEM, 2048 bits at
  // least.
  std::string key = {};
  // Or a file with it: see secret_file.hpp. HS256: one line of text, beside comments and empty
  // ones.
  std::string key_file = {};
  std::string issuer = {};  // the "iss" that a token must have; "": any
  // A token must be for one of these; without any, only one that is for nobody in particular is
  // taken.
  std::vector<std::string> audience = {};
  double leeway = 0;        // seconds by which the issuer's clock may be off
  bool require_exp = true;  // refuses a token that never expires
  std::string realm = "bentohost";
};

class JWT {
 public:
  static constexpr const char* kName = "jwt";
  static constexpr const char* kSubjectHeader = "x-auth-subject";
  using WallNow = std::function<std::chrono::system_clock::time_point()>;

  explicit JWT(JWTOptions options, WallNow wall_now = &std::chrono::system_clock::now,
               bento::detail::SteadyNow now = &std::chrono::steady_clock::now)
      : options_(std::move(options)), wall_now_(std::move(wall_now)) {
    if (options_.algorithm != "HS256" && options_.algorithm != "RS256") {
      throw Error(BENTO_INVALID_ARGUMENT, "algorithm must be HS256 or RS256");
    }
    if (options_.key.empty() == options_.key_file.empty()) {
      throw Error(BENTO_INVALID_ARGUMENT, "one of key and key_file is needed");
    }
    if (!(options_.leeway >= 0)) throw Error(BENTO_INVALID_ARGUMENT, "leeway must not be negative");
    bento::detail::check_field_value(options_.realm, "realm");
    if (!options_.key_file.empty()) {
      const auto parse_file = [algorithm = options_.algorithm](std::string_view text) {
        return bento::detail::JwtKey::of_file(algorithm, text);
      };
      key_ = std::make_unique<KeyFile>(options_.key_file, parse_file, std::move(now));
      return;
    }
    try {
      key_ = std::make_unique<KeyFile>(bento::detail::JwtKey(options_.algorithm, options_.key));
    } catch (const Error& error) {
      throw Error(error.code(), std::string("key ") + error.what());
    }
    options_.key.clear();
  }

  void on_request(Incoming& request) const {
    const auto token = bento::detail::credentials(request, "Bearer");
    std::string subject;
    const char* fault = token ? fault_of(*token, *key_->get(request), subject) : nullptr;
    if (token && fault == nullptr) {
      remove_subject(request);
      if (!subject.empty()) request.set_header(kSubjectHeader, subject);
      return;
    }
    std::string challenge = "Bearer realm=" + bento::detail::quoted_string(options_.realm);
    if (token) {  // RFC 6750 3.1: who showed no token is told of no error
      challenge += std::string(", error=\"invalid_token\", error_description=\"") + fault + '"';
    }
    bento::detail::refuse(request, 401, "Unauthorized",
                          token ? fault : "a token of the issuer is needed",
                          {{"WWW-Authenticate", challenge}});
  }

 private:
  using KeyFile = bento::detail::SecretFile<bento::detail::JwtKey>;

  // Also as x_auth_subject and the like: CGI and WSGI take it for the same (RFC 3875 4.1.18).
  static void remove_subject(Incoming& request) {
    std::vector<std::string> spellings;
    const bento_pairs headers = request.scope().headers;
    for (std::size_t i = 0; i < headers.len; ++i) {
      const std::string name(bento::detail::view(headers.ptr[i].name));
      std::string dashed = name;
      std::replace(dashed.begin(), dashed.end(), '_', '-');
      if (dashed == kSubjectHeader) spellings.push_back(name);
    }
    for (const std::string& name : spellings) request.remove_header(name);
  }

  // Why the token is not taken; nullptr if it is.
  const char* fault_of(std::string_view token, const bento::detail::JwtKey& key,
                       std::string& subject) const {
    constexpr const char* kMalformed = "the token is malformed";
    std::string_view rest = token;
    const auto header = decode(bento::detail::cut(rest, '.'));
    const auto payload = decode(bento::detail::cut(rest, '.'));
    const auto signature = decode(rest);  // a dot in it is no Base64
    if (!header || !payload || !signature) return kMalformed;

    const auto json = bento::detail::parse_unique_object(*header);
    if (!json) return kMalformed;
    const auto algorithm = json->FindMember("alg");
    if (algorithm == json->MemberEnd() ||
        bento::detail::text_of(algorithm->value) != options_.algorithm) {
      return "the token has another algorithm";
    }
    // RFC 7515 4.1.11: extensions that have to be understood; we understand none.
    if (json->HasMember("crit")) return "the token has extensions";
    if (!key.has_signed(token.substr(0, token.rfind('.')), *signature)) {
      return "the token has another signature";
    }
    const auto claims = bento::detail::parse_unique_object(*payload);
    if (!claims) return kMalformed;
    if (const char* fault = fault_of_times(*claims)) return fault;
    return fault_of_names(*claims, subject);
  }
  static std::optional<std::string> decode(std::string_view text) {
    return bento::detail::base64_decode(text, bento::detail::Base64::kUrl);
  }

  // RFC 7519 4.1.4 and 4.1.5.
  const char* fault_of_times(const rapidjson::Document& claims) const {
    const double now = std::chrono::duration<double>(wall_now_().time_since_epoch()).count();
    const auto exp = claims.FindMember("exp");
    const auto nbf = claims.FindMember("nbf");
    if (exp == claims.MemberEnd()) {
      if (options_.require_exp) return "the token never expires";
    } else if (!exp->value.IsNumber() || now >= exp->value.GetDouble() + options_.leeway) {
      return "the token has expired";
    }
    if (nbf != claims.MemberEnd() &&
        (!nbf->value.IsNumber() || now < nbf->value.GetDouble() - options_.leeway)) {
      return "the token is not valid yet";
    }
    return nullptr;
  }
  // RFC 7519 4.1.1 to 4.1.3.
  const char* fault_of_names(const rapidjson::Document& claims, std::string& subject) const {
    const auto iss = claims.FindMember("iss");
    if (!options_.issuer.empty() &&
        (iss == claims.MemberEnd() || bento::detail::text_of(iss->value) != options_.issuer)) {
      return "the token has another issuer";
    }
    const auto aud = claims.FindMember("aud");
    const bool is_for_all = aud == claims.MemberEnd() && options_.audience.empty();
    if (!is_for_all && (aud == claims.MemberEnd() || !is_for_us(aud->value))) {
      return "the token is for another audience";
    }
    if (const auto sub = claims.FindMember("sub"); sub != claims.MemberEnd()) {
      const auto text = bento::detail::text_of(sub->value);
      if (!text || !bento::detail::is_field_value(*text)) return "the token's subject is malformed";
      subject = *text;
    }
    return nullptr;
  }
  bool is_for_us(const rapidjson::Value& aud) const {
    const auto is_ours = [this](const rapidjson::Value& value) {
      const auto& ours = options_.audience;
      const auto text = bento::detail::text_of(value);
      return text && std::find(ours.begin(), ours.end(), *text) != ours.end();
    };
    if (!aud.IsArray()) return is_ours(aud);
    return std::any_of(aud.Begin(), aud.End(), is_ours);
  }

  JWTOptions options_;
  WallNow wall_now_;
  std::unique_ptr<KeyFile> key_;
};

}  // namespace bento::middleware
