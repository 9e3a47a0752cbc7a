#include "isolators/launch_spec.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "isolators/launch_spec_format.h"

namespace {

using isolators::decode_launch_spec;
using isolators::encode_launch_spec;
using isolators::kLaunchSpecHeaderSize;
using isolators::kMaxLaunchSpecSize;
using isolators::launch_spec_size;
using isolators::LaunchSpec;
using isolators::LaunchSpecView;

// A message decoded in memory of exactly the sizes that are asked for, so that a sanitizer sees any
// byte beyond.
class Decoded {
 public:
  explicit Decoded(std::string_view message)
      : buffer_(std::make_unique<char[]>(message.size())),
        room_(std::make_unique<char[]>(isolators::launch_spec_room(message.size()))),
        view_() {
    std::memcpy(buffer_.get(), message.data(), message.size());
    ok_ = decode_launch_spec(buffer_.get(), message.size(), room_.get(), &view_);
  }

  bool ok() const { return ok_; }
  const LaunchSpecView* operator->() const { return &view_; }

  // Back to what it was encoded from.
  LaunchSpec spec() const {
    LaunchSpec spec;
    spec.controlling_terminal = view_.controlling_terminal;
    spec.detach_mounts = view_.detach_mounts;
    for (uint32_t i = 0; i < view_.mount_count; ++i) {
      const auto& mount = view_.mounts[i];
      spec.mounts.push_back({mount.source, mount.target, mount.type, mount.options, mount.flags});
    }
    spec.working_directory = view_.working_directory;
    if (view_.has_credentials) {
      spec.credentials.emplace();
      spec.credentials->uid = view_.uid;
      spec.credentials->gid = view_.gid;
      spec.credentials->groups.assign(view_.groups, view_.groups + view_.group_count);
    }
    spec.executable = view_.executable;
    for (char** at = view_.arguments; *at != nullptr; ++at) spec.arguments.emplace_back(*at);
    for (char** at = view_.environment; *at != nullptr; ++at) spec.environment.emplace_back(*at);
    return spec;
  }

 private:
  std::unique_ptr<char[]> buffer_;
  std::unique_ptr<char[]> room_;
  LaunchSpecView view_;
  bool ok_ = false;
};

LaunchSpec full_spec() {
  LaunchSpec spec;
  spec.controlling_terminal = true;
  spec.detach_mounts = true;
  spec.mounts = {{"proc", "/proc", "proc", "", 0xe},
                 {"/from", "/to", "", "mode=755,size=1", ~uint64_t{0}}};
  spec.working_directory = "/sandbox";
  spec.credentials = {.uid = 1000, .gid = 100, .groups = {100, 4, 4'000'000'000U}};
  spec.executable = "sh";
  spec.arguments = {"sh", "-c", "echo \u00e9\n", ""};
  spec.environment = {"A=b", "PATH=/bin", "EMPTY="};
  return spec;
}

std::string with_size(std::string message) {
  const auto size = static_cast<uint32_t>(message.size());
  std::memcpy(message.data() + sizeof(uint32_t), &size, sizeof(size));
  return message;
}

TEST(LaunchSpec, RoundTrip) {
  std::vector<LaunchSpec> specs;
  specs.push_back(full_spec());
  specs.emplace_back();
  specs.emplace_back().credentials.emplace();  // root, and no groups
  specs.emplace_back().controlling_terminal = true;
  specs.emplace_back().detach_mounts = true;
  specs.emplace_back().arguments.assign(10'000, "x");
  specs.emplace_back().environment.assign(3, std::string(200'000, 'y'));
  for (const auto& spec : specs) {
    const std::string message = encode_launch_spec(spec);
    EXPECT_EQ(message.size(), launch_spec_size(message.data()));
    Decoded decoded(message);
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(spec.credentials.has_value(), decoded->has_credentials);
    EXPECT_EQ(spec.mounts.size(), decoded->mount_count);
    // What was decoded encodes to the same bytes.
    EXPECT_EQ(message, encode_launch_spec(decoded.spec()));
  }
}

// What the launcher acts on is not the helper's business.
TEST(LaunchSpec, NamespacesStayWithTheLauncher) {
  LaunchSpec spec;
  const std::string without = encode_launch_spec(spec);
  spec.clone_namespaces = 1;
  spec.enter_namespaces = 2;
  EXPECT_EQ(without, encode_launch_spec(spec));
}

TEST(LaunchSpec, ArraysEndWithNull) {
  Decoded decoded(encode_launch_spec(LaunchSpec{}));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(nullptr, decoded->arguments[0]);
  EXPECT_EQ(nullptr, decoded->environment[0]);
  EXPECT_STREQ("", decoded->executable);
  EXPECT_STREQ("", decoded->working_directory);
}

TEST(LaunchSpec, EveryTruncationIsRefused) {
  const std::string message = encode_launch_spec(full_spec());
  for (size_t size = 0; size < message.size(); ++size) {
    // The size in the header is wrong, or right and the content is cut.
    EXPECT_FALSE(Decoded(message.substr(0, size)).ok()) << size;
    if (size >= kLaunchSpecHeaderSize) {
      EXPECT_FALSE(Decoded(with_size(message.substr(0, size))).ok()) << size;
    }
  }
}

TEST(LaunchSpec, WhatFollowsTheEndIsRefused) {
  const std::string message = encode_launch_spec(full_spec());
  EXPECT_FALSE(Decoded(message + "x").ok());
  EXPECT_FALSE(Decoded(with_size(message + "x")).ok());
  EXPECT_FALSE(Decoded(with_size(message + message)).ok());
}

// A flipped bit may well make another valid message; it must never make the decoder read or write
// where it should not.
TEST(LaunchSpec, EveryFlippedBitIsHarmless) {
  const std::string message = encode_launch_spec(full_spec());
  for (size_t bit = 0; bit < message.size() * 8; ++bit) {
    std::string flipped = message;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    Decoded decoded(flipped);
    if (decoded.ok()) (void)decoded.spec();
  }
}

TEST(LaunchSpec, RandomBytesAreHarmless) {
  std::mt19937 random(1);  // the same bytes in every run
  std::uniform_int_distribution<int> byte(0, 255);
  std::uniform_int_distribution<size_t> length(0, 200);
  const std::string header = encode_launch_spec(LaunchSpec{}).substr(0, kLaunchSpecHeaderSize);
  for (int i = 0; i < 5'000; ++i) {
    std::string message = header;
    for (size_t left = length(random); left > 0; --left) {
      // Small numbers, as counts and lengths are, come more often.
      message += static_cast<char>(byte(random) & byte(random) & byte(random));
    }
    Decoded decoded(with_size(message));
    if (decoded.ok()) (void)decoded.spec();
  }
}

// Every 32-bit word in turn becomes a count or length that cannot be true.
TEST(LaunchSpec, AbsurdCountsAndLengths) {
  const std::string message = encode_launch_spec(full_spec());
  for (const uint32_t absurd : {0x7fffffffU, 0x80000000U, 0xffffffffU, 0xfffffffeU, 0x10000000U,
                                static_cast<uint32_t>(message.size())}) {
    for (size_t at = kLaunchSpecHeaderSize; at + sizeof(absurd) <= message.size(); ++at) {
      std::string broken = message;
      std::memcpy(broken.data() + at, &absurd, sizeof(absurd));
      Decoded decoded(broken);
      if (decoded.ok()) (void)decoded.spec();
    }
  }
  // Of mounts: the first word after the bits.
  std::string mounts = message;
  const uint32_t count = 0xffffffffU;
  std::memcpy(mounts.data() + kLaunchSpecHeaderSize + sizeof(uint32_t), &count, sizeof(count));
  EXPECT_FALSE(Decoded(mounts).ok());
}

TEST(LaunchSpec, StringsWithNulBytesAreRefused) {
  const std::string nul("/bin/tr\0ue", 10);
  LaunchSpec executable;
  executable.executable = nul;
  EXPECT_FALSE(Decoded(encode_launch_spec(executable)).ok());
  LaunchSpec arguments;
  arguments.arguments = {"a", nul};
  EXPECT_FALSE(Decoded(encode_launch_spec(arguments)).ok());
  LaunchSpec directory;
  directory.working_directory = nul;
  EXPECT_FALSE(Decoded(encode_launch_spec(directory)).ok());
}

TEST(LaunchSpec, StringsMustEndWithNul) {
  LaunchSpec spec;
  spec.executable = "unmistakable";
  std::string message = encode_launch_spec(spec);
  const size_t end = message.find(spec.executable) + spec.executable.size();
  ASSERT_EQ('\0', message[end]);
  message[end] = 'x';
  EXPECT_FALSE(Decoded(message).ok());
}

TEST(LaunchSpec, HeaderTellsTheSize) {
  const auto header = [](uint32_t magic, uint32_t size) {
    std::string text(kLaunchSpecHeaderSize, '\0');
    std::memcpy(text.data(), &magic, sizeof(magic));
    std::memcpy(text.data() + sizeof(magic), &size, sizeof(size));
    return text;
  };
  constexpr uint32_t kMagic = isolators::internal::kLaunchSpecMagic;
  EXPECT_EQ(100U, launch_spec_size(header(kMagic, 100).data()));
  EXPECT_EQ(kMaxLaunchSpecSize, launch_spec_size(header(kMagic, kMaxLaunchSpecSize).data()));
  EXPECT_EQ(0U, launch_spec_size(header(kMagic, kMaxLaunchSpecSize + 1).data()));
  EXPECT_EQ(0U, launch_spec_size(header(kMagic, kLaunchSpecHeaderSize - 1).data()));
  EXPECT_EQ(0U, launch_spec_size(header(kMagic, 0).data()));
  EXPECT_EQ(0U, launch_spec_size(header(kMagic + 1, 100).data()));
  EXPECT_EQ(0U, launch_spec_size(header(0, 0).data()));
  EXPECT_FALSE(Decoded(header(kMagic, kLaunchSpecHeaderSize)).ok());
}

}  // namespace
