// The stock middleware as plugins: each opens, and makes its middleware of its options.
#include <bento/abi.h>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <string>
#include <utility>

#include "sdk/fake_host.h"

namespace bento {
namespace {

// A plugin's description, as the host has it.
class Plugin {
 public:
  explicit Plugin(const std::string& name, const std::string& folder = STOCK_PLUGINS)
      : library_(::dlopen((folder + "/lib" + name + ".so").c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) return;
    entry_ = static_cast<const bento_plugin_entry*>(::dlsym(library_, "bento_entry"));
    fakes::FakeHost host;
    bento_error error = fakes::make_error();
    service = entry_->open(&host.table, &error);
  }
  ~Plugin() {
    if (entry_ != nullptr) entry_->close();
    if (library_ != nullptr) ::dlclose(library_);
  }
  Plugin(const Plugin&) = delete;

  // What create() says of these options, in the place of the defaults; "" for nothing.
  std::string create(const std::string& options) const {
    fakes::FakeHost host(with_defaults(options));
    bento_error error = fakes::make_error();
    void* self = nullptr;
    if (service->create(&host.table, &self, &error) != BENTO_OK) {
      EXPECT_EQ(error.code, BENTO_INVALID_ARGUMENT);
      return error.message;
    }
    service->destroy(self);
    return "";
  }

  const bento_service* service = nullptr;

 private:
  // As the host fills them in.
  std::string with_defaults(const std::string& options) const {
    rapidjson::Document schema, all;
    schema.Parse(service->options_schema.ptr, service->options_schema.len);
    all.Parse(options.c_str());
    if (schema.IsObject()) {
      for (const auto& property : std::as_const(schema)["properties"].GetObject()) {
        if (all.HasMember(property.name)) continue;
        all.AddMember(rapidjson::Value(property.name, all.GetAllocator()),
                      rapidjson::Value(property.value["default"], all.GetAllocator()),
                      all.GetAllocator());
      }
    }
    rapidjson::StringBuffer text;
    rapidjson::Writer<rapidjson::StringBuffer> writer(text);
    all.Accept(writer);
    return text.GetString();
  }

  void* library_;
  const bento_plugin_entry* entry_ = nullptr;
};

TEST(StockPlugins, HaveOneMiddlewareOfTheirNameAndNothingElse) {
  for (const char* name :
       {"trusted_host", "https_redirect", "cors", "gzip", "basic_auth", "bearer_token", "api_key",
        "jwt", "rate_limit", "secure_headers", "request_timeout", "body_limit", "ip_allow"}) {
    const Plugin plugin(name);
    ASSERT_NE(plugin.service, nullptr) << name;
    EXPECT_EQ(fakes::text(plugin.service->name), name);
    EXPECT_EQ(plugin.service->n_apis + plugin.service->n_mounts + plugin.service->n_runners, 0u);
    ASSERT_EQ(plugin.service->n_middleware, 1u) << name;
    EXPECT_EQ(fakes::text(plugin.service->middleware[0]->name), name);
  }
}

TEST(StockPlugins, TakeOptionsThatAreRightAndSayWhatIsWrong) {
  const std::string secret = R"("a secret of thirty-two bytes or more")";
  const struct {
    const char* name;
    std::string options, fault;
  } kCases[] = {
      {"trusted_host", "{}", ""},
      {"trusted_host", R"({"allowed_hosts":["*.example.com"],"www_redirect":false})", ""},
      {"trusted_host", R"({"allowed_hosts":["*a"]})",
       "allowed_hosts: \"*a\" is not a name of a host: write \"example.com\", without a port, "
       "\"*.example.com\", \"[::1]\" or \"*\""},
      {"https_redirect", "{}", ""},
      {"cors", "{}", ""},
      {"cors", R"({"access_control_allow_methods":["A B"]})",
       R"(access_control_allow_methods: "A B" is no method)"},
      {"cors", R"({"access_control_max_age":-1})", "access_control_max_age is negative"},
      {"gzip", "{}", ""},
      {"gzip", R"({"compresslevel":4294967302})", "compresslevel must be from 1 to 9"},
      {"gzip", R"({"media_types":["json"]})",
       R"(media_types: "json" is not a media type: write "text/html", "text/*", "*+json" or "*/*")"},
      {"basic_auth", "{}", "one of users and users_file is needed"},
      {"basic_auth", R"({"users":["a:b"]})", ""},
      {"basic_auth", R"({"users_file":"none"})", "the file /plugins/none cannot be found"},
      {"bearer_token", "{}", "one of tokens and tokens_file is needed"},
      {"bearer_token", R"({"tokens":["a"]})", ""},
      {"api_key", R"({"keys":["a b"]})", "keys has to have keys of visible characters"},
      {"api_key", R"({"keys":["a"]})", ""},
      {"jwt", "{}", "algorithm must be HS256 or RS256"},
      {"jwt", R"({"algorithm":"HS256","key":)" + secret + "}", ""},
      {"jwt", R"({"algorithm":"RS256","key":)" + secret + "}", "key is no RSA public key as PEM"},
      {"rate_limit", "{}", ""},
      {"rate_limit", R"({"rate":0})", "rate must be from 0.001 to 1000000 requests a second"},
      {"rate_limit", R"({"burst":-1})", "burst is negative"},
      {"secure_headers", "{}", ""},
      {"secure_headers", R"({"frame_options":"a\nb"})",
       "frame_options has a control character in it"},
      {"request_timeout", "{}", ""},
      {"request_timeout", R"({"timeout":0.5})", ""},
      {"request_timeout", R"({"timeout":0})", "timeout must be more than 0 and at most 1000000 s"},
      {"body_limit", "{}", ""},
      {"body_limit", R"({"max_body":-1})", "max_body is negative"},
      {"ip_allow", "{}", "one of allow and deny is needed"},
      {"ip_allow", R"({"allow":["10.0.0.0/8","unix"]})", ""},
      {"ip_allow", R"({"deny":["10.0.0.1/8"]})",
       R"(deny: "10.0.0.1/8" has bits set beyond its prefix)"},
  };
  for (const auto& c : kCases) {
    const Plugin plugin(c.name);
    ASSERT_NE(plugin.service, nullptr) << c.name;
    EXPECT_EQ(plugin.create(c.options), c.fault) << c.name << " " << c.options;
  }
}

TEST(Readme, HasMiddlewareOfBothForms) {
  const Plugin plugin("wrapped", TEST_PLUGINS);
  ASSERT_NE(plugin.service, nullptr);
  EXPECT_EQ(plugin.create("{}"), "");
  ASSERT_EQ(plugin.service->n_middleware, 4u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(plugin.service->middleware[i]->around, nullptr);
  EXPECT_NE(plugin.service->middleware[3]->around, nullptr);
  EXPECT_NE(plugin.service->middleware[2]->on_end, nullptr) << "it has a State to end";
}

}  // namespace
}  // namespace bento
