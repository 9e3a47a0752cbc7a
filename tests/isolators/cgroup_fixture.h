// A cgroup hierarchy out of plain files, so that what is written and read is tested without root.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <initializer_list>
#include <string>

#include "base/cgroup.h"
#include "base/files.h"
#include "base/strings.h"
#include "tests/scratch.h"

namespace tests {

class CgroupFixture {
 public:
  explicit CgroupFixture(const std::string& controller) : controller_(controller) {}

  base::CgroupHierarchy open() const {
    return base::CgroupHierarchy::at(controller_, scratch_.path()).value();
  }

  // A group with control files, as the kernel makes them with the group; empty here, so that what
  // is read from one afterwards is what was written to it, and nothing if it was left alone.
  void make_group(const std::string& path, std::initializer_list<const char*> files = {}) const {
    EXPECT_TRUE(base::make_directories(scratch_ / path));
    for (const char* file : files) set(path, file, "");
  }
  void set(const std::string& path, const char* file, std::string_view content) const {
    EXPECT_TRUE(base::write_file(name(path, file), content));
  }

  void unset(const std::string& path, const char* file) const {
    (void)unlink(name(path, file).c_str());
  }

  std::string get(const std::string& path, const char* file) const {
    auto content = base::read_file(name(path, file));
    return content ? *content : content.error().message;
  }

  bool has(const std::string& path) const { return base::path_exists(scratch_ / path); }
  const std::string& directory() const { return scratch_.path(); }

 private:
  std::string name(const std::string& path, const char* file) const {
    return base::concat(scratch_ / path, "/", file);
  }

  const std::string controller_;
  const ScratchDirectory scratch_;
};

}  // namespace tests
