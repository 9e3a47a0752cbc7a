#include "executors/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>

#include "base/fd.h"
#include "base/process.h"
#include "base/strings.h"

namespace executors {

using base::concat;

namespace {

// Fields of /proc/<pid>/stat behind the name, by their place there.
enum StatField : uint8_t { kState = 0, kParent = 1, kGroup = 2, kSession = 3, kStartTime = 19 };

bool read_stat(const char* name, ProcessEntry* entry) {
  const base::Fd fd(open(concat("/proc/", name, "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return false;
  std::array<char, 1024> text;
  const ssize_t n = read(fd.get(), text.data(), text.size());
  return n > 0 && parse_stat({text.data(), static_cast<size_t>(n)}, entry);
}

bool contains(std::span<const ProcessEntry> entries, pid_t pid) {
  return std::ranges::find(entries, pid, &ProcessEntry::pid) != entries.end();
}

// Signals the very process that was found, not another one that has got its pid.
bool signal_entry(const ProcessEntry& entry, int signal) {
  const auto pidfd = base::open_pidfd(entry.pid);
  if (!pidfd) return false;
  const auto start_time = base::process_start_time(entry.pid);
  if (!start_time || *start_time != entry.start_time) return false;
  return base::send_signal(pidfd->get(), signal).has_value();
}

// Looking for them takes a system call, where looking through /proc takes three for each process of
// the host.
bool has_children() {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 || errno != ECHILD;
}

bool is_dead(const ProcessEntry& entry) { return entry.state == 'Z' || entry.state == 'X'; }

std::vector<ProcessEntry> living_tree(pid_t root, bool descendants_only) {
  const auto all = list_processes();
  auto tree = descendants_only ? descendants_of(all, root) : tree_of(all, root);
  std::erase_if(tree, is_dead);
  return tree;
}

}  // namespace

bool parse_stat(std::string_view text, ProcessEntry* entry) {
  // The name is in parentheses and may contain anything, so what counts begins at its end.
  const size_t name_end = text.rfind(')');
  const auto pid = base::parse_number<pid_t>(text.substr(0, text.find(' ')));
  if (!pid || name_end == std::string_view::npos || name_end + 2 > text.size()) return false;
  const auto fields = base::split(text.substr(name_end + 2), ' ');
  if (fields.size() <= kStartTime || fields[kState].empty()) return false;
  const auto parent = base::parse_number<pid_t>(fields[kParent]);
  const auto group = base::parse_number<pid_t>(fields[kGroup]);
  const auto session = base::parse_number<pid_t>(fields[kSession]);
  const auto start_time = base::parse_number<uint64_t>(fields[kStartTime]);
  if (!parent || !group || !session || !start_time) return false;
  *entry = {.pid = *pid,
            .parent = *parent,
            .group = *group,
            .session = *session,
            .state = fields[kState][0],
            .start_time = *start_time};
  return true;
}

std::vector<ProcessEntry> list_processes() {
  std::vector<ProcessEntry> entries;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc"), closedir);
  if (directory == nullptr) return entries;
  while (const dirent* file = readdir(directory.get())) {
    if (file->d_name[0] < '0' || file->d_name[0] > '9') continue;
    ProcessEntry entry;
    if (read_stat(file->d_name, &entry)) entries.push_back(entry);
  }
  return entries;
}

std::vector<ProcessEntry> tree_of(std::span<const ProcessEntry> all, pid_t root) {
  const pid_t self = getpid();
  std::vector<ProcessEntry> tree;
  std::vector<pid_t> groups{root};
  std::vector<pid_t> sessions{root};
  const auto belongs = [&](const ProcessEntry& entry) {
    return entry.pid == root || contains(tree, entry.parent) ||
           std::ranges::find(groups, entry.group) != groups.end() ||
           std::ranges::find(sessions, entry.session) != sessions.end();
  };
  const pid_t own_group = getpgrp();
  const pid_t own_session = getsid(0);
  for (bool grown = true; grown;) {
    grown = false;
    for (const ProcessEntry& entry : all) {
      if (entry.pid == self || contains(tree, entry.pid) || !belongs(entry)) continue;
      tree.push_back(entry);
      if (entry.group != own_group) groups.push_back(entry.group);
      if (entry.session != own_session) sessions.push_back(entry.session);
      grown = true;
    }
  }
  return tree;
}

std::vector<ProcessEntry> descendants_of(std::span<const ProcessEntry> all, pid_t root) {
  std::vector<ProcessEntry> found;
  for (bool grown = true; grown;) {
    grown = false;
    for (const ProcessEntry& entry : all) {
      if (entry.parent != root && !contains(found, entry.parent)) continue;
      if (entry.pid == root || contains(found, entry.pid)) continue;
      found.push_back(entry);
      grown = true;
    }
  }
  return found;
}

void signal_tree(pid_t root, int signal, bool descendants_only) {
  if (!has_children()) return;
  // What forks just before it is stopped is found the next time.
  std::vector<ProcessEntry> stopped;
  for (bool grown = true; grown;) {
    grown = false;
    for (const ProcessEntry& entry : living_tree(root, descendants_only)) {
      if (contains(stopped, entry.pid)) continue;
      signal_entry(entry, SIGSTOP);
      stopped.push_back(entry);
      grown = true;
    }
  }
  for (const ProcessEntry& entry : stopped) signal_entry(entry, signal);
  for (const ProcessEntry& entry : stopped) signal_entry(entry, SIGCONT);
}

}  // namespace executors
