#include "mount/app_name.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace bentohost::mount {
namespace {

Status invalid(std::string message) { return Status(BENTO_INVALID_ARGUMENT, std::move(message)); }

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Python allows letters of all scripts; they are bytes from 0x80 on here.
bool is_word(char c) {
  return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_identifier(std::string_view text) {
  return !text.empty() && !is_digit(text[0]) && std::all_of(text.begin(), text.end(), is_word);
}

Status check_dotted(std::string_view what, std::string_view path) {
  for (std::string_view rest = path;;) {
    const std::size_t dot = std::min(rest.find('.'), rest.size());
    const std::string_view name = rest.substr(0, dot);
    if (name.empty())
      return invalid("its " + std::string(what) + " " + quoted(path) + " has an empty name");
    if (!is_identifier(name)) {
      return invalid("its " + std::string(what) + " " + quoted(path) + " has " + quoted(name) +
                     " in it, which is no name of Python");
    }
    if (dot == rest.size()) return {};
    rest.remove_prefix(dot + 1);
  }
}

// Reads the arguments of a call, behind its '('.
class Arguments {
 public:
  explicit Arguments(std::string_view text) : rest_(text) {}

  // Up to and with the ')', which has to be the end.
  Status check(bool& any) {
    for (any = false; !take(')'); any = true) {
      if (any && !take(',')) return fault("a comma or a closing parenthesis");
      if (any && take(')')) break;  // Python allows a comma at the end
      if (Status status = argument(); !status.ok()) return status;
    }
    skip_blanks();
    return rest_.empty() ? Status() : fault("nothing behind the closing parenthesis");
  }

 private:
  Status fault(std::string_view expected) const {
    return invalid("its arguments: expected " + std::string(expected) +
                   (rest_.empty() ? " at the end" : " at " + quoted(rest_)));
  }
  void skip_blanks() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size()));
  }
  bool take(char c) {
    skip_blanks();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  Status argument() {
    skip_blanks();
    const std::string_view start = rest_;
    const std::string_view name = word();
    if (is_identifier(name) && take('=')) {
      skip_blanks();
    } else {
      rest_ = start;
    }
    return literal() ? Status() : fault("a text, a number, True, False or None");
  }
  std::string_view word() {
    std::size_t end = 0;
    while (end < rest_.size() && is_word(rest_[end])) ++end;
    return std::exchange(rest_, rest_.substr(end)).substr(0, end);
  }
  bool literal() {
    if (rest_.starts_with('\'') || rest_.starts_with('"')) return text();
    if (rest_.starts_with('-') || (!rest_.empty() && is_digit(rest_[0]))) return number();
    const std::string_view start = rest_;
    const std::string_view name = word();
    if (name == "True" || name == "False" || name == "None") return true;
    rest_ = start;
    return false;
  }
  bool text() {
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (static_cast<unsigned char>(rest_[i]) < ' ') return false;
      if (rest_[i] == '\\') {
        ++i;
      } else if (rest_[i] == rest_[0]) {
        rest_.remove_prefix(i + 1);
        return true;
      }
    }
    return false;
  }
  bool number() {
    const std::size_t sign = rest_.starts_with('-') ? 1 : 0;
    const std::string_view digits = rest_.substr(sign);
    if (digits.empty() || !is_digit(digits[0])) return false;
    if (digits.size() > 1 && digits[0] == '0' && is_digit(digits[1])) return false;  // not Python's
    double value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const auto size = static_cast<std::size_t>(end - digits.data());
    if (error != std::errc() || (size < digits.size() && is_word(digits[size]))) return false;
    rest_.remove_prefix(sign + size);
    return true;
  }

  std::string_view rest_;
};

Status check_call(AppKind kind, std::string_view arguments) {
  bool any = false;
  if (Status status = Arguments(arguments).check(any); !status.ok()) return status;
  if (any && kind == AppKind::kAsgi) {
    return invalid("an ASGI factory is called without arguments: expected ()");
  }
  return {};
}

}  // namespace

Status check_app_name(AppKind kind, std::string_view name) {
  const std::size_t colon = name.find(':');
  if (colon == name.npos || colon == 0 || colon + 1 == name.size()) {
    return invalid("its app is " + quoted(name) +
                   "; expected MODULE:APP, such as web:app or web:create_app()");
  }
  const std::string_view app = name.substr(colon + 1);
  const std::size_t call = std::min(app.find('('), app.size());
  if (Status status = check_dotted("module", name.substr(0, colon)); !status.ok()) return status;
  if (Status status = check_dotted("app", app.substr(0, call)); !status.ok()) return status;
  if (kind == AppKind::kWsgiGunicorn && app.substr(0, call).find('.') != app.npos) {
    return invalid("its app " + quoted(app) +
                   " is an attribute, which gunicorn does not take; name " + "it in the module");
  }
  return call == app.size() ? Status() : check_call(kind, app.substr(call + 1));
}

}  // namespace bentohost::mount
