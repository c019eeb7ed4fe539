#include "upstream/process/start_message.h"

#include <cstring>
#include <utility>

namespace bentohost::upstream {
namespace {

void append_number(std::string& out, std::uint64_t number) {
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  out.append(bytes, sizeof bytes);
}

bool take_number(std::string_view& bytes, std::uint64_t& number) {
  if (bytes.size() < sizeof number) return false;
  std::memcpy(&number, bytes.data(), sizeof number);
  bytes.remove_prefix(sizeof number);
  return true;
}

bool take_text(std::string_view& bytes, std::string& text) {
  const std::size_t end = bytes.find('\0');
  if (end == std::string_view::npos) return false;
  text = bytes.substr(0, end);
  bytes.remove_prefix(end + 1);
  return true;
}

bool take_texts(std::string_view& bytes, std::uint64_t count, std::vector<std::string>& texts) {
  if (count > bytes.size()) return false;  // each has its NUL
  texts.resize(count);
  for (std::string& text : texts) {
    if (!take_text(bytes, text)) return false;
  }
  return true;
}

}  // namespace

Result<std::string> encode(const StartMessage& message) {
  std::string body;
  append_number(body, static_cast<std::uint64_t>(message.grace.count()));
  append_number(body, message.arguments.size());
  append_number(body, message.environment.size());
  const std::vector<std::string> single = {message.program, message.folder, message.socket};
  for (const auto* texts : {&single, &message.arguments, &message.environment}) {
    for (const std::string& text : *texts) {
      if (text.find('\0') != std::string::npos) {
        return Status(BENTO_INVALID_ARGUMENT,
                      "a NUL character in a program's argument, variable or folder: \"" +
                          text.substr(0, text.find('\0')) + "\"...");
      }
      body.append(text).push_back('\0');
    }
  }
  const auto size = static_cast<std::uint32_t>(body.size());
  char prefix[sizeof size];
  std::memcpy(prefix, &size, sizeof size);
  return std::string(prefix, sizeof prefix) + body;
}

Result<StartMessage> decode_start_message(std::string_view bytes) {
  StartMessage message;
  std::uint64_t grace = 0, arguments = 0, variables = 0;
  const bool is_whole = take_number(bytes, grace) && take_number(bytes, arguments) &&
                        take_number(bytes, variables) && take_text(bytes, message.program) &&
                        take_text(bytes, message.folder) && take_text(bytes, message.socket) &&
                        take_texts(bytes, arguments, message.arguments) &&
                        take_texts(bytes, variables, message.environment) && bytes.empty();
  if (!is_whole) return Status(BENTO_INVALID_ARGUMENT, "this is no start message");
  message.grace = Duration(static_cast<Duration::rep>(grace));
  return message;
}

}  // namespace bentohost::upstream
