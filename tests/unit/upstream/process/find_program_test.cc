#include "upstream/process/find_program.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace bentohost::upstream {
namespace {

TEST(InterpreterOfTest, IsThePythonOfTheFirstLine) {
  EXPECT_EQ(interpreter_of("#!/usr/bin/python3\nimport x"), "/usr/bin/python3");
  EXPECT_EQ(interpreter_of("#! /opt/v/bin/python3.11 -s\n"), "/opt/v/bin/python3.11");
  EXPECT_EQ(interpreter_of("#!/usr/bin/env python3\n"), "python3");
  EXPECT_EQ(interpreter_of("#!/usr/bin/env -S python3 -u\n"), "python3");
  EXPECT_EQ(interpreter_of("#!/opt/pypy/bin/pypy3"), "/opt/pypy/bin/pypy3");
  EXPECT_EQ(interpreter_of("#!/bin/sh\n'''exec' \"/a/long path/python\" \"$0\"\n"), "")
      << "a quoted path with a blank is not understood, and is not guessed";
  EXPECT_EQ(interpreter_of("#!/bin/sh\n'''exec' /long/bin/python3 \"$0\" \"$@\"\n' '''\n"),
            "/long/bin/python3");
  EXPECT_EQ(interpreter_of("#!/bin/sh\n'''exec' \"/long/bin/python3\" \"$0\" \"$@\"\n' '''\n"),
            "/long/bin/python3");
}

TEST(InterpreterOfTest, IsNoneOfAnotherScript) {
  EXPECT_EQ(interpreter_of("#!/usr/bin/env bash\nexec python3"), "");
  EXPECT_EQ(interpreter_of("#!/bin/sh\nexec /usr/bin/python3\n"), "");
  EXPECT_EQ(interpreter_of("\x7f"
                           "ELF"),
            "");
  EXPECT_EQ(interpreter_of(""), "");
  EXPECT_EQ(interpreter_of("#!"), "");
}

class FindProgramTest : public testing::Test {
 protected:
  FindProgramTest() {
    std::string name = testing::TempDir() + "/find-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~FindProgramTest() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text, mode_t mode = 0755) const {
    const std::string path = folder_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }

  std::string folder_;
};

TEST_F(FindProgramTest, LooksThroughPathForTheFirstThatCanBeExecuted) {
  write("a/tool", "", 0644);
  const std::string second = write("b/tool", "");
  write("c/tool", "");
  const std::string path = folder_ + "/none:" + folder_ + "/a:" + folder_ + "/b:" + folder_ + "/c";
  EXPECT_EQ(*find_program("tool", path, "/"), second);
  const Status status = find_program("other", path, "/").status();
  EXPECT_EQ(status.code(), BENTO_NOT_FOUND);
  EXPECT_EQ(status.message(), "there is no program \"other\" in its PATH (" + path + ")");
}

TEST_F(FindProgramTest, APathIsRelativeToTheFolder) {
  const std::string tool = write("bin/tool", "");
  EXPECT_EQ(*find_program("bin/tool", "", folder_), tool);
  EXPECT_EQ(*find_program(tool, "", "/"), tool);
  EXPECT_EQ(*find_program("tool", "/none:bin", folder_), tool) << "and so is a part of PATH";
  EXPECT_EQ(*find_program("tool", "", folder_ + "/bin"), tool) << "an empty part is the folder";
  EXPECT_EQ(find_program("./tool", "", folder_).status().message(),
            "there is no program at " + folder_ + "/./tool");
  EXPECT_FALSE(find_program("bin", folder_, "/").ok()) << "a folder is no program";
}

TEST_F(FindProgramTest, TheInterpreterIsThatOfTheAppsServer) {
  const std::string python = write("venv/python3", "");
  write("tools/uvicorn", "#!" + python + "\n");
  write("tools/flask", "#!/usr/bin/env bash\n");
  const std::string fallback = write("bin/python3", "");
  const std::string path = folder_ + "/tools:" + folder_ + "/bin";
  mount::AppSpec app;
  app.kind = mount::AppKind::kAsgi;
  EXPECT_EQ(*find_interpreter(app, path), python);
  app.kind = mount::AppKind::kWsgi;
  EXPECT_EQ(*find_interpreter(app, path), fallback) << "that flask is no Python script";
  app.interpreter = "venv/python3";
  app.folder = folder_;
  EXPECT_EQ(*find_interpreter(app, path), python) << "the option counts most";
  app.interpreter = "/none/python3";
  EXPECT_EQ(find_interpreter(app, path).status().message(), "there is no program at /none/python3");
}

}  // namespace
}  // namespace bentohost::upstream
