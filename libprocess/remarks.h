// What the log has been told of each address.
#pragma once

#include <map>
#include <string>

#include "libprocess/upid.h"

namespace libprocess {

// Who is tried again and again is complained about once for each change of the cause.
class Remarks {
 public:
  // Whether this is not what was last remarked on the address; it is from here on.
  bool is_new(const Address& address, const std::string& text) {
    const auto found = last_.find(address);
    if (found != last_.end() && found->second == text) return false;
    // Addresses come and go with executors and schedulers. That a few complaints are repeated
    // matters less than that this grows for ever.
    if (found == last_.end() && last_.size() >= kMost) last_.clear();
    last_[address] = text;
    return true;
  }

  // All is well there: the same would be new again.
  void forget(const Address& address) { last_.erase(address); }

 private:
  static constexpr size_t kMost = 4096;
  std::map<Address, std::string> last_;
};

}  // namespace libprocess
