// Trees of processes, found in /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace executors {

struct ProcessEntry {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  char state = 0;           // as in /proc/<pid>/stat: 'Z' is a zombie
  uint64_t start_time = 0;  // in clock ticks since boot
};

// Takes the content of /proc/<pid>/stat apart. False if it is none.
bool parse_stat(std::string_view text, ProcessEntry* entry);

// All processes that can be seen.
std::vector<ProcessEntry> list_processes();

// Of `all`, the process `root`, the leader of a session, and what it has begotten: descendants,
// whoever is in a session or group with one of them, and the descendants of those. Never ourselves,
// nor all of our own group and session.
std::vector<ProcessEntry> tree_of(std::span<const ProcessEntry> all, pid_t root);

// Of `all`, the descendants of `root`, without itself.
std::vector<ProcessEntry> descendants_of(std::span<const ProcessEntry> all, pid_t root);

// Stops the tree of `root`, so that nothing in it can fork away, sends everything in it the signal
// and lets it go on. With `descendants_only` it is what `root` has below it. What has ended
// meanwhile, or may not be signalled, is passed over. For trees of this process's children only.
void signal_tree(pid_t root, int signal, bool descendants_only = false);

}  // namespace executors
