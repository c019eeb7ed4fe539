// OutputSink: the bento_sink that a runner method or an API writes its results to. It owns the
// results. One thread.
#pragma once

#include <bento/abi.h>

#include <deque>
#include <span>
#include <vector>

#include "wire/value.h"

namespace bentohost::runner {

class OutputSink {
 public:
  OutputSink();
  OutputSink(const OutputSink&) = delete;
  OutputSink& operator=(const OutputSink&) = delete;

  bento_sink* get() { return &table_.sink; }
  const std::deque<wire::Value>& values() const { return values_; }
  std::vector<bento_value> views() const;
  void clear() { values_.clear(); }

 private:
  struct Table {
    bento_sink sink;  // first: has the table's address
    OutputSink* owner;
  };
  static void* tensor(bento_sink* sink, bento_str name, std::uint32_t dtype, std::uint32_t ndim,
                      const std::int64_t* shape, bento_error* error);
  static bento_code value(bento_sink* sink, const bento_value* copied, bento_error* error);
  static bento_code give(bento_sink* sink, const bento_value* value, void* owner,
                         void (*release)(void* owner), bento_error* error);

  Table table_{};
  std::deque<wire::Value> values_;  // a deque: memory that tensor() returned must not move
};

}  // namespace bentohost::runner
