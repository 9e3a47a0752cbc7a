// Where the frames of coroutines lie.
#pragma once

// In front of the declaration of a coroutine: its frame is its own, and goes when it ends. Else
// clang may lay the frame of a coroutine that is awaited where it is called into the frame of the
// one that awaits it, each beside the others: fast, but then a frame that waits for long has room
// for everything that it ever does. It is for the steps of those that exist a thousand times, such
// as connections and containers.
#define OWN_FRAME [[gnu::noinline]]
