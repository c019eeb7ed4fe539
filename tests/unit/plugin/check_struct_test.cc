// Structs of plugins that were built for another minor of the ABI.
#include "plugin/check_struct.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/plugin/first_minor.h"

namespace bentohost::plugin {
namespace {

using testing::HasSubstr;

TEST(CheckStruct, KnowsTheSizesOfTheFirstMinor) {
  const std::map<std::string, std::size_t> ours = {
      {"bento_error", kFirstSize<bento_error>},
      {"bento_value", kFirstSize<bento_value>},
      {"bento_io", kFirstSize<bento_io>},
      {"bento_sink", kFirstSize<bento_sink>},
      {"bento_scope", kFirstSize<bento_scope>},
      {"bento_event", kFirstSize<bento_event>},
      {"bento_channel", kFirstSize<bento_channel>},
      {"bento_call", kFirstSize<bento_call>},
      {"bento_exchange", kFirstSize<bento_exchange>},
      {"bento_mount", kFirstSize<bento_mount>},
      {"bento_middleware", kFirstSize<bento_middleware>},
      {"bento_api", kFirstSize<bento_api>},
      {"bento_method", kFirstSize<bento_method>},
      {"bento_runner", kFirstSize<bento_runner>},
      {"bento_service", kFirstSize<bento_service>},
      {"bento_host", kFirstSize<bento_host>},
      {"bento_plugin_entry", kFirstSize<bento_plugin_entry>},
  };
  EXPECT_EQ(ours, sizes_in_first_minor());
}

TEST(CheckStruct, AsksForTheSizeOfTheFirstMinor) {
  bento_service service{};
  service.size = kFirstSize<bento_service>;
  EXPECT_TRUE(check_size(&service, "bento_service").ok());
  service.size = sizeof service + 64;  // of a newer minor
  EXPECT_TRUE(check_size(&service, "bento_service").ok());
  service.size = kFirstSize<bento_service> - 1;
  EXPECT_THAT(check_size(&service, "bento_service").message(),
              HasSubstr("a bento_service of size " + std::to_string(service.size) + ", expected " +
                        std::to_string(kFirstSize<bento_service>) + " at least"));
  EXPECT_EQ(check_size<bento_service>(nullptr, "bento_service").message(), "a null bento_service");
}

TEST(CheckStruct, ReadsANewerFieldOnlyWhereThereIsOne) {
  const bento_str file = to_bento("weights.txt");
  bento_service service{};
  service.files = &file;
  service.n_files = 1;
  service.size = sizeof service;
  EXPECT_EQ(newer_field<&bento_service::files>(service), &file);
  EXPECT_EQ(newer_field<&bento_service::n_files>(service), 1u);
  service.size = offsetof(bento_service, n_files);  // between the two: of no minor, but safe
  EXPECT_EQ(newer_field<&bento_service::files>(service), &file);
  EXPECT_EQ(newer_field<&bento_service::n_files>(service), 0u);

  const InFirstMinor<bento_service> old(service);
  EXPECT_EQ(newer_field<&bento_service::files>(*old.get()), nullptr);
}

}  // namespace
}  // namespace bentohost::plugin
