// What is said of names that cannot stand beside each other.
#include "reload/slot_names.h"

#include <gtest/gtest.h>

namespace bentohost::reload {
namespace {

class SlotNamesTest : public testing::Test {
 protected:
  void plugin(const std::string& service) {
    ServiceSlot& slot = slots_.all.emplace_back();
    slot.service = service;
    slot.path = "lib" + service + ".so";
  }
  // --use SERVICE:NAME, or --use NAME
  void use(const std::string& name, const std::string& around = "") {
    ServiceSlot& slot = slots_.all.emplace_back();
    slot.options.is_around = true;
    slot.options.around = around;
    slot.options.name = slot.service = name;
    slot.path = "lib" + name + ".so";
  }
  std::string fault() const {
    const Status status = check_slot_names(slots_);
    EXPECT_EQ(status.code(), status.ok() ? BENTO_OK : BENTO_INVALID_ARGUMENT);
    return status.message();
  }

  ServiceSlots slots_;
};

TEST_F(SlotNamesTest, StandBesideEachOther) {
  plugin("iris");
  plugin("rose");
  use("gzip");
  use("cors", "rose");
  EXPECT_EQ(fault(), "");
}

TEST_F(SlotNamesTest, AreOfOneServiceEach) {
  plugin("iris");
  plugin("rose");
  plugin("iris");
  EXPECT_EQ(fault(),
            "two services are called iris: libiris.so by its own name, and libiris.so by its own "
            "name; give one another name: --plugin NAME=LIBRARY");
}

TEST_F(SlotNamesTest, SayWhoGaveThem) {
  plugin("iris");
  plugin("rose");
  slots_.all.back().options.instance = slots_.all.back().service = "iris";
  EXPECT_EQ(fault(),
            "two services are called iris: libiris.so by its own name, and librose.so by its "
            "--plugin; give one another name: --plugin NAME=LIBRARY");
}

TEST_F(SlotNamesTest, AreHeldAgainstThoseThatTheOperatorGaveBeforeAnyPluginWasAsked) {
  plugin("iris");
  ServiceSlot& named = slots_.all.emplace_back();
  named.options.library = "librose.so";
  named.options.instance = named.service = "iris";
  slots_.all.emplace_back();  // not asked yet
  EXPECT_EQ(check_name_is_free(slots_, slots_.all.front()).message(),
            "two services are called iris: libiris.so by its own name, and librose.so by its "
            "--plugin; give one another name: --plugin NAME=LIBRARY");
  slots_.all.front().service = "lily";
  EXPECT_TRUE(check_name_is_free(slots_, slots_.all.front()).ok());
}

TEST_F(SlotNamesTest, AreOfOneServiceEachAlsoWhereOneGoesAroundTheOther) {
  plugin("gzip");
  use("gzip");
  EXPECT_EQ(fault(),
            "two services are called gzip: libgzip.so by its own name, and libgzip.so by its own "
            "name; give one another name: --plugin NAME=LIBRARY");
}

TEST_F(SlotNamesTest, SayThatAUseIsGivenTwice) {
  plugin("iris");
  use("gzip");
  use("gzip");
  EXPECT_EQ(fault(), "--use gzip is given twice: it goes around each service, or one");
}

TEST_F(SlotNamesTest, SayThatAUseIsGivenTwiceAroundDifferentServicesToo) {
  plugin("iris");
  plugin("rose");
  use("gzip", "iris");
  use("gzip", "rose");
  EXPECT_EQ(fault(), "--use gzip is given twice: it goes around each service, or one");
}

TEST_F(SlotNamesTest, TellWhichServicesThereAreToGoAround) {
  plugin("iris");
  plugin("rose");
  use("gzip");
  use("cors", "gzip");
  EXPECT_EQ(fault(), "--use gzip:cors: there is no such service; here is iris, rose");
}

}  // namespace
}  // namespace bentohost::reload
