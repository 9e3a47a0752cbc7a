// The container's init: `mesos-containerizer launch`.
//
// It waits for its LaunchSpec, carries it out step by step, starts the command and stays: it reaps
// whatever the command leaves behind, passes signals on to the command, and when that ends writes
// its wait(2) status, decimal, to the status descriptor.
//
// One is started for every container and stays in memory with it. It is linked without the C
// library: glibc's start alone asks the processor about itself by some dozens of instructions that
// each take a virtual machine to its host and back, 0.7 ms in all, half of what a launch may cost.
#pragma once

namespace containerizer {

// Where the launcher puts the helper's descriptors.
inline constexpr int kLaunchSpecFd = 3;
inline constexpr int kStatusFd = 4;

// What is written to the status descriptor if the agent went away before it had released the
// container: the command never ran.
inline constexpr char kNeverStarted[] = "never started";

// Runs the helper on the two descriptors above. Returns the process's exit code: that of the
// command, 128 + the signal that killed it, or 1 if it never ran.
int run_launch_helper();

}  // namespace containerizer
