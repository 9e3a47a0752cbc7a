// What may be deleted of a work_dir, and how it is reached.
//
// Deleting is bounded here: a path is a directory of one of these shapes, or it is nothing that is
// collected, whoever asks.
//
//   slaves/<agent>[/frameworks/<f>[/executors/<e>[/runs/<c>[/containers/<child>]...]]]
//   meta/slaves/<agent>[/frameworks/<f>[/executors/<e>[/runs/<c>[/tasks/<t>]]]]
//   containers/<c>[/containers/<child>]...
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"

namespace agent {

// The names below work_dir that lead to the directory. kInvalid for any other path than the above,
// and if work_dir is not absolute.
base::Result<std::vector<std::string>> split_garbage_path(const std::string& work_dir,
                                                          const std::string& path);

// When the directory itself was changed last. kNotFound if there is none. No link is followed, here
// and below.
base::Result<std::chrono::system_clock::time_point> last_change(const std::string& work_dir,
                                                                const std::string& path);

// Makes it changed now. kNotFound if there is none.
base::Status mark_changed(const std::string& work_dir, const std::string& path);

// Comes before remove_garbage(), so that a crash in its midst leaves no run that looks whole:
// deletes the link `latest` beside the directory, if it leads there. To be called on the loop's
// thread, which makes the links between checkpoints: elsewhere a run that begins in the same moment
// could lose its own, and with it all that the next start knows of it. It is gone even if the rest
// then cannot be deleted.
base::Status forget_latest(const std::string& work_dir, const std::string& path);

// Deletes the directory and all in it; fine if there is none. What is mounted below is unmounted
// first, lazily: the volume of a container that could not be cleaned up keeps what is in it. If
// that fails nothing is deleted. What makes the next start take it for something whole goes before
// all else, so that a crash in the middle leaves what is garbage again. Ends early, with an error,
// when `stop` is requested. For a worker thread.
base::Status remove_garbage(const std::string& work_dir, const std::string& path,
                            const std::stop_token& stop);

}  // namespace agent
