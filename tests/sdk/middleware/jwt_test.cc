#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <bento/middleware/jwt.hpp>

#include "sdk/fake_exchange.h"
#include "sdk/middleware/temporary_file.h"

namespace bento::middleware {
namespace {

using fakes::FakeExchange;
using fakes::Fields;
using testing::HasSubstr;
using testing::Not;

// RFC 7515 appendix A: the claims {"iss":"joe", "exp":1300819380,
// "http://example.com/is_root":true}
const std::string kPayload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
constexpr std::time_t kExpiry = 1300819380;
// A.1: HS256.
const std::string kHmacToken = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + kPayload +
                               ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
constexpr const char* kHmacKey =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
// A.2: RS256; the key's modulus and exponent as PEM.
const std::string kRsaToken =
    "eyJhbGciOiJSUzI1NiJ9." + kPayload +
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
    "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L"
    "07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUi"
    "pUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const std::string kRsaKey = R"(-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj
NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz
P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo
9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB
EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX
FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp
oQIDAQAB
-----END PUBLIC KEY-----
)";
const std::string kSecret = "a secret of thirty-two bytes or more";

std::string decoded(std::string_view text) {
  return bento::detail::base64_decode(text, bento::detail::Base64::kUrl).value();
}
std::string encoded(std::string_view bytes) {
  std::string text(bytes.size() / 3 * 4 + 5, '\0');
  text.resize(static_cast<std::size_t>(EVP_EncodeBlock(
      reinterpret_cast<unsigned char*>(text.data()),
      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()))));
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}
// Signed with HS256, whatever the header says.
std::string token(const std::string& claims, const std::string& header = R"({"alg":"HS256"})",
                  const std::string& key = kSecret) {
  const std::string message = encoded(header) + "." + encoded(claims);
  unsigned char made[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), made, &size);
  return message + "." + encoded({reinterpret_cast<const char*>(made), size});
}

JWT::WallNow at(std::time_t seconds) {
  return [seconds] { return std::chrono::system_clock::from_time_t(seconds); };
}

// What the client is told of its token, or "" where the request passes.
std::string fault(const JWT& middleware, const std::string& given) {
  FakeExchange exchange;
  exchange.headers = {{"authorization", "Bearer " + given}, {"x-auth-subject", "root"}};
  if (exchange.request(middleware)) return "";
  EXPECT_EQ(exchange.answer->status, 401u);
  const std::string challenge = fakes::find(exchange.answer->headers, "www-authenticate");
  const std::string begin =
      "Bearer realm=\"bentohost\", error=\"invalid_token\", error_description=\"";
  EXPECT_EQ(challenge.substr(0, begin.size()), begin);
  EXPECT_THAT(exchange.answer->body, HasSubstr("\"status\":401"));
  EXPECT_TRUE(exchange.host.logged.empty());
  return challenge.substr(begin.size(), challenge.size() - begin.size() - 1);
}

TEST(JWT, TakesTheTokensOfRfc7515) {
  const JWT hmac({.algorithm = "HS256", .key = decoded(kHmacKey)}, at(kExpiry - 1));
  const JWT rsa({.algorithm = "RS256", .key = kRsaKey}, at(kExpiry - 1));
  EXPECT_EQ(fault(hmac, kHmacToken), "");
  EXPECT_EQ(fault(rsa, kRsaToken), "");
}

TEST(JWT, TakesNoTokenThatIsAltered) {
  const JWT hmac({.algorithm = "HS256", .key = decoded(kHmacKey)}, at(kExpiry - 1));
  const JWT rsa({.algorithm = "RS256", .key = kRsaKey}, at(kExpiry - 1));
  for (std::string altered : {kHmacToken, kRsaToken}) {
    const JWT& middleware = altered == kHmacToken ? hmac : rsa;
    const std::size_t dot = altered.find('.');
    altered[dot + 5] = altered[dot + 5] == 'A' ? 'B' : 'A';
    EXPECT_EQ(fault(middleware, altered), "the token has another signature");
  }
  const std::string unsigned_one = kRsaToken.substr(0, kRsaToken.rfind('.') + 1);
  EXPECT_EQ(fault(rsa, unsigned_one), "the token has another signature");
}

TEST(JWT, ReadsKeyFilesAsTheOtherSecretsFilesAreRead) {
  for (const std::string& text :
       {kSecret, kSecret + "\n", kSecret + "\r\n", "# the issuer's\n\n" + kSecret + "\n",
        "\xEF\xBB\xBF" + kSecret, "\xEF\xBB\xBF# c\r\n\r\n" + kSecret + "\r\n\r\n"}) {
    const fakes::TemporaryFile file(text);
    const JWT middleware({.algorithm = "HS256", .key_file = file.path()}, at(0));
    EXPECT_EQ(fault(middleware, token(R"({"exp":9})")), "") << text;
  }
  std::string crlf;
  for (const char c : kRsaKey) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  for (const std::string& text :
       {"\xEF\xBB\xBF" + kRsaKey, "# the issuer's\n\n" + kRsaKey, "\xEF\xBB\xBF" + crlf}) {
    const fakes::TemporaryFile file(text);
    const JWT rsa({.algorithm = "RS256", .key_file = file.path()}, at(kExpiry - 1));
    EXPECT_EQ(fault(rsa, kRsaToken), "");
  }
}

TEST(JWT, RefusesAtTheStartAKeyFileThatNoTokenWouldFit) {
  const std::pair<std::string, const char*> files[] = {
      {"# nothing but a comment\n", "has 0 lines"},
      {kSecret + "\n" + kSecret + "\n", "has 2 lines"},
      {" " + kSecret, "blanks around it"},
      {kSecret + " \n", "blanks around it"},
      {kSecret + std::string(1, '\0'), "control bytes"},
      {"short\n", "fewer than 32 bytes"}};
  for (const auto& [text, why] : files) {
    const fakes::TemporaryFile file(text);
    try {
      const JWT middleware({.algorithm = "HS256", .key_file = file.path()}, at(0));
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(why));
    }
  }
}

TEST(JWT, LetsNoTokenChooseItsAlgorithm) {
  const JWT rsa({.algorithm = "RS256", .key = kRsaKey}, at(0));
  const JWT hmac({.algorithm = "HS256", .key = kSecret}, at(0));
  const std::string claims = R"({"exp":9})", other = "the token has another algorithm";
  // CVE-2015-9235: the public key, which everybody has, as the secret of an HMAC.
  EXPECT_EQ(fault(rsa, token(claims, R"({"alg":"HS256"})", kRsaKey)), other);
  EXPECT_EQ(fault(rsa, token(claims, R"({"alg":"none"})")), other);
  EXPECT_EQ(fault(hmac, token(claims, R"({"alg":"none"})")), other);
  EXPECT_EQ(fault(hmac, token(claims, R"({"alg":"hs256"})")), other);
  EXPECT_EQ(fault(hmac, token(claims, R"({"alg":256})")), other);
  EXPECT_EQ(fault(hmac, token(claims, R"({"typ":"JWT"})")), other);
  EXPECT_EQ(fault(hmac, token(claims)), "");
}

TEST(JWT, TakesNothingThatIsMalformed) {
  const JWT middleware({.algorithm = "HS256", .key = kSecret}, at(0));
  const std::string good = token(R"({"exp":9})"), malformed = "the token is malformed";
  ASSERT_EQ(fault(middleware, good), "");
  for (const std::string& bad : {
           std::string("x"),
           std::string("."),
           std::string(".."),
           good + "=",
           good + ".",
           good + ".x",
           "." + good,
           good.substr(0, good.size() - 1),  // bits are left over
           token(R"({"exp":9})", R"(["HS256"])"),
           token(R"({"exp":9})", R"({"alg":"HS256","alg":"HS256"})"),
           token(R"({"exp":9})", "{\"alg\":\"HS256\",\"a\":\"\xff\"}"),
           token(R"({"exp":9)"),
           token(R"({"exp":9} x)"),
           token(R"([])"),
           token(""),
           token(R"({"exp":9,"exp":99})"),
           token(R"({"exp":1e999})"),
           token("{\"exp\":9,\"sub\":\"\xff\"}"),
       }) {
    EXPECT_EQ(fault(middleware, bad), malformed) << bad;
  }
  EXPECT_EQ(fault(middleware, token(R"({"exp":9})", R"({"alg":"HS256","crit":["exp"]})")),
            "the token has extensions");
}

TEST(JWT, BearsDeepNesting) {
  const JWT middleware({.algorithm = "HS256", .key = kSecret}, at(0));
  const std::string deep(100'000, '[');
  EXPECT_EQ(fault(middleware, token(deep, deep)), "the token is malformed");
}

TEST(JWT, KnowsWhenATokenIsValid) {
  const struct {
    const char* claims;
    std::time_t now;
    double leeway;
    const char* fault;
  } kCases[] = {
      {R"({"exp":100})", 99, 0, ""},
      {R"({"exp":100})", 100, 0, "the token has expired"},
      {R"({"exp":100.5})", 100, 0, ""},
      {R"({"exp":100})", 104, 5, ""},
      {R"({"exp":100})", 105, 5, "the token has expired"},
      {R"({"exp":"100"})", 1, 0, "the token has expired"},
      {R"({"exp":null})", 1, 0, "the token has expired"},
      {R"({})", 1, 0, "the token never expires"},
      {R"({"exp":100,"nbf":50})", 49, 0, "the token is not valid yet"},
      {R"({"exp":100,"nbf":50})", 50, 0, ""},
      {R"({"exp":100,"nbf":50})", 45, 5, ""},
      {R"({"exp":100,"nbf":50})", 44, 5, "the token is not valid yet"},
      {R"({"exp":100,"nbf":true})", 50, 0, "the token is not valid yet"},
  };
  for (const auto& c : kCases) {
    const JWT middleware({.algorithm = "HS256", .key = kSecret, .leeway = c.leeway}, at(c.now));
    EXPECT_EQ(fault(middleware, token(c.claims)), c.fault) << c.claims << " at " << c.now;
  }
  const JWT lasting({.algorithm = "HS256", .key = kSecret, .require_exp = false}, at(1));
  EXPECT_EQ(fault(lasting, token("{}")), "");
}

TEST(JWT, HoldsIssuerAndAudienceAgainstItsOwn) {
  const JWT any({.algorithm = "HS256", .key = kSecret}, at(0));
  const JWT one(
      {.algorithm = "HS256", .key = kSecret, .issuer = "https://id", .audience = {"a", "b"}},
      at(0));
  const std::string other_issuer = "the token has another issuer",
                    others = "the token is for another audience";
  const struct {
    const JWT& middleware;
    const char* claims;
    std::string fault;
  } kCases[] = {
      {any, R"({"exp":9,"iss":"x"})", ""},
      {any, R"({"exp":9,"aud":"x"})", others},
      {any, R"({"exp":9,"aud":[]})", others},
      {one, R"({"exp":9,"iss":"https://id","aud":"a"})", ""},
      {one, R"({"exp":9,"iss":"https://id","aud":["x","b"]})", ""},
      {one, R"({"exp":9,"iss":"https://id","aud":["x"]})", others},
      {one, R"({"exp":9,"iss":"https://id","aud":[1]})", others},
      {one, R"({"exp":9,"iss":"https://id","aud":{"a":1}})", others},
      {one, R"({"exp":9,"iss":"https://id"})", others},
      {one, R"({"exp":9,"iss":"https://ID","aud":"a"})", other_issuer},
      {one, R"({"exp":9,"iss":["https://id"],"aud":"a"})", other_issuer},
      {one, R"({"exp":9,"aud":"a"})", other_issuer},
  };
  for (const auto& c : kCases) EXPECT_EQ(fault(c.middleware, token(c.claims)), c.fault) << c.claims;
}

TEST(JWT, PassesTheSubjectOnAndNoOther) {
  const JWT middleware({.algorithm = "HS256", .key = kSecret}, at(0));
  const struct {
    const char* claims;
    Fields subject;
  } kCases[] = {
      {R"({"exp":9,"sub":"J\u00f6rg"})", {{"x-auth-subject", "J\xc3\xb6rg"}}},
      {R"({"exp":9,"sub":""})", {}},
      {R"({"exp":9})", {}},
  };
  for (const auto& c : kCases) {
    FakeExchange exchange;
    exchange.headers = {{"x-auth-subject", "root"},
                        {"x_auth_subject", "root"},
                        {"x-auth_subject", "root"},
                        {"authorization", "bearer " + token(c.claims)},
                        {"x-auth-subject", "admin"}};
    ASSERT_TRUE(exchange.request(middleware));
    std::erase_if(exchange.headers, [](const auto& f) { return f.first == "authorization"; });
    EXPECT_EQ(exchange.headers, c.subject) << c.claims;
  }
  for (const char* claims :
       {R"({"exp":9,"sub":1})", R"({"exp":9,"sub":"a\r\nb: c"})", R"({"exp":9,"sub":"a\u0000"})"}) {
    EXPECT_EQ(fault(middleware, token(claims)), "the token's subject is malformed") << claims;
  }
}

TEST(JWT, TellsOfNoErrorWhereThereIsNoToken) {
  const JWT middleware({.algorithm = "HS256", .key = kSecret, .realm = "models"});
  for (const char* value : {"", "Bearer", "Bearer ", "Basic abc"}) {
    FakeExchange exchange;
    exchange.headers = {{"authorization", value}};
    EXPECT_FALSE(exchange.request(middleware));
    EXPECT_EQ(fakes::find(exchange.answer->headers, "www-authenticate"), "Bearer realm=\"models\"");
  }
}

TEST(JWT, TakesTheKeyOfAFileAsItChanges) {
  const std::string fresh = "another secret, and it is long enough";
  const fakes::TemporaryFile file(kSecret + "\n");
  std::chrono::steady_clock::time_point now{};
  const JWT middleware({.algorithm = "HS256", .key_file = file.path()}, at(0),
                       [&now] { return now; });
  EXPECT_EQ(fault(middleware, token(R"({"exp":9})")), "");
  file.replace(fresh);
  now += std::chrono::seconds(1);
  EXPECT_EQ(fault(middleware, token(R"({"exp":9})", R"({"alg":"HS256"})", fresh)), "");
  EXPECT_NE(fault(middleware, token(R"({"exp":9})")), "");
}

// The public key of a new pair, as PEM.
std::string public_key(EVP_PKEY* pair) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> owner(pair, &EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_PUBKEY(bio.get(), pair);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

TEST(JWT, RefusesOptionsThatCannotBe) {
  const std::string short_key = public_key(EVP_RSA_gen(1024)),
                    elliptic = public_key(EVP_EC_gen("P-256"));
  const struct {
    JWTOptions options;
    const char* fault;
  } kCases[] = {
      {{.key = kSecret}, "algorithm must be HS256 or RS256"},
      {{.algorithm = "none", .key = kSecret}, "algorithm must be HS256 or RS256"},
      {{.algorithm = "HS256"}, "one of key and key_file is needed"},
      {{.algorithm = "HS256", .key = "a", .key_file = "b"}, "one of key and key_file is needed"},
      {{.algorithm = "HS256", .key = std::string(31, 'x')}, "key has fewer than 32 bytes"},
      {{.algorithm = "RS256", .key = kSecret}, "key is no RSA public key as PEM"},
      {{.algorithm = "RS256", .key = elliptic}, "key is no RSA public key as PEM"},
      {{.algorithm = "RS256", .key = short_key}, "key is an RSA key of fewer than 2048 bits"},
      {{.algorithm = "HS256", .key = kSecret, .leeway = -1}, "leeway must not be negative"},
      {{.algorithm = "HS256", .key = kSecret, .realm = "\n"},
       "realm has a control character in it"},
  };
  for (const auto& c : kCases) {
    try {
      (void)JWT(c.options);
      FAIL() << c.fault;
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), c.fault);
    }
  }
}

}  // namespace
}  // namespace bento::middleware
