#include "runner/arenas.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/log.h"

namespace bentohost::runner {
namespace {

using Kind = ArenaMessage::Kind;

// At most this many messages are answered at once, so that a worker that floods the channel cannot
// block the loop.
constexpr int kMessagesPerEvent = 16;

// Rounded up by at most a quarter, so that values of nearly the same size use one arena.
std::size_t size_for(std::size_t bytes) {
  const std::size_t step = std::max<std::size_t>(std::bit_floor(bytes) / 4, 4096);
  return (bytes + step - 1) / step * step;
}

}  // namespace

struct ArenaSet::Arena {
  enum class Use {
    kFree,        // input: may be taken
    kInCall,      // input: of `batch`
    kWithWorker,  // output: to fill
    kInResult,    // output: somebody holds a claim
  };

  Arena(std::uint32_t n, Kind k, SharedMemory::Made made, const Deps& deps,
        prometheus::Gauge& shown)
      : number(n),
        kind(k),
        use(k == Kind::kInput ? Use::kFree : Use::kWithWorker),
        memory(std::move(made.memory)),
        fd(std::move(made.fd)),
        budget(deps.budget),
        gauge(shown) {
    gauge.Increment(static_cast<double>(memory.size()));
  }
  ~Arena() {
    // The worker may keep its mapping until it reads the next message, or for ever.
    empty_shared_memory(fd, memory.size());
    gauge.Decrement(static_cast<double>(memory.size()));
    budget->give_back(memory.size());
  }

  const std::uint32_t number;
  const Kind kind;
  Use use;
  bool was_used = true;  // since the last trim()
  TimePoint last_used{};
  std::uint64_t batch = 0;
  const SharedMemory memory;
  const UniqueFd fd;
  const std::shared_ptr<MemoryBudget> budget;
  prometheus::Gauge& gauge;
};

ArenaSet::ArenaSet(UniqueFd channel, Deps deps, observe::ArenaMetrics metrics)
    : deps_(std::move(deps)),
      metrics_(metrics),
      channel_(std::move(channel)),
      is_enabled_(static_cast<bool>(channel_)) {}

ArenaSet::~ArenaSet() = default;

// ---- arenas
// --------------------------------------------------------------------------------------

// The smallest free one that has room.
std::shared_ptr<ArenaSet::Arena> ArenaSet::find_input_locked(std::size_t bytes) {
  std::shared_ptr<Arena> best;
  for (const auto& [number, arena] : arenas_) {
    const bool fits = arena->use == Arena::Use::kFree && arena->memory.size() >= bytes;
    if (fits && (best == nullptr || arena->memory.size() < best->memory.size())) best = arena;
  }
  return best;
}

std::shared_ptr<ArenaSet::Arena> ArenaSet::make_locked(Kind kind, std::size_t bytes,
                                                       bool worker_is_idle) {
  if (!is_enabled_) {
    metrics_.refused->Increment();
    return nullptr;
  }
  const std::size_t size = size_for(bytes);
  if (!reserve_locked(size, worker_is_idle)) {
    metrics_.limit->Increment();
    return nullptr;
  }
  auto made = SharedMemory::create(size, *deps_.calls);
  if (!made.ok()) {
    deps_.budget->give_back(size);
    refused_locked(made.status().message());
    return nullptr;
  }
  auto arena =
      std::make_shared<Arena>(++last_number_, kind, *std::move(made), deps_, *metrics_.bytes);
  const ArenaMessage message{kind, arena->number, size};
  if (!send_with_fd(channel_.get(), message.view(), arena->fd.get(), *deps_.calls)) {
    refused_locked("its descriptor cannot be sent");
    return nullptr;
  }
  arenas_.emplace(arena->number, arena);
  return arena;
}

// Takes `bytes` from the budget, if need be by freeing arenas that nobody uses now.
bool ArenaSet::reserve_locked(std::size_t bytes, bool worker_is_idle) {
  for (;;) {
    if (arenas_.size() < kMaxArenas && deps_.budget->take(bytes)) return true;
    if (bytes > deps_.budget->max()) return false;
    const auto unused = std::find_if(arenas_.begin(), arenas_.end(), [&](const auto& entry) {
      const Arena::Use use = entry.second->use;
      return use == Arena::Use::kFree || (worker_is_idle && use == Arena::Use::kWithWorker);
    });
    if (unused == arenas_.end()) return false;
    (void)drop_locked(unused);
  }
}

void ArenaSet::refused_locked(const std::string& why) {
  metrics_.refused->Increment();
  if (std::exchange(has_warned_, true)) return;
  log_warning("large values of a runner go through its pipes, which is slower: " + why);
}

std::shared_ptr<ArenaSet::Arena> ArenaSet::drop_locked(Table::iterator at) {
  std::shared_ptr<Arena> arena = std::move(at->second);
  arenas_.erase(at);
  say_locked({Kind::kDrop, arena->number, 0});
  return arena;
}

// A worker that misses a message would be wrong about who may use an arena.
void ArenaSet::say_locked(const ArenaMessage& message) {
  if (is_enabled_ && !send_with_fd(channel_.get(), message.view(), -1, *deps_.calls))
    disable_locked();
}

// The descriptor stays open: the loop watches it. The worker sees the end of the channel.
void ArenaSet::disable_locked() {
  is_enabled_ = false;
  if (channel_) ::shutdown(channel_.get(), SHUT_RDWR);
}

void ArenaSet::disable() {
  const MutexLock lock(mutex_);
  disable_locked();
}

// ---- inputs
// --------------------------------------------------------------------------------------

ArenaSet::Input ArenaSet::take_input(std::uint64_t batch, std::size_t bytes) {
  if (deps_.budget == nullptr) return {};
  const MutexLock lock(mutex_);
  std::shared_ptr<Arena> arena = is_enabled_ ? find_input_locked(bytes) : nullptr;
  if (arena == nullptr) arena = make_locked(Kind::kInput, bytes, /*worker_is_idle=*/true);
  if (arena == nullptr) return {};
  arena->use = Arena::Use::kInCall;
  arena->batch = batch;
  arena->was_used = true;
  return {arena->number, arena->memory.data(), arena};
}

bool ArenaSet::end_batch(std::uint64_t batch) {
  bool had_any = false;
  const MutexLock lock(mutex_);
  for (const auto& [number, arena] : arenas_) {
    if (arena->use != Arena::Use::kInCall || arena->batch != batch) continue;
    arena->use = Arena::Use::kFree;
    had_any = true;
  }
  return had_any;
}

// ---- results
// -------------------------------------------------------------------------------------

const char* ArenaSet::claim_output(std::uint32_t number, std::uint64_t length, Claim& claim) {
  const char* data = nullptr;
  {
    const MutexLock lock(mutex_);
    const auto found = arenas_.find(number);
    if (found == arenas_.end()) return nullptr;
    Arena& arena = *found->second;
    if (arena.use != Arena::Use::kWithWorker || length > arena.memory.size()) return nullptr;
    arena.use = Arena::Use::kInResult;
    data = arena.memory.data();
  }
  // Without the lock: if there is no memory for a claim, this gives the arena back.
  claim =
      Claim(data, [self = shared_from_this(), number](const void*) { self->give_back(number); });
  return data;
}

void ArenaSet::give_back(std::uint32_t number) {
  std::shared_ptr<Arena> freed;
  const MutexLock lock(mutex_);
  const auto found = arenas_.find(number);
  if (is_closed_) {
    freed = std::move(found->second);
    arenas_.erase(found);
    return;
  }
  found->second->use = Arena::Use::kWithWorker;
  found->second->was_used = true;
  say_locked({Kind::kReturn, number, 0});
}

// ---- the channel
// ---------------------------------------------------------------------------------

int ArenaSet::channel() const {
  const MutexLock lock(mutex_);
  return channel_.get();
}

bool ArenaSet::answer(bool may_ask, std::string& bad) {
  const MutexLock lock(mutex_);
  for (int i = 0; i < kMessagesPerEvent; ++i) {
    ArenaMessage message;
    const Received received =
        receive_with_fd(channel_.get(), message.room(), /*waits=*/false, *deps_.calls);
    if (received.outcome == Received::Outcome::kNothingYet) return true;
    if (received.outcome == Received::Outcome::kEnd) {
      disable_locked();
      return false;
    }
    if (received.length != sizeof message || message.kind != Kind::kAsk || received.fd) {
      bad = "it sent what is no message about arenas";
      disable_locked();
      return false;
    }
    const bool may_have =
        may_ask && deps_.budget != nullptr && message.bytes > 0 && message.bytes <= wire::kMaxData;
    const std::size_t bytes = may_have ? static_cast<std::size_t>(message.bytes) : 0;
    if (!may_have || make_locked(Kind::kOutput, bytes, /*worker_is_idle=*/false) == nullptr)
      say_locked({Kind::kRefuse, 0, message.bytes});
  }
  return true;
}

// ---- time
// ----------------------------------------------------------------------------------------

bool ArenaSet::trim(TimePoint now, bool is_idle, Freed& freed) {
  const MutexLock lock(mutex_);
  for (auto it = arenas_.begin(); it != arenas_.end();) {
    const auto at = it++;
    Arena& arena = *at->second;
    if (std::exchange(arena.was_used, false)) arena.last_used = now;
    const bool may_be_freed =
        arena.use == Arena::Use::kFree || (is_idle && arena.use == Arena::Use::kWithWorker);
    if (may_be_freed && now - arena.last_used >= kIdle) freed.push_back(drop_locked(at));
  }
  return !arenas_.empty();
}

void ArenaSet::close() {
  Freed freed;
  const MutexLock lock(mutex_);
  is_closed_ = true;
  is_enabled_ = false;
  for (auto it = arenas_.begin(); it != arenas_.end();) {
    const auto at = it++;
    if (at->second->use == Arena::Use::kInResult) continue;
    freed.push_back(std::move(at->second));
    arenas_.erase(at);
  }
  channel_.reset();
}

}  // namespace bentohost::runner
