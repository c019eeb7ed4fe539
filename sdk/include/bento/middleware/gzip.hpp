// GZip: compresses answers for clients that accept it, whole and streamed ones; of the latter each
// piece is flushed as it comes. As Starlette's GZipMiddleware, but that it
// - reads Accept-Encoding as RFC 9110 12.5.3 has it, with its weights;
// - leaves alone answers that are encoded or compressed already, ranges, no-transform, and events,
//   which a proxy may hold back to have more of them;
// - says Vary: Accept-Encoding also where the client did not accept it.
// Needs zlib.
//
// Its hooks are const, and any number of threads may call them at once. The constructor throws
// Error for options that it cannot use.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <bento/detail/header_fields.hpp>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/middleware.hpp>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento::middleware {

struct GZipOptions {
  std::size_t minimum_size = 500;  // bytes; a shorter whole answer stays as it is
  // 1: fast, 9: small. Starlette's is 9, which takes several times the CPU for a few per cent less.
  int compresslevel = 6;
  // "text/*", "application/json", "*+json", "*/*". Events only if it has "text/event-stream".
  std::vector<std::string> media_types = {"text/*",
                                          "*+json",
                                          "*+xml",
                                          "application/json",
                                          "application/javascript",
                                          "application/xml",
                                          "application/x-ndjson",
                                          "application/wasm"};
};

class GZip {
 public:
  static constexpr const char* kName = "gzip";

  // The compressed stream of one answer: its zlib state, if it has one.
  class State {
   public:
    State() = default;
    State(const State&) = delete;
    ~State() {
      if (stream_) deflateEnd(stream_.get());
    }

    bool is_open() const { return stream_ != nullptr; }
    void open(int level) {
      constexpr int kGzipWindow = 15 + 16, kMemory = 8;  // zlib.h's defaults, and a gzip header
      auto stream = std::make_unique<z_stream>();
      if (deflateInit2(stream.get(), level, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) !=
          Z_OK) {
        throw Error(BENTO_RESOURCE_EXHAUSTED, "out of memory for a gzip stream");
      }
      stream_ = std::move(stream);
    }
    // What goes out for this piece.
    std::string compress(std::string_view piece, bool is_last) {
      std::string out;
      if (piece.empty() && !is_last) return out;  // nothing to flush
      std::size_t used = 0;
      do {
        const std::size_t taken = std::min(piece.size(), kChunk);
        stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
        stream_->avail_in = static_cast<uInt>(taken);
        piece.remove_prefix(taken);
        const int flush = !piece.empty() ? Z_NO_FLUSH : is_last ? Z_FINISH : Z_SYNC_FLUSH;
        do {
          out.resize(used + deflateBound(stream_.get(), stream_->avail_in) + kFlushed);
          stream_->next_out = reinterpret_cast<Bytef*>(out.data()) + used;
          stream_->avail_out = static_cast<uInt>(out.size() - used);
          deflate(stream_.get(), flush);
          used = out.size() - stream_->avail_out;
        } while (stream_->avail_out == 0);  // zlib.h: then there is more
      } while (!piece.empty());
      out.resize(used);
      return out;
    }

   private:
    static constexpr std::size_t kChunk = std::size_t{1} << 30;  // avail_in is an unsigned int
    static constexpr std::size_t kFlushed = 16;                  // more than a sync flush adds
    std::unique_ptr<z_stream> stream_;  // by pointer: zlib keeps its address
  };

  explicit GZip(GZipOptions options = {}) : options_(std::move(options)) {
    if (options_.compresslevel < 1 || options_.compresslevel > 9) {
      throw Error(BENTO_INVALID_ARGUMENT, "compresslevel must be from 1 to 9");
    }
    for (std::string& type : options_.media_types) {
      type = bento::detail::lower(type);
      if (type.find('/') == std::string::npos && !type.starts_with("*+")) {
        throw Error(BENTO_INVALID_ARGUMENT,
                    "media_types: \"" + type +
                        "\" is not a media type: write \"text/html\", \"text/*\", "
                        "\"*+json\" or \"*/*\"");
      }
    }
  }

  void on_response(Outgoing& response, State& state) const {
    const bool is_accepted = accepts_gzip(response);
    if (response.status() == 304 && is_accepted) {  // stands for an answer that may be compressed
      response.add_vary("Accept-Encoding");
      weaken_etag(response);
    }
    if (!is_eligible(response)) return;
    response.add_vary("Accept-Encoding");
    if (!is_accepted) return;
    if (response.method() == "HEAD" && response.body().empty()) {
      response.remove_header("Content-Length");  // that of the answer to GET is not known
      return;
    }
    response.set_header("Content-Encoding", "gzip");
    response.remove_header("Content-Length");
    response.remove_header("Accept-Ranges");  // those are of the answer as it was
    weaken_etag(response);
    state.open(options_.compresslevel);
    on_body(response, state);
  }
  void on_body(Outgoing& response, State& state) const {
    if (state.is_open()) response.set_body(state.compress(response.body(), response.is_last()));
  }

 private:
  // Whether this answer is compressed for who accepts it.
  bool is_eligible(const Outgoing& response) const {
    const std::uint32_t status = response.status();
    // No content, or a part of one whose length and ranges are told (RFC 9110 15.3.7).
    if (status < 200 || status == 204 || status == 205 || status == 206 || status == 304) {
      return false;
    }
    if (response.header("content-encoding") || response.header("content-range")) return false;
    if (response.is_last() && size_of(response) < options_.minimum_size) return false;
    for (std::size_t i = 0; auto list = response.header("cache-control", i); ++i) {
      for (std::string_view rest = *list; !rest.empty();) {
        const auto item = bento::detail::trimmed(bento::detail::cut(rest, ','));
        if (bento::detail::same_name(item, "no-transform")) return false;
      }
    }
    std::string_view type = response.header("content-type").value_or("");
    return is_listed(bento::detail::lower(bento::detail::trimmed(bento::detail::cut(type, ';'))));
  }
  // Of a whole answer; one to HEAD may say it in the place of having it.
  static std::size_t size_of(const Outgoing& response) {
    const auto told = response.header("content-length");
    if (response.method() != "HEAD" || !response.body().empty() || !told) {
      return response.body().size();
    }
    std::size_t size = 0;
    std::from_chars(told->data(), told->data() + told->size(), size);
    return size;
  }
  bool is_listed(std::string_view type) const {
    const std::size_t slash = type.find('/');
    const std::size_t plus = type.rfind('+');
    if (slash == std::string_view::npos) return false;
    return std::any_of(
        options_.media_types.begin(), options_.media_types.end(), [&](std::string_view listed) {
          if (listed == type) return true;
          if (type == "text/event-stream") return false;
          if (listed.starts_with("*+")) {
            return plus != std::string_view::npos && listed.substr(1) == type.substr(plus);
          }
          return listed == "*/*" ||
                 (listed.ends_with("/*") && type.starts_with(listed.substr(0, listed.size() - 1)));
        });
  }

  // A strong ETag is that of other bytes (RFC 9110 8.8.3.3).
  static void weaken_etag(Outgoing& response) {
    const auto etag = response.header("etag");
    if (etag && etag->starts_with('"')) response.set_header("ETag", "W/" + std::string(*etag));
  }

  // In thousandths (RFC 9110 12.4.2); nothing of one that is malformed.
  static std::optional<int> weight(std::string_view parameters) {
    const std::string_view text = bento::detail::trimmed(parameters);
    if (text.empty()) return 1000;
    if (text.size() < 3 || bento::detail::lower(text[0]) != 'q' || text[1] != '=') {
      return std::nullopt;
    }
    const std::string_view digits = text.substr(2);
    if (digits.size() > 5 || (digits.size() > 1 && digits[1] != '.')) return std::nullopt;
    int all = 0, unit = 1000;
    for (std::size_t i = 0; i < digits.size(); i += i == 0 ? 2 : 1, unit /= 10) {
      if (digits[i] < '0' || digits[i] > '9') return std::nullopt;
      all += (digits[i] - '0') * unit;
    }
    if (all > 1000) return std::nullopt;
    return all;
  }
  // Whether gzip is acceptable, and no less welcome than the answer as it is (RFC 9110 12.5.3).
  static bool accepts_gzip(const Outgoing& response) {
    std::optional<int> gzip, any;
    int identity = 0;
    const bento_pairs headers = response.scope().headers;
    for (std::size_t i = 0; i < headers.len; ++i) {
      if (bento::detail::view(headers.ptr[i].name) != "accept-encoding") continue;
      for (std::string_view rest = bento::detail::view(headers.ptr[i].value); !rest.empty();) {
        std::string_view item = bento::detail::cut(rest, ',');
        const auto coding = bento::detail::trimmed(bento::detail::cut(item, ';'));
        const std::optional<int> q = weight(item);
        if (!q) continue;
        if (bento::detail::same_name(coding, "gzip") ||
            bento::detail::same_name(coding, "x-gzip")) {
          gzip = std::max(gzip.value_or(0), *q);
        } else if (coding == "*") {
          any = *q;
        } else if (bento::detail::same_name(coding, "identity")) {
          identity = *q;
        }
      }
    }
    const int q = gzip.value_or(any.value_or(0));
    return q > 0 && q >= identity;
  }

  GZipOptions options_;
};

}  // namespace bento::middleware
