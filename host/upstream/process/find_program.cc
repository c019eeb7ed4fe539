#include "upstream/process/find_program.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/unique_fd.h"

namespace bentohost::upstream {
namespace {

bool is_executable(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

std::string beginning_of(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> bytes;
  const ssize_t size = fd ? ::read(fd.get(), bytes.data(), bytes.size()) : 0;
  return size > 0 ? std::string(bytes.data(), static_cast<std::size_t>(size)) : std::string();
}

std::string_view take_word(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  line.remove_prefix(begin);
  const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

bool is_python(std::string_view program) {
  const std::string_view name = program.substr(program.rfind('/') + 1);
  return name.starts_with("python") || name.starts_with("pypy");
}

}  // namespace

Result<std::string> find_program(const std::string& name, const std::string& path,
                                 const std::string& folder) {
  if (name.find('/') != std::string::npos) {
    std::string file = name.starts_with('/') ? name : folder + "/" + name;
    if (is_executable(file)) return file;
    return Status(BENTO_NOT_FOUND, "there is no program at " + file);
  }
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    std::string file = path.substr(begin, end - begin);
    if (!file.starts_with('/')) file = folder + (file.empty() ? "" : "/") + file;
    file += "/" + name;
    if (is_executable(file)) return file;
    begin = end + 1;
  }
  return Status(BENTO_NOT_FOUND, "there is no program \"" + name + "\" in its PATH (" + path + ")");
}

std::string interpreter_of(std::string_view script) {
  std::string_view line = take_line(script);
  if (!line.starts_with("#!")) return {};
  line.remove_prefix(2);
  std::string_view program = take_word(line);
  if (program.ends_with("/env")) {
    program = take_word(line);
    if (program == "-S") program = take_word(line);
  } else if (program.ends_with("/sh")) {
    std::string_view second = take_line(script);
    if (take_word(second) != "'''exec'") return {};
    program = take_word(second);
    if (program.size() > 2 && program.front() == '"' && program.back() == '"') {
      program = program.substr(1, program.size() - 2);
    }
  }
  return is_python(program) ? std::string(program) : std::string();
}

Result<std::string> find_interpreter(const mount::AppSpec& app, const std::string& path) {
  if (!app.interpreter.empty()) return find_program(app.interpreter, path, app.folder);
  const std::vector<std::string> servers =
      app.kind == mount::AppKind::kAsgi   ? std::vector<std::string>{"uvicorn"}
      : app.kind == mount::AppKind::kWsgi ? std::vector<std::string>{"flask", "gunicorn"}
                                          : std::vector<std::string>{"gunicorn"};
  for (const std::string& server : servers) {
    const auto script = find_program(server, path, app.folder);
    if (!script.ok()) continue;
    const std::string name = interpreter_of(beginning_of(*script));
    if (name.empty()) continue;
    if (auto found = find_program(name, path, app.folder); found.ok()) return found;
  }
  return find_program("python3", path, app.folder);
}

}  // namespace bentohost::upstream
