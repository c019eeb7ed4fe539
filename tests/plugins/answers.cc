// Simple answers and background tasks: the counterpart of the app in tests/e2e/starlette_app.py,
// for middleware to be around.
#include <bento/bento.hpp>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

// What the tasks did, in order.
class Record {
 public:
  void add(const std::string& name) {
    const std::lock_guard lock(mutex_);
    done_ += (done_.empty() ? "" : " ") + name;
  }
  std::string take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(done_, "");
  }
  void wait() {
    std::unique_lock lock(mutex_);
    released_.wait(lock, [this] { return is_released_; });
    is_released_ = false;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    is_released_ = true;
    released_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable released_;
  std::string done_;
  bool is_released_ = false;
};
Record record;

void run_task(const std::string& name) {
  if (name == "waits") record.wait();
  if (name == "fails") throw std::runtime_error("a task that fails");
  record.add(name);
}

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("answers").version("0.1").doc("Simple answers");

  svc.api("plain", {.route = "/plain/{bytes}", .method = "GET"}, [](bento::Context& ctx) {
    return std::string(std::stoul(std::string(ctx.path_param("bytes"))), 'x');
  });
  svc.api("streamed", {.route = "/streamed/{pieces}", .method = "GET"},
          [](bento::Context& ctx, bento::Stream& stream) {
            const int pieces = std::stoi(std::string(ctx.path_param("pieces")));
            stream.start(200, "text/plain; charset=utf-8");
            for (int i = 0; i < pieces; ++i) stream.send("piece " + std::to_string(i) + "\n");
          });
  svc.api("encoded", {.method = "GET"}, [](bento::Stream& stream) {
    stream.start(200, "text/plain; charset=utf-8", {{"Content-Encoding", "br"}});
    stream.end(std::string(1000, 'x'));
  });
  svc.api("varies", {.method = "GET"}, [](bento::Context& ctx) {
    ctx.add_header("Vary", "Accept");
    return std::string(1000, 'x');
  });
  // One task for each of the names, which have commas between.
  svc.api("tasks", {.route = "/tasks/{names}", .method = "GET"}, [](bento::Context& ctx) {
    bento::BackgroundTasks tasks;
    for (std::string_view rest = ctx.path_param("names"); !rest.empty();) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      tasks.add_task(run_task, std::string(rest.substr(0, comma)));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return bento::TaskResponse{std::string("accepted"), std::move(tasks)};
  });
  svc.api("done", {.method = "GET"}, [](bento::Context&) { return record.take(); });
  svc.api("release", {.method = "GET"}, [](bento::Context&) {
    record.release();
    return std::string();
  });
}
